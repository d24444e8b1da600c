import type { AckTerms } from "./acks.ts";
import type { Position } from "./model.ts";
import { isCount, parseFrame } from "./parse.ts";
import { isNewer, samePosition } from "./position.ts";
import { type EmergencyKill, type FactsFrame, HEARTBEAT_MS, SILENCE_MS_MAX } from "./protocol.ts";
import { type Applied, applyChange, applySnapshot, type State, setEmergency } from "./state.ts";

/**
 * How an SDK follows the server: one pure machine for Node and browsers. It owns no clock, no randomness, no socket and no timer:
 * `stepSync` takes what happened and returns what to do. The shell performs the actions in order, keeps at most one connection and
 * one timer, and reports nothing more of a connection after `disconnect`.
 *
 * What it promises (design, section 5): the state only ever moves from one verified position to a newer one; whatever goes wrong, the
 * state stays; on any doubt about a frame the stream is dropped and a snapshot is asked for; it never stops trying until `close`.
 */
export interface Sync {
  /** The one thing that is changed in place, and only by frames that were applied whole. */
  readonly state: State;
  readonly options: SyncOptions;
  readonly phase: Phase;
  /** Failures in a row, for the backoff. */
  readonly failures: number;
  /** Doubts in a row: frames that could not be applied, streams on which nothing arrived. */
  readonly doubts: number;
  /** True from a doubt until a state is verified: the next request carries no basis. */
  readonly distrust: boolean;
  /** When the last connection or poll was begun. */
  readonly triedAt: number;
  readonly heardAt: number;
  readonly greeted: boolean;
  /** What the server of this connection said of acknowledgements; undefined before that. */
  readonly acks: AckTerms | undefined;
  /** Within how many ms the last acknowledgement that was asked for was to be told. */
  readonly ackSpreadMs: number;
  /** Whether the server of this connection asks for contexts. */
  readonly samples: boolean;
  readonly silenceMs: number;
  /** Since when this connection is verified to be at the server's head. */
  readonly goodSince: number | undefined;
  /** When the state was last known to be the newest. */
  readonly verifiedAt: number | undefined;
  /** The server's clock when it last told it, ms since 1970. */
  readonly serverAt: number | undefined;
  /** Since when the server has been ahead of what it sent. */
  readonly lagSince: number | undefined;
  /** The server or a refusal asked not to come back before this. */
  readonly notBefore: number;
  /** While doubts make it poll: when to try the stream again. */
  readonly streamAt: number;
  /** The position for which the stream asked to take the state by GET. */
  readonly resyncing: Position | undefined;
  readonly refused: boolean;
  /** After a stream that never began: `ask` for the state by GET next; `answers`: that worked, so only streams are held back if it happens again. */
  readonly suspicion: "none" | "ask" | "answers";
  readonly status: SyncStatus;
}

export interface SyncOptions {
  readonly transport: "stream" | "poll";
  /** Pause between polls with `transport: "poll"`. */
  readonly pollMs: number;
  /** How the server and the key are named in sentences; the key shortened. */
  readonly server: string;
  readonly key: string;
}

export type Phase = "idle" | "connecting" | "streaming" | "fetching" | "waiting" | "asleep" | "closed";

/**
 * - connecting: no state yet, answers are the callers' defaults
 * - cached: the state of an earlier run, not yet confirmed
 * - live: at the server's head, changes arrive as they are made
 * - polling: at the server's head as of the last poll
 * - stale: the last known state; trying to reach the server
 * - unauthorized: the server refuses the SDK key; the last known state, if any
 * - closed: by `close()`; the last known state, if any
 */
export type SyncStatus = "connecting" | "cached" | "live" | "polling" | "stale" | "unauthorized" | "closed";

/** network: no connection; refused: an HTTP status that is not 200; timeout; invalid: not what a Signalbox server sends; ended: the stream closed; oversize: more than any state. */
export type LostCause = "network" | "refused" | "timeout" | "invalid" | "ended" | "oversize";

