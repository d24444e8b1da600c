import { readJson } from "./answer.ts";
import { isObject } from "./attribute.ts";
import { murmur3, unitOf } from "./bucket.ts";
import { FALSE, type Facts, TRUE, UNKNOWN } from "./conditions.ts";
import type { Context, Evaluation, Hex64, Position } from "./model.ts";
import { isCount } from "./parse.ts";
import { factsOf } from "./plan.ts";
import { isNewer } from "./position.ts";
import type { FactsAnswer, FactsFrame } from "./protocol.ts";
import { sipHashWith } from "./siphash.ts";
import type { State } from "./state.ts";

/**
 * Names a context without saying who it is: SipHash-2-4 with the all-zero key over its canonical JSON, 16 hexadecimal digits. What is
 * not JSON counts as `JSON.stringify` has it, so that page and server agree. Throws TypeError for what has no JSON: a circle, a bigint.
 */
export function contextHash(context: unknown): Hex64 {
  return sipHashWith([0, 0, 0, 0], canonicalJson(JSON.parse(JSON.stringify(context) ?? "null")));
}

/** Eight bits of a unit: enough to let most pages pass over a change that is not about them, too few to name anybody. */
export function unitTag(unit: string): number {
  return murmur3(unit, 0) & 255;
}

/** JSON without spaces, its keys sorted by UTF-16 units. */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`).join()}}`;
}

/** What asking came to; undefined: no answer came. */
export type FactsResult = { readonly status: number; readonly text: string; readonly retryAfterMs?: number | undefined } | undefined;

export interface FactsPorts {
  now(): number;
  random(): number;
  after(ms: number, run: () => void, hold: boolean): () => void;
  /** Posts a `FactsRequest` as JSON; whoever has a signed context puts it in place of `context`. Returns what drops it. */
  askFacts(body: string, done: (result: FactsResult) => void): () => void;
  /** Keeps answers for the next page, and gives them to pages that are open. */
  keepFacts?(answer: FactsAnswer): void;
}

/** What the client around it does for it. */
export interface FactsOwner {
  readonly state: State;
  /** Evaluates a flag for the context that facts are held for. */
  evaluate(flag: string): Evaluation;
  /** Other answers of facts made these flags answer differently. */
  changed(flags: readonly string[]): void;
  /** It may be known now whether facts are there. */
  looked(): void;
  refused(status: number, text: string): void;
}

/** Answers that were given before there is any state, as a page's own server rendered them. */
export interface GivenAnswers {
  readonly contextHash: string;
  readonly flags: { readonly [flag: string]: Evaluation };
}

export interface FactsHolder extends Facts {
  /** The context that facts are held for: a copy of what was given. */
  readonly context: Context;
  /** Facts are needed and not there, and asking has not failed so far. */
  readonly isAsking: boolean;
  /** The context that is held already changes nothing, unless it comes with a new signature (`renewed`): what was refused is asked again. */
  identify(context: Context, more?: { kept?: unknown; given?: GivenAnswers | undefined; renewed?: boolean }): void;
  /** The stream said that facts have changed. */
  told(frame: FactsFrame, from: "hello" | "frame"): void;
  /** Takes an answer from anywhere; false if it is for another context, too old or none at all. */
  take(answer: unknown): boolean;
  /** Called after every step. `active`: the server can be reached. */
  look(active: boolean): void;
  close(): void;
}

/** An unanswered fact leaves a flag its last answer for this long; then it is unknown. */
const HOLD_MS = 10_000;
/** Facts that changed by an edit, which concerns every page at once, are asked for within this time. */
const SPREAD_MS = 1_000;
const AGAIN_MS_BASE = 500;
const AGAIN_MS_MAX = 30_000;
/** What asking once more does not mend. */
const REFUSED_MS = 300_000;
/** A server may send us away for at most this long. */
const DIRECTED_MS_MAX = 3_600_000;
/** Of a context with more values than this nobody works out which changes concern it: all do. */
const TAGS_MAX = 64;

interface Who {
  readonly context: Context;
  /** Undefined if it has no JSON: nothing can be asked. */
  readonly hash: Hex64 | undefined;
  /** Undefined: every change may concern it. */
  readonly tags: ReadonlySet<number> | undefined;
}

