import type { Projection } from "@signalbox/core";
import { and, eq, lt, type SQL, sql } from "drizzle-orm";
import type { Clock } from "../delivery/clock.ts";
import { type Problem, problem } from "../errors.ts";
import type { Log } from "../log.ts";
import { insertMany, runStatement, type Tx } from "../store/database.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { Store } from "../store/store.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Minutes older than this become hours, and hours older than that are deleted. */
export const MINUTES_KEPT_MS = 3 * HOUR_MS;
export const HOURS_KEPT_MS = 30 * DAY_MS;
/**
 * What was reported is written at most once in this time, the first report after a pause at once. A report is answered when it is written,
 * so a crash loses none; and a program that ends waits for that answer, but no longer than a second.
 */
const WRITE_GAP_MS = 200;
/** Rows after which a transaction is full: whatever else waits, a kill first of all, has its turn before the next. */
const CHUNK_ROWS_MAX = 500;
/**
 * Transactions that may wait while the database refuses. Past this reports are refused (503); programs keep them and come again. Whoever
 * holds a browser key, which is everybody, fills no more than half of them.
 */
const CHUNKS_MAX = { server: 20, browser: 10 };
/** Rows that are moved or deleted in one transaction. */
const SLICE_ROWS_MAX = 500;
/**
 * Different (flag, variant, revision, hour) that servers report of one environment in an hour, and as many that browsers do. Past this, which
 * only a program that makes revisions or times up reaches, the revision of a further one is not kept (0).
 */
const ROWS_PER_HOUR_MAX = 20_000;
/** Runs of programs of one environment whose last report is remembered, and for how long. A forgotten one that repeats a report is counted twice. */
const RUNS_MAX = 20_000;
const RUNS_KEPT_MS = 7 * DAY_MS;

export interface CountRow {
  readonly environmentId: number;
  readonly flagKey: string;
  /** When it was evaluated, not in the future; the minute is kept. */
  readonly at: number;
  /** 0: the program did not tell. */
  readonly revision: number;
  readonly variant: string;
  readonly count: number;
}

/** Which report it is; one without a number is counted as often as it comes. */
export interface ReportNumber {
  readonly environmentId: number;
  /** What the key is for that it came with. */
  readonly projection: Projection;
  readonly instance: string;
  readonly run?: string | undefined;
  readonly batch?: number | undefined;
}

interface Chunk {
  readonly rows: Map<string, CountRow>;
  readonly runs: Map<string, { environmentId: number; instance: string; batch: number; at: number }>;
  readonly waiting: { resolve: () => void; reject: (why: Problem) => void }[];
}

/** The table of counted evaluations: gathered in memory, written in bulk, gathered into hours when they are old. */
export interface Counts {
  /** Whether this report was counted before. */
  isRepeated(report: ReportNumber): boolean;
  /** Throws a problem when no report can be taken now. */
  assertRoom(projection: Projection): void;
  /**
   * Counts a report that is not repeated; with a repeated one `rows` is empty. Resolves when it is in the database, rejects with a problem
   * when it cannot be said to be.
   */
  add(report: ReportNumber, rows: readonly CountRow[]): Promise<void>;
  /** What is counted and not yet in the database. */
  unwritten(): Iterable<CountRow>;
  /** Writes soon what else there is to write. */
  wake(): void;
  /** Writes everything now; what then still cannot be written is lost, and its reports are refused. */
  close(): Promise<void>;
}

interface CountsDeps {
  readonly store: Pick<Store, "db" | "transaction">;
  readonly log: Log;
  readonly clock: Clock;
  /** Writes what belongs to the same transactions; true when there is more. Called with each. */
  readonly also: { pending(): boolean; begin(): { write(tx: Tx): Promise<void>; failed(): void } };
}

