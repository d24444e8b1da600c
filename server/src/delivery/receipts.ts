import type { z } from "@hono/zod-openapi";
import { isNewer, type Position } from "@signalbox/core";
import type { Clock } from "./clock.ts";
import type { Commit, EnvironmentInfo, Feed } from "./feed.ts";
import type { Instance, InstanceId, Instances } from "./instances.ts";
import type { ReceiptLog } from "./receipt-log.ts";
import { sentenceOf, why } from "./receipt-words.ts";
import type { receipt } from "./schema.ts";
import { isAcknowledged, touches } from "./steps.ts";

export type Receipt = z.infer<typeof receipt>;
export type Missing = Receipt["missing"][number];

/** Receipts that grow, for each environment; the oldest is left as it is then, whoever waits for it is answered. */
const OPEN_MAX = 100;
/** Programs and times remembered by all receipts together; past this the oldest receipts are left as they are. */
const REMEMBERED_MAX = 500_000;
/** Programs named in `missing`; the numbers tell how many there are. */
const MISSING_MAX = 100;
/** Programs that are not counted and remembered for each receipt, to tell when they have caught up. */
const ASIDE_MAX = 1_000;
/** Callers that wait for a receipt at one time; one more is answered at once with what is known. */
const WAITERS_MAX = 1_000;
export const WAIT_MS_MAX = 10_000;

export interface Receipts {
  /** One that still grows. */
  open(environmentId: number, revision: number): Receipt | undefined;
  /** Undefined when there is no such revision, or when it is older than what is kept. */
  of(environmentId: number, revision: number): Promise<Receipt | undefined>;
  /** Answers when every program has applied it, or after `waitMs` (at most 10 s) with what is known by then. */
  settled(environmentId: number, revision: number, waitMs: number): Promise<Receipt | undefined>;
  /** Called when a receipt opens and each time that it changes. */
  listen(listener: (environment: EnvironmentInfo, revision: number) => void): () => void;
  /** Leaves all receipts as they are and resolves when they are written. */
  close(): Promise<void>;
}

interface Open {
  readonly commit: Commit;
  readonly environment: EnvironmentInfo;
  readonly openedAt: number;
  readonly connected: number;
  /** Programs that are counted and have not answered, and which of them are gone. */
  readonly pending: Map<InstanceId, Instance>;
  readonly gone: Set<InstanceId>;
  /** Programs that are not counted, with the reason why. */
  readonly aside: Map<InstanceId, { readonly instance: Instance; readonly reason: Missing["reason"] }>;
  /** Those for whom there was no more room. */
  readonly asideMore: Receipt["aside"];
  /** Programs that were connected and cannot see what was changed. */
  readonly blind: number;
  /** From the commit to each acknowledgement, ascending because time is. */
  times: number[];
  readonly waiting: Set<() => void>;
}

/**
 * Who has applied a revision. A receipt opens with the commit and counts the programs that are connected then, can see the change and
 * acknowledge such; each is taken off when it acknowledges that revision or a later one, or connects again holding it. A program that
 * disconnects before that stays named as gone: it may still run with what it had. Programs that poll, are silent or too old are named
 * beside them, not counted. Kept in the database, as it is last known.
 */
export function createReceipts({
  feed,
  instances,
  clock,
  committedMs = clock.monotonic,
  log,
}: {
  feed: Feed;
  instances: Instances;
  clock: Clock;
  /** When the commit that is told of happened; monotonic. */
  committedMs?: () => number;
  log?: ReceiptLog | undefined;
}): Receipts {
  const environments = new Map<number, Map<number, Open>>();
  const listeners = new Set<(environment: EnvironmentInfo, revision: number) => void>();
  let waiters = 0;
  let remembered = 0;

  const tell = (open: Open) => {
    const { commit, environment } = open;
    log?.put({
      environmentId: environment.id,
      generation: commit.generation,
      revision: commit.to,
      at: commit.at,
      read: () => describe(open, environments.get(environment.id)?.get(commit.to) === open),
    });
    for (const listener of listeners) listener(environment, commit.to);
    if (isComplete(open)) release(open);
  };

  const describe = (open: Open, isOpen: boolean) => describeAt(open, isOpen, instances, clock);

  /** Leaves a receipt as it is. */
  function leave(kept: Map<number, Open>, open: Open): void {
    remembered -= open.pending.size + open.times.length;
    kept.delete(open.commit.to);
    release(open);
  }

  const stopCommits = feed.onCommit((commit) => {
    // What belongs to Signalbox itself is listed nowhere, and has no receipt.
    const environment = feed.environments().find(({ id }) => id === commit.environmentId);
    if (!environment) return;
    const open: Open = {
      ...countAt(commit, instances),
      commit,
      environment,
      openedAt: committedMs(),
      gone: new Set(),
      times: [],
      waiting: new Set(),
    };
    const kept = environments.get(environment.id) ?? new Map<number, Open>();
    environments.set(environment.id, kept);
    kept.set(commit.to, open);
    remembered += open.pending.size;
    for (const oldest of kept.values()) {
      if (kept.size <= OPEN_MAX && (remembered <= REMEMBERED_MAX || oldest === open)) break;
      leave(kept, oldest);
    }
    tell(open);
  });

  const stopInstances = instances.listen((event) => {
    const { instance } = event;
    const { id } = instance;
    const holds = event.kind === "acknowledged" ? event.position : event.kind === "left" ? undefined : instance.position;
    for (const open of environments.get(instance.environment.id)?.values() ?? []) {
      const applied = holds !== undefined && !isNewer(positionOf(open), holds);
      if (open.pending.has(id)) {
        const wasGone = open.gone.delete(id);
        const isGone = event.kind === "left";
        if (isGone) open.gone.add(id);
        if (applied) {
          open.pending.delete(id);
          open.times.push(clock.monotonic() - open.openedAt);
          tell(open);
        } else if (isGone !== wasGone || event.kind === "lease") tell(open);
      } else if (applied || event.kind === "left") {
        // Not counted: one that has caught up, or is no more, is not worth a name.
        if (open.aside.delete(id)) tell(open);
      }
    }
  });

  const open: Receipts["open"] = (environmentId, revision) => {
    const found = environments.get(environmentId)?.get(revision);
    return found && describe(found, true);
  };

  return {
    open,
    of: async (environmentId, revision) => open(environmentId, revision) ?? log?.find(environmentId, revision),
    async settled(environmentId, revision, waitMs) {
      const open = environments.get(environmentId)?.get(revision);
      if (!open) return log?.find(environmentId, revision);
      if (!isComplete(open) && waitMs > 0 && waiters < WAITERS_MAX) {
        waiters += 1;
        await new Promise<void>((resolve) => {
          const done = () => {
            stopTimer();
            open.waiting.delete(done);
            resolve();
          };
          const stopTimer = clock.after(Math.min(waitMs, WAIT_MS_MAX), done);
          open.waiting.add(done);
        });
        waiters -= 1;
      }
      return describe(open, true);
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      stopCommits();
      stopInstances();
      for (const kept of environments.values()) for (const open of kept.values()) release(open);
      await log?.close();
    },
  };
}

