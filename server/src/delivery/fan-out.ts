import {
  type ByeFrame,
  type FrameEvent,
  HEARTBEAT_MS,
  type HelloFrame,
  isNewer,
  type PingFrame,
  type Position,
  PROTOCOL_VERSION,
  type Projection,
} from "@signalbox/core";
import type { Log } from "../log.ts";
import type { EnvironmentSettings } from "../store/model.ts";
import { createAheadWatch } from "./ahead.ts";
import type { Clock } from "./clock.ts";
import { encodeFrame } from "./encode-frame.ts";
import type { EnvironmentInfo, Feed, SdkKeyInfo } from "./feed.ts";
import { LEASE_MS } from "./instances.ts";
import type { RawStream } from "./raw-stream.ts";
import type { States } from "./state-bytes.ts";
import { type Head, type Step, Steps } from "./steps.ts";
import type { DeliveryWatch } from "./watch.ts";

/** At most ten frames a second go to a connection; what happens meanwhile becomes one frame. Kills and restores do not wait. */
const FRAME_GAP_MS = 100;
/** A step that only moves the position (nothing of it is in this projection) waits longer: it changes no answer. */
const EMPTY_FRAME_GAP_MS = 1_000;
/** So many of those go in one turn of the event loop: they have time, and what answers a kill must not wait behind thousands of them. */
const EMPTY_AT_ONCE_MAX = 500;
/**
 * How long a connection may hold bytes that the socket does not take. Past this we destroy it: a client that connects again catches
 * up from its revision. What the kernel has taken and the client has not is invisible to Node, megabytes of it on loopback: a client
 * that stops reading looks well until those are full. What a program has applied is known by its lease and acknowledgements only.
 */
const WRITE_STALL_MS_MAX = 30_000;
/** Pings are spread over the interval: each connection belongs to one of these slots, which take turns. */
const PING_SLOTS = 60;
const TICK_MS = HEARTBEAT_MS / PING_SLOTS;
/** After `bye`, how long a client may take to read it. */
const CLOSE_MS_MAX = 2_000;

/** A stream whose key was revoked is gone after this long, read or not; its program comes back within the spread, to be refused. */
const REVOKED_MS_MAX = 1_000;
const REVOKED_SPREAD_MS = 5_000;

/** Brings every open stream from where it stands to the head, and keeps it there. */
export interface FanOut {
  readonly open: number;
  /** Open streams by environment and projection. */
  counts(): readonly StreamCount[];
  /** Frames handed to sockets since the start. */
  readonly sent: Readonly<Record<FrameEvent, number>>;
  /**
   * Takes a stream whose head is written. `basis` is what the client holds, undefined when it holds nothing; `ackSample` the part of the
   * pages that is asked to acknowledge.
   */
  add(stream: RawStream, key: SdkKeyInfo, basis: Position | undefined, ackSample?: number): void;
  /** Says `bye` on every stream that came with this key and ends it: the key holds no more. Their programs learn the rest when they come back. */
  end(key: SdkKeyInfo): void;
  /** Says `bye` on every stream and ends it; resolves when all are closed. Clients come back after a random part of `spreadMs`. */
  close(bye: { spreadMs: number; afterMs?: number }): Promise<void>;
}

export interface StreamCount {
  readonly environment: EnvironmentInfo;
  readonly projection: Projection;
  readonly open: number;
}

/** A cursor, not a queue: all that is kept for a connection is where it stands. */
interface Connection {
  readonly stream: RawStream;
  readonly sdkKeyId: number;
  readonly channel: Channel;
  readonly steps: Steps;
  position: Position | undefined;
  sentAt: number;
}

/** The streams of one environment. */
interface Channel {
  readonly environment: EnvironmentInfo;
  readonly steps: Readonly<Record<Projection, Steps>>;
  readonly connections: Readonly<Record<Projection, Set<Connection>>>;
  /** When the next delayed step is due (monotonic), and how to take that back. */
  due: number;
  stopTimer: (() => void) | undefined;
  /** When the oldest commit happened that has not gone to everybody who can take it; monotonic. */
  unsentSince: number | undefined;
}

interface FanOutDeps {
  readonly feed: Feed;
  readonly states: States;
  readonly clock: Clock;
  readonly log: Log;
  readonly watch: DeliveryWatch;
  /** How many programs of an environment acknowledge each revision. */
  readonly acknowledging: (environmentId: number) => number;
}