export async function createCounts({ store, log, clock, also }: CountsDeps): Promise<Counts> {
  /** By environment, then by name; the one that was heard of last is the last. */
  const runs = new Map<number, Map<string, { batch: number; at: number }>>();
  const forgottenRuns: { environmentId: number; instance: string }[] = [];
  /** By environment and projection: what was named in this hour. */
  const hours = new Map<string, { hour: number; rows: Set<string> }>();
  const chunks: Chunk[] = [];
  let stopTimer: (() => void) | undefined;
  let writing: Promise<void> | undefined;
  let wroteAt = Number.NEGATIVE_INFINITY;
  let closed = false;

  for (const { environmentId, instance, batch, at } of await store.db.select().from(tables.usageBatch).orderBy(tables.usageBatch.at)) {
    note(environmentId, instance, batch, at);
  }
  let stopTidying = clock.after(MINUTE_MS, tidy);

  function note(environmentId: number, name: string, batch: number, at: number): void {
    const known = runs.get(environmentId) ?? new Map<string, { batch: number; at: number }>();
    runs.set(environmentId, known);
    known.delete(name);
    known.set(name, { batch, at });
    for (const [oldest] of known) {
      if (known.size <= RUNS_MAX) break;
      known.delete(oldest);
      if (forgottenRuns.length < RUNS_MAX) forgottenRuns.push({ environmentId, instance: oldest });
    }
  }

  function bounded(row: CountRow, projection: Projection, now: number): CountRow {
    const hour = now - (now % HOUR_MS);
    const budget = `${row.environmentId}:${projection}`;
    const seen = hours.get(budget);
    const current = seen?.hour === hour ? seen : { hour, rows: new Set<string>() };
    hours.set(budget, current);
    const name = `${row.flagKey}\n${row.variant}\n${row.revision}\n${row.at - (row.at % HOUR_MS)}`;
    const hasRoom = current.rows.has(name) || current.rows.size < ROWS_PER_HOUR_MAX;
    if (hasRoom) current.rows.add(name);
    return { ...row, at: row.at - (row.at % MINUTE_MS), revision: hasRoom ? row.revision : 0 };
  }

  function lastChunk(): Chunk {
    const last = chunks.at(-1);
    // The first may be in its transaction just now.
    if (last && last.rows.size < CHUNK_ROWS_MAX && last.runs.size < CHUNK_ROWS_MAX && !(writing && chunks.length === 1)) return last;
    const made: Chunk = { rows: new Map(), runs: new Map(), waiting: [] };
    chunks.push(made);
    return made;
  }

  function schedule(): void {
    if (stopTimer || writing || closed || (chunks.length === 0 && !also.pending())) return;
    const inMs = wroteAt + WRITE_GAP_MS - clock.monotonic();
    if (inMs <= 0) void writeAll();
    else {
      stopTimer = clock.after(inMs, () => {
        stopTimer = undefined;
        void writeAll();
      });
    }
  }

  function writeAll(): Promise<void> {
    writing ??= (async () => {
      let fine = true;
      while (fine && (chunks.length > 0 || also.pending())) fine = await writeChunk();
      wroteAt = clock.monotonic();
    })().finally(() => {
      writing = undefined;
      schedule();
    });
    return writing;
  }

  async function writeChunk(): Promise<boolean> {
    const chunk = chunks[0];
    const more = also.begin();
    const gone = forgottenRuns.splice(0, SLICE_ROWS_MAX);
    try {
      await store.transaction(async (tx) => {
        if (chunk) await writeCounts(tx, chunk, gone);
        await more.write(tx);
      });
    } catch (error) {
      log.error({ err: error, rows: chunk?.rows.size ?? 0 }, "reported usage could not be written, it is tried again");
      more.failed();
      forgottenRuns.unshift(...gone);
      for (const { reject } of chunk?.waiting.splice(0) ?? []) reject(notStored());
      return false;
    }
    if (chunk) chunks.shift();
    for (const { resolve } of chunk?.waiting ?? []) resolve();
    return true;
  }

  function tidy(): void {
    void tidyAll()
      .catch((error: unknown) => log.error({ err: error }, "old usage could not be gathered, it is tried again"))
      .finally(() => {
        if (!closed) stopTidying = clock.after(MINUTE_MS, tidy);
      });
  }

  async function tidyAll(): Promise<void> {
    const now = clock.now();
    // Each slice is a transaction in the line of writes.
    while (!closed && (await store.transaction((tx) => gatherMinutes(tx, now)))) {}
    while (!closed && (await store.transaction((tx) => forgetHours(tx, now)))) {}
    while (!closed && (await store.transaction((tx) => forgetRuns(tx, now)))) {}
    for (const known of runs.values()) {
      for (const [name, { at }] of known) {
        if (at > now - RUNS_KEPT_MS) break;
        known.delete(name);
      }
    }
  }

  const isRepeated: Counts["isRepeated"] = (report) =>
    report.batch !== undefined && report.batch <= (runs.get(report.environmentId)?.get(nameOf(report))?.batch ?? 0);

  return {
    isRepeated,
    assertRoom(projection) {
      if (closed || chunks.length >= CHUNKS_MAX[projection]) throw notStored();
    },
    add(report, rows) {
      return new Promise((resolve, reject) => {
        if (closed) throw notStored();
        const now = clock.now();
        const repeated = isRepeated(report);
        if (repeated && chunks.length === 0) {
          resolve();
          return;
        }
        const chunk = repeated ? (chunks.at(-1) ?? lastChunk()) : lastChunk();
        if (!repeated && report.batch !== undefined) {
          const { environmentId, batch } = report;
          const instance = nameOf(report);
          note(environmentId, instance, batch, now);
          chunk.runs.set(`${environmentId}:${instance}`, { environmentId, instance, batch, at: now });
        }
        for (const row of rows) {
          const kept = bounded(row, report.projection, now);
          const name = [kept.environmentId, kept.flagKey, kept.at, kept.revision, kept.variant].join("\n");
          chunk.rows.set(name, { ...kept, count: Math.min(kept.count + (chunk.rows.get(name)?.count ?? 0), Number.MAX_SAFE_INTEGER) });
        }
        chunk.waiting.push({ resolve, reject });
        schedule();
      });
    },
    *unwritten() {
      for (const { rows } of chunks) yield* rows.values();
    },
    wake: schedule,
    async close() {
      stopTidying();
      stopTimer?.();
      await writing;
      await writeAll();
      closed = true;
      stopTimer?.();
      for (const { waiting } of chunks) for (const { reject } of waiting.splice(0)) reject(notStored());
    },
  };
}