export type SyncEvent =
  | { readonly kind: "start" }
  /** The stream answered 200 with server-sent events. */
  | { readonly kind: "open" }
  /** Bytes arrived on the stream, whatever they were. */
  | { readonly kind: "heard" }
  | { readonly kind: "frame"; readonly event: string; readonly data: string; readonly crc?: string }
  /** The body of the state; without text it has not changed since the basis. */
  | { readonly kind: "state"; readonly text?: string }
  | {
      readonly kind: "lost";
      readonly cause: LostCause;
      readonly status?: number;
      readonly retryAfterMs?: number;
      readonly detail?: string;
    }
  | { readonly kind: "timer" }
  /** The program or page may have been suspended, or the network is back: look at once. */
  | { readonly kind: "wake" }
  /** Nobody looks at the page: let go of the connection until `wake`. */
  | { readonly kind: "sleep" }
  | { readonly kind: "close" };

export type SyncAction =
  | { readonly kind: "connect"; readonly basis?: Position }
  | { readonly kind: "disconnect" }
  | { readonly kind: "fetchState"; readonly basis?: Position }
  | { readonly kind: "timer"; readonly inMs: number }
  | { readonly kind: "clearTimer" }
  | { readonly kind: "changed"; readonly keys: readonly string[] }
  /** Of a kill: at once, or within `spreadMs`. */
  | { readonly kind: "acknowledge"; readonly position: Position; readonly spreadMs?: number }
  /** What facts answer has changed at this revision, for some or for all; `from` hello: it may have, while there was no stream. */
  | ({ readonly kind: "facts"; readonly from: "hello" | "frame" } & FactsFrame)
  | { readonly kind: "status"; readonly status: SyncStatus }
  | { readonly kind: "problem"; readonly code: string; readonly sentence: string };

export interface SyncStep {
  readonly sync: Sync;
  readonly actions: readonly SyncAction[];
}

/** `now` in ms on a clock that does not jump, `random` in [0, 1) drawn for this step. */
export interface SyncMoment {
  readonly now: number;
  readonly random: number;
}

export const CONNECT_MS_MAX = 10_000;
const FETCH_MS_MAX = 60_000;
/** A stream that opened and says nothing for this long is held back by something in between. */
const GREETING_MS_MAX = 5_000;
const BACKOFF_MS_BASE = 500;
const BACKOFF_MS_MAX = 30_000;
const SPACING_MS_MIN = 500;
const REFUSED_MS = 300_000;
/** A server may send us away for at most this long. */
const DIRECTED_MS_MAX = 3_600_000;
/** A connection that was good for this long clears what went wrong before it. */
const GOOD_MS = 60_000;
/** A verified connection lets the next reconnect come within 4 s, however long the outage before it was. */
const FAILURES_AFTER_GOOD_MAX = 3;
const LAG_MS_MAX = 2_000;
const DOUBTS_MAX = 3;
const DOUBT_POLL_MS = 60_000;
const STREAM_AGAIN_MS = 300_000;

export function createSync(state: State, options: SyncOptions): Sync {
  return {
    state,
    options,
    phase: "idle",
    failures: 0,
    doubts: 0,
    distrust: false,
    triedAt: Number.NEGATIVE_INFINITY,
    heardAt: 0,
    greeted: false,
    acks: undefined,
    ackSpreadMs: 0,
    samples: false,
    silenceMs: SILENCE_MS_MAX,
    goodSince: undefined,
    verifiedAt: undefined,
    serverAt: undefined,
    lagSince: undefined,
    notBefore: Number.NEGATIVE_INFINITY,
    streamAt: Number.NEGATIVE_INFINITY,
    resyncing: undefined,
    refused: false,
    suspicion: "none",
    status: state.position ? "cached" : "connecting",
  };
}

/** Takes one event. Total: every event is answered in every phase, and nothing throws. */
export function stepSync(sync: Sync, event: SyncEvent, moment: SyncMoment): SyncStep {
  // The table pairs each kind with the handler of that kind; the compiler cannot follow the correlation through an index.
  const handler = TABLE[sync.phase][event.kind] as Handler<SyncEvent["kind"]>;
  const step = handler(sync, event, moment);
  const status = statusOf(step.sync);
  if (status === sync.status) return step;
  return { sync: { ...step.sync, status }, actions: [...step.actions, { kind: "status", status }] };
}

type Handler<Kind extends SyncEvent["kind"]> = (sync: Sync, event: Extract<SyncEvent, { kind: Kind }>, moment: SyncMoment) => SyncStep;
type Row = { readonly [Kind in SyncEvent["kind"]]: Handler<Kind> };

