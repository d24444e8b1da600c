import type { z } from "@hono/zod-openapi";
import { isNewer, type Position } from "@signalbox/core";
import type { Clock } from "./clock.ts";
import type { Commit, EnvironmentInfo, Feed } from "./feed.ts";
import type { Instances } from "./instances.ts";
import type { receipt } from "./schema.ts";
import { isAcknowledged, touches } from "./steps.ts";

export type Receipt = z.infer<typeof receipt>;

/** Receipts kept for each environment, in memory; the oldest goes first, whoever waits for it is answered. */
const RECEIPTS_MAX = 100;
/** Programs named in `missing`, and of these in the sentence; `connected - acknowledged` tells how many there are. */
const MISSING_MAX = 100;
const MISSING_IN_SENTENCE_MAX = 3;
/** Callers that wait for a receipt at one time; one more is answered at once with what is known. */
const WAITERS_MAX = 1_000;
export const WAIT_MS_MAX = 10_000;

export interface Receipts {
  /** Undefined when that revision was no kill or restore, or is no longer (or, after a restart, not) remembered. */
  of(environmentId: number, revision: number): Receipt | undefined;
  /** Answers when every program has applied it, or after `waitMs` (at most 10 s) with what is known by then. */
  settled(environmentId: number, revision: number, waitMs: number): Promise<Receipt | undefined>;
  /** Called when a receipt opens and each time that it changes. */
  listen(listener: (environment: EnvironmentInfo, revision: number) => void): () => void;
  close(): void;
}

interface Program {
  readonly app: string;
  ms: number | undefined;
  gone: boolean;
}

interface Open {
  readonly commit: Commit;
  readonly environment: EnvironmentInfo;
  readonly openedAt: number;
  readonly programs: Map<string, Program>;
  /** Programs that were connected and cannot see what was killed. */
  readonly blind: number;
  acknowledged: number;
  slowestMs: number | undefined;
  readonly waiting: Set<() => void>;
}

/**
 * Who has applied a kill or restore. A receipt opens with the commit and names the programs that are connected then and can see
 * the flag; each is counted when it acknowledges that revision or a later one, or connects again holding it. A program that
 * disconnects before that stays named as gone: it may still run with what it had.
 */
export function createReceipts({ feed, instances, clock }: { feed: Feed; instances: Instances; clock: Clock }): Receipts {
  const environments = new Map<number, Map<number, Open>>();
  const listeners = new Set<(environment: EnvironmentInfo, revision: number) => void>();
  let waiters = 0;

  const tell = (open: Open) => {
    for (const listener of listeners) listener(open.environment, open.commit.to);
    if (isComplete(open)) release(open);
  };

  const stopCommits = feed.onCommit((commit) => {
    if (!isAcknowledged(commit)) return;
    const environment = feed.environments().find(({ id }) => id === commit.environmentId);
    if (!environment) return;
    const connected = instances.connected(environment.id);
    const seeing = connected.filter(({ kind }) => touches(commit, kind));
    const open: Open = {
      commit,
      environment,
      openedAt: clock.monotonic(),
      programs: new Map(seeing.map(({ instance, app }) => [instance, { app, ms: undefined, gone: false }])),
      blind: connected.length - seeing.length,
      acknowledged: 0,
      slowestMs: undefined,
      waiting: new Set(),
    };
    const kept = environments.get(environment.id) ?? new Map<number, Open>();
    environments.set(environment.id, kept);
    kept.set(commit.to, open);
    for (const [revision, oldest] of kept) {
      if (kept.size <= RECEIPTS_MAX) break;
      kept.delete(revision);
      release(oldest);
    }
    tell(open);
  });

  const stopInstances = instances.listen((event) => {
    const { instance } = event;
    for (const open of environments.get(instance.environment.id)?.values() ?? []) {
      const program = open.programs.get(instance.instance);
      if (!program || program.ms !== undefined) continue;
      const before = program.gone;
      program.gone = event.kind === "left";
      const holds = event.kind === "left" ? undefined : event.kind === "joined" ? instance.position : event.position;
      if (holds && !isNewer(positionOf(open), holds)) {
        program.ms = clock.monotonic() - open.openedAt;
        open.acknowledged += 1;
        open.slowestMs = Math.max(open.slowestMs ?? 0, program.ms);
        tell(open);
      } else if (program.gone !== before) tell(open);
    }
  });

  const of = (environmentId: number, revision: number) => {
    const open = environments.get(environmentId)?.get(revision);
    return open && describe(open);
  };

  return {
    of,
    async settled(environmentId, revision, waitMs) {
      const open = environments.get(environmentId)?.get(revision);
      if (!open) return undefined;
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
      return describe(open);
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      stopCommits();
      stopInstances();
      for (const kept of environments.values()) for (const open of kept.values()) release(open);
    },
  };
}

function release(open: Open): void {
  for (const done of [...open.waiting]) done();
}

function positionOf({ commit }: Open): Position {
  return { generation: commit.generation, revision: commit.to };
}

function isComplete(open: Open): boolean {
  return open.acknowledged === open.programs.size;
}

function describe(open: Open): Receipt {
  const { commit, environment, programs, acknowledged } = open;
  const missing: Receipt["missing"] = [];
  for (const [instance, { app, ms, gone }] of programs) {
    if (missing.length === MISSING_MAX) break;
    if (ms === undefined) missing.push({ instance, app, gone });
  }
  return {
    environment: environment.key,
    revision: commit.to,
    action: commit.action,
    target: commit.target,
    by: commit.by,
    at: commit.at,
    storedMs: roundMs(commit.storedMs),
    connected: programs.size,
    acknowledged,
    slowestMs: open.slowestMs === undefined ? null : roundMs(open.slowestMs),
    missing,
    complete: isComplete(open),
    sentence: sentenceOf(open, missing),
  };
}

function sentenceOf(open: Open, missing: Receipt["missing"]): string {
  const connected = open.programs.size;
  if (connected === 0) {
    return open.blind === 0
      ? "No program is connected; each will apply it when it connects"
      : "No connected program can see this flag; each that can will apply it when it connects";
  }
  const applied = `${open.acknowledged} of ${connected} connected ${connected === 1 ? "program has" : "programs have"} applied it`;
  const slowest = open.slowestMs === undefined ? "" : `, slowest ${roundMs(open.slowestMs)} ms`;
  if (missing.length === 0) return applied + slowest;
  const named = missing.slice(0, MISSING_IN_SENTENCE_MAX).map(({ app, gone }) => (gone ? `${app} (gone)` : app));
  const rest = connected - open.acknowledged - named.length;
  return `${applied}${slowest}; waiting for ${named.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

/** One decimal below 10 ms, whole milliseconds from there on. */
function roundMs(ms: number): number {
  return ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms);
}