function notStored(): Problem {
  return problem("UNAVAILABLE", "The report cannot be stored just now; send it again with the same number.", {
    headers: { "retry-after": "5" },
  });
}

function nameOf({ instance, run }: ReportNumber): string {
  return run === undefined ? instance : `${instance} ${run}`;
}

/** Past this a whole number is not exact, and a database may refuse to add or to read it. */
export function capped(count: SQL): SQL {
  return sql`case when ${count} < ${Number.MAX_SAFE_INTEGER} then ${count} else ${Number.MAX_SAFE_INTEGER} end`;
}

/** The sum over rows, 0 if there are none. Not of whole numbers, so that it never fails. */
export function total(count: SQL): SQL {
  return sql`coalesce(sum((${count}) * 1.0), 0)`;
}

async function writeCounts(tx: Tx, { rows, runs }: Chunk, gone: readonly { environmentId: number; instance: string }[]): Promise<void> {
  const { usageCount, usageBatch } = tables;
  const counted = [...rows.values()].map((row) => ({ ...row, stepMs: MINUTE_MS }));
  const update = { count: capped(sql`${usageCount.count} + excluded.count`) };
  await insertMany(tx, usageCount, counted, { target: countKey(), update });
  for (const { environmentId, instance } of gone) {
    await tx.delete(usageBatch).where(and(eq(usageBatch.environmentId, environmentId), eq(usageBatch.instance, instance)));
  }
  const target = [usageBatch.environmentId, usageBatch.instance];
  await insertMany(tx, usageBatch, [...runs.values()], { target, update: ["batch", "at"] });
}

function countKey() {
  const { environmentId, flagKey, stepMs, at, revision, variant } = tables.usageCount;
  return [environmentId, flagKey, stepMs, at, revision, variant];
}

/** Makes one slice of old minutes hours; true when there may be more. A sum and what it is made of change places in one transaction. */
async function gatherMinutes(tx: Tx, now: number): Promise<boolean> {
  const before = now - MINUTES_KEPT_MS - ((now - MINUTES_KEPT_MS) % HOUR_MS);
  const slice = await oldest(tx, MINUTE_MS, before);
  const hours = new Map<string, CountRow & { stepMs: number }>();
  for (const row of slice) {
    const at = row.at - (row.at % HOUR_MS);
    const name = [row.environmentId, row.flagKey, at, row.revision, row.variant].join("\n");
    const count = Math.min(row.count + (hours.get(name)?.count ?? 0), Number.MAX_SAFE_INTEGER);
    hours.set(name, { ...row, stepMs: HOUR_MS, at, count });
  }
  const update = { count: capped(sql`${tables.usageCount.count} + excluded.count`) };
  await insertMany(tx, tables.usageCount, [...hours.values()], { target: countKey(), update });
  await removeCounts(tx, slice);
  return slice.length === SLICE_ROWS_MAX;
}

async function forgetHours(tx: Tx, now: number): Promise<boolean> {
  const slice = await oldest(tx, HOUR_MS, now - HOURS_KEPT_MS);
  await removeCounts(tx, slice);
  return slice.length === SLICE_ROWS_MAX;
}

function oldest(tx: Tx, stepMs: number, before: number): Promise<(typeof tables.usageCount.$inferSelect)[]> {
  const { usageCount } = tables;
  return tx
    .select()
    .from(usageCount)
    .where(and(eq(usageCount.stepMs, stepMs), lt(usageCount.at, before)))
    .orderBy(usageCount.at)
    .limit(SLICE_ROWS_MAX);
}

async function removeCounts(tx: Tx, rows: readonly (typeof tables.usageCount.$inferSelect)[]): Promise<void> {
  if (rows.length === 0) return;
  // Cast, because a list of values alone has no types.
  const int = (value: number) => sql`cast(${value} as bigint)`;
  const text = (value: string) => sql`cast(${value} as text)`;
  const keys = rows.map(
    ({ environmentId, flagKey, stepMs, at, revision, variant }) =>
      sql`(${int(environmentId)}, ${text(flagKey)}, ${int(stepMs)}, ${int(at)}, ${int(revision)}, ${text(variant)})`,
  );
  await runStatement(
    tx,
    sql`delete from usage_count where (environment_id, flag_key, step_ms, at, revision, variant) in (values ${sql.join(keys, sql`, `)})`,
  );
}

async function forgetRuns(tx: Tx, now: number): Promise<boolean> {
  const { usageBatch } = tables;
  const old = await tx
    .select({ environmentId: usageBatch.environmentId, instance: usageBatch.instance })
    .from(usageBatch)
    .where(lt(usageBatch.at, now - RUNS_KEPT_MS))
    .limit(SLICE_ROWS_MAX);
  for (const { environmentId, instance } of old) {
    await tx.delete(usageBatch).where(and(eq(usageBatch.environmentId, environmentId), eq(usageBatch.instance, instance)));
  }
  return old.length === SLICE_ROWS_MAX;
}