const ignore = (sync: Sync): SyncStep => ({ sync, actions: [] });
const nothing = { start: ignore, open: ignore, heard: ignore, frame: ignore, state: ignore, lost: ignore, timer: ignore, wake: ignore };

const TABLE: { readonly [P in Phase]: Row } = {
  idle: { ...nothing, start: begin, sleep: ignore, close },
  connecting: { ...nothing, open, lost, timer: unanswered, sleep, close },
  streaming: { ...nothing, heard, frame, lost, timer: listen, wake: lookAgain, sleep, close },
  fetching: { ...nothing, state: fetched, lost, timer: timedOut, sleep, close },
  waiting: { ...nothing, timer: begin, wake: hurry, sleep, close },
  asleep: { ...nothing, wake: begin, sleep: ignore, close },
  closed: { ...nothing, sleep: ignore, close: ignore },
};

function statusOf(sync: Sync): SyncStatus {
  if (sync.phase === "closed") return "closed";
  if (sync.refused) return "unauthorized";
  if (sync.goodSince !== undefined) return sync.phase === "streaming" || sync.resyncing ? "live" : "polling";
  if (sync.state.position === undefined) return "connecting";
  return sync.verifiedAt === undefined ? "cached" : "stale";
}

const polls = (sync: Sync) => sync.options.transport === "poll" || sync.doubts >= DOUBTS_MAX;

// Connecting

function begin(sync: Sync, _event: unknown, { now }: SyncMoment): SyncStep {
  if (sync.suspicion === "ask" && !sync.distrust) return fetchState({ ...sync, triedAt: now });
  if (polls(sync) && (sync.options.transport === "poll" || now < sync.streamAt)) return fetchState({ ...sync, triedAt: now });
  return {
    sync: {
      ...sync,
      phase: "connecting",
      triedAt: now,
      greeted: false,
      acks: undefined,
      samples: false,
      goodSince: undefined,
      lagSince: undefined,
      resyncing: undefined,
    },
    actions: [
      { kind: "connect", ...basisOf(sync) },
      { kind: "timer", inMs: CONNECT_MS_MAX },
    ],
  };
}

function fetchState(sync: Sync): SyncStep {
  return {
    sync: { ...sync, phase: "fetching" },
    actions: [
      { kind: "fetchState", ...basisOf(sync) },
      { kind: "timer", inMs: FETCH_MS_MAX },
    ],
  };
}

function basisOf(sync: Sync): { readonly basis?: Position } {
  return sync.distrust || sync.state.position === undefined ? {} : { basis: sync.state.position };
}

function open(sync: Sync, _event: unknown, { now }: SyncMoment): SyncStep {
  return {
    sync: { ...sync, phase: "streaming", heardAt: now, refused: false, suspicion: "none", silenceMs: SILENCE_MS_MAX },
    actions: [{ kind: "timer", inMs: GREETING_MS_MAX }],
  };
}

// Following the stream

function heard(sync: Sync, _event: unknown, { now }: SyncMoment): SyncStep {
  return { sync: { ...sync, heardAt: now }, actions: [] };
}

