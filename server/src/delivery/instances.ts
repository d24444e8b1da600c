import { type Acknowledgement, isNewer, isSampled, type Position, type Projection } from "@signalbox/core";
import type { Clock } from "./clock.ts";
import type { Program } from "./program.ts";

/** A program renews its lease this often; one that does not for the second time is silent: it may be stuck, and is not counted as connected. */
export const LEASE_MS = 15_000;
export const SILENT_MS = 45_000;
/** A program that polls is forgotten when it has not for this long. */
const POLLER_MS_MAX = 300_000;
/** Programs that poll, on the whole server; the one not seen for longest goes first. */
const POLLERS_MAX = 10_000;
/** Pages asked to acknowledge in an environment, by a sample: an acknowledgement of each would be a flood. */
const PAGES_ASKED = 100;
const SWEEP_MS = 5_000;

/**
 * Names a program within its environment. The kind of its SDK key is part of it: a browser key is public, and whoever holds one may
 * say any instance name, that of a server program as well.
 */
export type InstanceId = `${Projection}:${string}`;

function instanceId({ kind, instance }: Pick<Program, "kind" | "instance">): InstanceId {
  return `${kind}:${instance}`;
}

/** A running program. */
export interface Instance extends Program {
  readonly id: InstanceId;
  readonly transport: "stream" | "poll";
  /** Streams open under this name; more than one means that several copies call themselves the same. */
  readonly connections: number;
  readonly connectedAt: number;
  /** When it last said anything, ms since 1970. */
  readonly heardAt: number;
  /** It holds a stream and has not renewed its lease. */
  readonly silent: boolean;
  /** A page that is not in the sample of those that acknowledge. */
  readonly sampledOut: boolean;
  /** What it holds for certain: the position it connected with, or the newest one that it acknowledged. */
  readonly position: Position | undefined;
  /** The newest position that it acknowledged. */
  readonly acknowledged: Position | undefined;
}

export interface Arrival extends Program {
  readonly basis: Position | undefined;
  /** The part of the pages that acknowledges, as this one is told; absent: all. */
  readonly ackSample?: number;
}

export type InstanceEvent =
  /** Connected while it was not, or connected once more: `instance.position` is what it came with. */
  | { readonly kind: "joined"; readonly instance: Instance; readonly connected: number }
  | { readonly kind: "left"; readonly instance: Instance; readonly connected: number }
  /** It fell silent, or is heard again. */
  | { readonly kind: "lease"; readonly instance: Instance; readonly connected: number }
  /** It asked for the state, holding `instance.position`. */
  | { readonly kind: "polled"; readonly instance: Instance; readonly connected: number }
  | { readonly kind: "acknowledged"; readonly instance: Instance; readonly position: Position };

/**
 * The programs that are running now: those with a stream, and those that poll. An instance that connects again before its old
 * connection is seen to close is one instance; it leaves when its last connection closes. Bounded by the number of open streams, and
 * 10,000 that poll.
 */
export interface Instances {
  join(arrival: Arrival): () => void;
  /** It asked for the state by GET and holds `basis`. Of one that has a stream this is no news. */
  polled(arrival: Arrival): void;
  /** `kind`: of the key that it came with. False when no such program is known: a late acknowledgement, nothing is kept of it. */
  acknowledge(environmentId: number, kind: Projection, acknowledgement: Acknowledgement): boolean;
  find(environmentId: number, id: InstanceId): Instance | undefined;
  /** Everyone, the longest known first. */
  all(environmentId: number): readonly Instance[];
  /** How many are connected: with a stream, and not silent. */
  connected(environmentId: number): number;
  /** How many acknowledge each revision. */
  acknowledging(environmentId: number): number;
  /** The part of the pages that acknowledges, for those that connect now. */
  ackSample(environmentId: number): number;
  listen(listener: (event: InstanceEvent) => void): () => void;
}

interface Entry extends Instance {
  connections: number;
  connectedAt: number;
  heardAt: number;
  /** The same on the clock that does not jump. */
  heardMs: number;
  silent: boolean;
  position: Position | undefined;
  acknowledged: Position | undefined;
}

/** The programs of one environment, with counts that are asked for on the way of a kill. */
interface Present {
  readonly entries: Map<InstanceId, Entry>;
  connected: number;
  acknowledging: number;
  pages: number;
}