export function createFanOut({ feed, states, clock, log, watch, acknowledging }: FanOutDeps): FanOut {
  const channels = new Map<number, Channel>();
  const ahead = createAheadWatch({ feed, clock, log });
  const slots: Set<Connection>[] = Array.from({ length: PING_SLOTS }, () => new Set());
  /** Connections with bytes that the kernel has not taken. */
  const waiting = new Set<Connection>();
  const sent = { hello: 0, snapshot: 0, change: 0, resync: 0, facts: 0, emergency: 0, ping: 0, bye: 0 };
  let open = 0;
  let added = 0;
  let ticks = 0;
  let stopTicking: (() => void) | undefined;
  let allClosed: (() => void) | undefined;

  function channelOf(environment: EnvironmentInfo): Channel {
    const known = channels.get(environment.id);
    if (known) return known;
    const ackSpreadMs = () => spreadFor(acknowledging(environment.id));
    const channel: Channel = {
      environment,
      steps: {
        server: new Steps(feed, states, environment, "server", { ackSpreadMs, audience: () => channel.connections.server.size }),
        browser: new Steps(feed, states, environment, "browser", { ackSpreadMs, audience: () => channel.connections.browser.size }),
      },
      connections: { server: new Set(), browser: new Set() },
      due: Number.POSITIVE_INFINITY,
      stopTimer: undefined,
      unsentSince: undefined,
    };
    channels.set(environment.id, channel);
    return channel;
  }

  function write(connection: Connection, event: FrameEvent, frame: Buffer): void {
    sent[event] += 1;
    connection.stream.write(frame);
    if (!connection.stream.idle && !connection.stream.destroyed) waiting.add(connection);
  }

  /**
   * Sends the step to the head that was looked at last, if there is one and it may go now (`room` is what may still go in this turn);
   * answers when it may go if that is later. What goes wrong for one connection ends that connection only.
   */
  function deliver(
    connection: Connection,
    now: number,
    { atOnce = false, room }: { atOnce?: boolean; room?: { empty: number } } = {},
  ): number {
    // With a frame in flight nothing is sent; when it has left, `idle` calls here again.
    if (!connection.stream.idle) return Number.POSITIVE_INFINITY;
    try {
      const step = connection.steps.from(connection.position);
      if (!step) return Number.POSITIVE_INFINITY;
      const due = connection.sentAt + gapMs(step);
      if (!atOnce && now < due) return due;
      if (room && step.haste === "empty") {
        if (room.empty === 0) return now;
        room.empty -= 1;
      }
      connection.position = step.position;
      connection.sentAt = now;
      write(connection, step.event, step.frame);
    } catch (error) {
      log.error(
        { err: error, environment: connection.channel.environment.key },
        "a stream was ended because its next frame could not be made",
      );
      watch.dropped("broken");
      connection.stream.destroy();
    }
    return Number.POSITIVE_INFINITY;
  }

  function schedule(channel: Channel, due: number): void {
    if (due >= channel.due) return;
    channel.stopTimer?.();
    channel.due = due;
    // A timer may fire a little before its time: at least one millisecond, so that it cannot spin.
    channel.stopTimer = clock.after(Math.max(1, Math.ceil(due - clock.monotonic())), () => {
      channel.due = Number.POSITIVE_INFINITY;
      channel.stopTimer = undefined;
      flush(channel);
    });
  }

  /** Servers first: they hold the kill-switches, and each of them answers for many people. */
  function flush(channel: Channel): void {
    const now = clock.monotonic();
    const room = { empty: EMPTY_AT_ONCE_MAX };
    let due = Number.POSITIVE_INFINITY;
    for (const projection of ["server", "browser"] as const) {
      channel.steps[projection].refresh();
      for (const connection of channel.connections[projection]) due = Math.min(due, deliver(connection, now, { room }));
    }
    schedule(channel, due);
    if (channel.unsentSince === undefined || due !== Number.POSITIVE_INFINITY) return;
    watch.written(clock.monotonic() - channel.unsentSince);
    channel.unsentSince = undefined;
  }

  function ping(connection: Connection, now: number): void {
    // First the step, delayed or not, so that a ping never tells of a head that the stream has not brought.
    const head = connection.steps.refresh();
    deliver(connection, now, { atOnce: true });
    // A frame in flight is itself the sign of life.
    if (!connection.stream.idle) return;
    // The database belongs to this process alone and memory follows each commit, so its age is nothing.
    const { sampleContexts } = feed.settings(connection.channel.environment.id);
    const frame: PingFrame = {
      generation: head.generation,
      head: head.revision,
      dbAgeMs: 0,
      at: clock.now(),
      ...(sampleContexts ? { sampleContexts } : {}),
    };
    write(connection, "ping", encodeFrame("ping", frame));
  }

  function tick(): void {
    ticks += 1;
    stopTicking = open > 0 ? clock.after(TICK_MS, tick) : undefined;
    const now = clock.monotonic();
    for (const connection of slots[ticks % PING_SLOTS] ?? []) ping(connection, now);
    for (const connection of waiting) {
      if (connection.stream.idle) waiting.delete(connection);
      else if (now - connection.stream.progressAt >= WRITE_STALL_MS_MAX) {
        watch.dropped("stalled");
        connection.stream.destroy();
      }
    }
  }

  const stopCommits = feed.onCommit((commit) => {
    const channel = channels.get(commit.environmentId);
    if (!channel) return;
    channel.unsentSince ??= clock.monotonic();
    flush(channel);
  });

  return {
    get open() {
      return open;
    },

    sent,

    counts: () =>
      [...channels.values()].flatMap(({ environment, connections }) =>
        (["server", "browser"] as const).map((projection) => ({ environment, projection, open: connections[projection].size })),
      ),

    add(stream, { id: sdkKeyId, environment, projection }, basis, ackSample) {
      const channel = channelOf(environment);
      const steps = channel.steps[projection];
      const head = steps.refresh();
      const isAhead = basis !== undefined && isNewer(basis, head);
      // A browser key is no secret: whoever has it must not be able to send everybody a new generation.
      if (isAhead && projection === "server") ahead(environment, basis);
      const connection: Connection = {
        stream,
        sdkKeyId,
        channel,
        steps,
        position: isAhead ? undefined : basis,
        sentAt: Number.NEGATIVE_INFINITY,
      };
      const connections = channel.connections[projection];
      // The first ping comes within one interval, each time in another slot.
      const slot = slots[added++ % PING_SLOTS] ?? new Set();
      connections.add(connection);
      slot.add(connection);
      open += 1;
      stopTicking ??= clock.after(TICK_MS, tick);

      stream.listen({
        idle() {
          if (waiting.size > 0) waiting.delete(connection);
          // Every commit has already made the steps look at the head; a write that left at once has nothing to catch up with.
          if (!steps.isHead(connection.position)) schedule(channel, deliver(connection, clock.monotonic()));
        },
        close() {
          connections.delete(connection);
          slot.delete(connection);
          waiting.delete(connection);
          open -= 1;
          if (open === 0) allClosed?.();
        },
      });
      const terms = { ...feed.settings(environment.id), ackSample };
      const hello = encodeFrame("hello", helloFrame(environment, projection, head, clock.now(), terms));
      // The client holds what this server does not know of: a restored database. It is told, and gets the state as it is here.
      write(
        connection,
        "hello",
        isAhead
          ? Buffer.concat([hello, encodeFrame("resync", { generation: head.generation, revision: head.revision, reason: "ahead" })])
          : hello,
      );
      deliver(connection, clock.monotonic(), { atOnce: true });
    },

    end({ id, environment, projection }) {
      const frame: ByeFrame = { reason: "key-revoked", afterMs: 0, spreadMs: REVOKED_SPREAD_MS };
      const bye = encodeFrame("bye", frame);
      const ended = [...(channels.get(environment.id)?.connections[projection] ?? [])].filter(({ sdkKeyId }) => sdkKeyId === id);
      for (const { stream } of ended) {
        sent.bye += 1;
        stream.end(bye);
      }
      // Who does not read would hold on to it.
      clock.after(REVOKED_MS_MAX, () => {
        for (const { stream } of ended) stream.destroy();
      });
    },

    async close({ spreadMs, afterMs = 500 }) {
      stopCommits();
      stopTicking?.();
      for (const channel of channels.values()) channel.stopTimer?.();
      if (open === 0) return;
      const frame: ByeFrame = { reason: "drain", afterMs, spreadMs };
      const bye = encodeFrame("bye", frame);
      const closed = new Promise<void>((resolve) => {
        allClosed = resolve;
      });
      const everyone = [...slots].flatMap((slot) => [...slot]);
      for (const { stream } of everyone) {
        sent.bye += 1;
        stream.end(bye);
      }
      const stopTimer = clock.after(CLOSE_MS_MAX, () => {
        for (const { stream } of everyone) stream.destroy();
      });
      await closed;
      stopTimer();
    },
  };
}