function frame(sync: Sync, event: Extract<SyncEvent, { kind: "frame" }>, moment: SyncMoment): SyncStep {
  const here = { ...sync, heardAt: moment.now };
  const read = parseFrame(event.event, event.data, event.crc);
  switch (read.kind) {
    case "unknown":
      return ignore(here);
    case "bad":
      return doubt(here, read.why, moment);
    case "hello": {
      const { generation, head, heartbeatMs, emergency } = read;
      const beat = heartbeatMs > 0 ? heartbeatMs : HEARTBEAT_MS;
      const greeted = {
        ...timed(here, read.at),
        greeted: true,
        acks: read.acks,
        samples: read.samples,
        silenceMs: Math.min(Math.max(3 * beat, 3_000), 2 * SILENCE_MS_MAX),
      };
      const there = holds(sync, { generation, revision: head }) && !sync.distrust;
      const step = rearmed(there ? verified(greeted, moment.now) : greeted, moment.now);
      const facts: SyncAction[] =
        read.factsAt > 0 ? [{ kind: "facts", from: "hello", generation, at: read.factsAt, units: [], spreadMs: 0 }] : [];
      return { ...step, actions: [...step.actions, ...facts, ...emergencies(sync.state, emergency)] };
    }
    case "facts":
      return { sync: here, actions: [{ ...read, from: "frame" }] };
    case "emergency":
      return { sync: here, actions: emergencies(sync.state, read.emergency) };
    case "snapshot":
      return received(here, applySnapshot(sync.state, read.frame), read.frame, undefined, moment);
    case "change": {
      const { generation, to: revision, ack, ackSpreadMs } = read.frame;
      const asked = ack === true ? { spreadMs: ackSpreadMs } : undefined;
      const told = asked ? { ...here, ackSpreadMs: isCount(ackSpreadMs) ? ackSpreadMs : 0 } : here;
      const step = received(told, applyChange(sync.state, read.frame), { generation, revision }, asked, moment);
      // A snapshot may follow every mismatch and prove nothing about the next change; only a change that fits ends a row of doubts.
      return step.sync.phase === "streaming" && step.sync.goodSince !== undefined ? { ...step, sync: { ...step.sync, doubts: 0 } } : step;
    }
    case "resync":
      return resync(here, read, read.reason, moment);
    case "ping":
      return pinged(
        { ...timed(here, read.at), samples: read.samples },
        { generation: read.generation, revision: read.head },
        read.dbAgeMs,
        moment,
      );
    case "bye": {
      const { reason, afterMs, spreadMs } = read;
      const inMs = Math.min(afterMs + moment.random * spreadMs, DIRECTED_MS_MAX);
      const step = wait(settled(here, moment.now), Math.max(inMs, spacing(here, moment.now)), moment.now, true);
      const told = problem(
        `bye-${reason}`,
        `${sync.options.server} closes the stream (${reason}); ${answers(sync)}; connecting again soon`,
      );
      return { ...step, actions: [{ kind: "disconnect" }, ...step.actions, told] };
    }
  }
}

/** 0: the server did not say. */
function timed(sync: Sync, at: number): Sync {
  return at > 0 ? { ...sync, serverAt: at } : sync;
}

function emergencies(state: State, kills: readonly EmergencyKill[]): SyncAction[] {
  const keys = setEmergency(state, kills);
  return keys.length > 0 ? [{ kind: "changed", keys }] : [];
}

/** What follows from an attempt to apply a state or a step that leads to `position`. `ack`: it is to be acknowledged. */
function received(sync: Sync, applied: Applied, position: Position, ack: { spreadMs?: unknown } | undefined, moment: SyncMoment): SyncStep {
  const acknowledge = ({ generation, revision }: Position): SyncAction[] => {
    if (ack === undefined) return [];
    return [{ kind: "acknowledge", position: { generation, revision }, ...(isCount(ack.spreadMs) ? { spreadMs: ack.spreadMs } : {}) }];
  };
  switch (applied.kind) {
    case "applied": {
      // The acknowledgement first: it says "applied", and a listener of `changed` may take its time.
      const actions = acknowledge(position);
      if (applied.changed.length > 0) actions.push({ kind: "changed", keys: applied.changed });
      return { sync: verified(sync, moment.now), actions };
    }
    case "stale": {
      const own = sync.state.position;
      if (own === undefined || !samePosition(own, position)) {
        // An older state than ours, from a node that lags behind: ours stays. A kill that we already hold is still acknowledged.
        return { sync, actions: own ? acknowledge(own) : [] };
      }
      return { sync: verified(sync, moment.now), actions: acknowledge(own) };
    }
    case "gap":
      return doubt(sync, "a change does not follow the state that is held", moment);
    case "mismatch":
      return doubt(sync, "the digest of a frame does not fit its content", moment);
  }
}

function verified(sync: Sync, now: number): Sync {
  return {
    ...sync,
    greeted: true,
    distrust: false,
    refused: false,
    failures: Math.min(sync.failures, FAILURES_AFTER_GOOD_MAX),
    goodSince: sync.goodSince ?? now,
    verifiedAt: now,
    lagSince: undefined,
  };
}