interface Held {
  readonly generation: number;
  /** The revision that the server answered at. */
  readonly at: number;
  /** No change of facts up to this revision concerns these answers. */
  revision: number;
  readonly holds: ReadonlySet<number>;
  readonly fails: ReadonlySet<number>;
  /** Numbers that the server was asked about; of those in neither list it knows nothing either. */
  readonly seen: Set<number>;
  /** Of an earlier page: it answers at once, and is asked again, since an address may have changed without any change of facts. */
  readonly kept: boolean;
}

/**
 * Holds what the server answers for one context, and asks it again when that may have changed. Pure but for its ports. Nothing is asked
 * while no flag needs a fact or the server is away; one request at a time; after a failure with growing pauses, or when the server says.
 */
export function createFacts(ports: FactsPorts, owner: FactsOwner): FactsHolder {
  const { state } = owner;
  let who = whoIs({});
  let held: Held | undefined;
  let isCurrent = false;
  let missed = 0;
  /** The flags whose rules hold facts, the numbers of these, and the state that they were found in. */
  let flags: readonly string[] = [];
  let numbers: ReadonlySet<number> = new Set();
  let found: string | undefined;
  let lookedAt = "";
  const factsOfEntry = new WeakMap<object, readonly number[]>();
  /** What those flags answer now, and what they answered when all was known. */
  let shown = new Map<string, Evaluation>();
  let last = new Map<string, Evaluation>();
  let waitingSince: number | undefined;
  /** The newest change of facts that the stream told of, and the one from which on it has told of each. */
  let newest: Position = { generation: 0, revision: 0 };
  let since: Position = newest;
  /** A change that concerns this context was told: that of a later one says nothing. */
  let concerned = false;
  let active = false;
  let failures = 0;
  let notBefore = Number.NEGATIVE_INFINITY;
  /** Whom the pause until then is for: the server, who asked for it, or a context that it refuses, or nobody in particular. */
  let pause: "directed" | "refused" | "backoff" = "backoff";
  let drop: (() => void) | undefined;
  /** Counts questions: the answer of one that was given up counts for nothing. */
  let question = 0;
  let cancelAsk: (() => void) | undefined;
  let cancelHold = () => {};

  function factsAt(): number {
    return newest.generation === state.position?.generation ? Math.max(newest.revision, state.factsAt) : state.factsAt;
  }

  function find(): void {
    const mark = `${state.position?.generation}.${state.digest}`;
    if (mark === found) return;
    found = mark;
    const all = new Set<number>();
    const having: string[] = [];
    for (const { key, entry } of state.slots.flags.values()) {
      // What the rules say counts only for a flag that asks them.
      if (!isObject(entry) || entry.mode !== "targeted" || entry.killed === true || entry.archived === true) continue;
      let facts = factsOfEntry.get(entry);
      if (!facts) {
        facts = factsOf(entry);
        factsOfEntry.set(entry, facts);
      }
      if (facts.length > 0) having.push(key);
      for (const fact of facts) all.add(fact);
    }
    flags = having;
    numbers = all;
  }

  function isNewEnough(answer: Position | undefined): boolean {
    return answer !== undefined && answer.generation === state.position?.generation && answer.revision >= factsAt();
  }

  /** What is held answers already, and is asked again. */
  const isProvisional = () => numbers.size > 0 && held?.kept === true;

  function isWhole(): boolean {
    if (numbers.size === 0) return true;
    const { position } = state;
    isCurrent = isNewEnough(held);
    if (!isCurrent || !held || !position) return false;
    const { seen, holds, fails, at } = held;
    const isCovered = position.revision <= at;
    let whole = true;
    for (const fact of numbers) {
      if (isCovered) seen.add(fact);
      else if (!seen.has(fact) && !holds.has(fact) && !fails.has(fact)) whole = false;
    }
    return whole;
  }

  /** `quiet`: what answers differently now is told by others, or is asked for another context. */
  function look(quiet: boolean): void {
    const before = found;
    find();
    const whole = isWhole();
    if (whole) {
      waitingSince = undefined;
      concerned = false;
      cancelHold();
      if (!isProvisional()) {
        failures = 0;
        rest();
      }
    } else if (waitingSince === undefined) {
      waitingSince = ports.now();
      cancelHold();
      cancelHold = ports.after(HOLD_MS, () => look(false), false);
    }
    if (flags.length > 0 || shown.size > 0) show(whole, quiet || before !== found);
    if (!whole || isProvisional()) schedule();
    owner.looked();
  }

  function show(whole: boolean, quiet: boolean): void {
    const now = new Map(flags.map((flag) => [flag, owner.evaluate(flag)]));
    const changed = flags.filter((flag) => variantOf(now.get(flag)) !== variantOf(shown.get(flag)));
    shown = now;
    if (whole) last = now;
    if (!quiet && changed.length > 0) owner.changed(changed);
  }

  function rest(): void {
    cancelHold();
    cancelAsk?.();
    cancelAsk = undefined;
  }

  function schedule(): void {
    if (!active || who.hash === undefined || cancelAsk || drop) return;
    plan(held === undefined || failures > 0 ? 0 : ports.random() * SPREAD_MS);
  }

  function plan(inMs: number): void {
    cancelAsk?.();
    const ms = Math.max(inMs, notBefore - ports.now());
    cancelAsk = ports.after(
      ms,
      () => {
        cancelAsk = undefined;
        if (active && (!isWhole() || isProvisional())) ask();
      },
      false,
    );
  }

  function ask(): void {
    const { generation, revision } = state.position ?? { generation: 0, revision: 0 };
    // A node that is behind the state that was seen here may not know its facts yet: it has to catch up first.
    const body = { context: who.context, generation, at: Math.max(factsAt(), revision) };
    const mine = ++question;
    const needed = numbers;
    drop = ports.askFacts(JSON.stringify(body), (result) => {
      if (mine !== question) return;
      drop = undefined;
      answered(result, needed);
    });
  }

  function giveUp(): void {
    question++;
    drop?.();
    drop = undefined;
  }

  function answered(result: FactsResult, needed: ReadonlySet<number>): void {
    const answer = result?.status === 200 ? readAnswer(readJson(result.text)) : undefined;
    if (answer !== undefined && answer.contextHash === who.hash) {
      // What changed while it was on its way is asked once more, which is no failure.
      if (!isNewEnough(answer)) {
        notBefore = ports.now() + AGAIN_MS_BASE;
        pause = "backoff";
      }
      if (take(answer, needed)) ports.keepFacts?.(answer);
      else look(false);
      return;
    }
    failures++;
    const status = result?.status ?? 0;
    const isRefused = status >= 400 && status < 500 && status !== 408 && status !== 429;
    const jitter = ports.random();
    const after = isRefused
      ? REFUSED_MS * (0.9 + 0.1 * jitter)
      : result?.retryAfterMs
        ? Math.min(result.retryAfterMs, DIRECTED_MS_MAX) + jitter * 1_000
        : jitter * Math.min(AGAIN_MS_MAX, AGAIN_MS_BASE * 2 ** Math.min(failures - 1, 10));
    notBefore = ports.now() + after;
    pause = isRefused ? "refused" : result?.retryAfterMs ? "directed" : "backoff";
    if (isRefused && result) owner.refused(status, result.text);
    look(false);
  }

  /** `asked`: the facts that it was asked for, so what is in neither list of its is known to be unknown. */
  function take(answer: unknown, asked?: ReadonlySet<number>, kept = false): boolean {
    const next = readAnswer(answer);
    if (!next || next.contextHash !== who.hash || (held && isNewer(held, next))) return false;
    const { generation, revision } = next;
    held = {
      generation,
      at: revision,
      revision,
      holds: new Set(next.true),
      fails: new Set(next.false),
      seen: new Set(asked),
      kept,
    };
    // Before listeners hear of it: one of them may go on to another context.
    const isTaken = isNewEnough(held) || numbers.size === 0 || state.position === undefined;
    look(false);
    return isTaken;
  }

  return {
    get context() {
      return who.context;
    },
    get isAsking() {
      return waitingSince !== undefined && failures === 0 && who.hash !== undefined;
    },
    get missed() {
      return missed;
    },
    verdict(fact, context) {
      if (context !== who.context) return UNKNOWN;
      if (isCurrent && held) {
        if (held.holds.has(fact)) return TRUE;
        if (held.fails.has(fact)) return FALSE;
        if (held.seen.has(fact)) return UNKNOWN;
      }
      missed++;
      return UNKNOWN;
    },
    held(flag) {
      const isOver = waitingSince !== undefined && ports.now() - waitingSince >= HOLD_MS;
      return isOver ? undefined : last.get(flag);
    },
    identify(context, { kept, given, renewed } = {}) {
      const next = whoIs(context);
      const isOther = next.hash === undefined || next.hash !== who.hash;
      if (isOther || renewed) {
        giveUp();
        cancelAsk?.();
        cancelAsk = undefined;
        failures = 0;
        // Who changes its context often does not thereby ask more often than the server allows.
        if (pause !== "directed") notBefore = Number.NEGATIVE_INFINITY;
      }
      if (isOther) {
        rest();
        held = undefined;
        isCurrent = false;
        waitingSince = undefined;
        concerned = false;
        last = new Map(given && given.contextHash === next.hash ? Object.entries(given.flags) : []);
        who = next;
      }
      if (kept !== undefined) take(kept, undefined, held === undefined);
      look(true);
    },
    told({ generation, at, units, all, spreadMs }, from) {
      const position = { generation, revision: at };
      if (isNewer(position, newest)) newest = position;
      if (from === "hello") {
        since = position;
        return;
      }
      if (!held || !isNewer(position, held)) return;
      const { tags } = who;
      const isConcerned = all === true || tags === undefined || units.some((unit) => tags.has(unit));
      // Every change after `since` was told, so what concerned nobody here still holds. A stream that began before the first change names none.
      const wasTold = since.generation !== generation || held.revision >= since.revision;
      if (!isConcerned && !concerned && held.generation === generation && wasTold) {
        held.revision = at;
        return;
      }
      if (!isConcerned) return;
      concerned = true;
      if (!active || drop) return;
      plan(ports.random() * Math.min(spreadMs, DIRECTED_MS_MAX));
    },
    take: (answer) => take(answer),
    look(nowActive) {
      const { position, digest } = state;
      const mark = `${position?.generation}.${position?.revision} ${digest} ${factsAt()} ${held?.revision} ${nowActive}`;
      if (mark === lookedAt) return;
      lookedAt = mark;
      // Pauses grow while the server is gone; when it is back, they are over.
      if (nowActive && !active && pause === "backoff") notBefore = Number.NEGATIVE_INFINITY;
      active = nowActive;
      look(false);
    },
    close() {
      active = false;
      giveUp();
      rest();
    },
  };
}