function gapMs(step: Step): number {
  switch (step.haste) {
    case "urgent":
      return Number.NEGATIVE_INFINITY;
    case "normal":
      return FRAME_GAP_MS;
    case "empty":
      return EMPTY_FRAME_GAP_MS;
  }
}

/** More programs than this acknowledge a kill over a time that grows with their number: ten in a millisecond. */
const ACKS_AT_ONCE_MAX = 500;
const ACK_SPREAD_MS_MAX = 2_000;

function spreadFor(programs: number): number {
  return programs <= ACKS_AT_ONCE_MAX ? 0 : Math.min(ACK_SPREAD_MS_MAX, Math.ceil(programs / 10));
}

function helloFrame(
  environment: EnvironmentInfo,
  projection: Projection,
  head: Head,
  at: number,
  {
    sampleContexts,
    secureMode,
    ackSample = 1,
  }: Pick<EnvironmentSettings, "sampleContexts" | "secureMode"> & { ackSample?: number | undefined },
): HelloFrame {
  return {
    protocol: PROTOCOL_VERSION,
    environment: environment.key,
    project: environment.projectKey,
    production: environment.production,
    projection,
    generation: head.generation,
    head: head.revision,
    factsAt: head.factsAt,
    heartbeatMs: HEARTBEAT_MS,
    // A page renews no lease: browsers slow down the timers of those in the background.
    ...(projection === "server" ? { leaseMs: LEASE_MS } : { ackSample }),
    ...(projection === "browser" && secureMode ? { secure: true } : {}),
    ...(sampleContexts ? { sampleContexts } : {}),
    at,
    emergency: [],
  };
}