function pinged(sync: Sync, head: Position, dbAgeMs: number, moment: SyncMoment): SyncStep {
  const { now } = moment;
  const own = sync.state.position;
  if (own === undefined || isNewer(head, own)) {
    // Frames come in order: what this ping was sent after has arrived, unless it was lost.
    if (sync.lagSince !== undefined && now - sync.lagSince >= LAG_MS_MAX) return doubt(sync, LAGS, moment);
    return rearmed({ ...sync, lagSince: sync.lagSince ?? now }, now);
  }
  if (!samePosition(own, head)) return ignore(sync); // a node that lags behind says nothing about our state
  return { sync: { ...verified(sync, now), verifiedAt: now - dbAgeMs }, actions: [] };
}

function resync(sync: Sync, position: Position, reason: "size" | "compacted" | "ahead", moment: SyncMoment): SyncStep {
  const own = sync.state.position;
  if (reason !== "ahead" && own !== undefined && !isNewer(position, own)) {
    return doubt(sync, "a resync leads nowhere newer", moment);
  }
  if (reason === "ahead") {
    // The node has not caught up with us, or its database was restored: it will catch up, or raise the generation. Ours stays.
    const step = retry(sync, moment);
    const told = problem("ahead", `${sync.options.server} is behind what this program already holds; ${answers(sync)}; trying again`);
    return { ...step, actions: [{ kind: "disconnect" }, ...step.actions, told] };
  }
  const step = fetchState({ ...sync, resyncing: { generation: position.generation, revision: position.revision }, lagSince: undefined });
  return { ...step, actions: [{ kind: "disconnect" }, ...step.actions] };
}

/** A proxy that collects what should stream will do so the next time too: at once to polling, and the stream is tried again much later. */
function heldBack(sync: Sync, moment: SyncMoment): SyncStep {
  const { sync: after, actions } = doubt({ ...sync, doubts: DOUBTS_MAX - 1 }, HELD_BACK, moment);
  const soon = retry(after, moment);
  return { sync: soon.sync, actions: [...actions.filter(({ kind }) => kind !== "timer"), ...soon.actions] };
}

const HELD_BACK = "the stream opened and nothing arrives, a proxy may hold it back";
const LAGS = "the server is ahead of what it has sent";

/** The timer of an open stream: is it silent, held back, or behind? */
function listen(sync: Sync, _event: unknown, moment: SyncMoment): SyncStep {
  const { now } = moment;
  if (!sync.greeted && now - sync.heardAt >= GREETING_MS_MAX) {
    return heldBack(sync, moment);
  }
  if (now - sync.heardAt >= sync.silenceMs) return timedOut(sync, undefined, moment);
  // While bytes arrive, the frame that leads to the head may be one of them: a slow line is not a lost frame.
  if (sync.lagSince !== undefined && now - Math.max(sync.lagSince, sync.heardAt) >= LAG_MS_MAX) {
    return doubt(sync, LAGS, moment);
  }
  return rearmed(sync, now);
}

function rearmed(sync: Sync, now: number): SyncStep {
  const silent = sync.heardAt + (sync.greeted ? sync.silenceMs : GREETING_MS_MAX);
  const lagging = sync.lagSince === undefined ? silent : Math.max(sync.lagSince, sync.heardAt) + LAG_MS_MAX;
  return { sync, actions: [{ kind: "timer", inMs: Math.max(Math.min(silent, lagging) - now, 1) }] };
}

/** After a suspension the socket may be dead without anybody having said so: more than a heartbeat of silence is reason enough. */
function lookAgain(sync: Sync, _event: unknown, moment: SyncMoment): SyncStep {
  if (moment.now - sync.heardAt <= sync.silenceMs / 2) return ignore(sync);
  const step = begin({ ...sync, goodSince: undefined }, undefined, moment);
  return { ...step, actions: [{ kind: "disconnect" }, ...step.actions] };
}

// Taking the state by GET