function whoIs(context: Context): Who {
  try {
    const copy = JSON.parse(JSON.stringify(context)) as Context;
    return { context: copy, hash: contextHash(copy), tags: tagsOf(copy) };
  } catch {
    return { context, hash: undefined, tags: undefined }; // a circle, a bigint: the server cannot be asked about it
  }
}

/** Of every value that may be a unit: which attributes groups go by, a page does not know. */
function tagsOf(context: unknown): ReadonlySet<number> | undefined {
  const tags = new Set<number>();
  let values = 0;
  const look = (value: unknown) => {
    if (++values > TAGS_MAX) return;
    const unit = unitOf(value);
    if (unit !== undefined) tags.add(unitTag(unit));
    else if (typeof value === "object" && value !== null) Object.values(value).forEach(look);
  };
  look(context);
  return values > TAGS_MAX ? undefined : tags;
}

function readAnswer(answer: unknown): FactsAnswer | undefined {
  if (!isObject(answer) || !isCount(answer.generation) || !isCount(answer.revision)) return undefined;
  return typeof answer.contextHash === "string" && Array.isArray(answer.true) && Array.isArray(answer.false)
    ? (answer as unknown as FactsAnswer)
    : undefined;
}

/** As text, so that two answers can be compared. */
function variantOf(given: Evaluation | undefined): string | undefined {
  return given?.served ? given.variant : undefined;
}