/** Who is counted at a commit, who is not and why. */
function countAt(commit: Commit, instances: Instances): Pick<Open, "connected" | "pending" | "aside" | "asideMore" | "blind"> {
  const pending: Open["pending"] = new Map();
  const aside: Open["aside"] = new Map();
  const asideMore = { polling: 0, silent: 0, oldSdk: 0, notSampled: 0 };
  let blind = 0;
  const put = (instance: Instance, reason: "polling" | "silent" | "old-sdk") => {
    if (aside.size < ASIDE_MAX && instance.acks !== "none") aside.set(instance.id, { instance, reason });
    else asideMore[COUNTED_AS[reason]] += 1;
  };
  for (const instance of instances.all(commit.environmentId)) {
    if (!touches(commit, instance.kind)) blind += 1;
    else if (instance.transport === "poll") put(instance, "polling");
    else if (instance.sampledOut) asideMore.notSampled += 1;
    else if (instance.silent) put(instance, "silent");
    else if (instance.acks === "all" || (instance.acks === "kills" && isAcknowledged(commit))) {
      pending.set(instance.id, instance);
    } else put(instance, "old-sdk");
  }
  return { connected: pending.size, pending, aside, asideMore, blind };
}

const COUNTED_AS = { polling: "polling", silent: "silent", "old-sdk": "oldSdk" } as const;

function release(open: Open): void {
  for (const done of [...open.waiting]) done();
}

function positionOf({ commit }: Open): Position {
  return { generation: commit.generation, revision: commit.to };
}

function isComplete(open: Open): boolean {
  return open.pending.size === 0;
}

function describeAt(open: Open, isOpen: boolean, instances: Instances, clock: Clock): Receipt {
  const { commit, environment, connected, pending, gone, aside, asideMore, times, blind } = open;
  const missing: Missing[] = [];
  const now = clock.now();
  const name = (instance: Instance, reason: Missing["reason"], counted: boolean) => {
    // What is known of it now, for as long as it is there; what was known at the commit afterwards.
    const known = instances.find(environment.id, instance.id) ?? instance;
    const { app, appVersion, sdk, host, kind, transport, heardAt } = known;
    const named = { instance: known.instance, app, appVersion, sdk, host, kind, transport, reason, counted, heardAt };
    missing.push({ ...named, why: why(named, now) });
  };
  for (const [id, instance] of pending) {
    if (missing.length === MISSING_MAX) break;
    const isGone = gone.has(id);
    const silent = instances.find(environment.id, id)?.silent ?? false;
    name(instance, isGone ? "gone" : silent ? "silent" : instance.acks === "kills" ? "old-sdk" : "waiting", true);
  }
  const counts = { ...asideMore };
  for (const { instance, reason } of aside.values()) {
    if (reason === "polling" || reason === "silent" || reason === "old-sdk") counts[COUNTED_AS[reason]] += 1;
    if (missing.length < MISSING_MAX) name(instance, reason, false);
  }
  const described = {
    environment: environment.key,
    revision: commit.to,
    action: commit.action,
    target: commit.target,
    by: commit.by,
    at: commit.at,
    storedMs: roundMs(commit.storedMs),
    connected,
    acknowledged: connected - pending.size,
    p50Ms: percentile(times, 0.5),
    p95Ms: percentile(times, 0.95),
    p99Ms: percentile(times, 0.99),
    slowestMs: percentile(times, 1),
    missing,
    aside: counts,
    complete: isComplete(open),
    open: isOpen,
  };
  return { ...described, sentence: sentenceOf(described, blind) };
}

/** The time within which this part of those that answered had done so; `times` ascending. */
function percentile(times: readonly number[], part: number): number | null {
  const ms = times[Math.max(0, Math.ceil(times.length * part) - 1)];
  return ms === undefined ? null : roundMs(ms);
}

/** One decimal below 10 ms, whole milliseconds from there on. */
function roundMs(ms: number): number {
  return ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms);
}