function fetched(sync: Sync, event: Extract<SyncEvent, { kind: "state" }>, moment: SyncMoment): SyncStep {
  const asked = sync.suspicion === "ask";
  const before: Sync = { ...sync, refused: false, suspicion: asked ? "answers" : sync.suspicion };
  let step: SyncStep;
  if (event.text === undefined) {
    step = { sync: verified(before, moment.now), actions: [] };
  } else {
    const read = parseFrame("snapshot", event.text);
    if (read.kind !== "snapshot") return doubt(before, read.kind === "bad" ? read.why : "the state cannot be read", moment);
    // A GET cannot say how many others are asked to acknowledge. Pages, which hold no lease, go by what they were told last.
    const spread = sync.acks?.leaseMs === 0 && sync.ackSpreadMs > 0 ? { spreadMs: sync.ackSpreadMs } : {};
    step = received(before, applySnapshot(sync.state, read.frame), read.frame, sync.resyncing && spread, moment);
    if (step.sync.phase !== "fetching") return step;
  }
  if (sync.resyncing) {
    const own = step.sync.state.position;
    const behind = own === undefined || isNewer(sync.resyncing, own); // another node answered, one that lags behind the stream's
    const pause = spacing(sync, moment.now);
    let next: SyncStep;
    if (behind) next = retry(step.sync, moment);
    else next = pause === 0 ? begin(step.sync, undefined, moment) : wait(step.sync, pause, moment.now);
    return { ...next, actions: [...step.actions, ...next.actions] };
  }
  if (asked) {
    const next = wait(step.sync, Math.max(spacing(sync, moment.now), 1), moment.now);
    return { sync: { ...next.sync, goodSince: step.sync.goodSince }, actions: [...step.actions, ...next.actions] };
  }
  const everyMs = sync.options.transport === "poll" ? sync.options.pollMs : DOUBT_POLL_MS;
  const next = wait(step.sync, everyMs * (0.9 + 0.2 * moment.random), moment.now);
  // Between polls the state is as good as the poll was; only a poll that fails makes it stale.
  const goodSince = step.sync.goodSince;
  return { sync: { ...next.sync, goodSince }, actions: [...step.actions, ...next.actions] };
}

// Losing, doubting, waiting

function timedOut(sync: Sync, _event: unknown, moment: SyncMoment): SyncStep {
  const step = lost(sync, { kind: "lost", cause: "timeout" }, moment);
  return { ...step, actions: [{ kind: "disconnect" }, ...step.actions] };
}

/** Nothing came of a stream. A server that answers otherwise is there: then something in between holds streams back, even their heads. */
function unanswered(sync: Sync, event: unknown, moment: SyncMoment): SyncStep {
  if (sync.suspicion === "answers") return heldBack({ ...sync, suspicion: "none" }, moment);
  return timedOut({ ...sync, suspicion: "ask" }, event, moment);
}

function lost(sync: Sync, event: Extract<SyncEvent, { kind: "lost" }>, moment: SyncMoment): SyncStep {
  if (sync.phase === "fetching" && sync.suspicion === "ask") return lost({ ...sync, suspicion: "none" }, event, moment);
  if (event.cause === "oversize") return doubt(sync, "more arrives than any state holds", moment);
  const refused = event.status === 401 || event.status === 403;
  const directed = event.retryAfterMs !== undefined && event.retryAfterMs > 0;
  let step: SyncStep;
  if (refused) step = wait({ ...settled(sync, moment.now), refused }, REFUSED_MS * (0.9 + 0.1 * moment.random), moment.now, true);
  else if (directed) {
    const afterMs = Math.min(event.retryAfterMs ?? 0, DIRECTED_MS_MAX) + moment.random * 1_000;
    const after = settled({ ...sync, refused: false }, moment.now);
    step = wait({ ...after, failures: after.failures + 1 }, Math.max(afterMs, spacing(sync, moment.now)), moment.now, true);
  } else step = retry({ ...sync, refused: false }, moment);
  return { ...step, actions: [...step.actions, problem(...explain(sync, event))] };
}

/**
 * Something does not add up. The state stays, the stream is dropped, and the next request asks for everything; after three in a row
 * the stream is left alone for a while and the state is polled, so that a fault on one side never becomes a storm.
 */