export function createInstances(clock: Clock): Instances {
  const environments = new Map<number, Present>();
  const listeners = new Set<(event: InstanceEvent) => void>();
  /** By when they were last seen, the longest ago first. */
  const pollers = new Set<Entry>();
  let stopSweep: (() => void) | undefined;
  let sweptMs = 0;

  const tell = (event: InstanceEvent) => {
    for (const listener of listeners) listener(event);
  };

  function presentIn(environmentId: number): Present {
    const known = environments.get(environmentId);
    if (known) return known;
    const present: Present = { entries: new Map(), connected: 0, acknowledging: 0, pages: 0 };
    environments.set(environmentId, present);
    return present;
  }

  /** Takes an entry in (1) or out (-1) of the counts. */
  function count(present: Present, entry: Entry, by: 1 | -1): void {
    if (entry.transport === "poll") return;
    if (!entry.silent) present.connected += by;
    if (entry.acks === "all" && !entry.sampledOut) present.acknowledging += by;
    if (entry.kind === "browser") present.pages += by;
  }

  function put(present: Present, entry: Entry): void {
    remove(present, present.entries.get(entry.id));
    present.entries.set(entry.id, entry);
    count(present, entry, 1);
    if (entry.transport === "poll") pollers.add(entry);
    if (stopSweep) return;
    sweptMs = clock.monotonic();
    stopSweep = clock.after(SWEEP_MS, sweep);
  }

  function remove(present: Present, entry: Entry | undefined): void {
    if (!entry) return;
    present.entries.delete(entry.id);
    pollers.delete(entry);
    count(present, entry, -1);
  }

  function leave(entry: Entry): void {
    const present = presentIn(entry.environment.id);
    remove(present, entry);
    tell({ kind: "left", instance: entry, connected: present.connected });
  }

  function heard(present: Present, entry: Entry): void {
    entry.heardAt = clock.now();
    entry.heardMs = clock.monotonic();
    if (entry.silent) setSilent(present, entry, false);
  }

  function setSilent(present: Present, entry: Entry, silent: boolean): void {
    entry.silent = silent;
    present.connected += silent ? -1 : 1;
    tell({ kind: "lease", instance: entry, connected: present.connected });
  }

  function sweep(): void {
    const now = clock.monotonic();
    // A sweep that comes late says that this process stood still: nobody could be heard meanwhile, and nobody is blamed for it.
    const lateMs = Math.max(0, now - sweptMs - 2 * SWEEP_MS);
    sweptMs = now;
    let some = false;
    for (const present of environments.values()) {
      for (const entry of [...present.entries.values()]) {
        some = true;
        entry.heardMs += lateMs;
        const quietMs = now - entry.heardMs;
        if (entry.transport === "poll") {
          if (quietMs > POLLER_MS_MAX) leave(entry);
        } else if (hasLease(entry) && !entry.silent && quietMs > SILENT_MS) setSilent(present, entry, true);
      }
    }
    stopSweep = some ? clock.after(SWEEP_MS, sweep) : undefined;
  }

  return {
    join(arrival) {
      const present = presentIn(arrival.environment.id);
      const entry = createEntry(arrival, "stream", clock);
      const { id } = entry;
      const before = present.entries.get(id);
      if (before?.transport === "stream") entry.connections += before.connections;
      entry.acknowledged = before?.acknowledged;
      put(present, entry);
      tell({ kind: "joined", instance: entry, connected: present.connected });
      let left = false;
      return () => {
        if (left) return;
        left = true;
        const now = present.entries.get(id);
        if (now?.transport !== "stream") return;
        now.connections -= 1;
        if (now.connections === 0) leave(now);
      };
    },
    polled(arrival) {
      const present = presentIn(arrival.environment.id);
      const before = present.entries.get(instanceId(arrival));
      if (before?.transport === "stream") return;
      const entry = createEntry(arrival, "poll", clock);
      entry.connectedAt = before?.connectedAt ?? entry.connectedAt;
      entry.position ??= before?.position;
      entry.acknowledged = before?.acknowledged;
      put(present, entry);
      tell({ kind: "polled", instance: entry, connected: present.connected });
      if (pollers.size <= POLLERS_MAX) return;
      for (const oldest of pollers) return leave(oldest);
    },
    acknowledge(environmentId, kind, { instance, generation, revision }) {
      const present = environments.get(environmentId);
      const entry = present?.entries.get(instanceId({ kind, instance }));
      if (!present || !entry) return false;
      heard(present, entry);
      const position = { generation, revision };
      if (!entry.acknowledged || !isNewer(entry.acknowledged, position)) {
        entry.acknowledged = position;
        entry.position = position;
      }
      tell({ kind: "acknowledged", instance: entry, position });
      return true;
    },
    find: (environmentId, id) => environments.get(environmentId)?.entries.get(id),
    all: (environmentId) => [...(environments.get(environmentId)?.entries.values() ?? [])],
    connected: (environmentId) => environments.get(environmentId)?.connected ?? 0,
    acknowledging: (environmentId) => environments.get(environmentId)?.acknowledging ?? 0,
    ackSample: (environmentId) => Math.min(1, PAGES_ASKED / Math.max(1, environments.get(environmentId)?.pages ?? 0)),
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Field by field: an object that is made by spreading another keeps a description of its form for itself, 500 bytes for each stream. */
function createEntry(arrival: Arrival, transport: Instance["transport"], clock: Clock): Entry {
  const { instance, app, appVersion, sdk, host, kind, environment, sdkKeyId, acks, basis, ackSample = 1 } = arrival;
  const now = clock.now();
  const isStream = transport === "stream";
  return {
    id: instanceId(arrival),
    instance,
    app,
    appVersion,
    sdk,
    host,
    kind,
    environment,
    sdkKeyId,
    acks,
    transport,
    connections: isStream ? 1 : 0,
    connectedAt: now,
    heardAt: now,
    heardMs: clock.monotonic(),
    silent: false,
    sampledOut: isStream && !isSampled(instance, ackSample),
    position: basis,
    acknowledged: undefined,
  };
}

/** Server programs that acknowledge everything renew a lease; a page does not, because browsers slow down the timers of those in the background. */
function hasLease({ acks, kind }: Program): boolean {
  return acks === "all" && kind === "server";
}