function doubt(sync: Sync, why: string, moment: SyncMoment): SyncStep {
  const before = settled(sync, moment.now);
  const doubts = before.doubts + 1;
  const tired = doubts >= DOUBTS_MAX;
  const after = {
    ...before,
    doubts,
    distrust: true,
    streamAt: tired && moment.now >= before.streamAt ? moment.now + STREAM_AGAIN_MS * (0.5 + moment.random) : before.streamAt,
  };
  // Without any state there is nothing to lose by asking soon; with one, answers are safe and the server may need the rest.
  const slow = tired && sync.state.position !== undefined;
  const step = slow ? wait(after, DOUBT_POLL_MS * (1 + 0.2 * moment.random), moment.now) : retry(after, moment);
  const told = problem("doubt", `${why} (${sync.options.server}); ${answers(sync)}; asking for the whole state`);
  return { ...step, actions: [{ kind: "disconnect" }, ...step.actions, told] };
}

function retry(sync: Sync, moment: SyncMoment): SyncStep {
  const before = settled(sync, moment.now);
  const cap = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_BASE * 2 ** Math.min(before.failures, 10));
  const after = { ...before, failures: before.failures + 1 };
  // Full jitter: programs that lost the same server come back spread over the whole window, not in waves.
  return wait(after, spacing(sync, moment.now) + moment.random * cap, moment.now);
}

/** However a connection ended, the next one begins at least this much later than it did. */
const spacing = (sync: Sync, now: number) => Math.max(0, SPACING_MS_MIN - (now - sync.triedAt));

/** Leaves a connection; one that was good for a while clears what went wrong before it. */
function settled(sync: Sync, now: number): Sync {
  const good = sync.phase === "streaming" && sync.goodSince !== undefined && now - sync.goodSince >= GOOD_MS;
  return { ...sync, goodSince: undefined, ...(good ? { failures: 0, doubts: 0 } : {}) };
}

function wait(sync: Sync, inMs: number, now: number, directed = false): SyncStep {
  const notBefore = directed ? now + inMs : Number.NEGATIVE_INFINITY;
  const waiting: Sync = {
    ...sync,
    phase: "waiting",
    goodSince: undefined,
    lagSince: undefined,
    resyncing: undefined,
    greeted: false,
    notBefore,
  };
  return { sync: waiting, actions: [{ kind: "timer", inMs: Math.ceil(inMs) }] };
}

function hurry(sync: Sync, event: unknown, moment: SyncMoment): SyncStep {
  if (moment.now < sync.notBefore || spacing(sync, moment.now) > 0) return ignore(sync);
  return begin(sync, event, moment);
}

function sleep(sync: Sync): SyncStep {
  return {
    sync: { ...sync, phase: "asleep", goodSince: undefined, lagSince: undefined, resyncing: undefined, greeted: false },
    actions: [{ kind: "disconnect" }, { kind: "clearTimer" }],
  };
}

function close(sync: Sync): SyncStep {
  return { sync: { ...sync, phase: "closed", goodSince: undefined }, actions: [{ kind: "disconnect" }, { kind: "clearTimer" }] };
}

// Sentences

const problem = (code: string, sentence: string): SyncAction => ({ kind: "problem", code, sentence });

function answers(sync: Sync): string {
  return sync.state.position === undefined ? "until then the calls answer with their defaults" : "answers stay as they are";
}

function explain(sync: Sync, event: Extract<SyncEvent, { kind: "lost" }>): [code: string, sentence: string] {
  const { server, key } = sync.options;
  const because = event.detail ? ` (${event.detail})` : "";
  const rest = `${answers(sync)}; trying again`;
  if (event.status === 401 || event.status === 403) {
    const sentence = `the server at ${server} refused the SDK key ${key}${because}; check sdkKey; ${answers(sync)}; next try in 5 min`;
    return ["unauthorized", sentence];
  }
  if (event.status === 404) return ["http-404", `${server} answers 404, no Signalbox server is there; check url; ${rest}`];
  if (event.status !== undefined && event.cause === "refused") {
    return [`http-${event.status}`, `${server} answers ${event.status}${because}; ${rest}`];
  }
  switch (event.cause) {
    case "timeout":
      return ["timeout", `${server} stays silent; ${rest}`];
    case "invalid":
      return ["invalid", `what answers at ${server} is not a Signalbox server${because}; check url and proxies; ${rest}`];
    case "ended":
      return ["ended", `the connection to ${server} ended; ${rest}`];
    default:
      return ["network", `cannot reach ${server}${because}; ${rest}`];
  }
}

const holds = ({ state }: Sync, position: Position) => state.position !== undefined && samePosition(state.position, position);
