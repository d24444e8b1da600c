import { entryId, type Projection, type UsageReport } from "@signalbox/core";
import { and, eq } from "drizzle-orm";
import type { UsageEvent } from "../api-types.ts";
import { type Clock, systemClock } from "../delivery/clock.ts";
import type { EnvironmentInfo, Feed } from "../delivery/feed.ts";
import type { Log } from "../log.ts";
import type { Tx } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { Store } from "../store/store.ts";

/** Flag keys remembered for each environment. Past this the oldest that no flag has go first, then the oldest of all. */
const KEYS_MAX = 5_000;
/** What was reported goes to the database at most once in this time; a crash loses no more than that. */
const WRITE_GAP_MS = 1_000;
/** Rows in one transaction, so that a flood of keys never holds a kill up for long; the rest goes with the next. */
const WRITE_ROWS_MAX = 1_000;

type Known = UsageEvent["known"];

interface Row {
  readonly environmentId: number;
  readonly flagKey: string;
  readonly known: Known;
  readonly app: string;
  readonly variant: string | null;
  readonly count: number;
  readonly at: number;
}

/** What programs report: which flag keys they asked for, and what they got. */
export interface Usage {
  record(environment: EnvironmentInfo, projection: Projection, report: UsageReport): void;
  /** The last reported evaluation of a flag. */
  seen(environmentId: number, flagKey: string): { at: number; app: string; variant: string } | null;
  /** When a browser last asked for a flag that is hidden from browsers. */
  hiddenAsked(environmentId: number, flagKey: string): { at: number; app: string } | null;
  /** Called for each reported key. */
  onUsage(listener: (event: UsageEvent) => void): () => void;
  /** Writes what is not yet in the database. */
  close(): Promise<void>;
}

/** Loads what was reported before, and writes what is reported from now on behind the callers. */
export function createUsage({
  store,
  log,
  clock = systemClock,
}: {
  store: Pick<Store, "db" | "feed" | "transaction">;
  log: Log;
  clock?: Clock;
}): Usage {
  /** For each environment, by kind and key, the oldest first: a row that changes goes to the end. */
  const environments = new Map<number, Map<string, Row>>();
  const listeners = new Set<(event: UsageEvent) => void>();
  /** What the database does not hold yet: rows to write, and rows to delete. Bounded by what is remembered. */
  const changed = new Map<string, Row>();
  const forgotten = new Map<string, Row>();
  let stopTimer: (() => void) | undefined;
  let writing: Promise<void> | undefined;

  for (const row of store.db.select().from(tables.usage).orderBy(tables.usage.at).all()) rowsOf(row.environmentId).set(nameOf(row), row);

  function rowsOf(environmentId: number): Map<string, Row> {
    const rows = environments.get(environmentId) ?? new Map<string, Row>();
    environments.set(environmentId, rows);
    return rows;
  }

  function remember(environment: EnvironmentInfo, said: Omit<Row, "environmentId" | "at">): void {
    const rows = rowsOf(environment.id);
    const name = nameOf(said);
    const before = rows.get(name);
    const count = Math.min((before?.count ?? 0) + said.count, Number.MAX_SAFE_INTEGER);
    const row: Row = { ...said, count, environmentId: environment.id, at: clock.now() };
    rows.delete(name);
    if (!before && rows.size >= KEYS_MAX) forgetOldest(rows);
    rows.set(name, row);
    changed.set(fullName(row), row);
    forgotten.delete(fullName(row));
    const { flagKey: flag, known, app, variant, at } = row;
    const event: UsageEvent = {
      project: environment.projectKey,
      environment: environment.key,
      flag,
      app,
      variant,
      count: said.count,
      known,
      at,
    };
    for (const listener of listeners) listener(event);
  }

  function forgetOldest(rows: Map<string, Row>): void {
    let oldest: Row | undefined;
    for (const row of rows.values()) {
      oldest ??= row;
      if (row.known !== "unknown") continue;
      oldest = row;
      break;
    }
    if (!oldest) return;
    rows.delete(nameOf(oldest));
    changed.delete(fullName(oldest));
    forgotten.set(fullName(oldest), oldest);
  }

  /** Takes what has changed and writes it in one transaction; on failure it stays changed and is tried again with the next. */
  async function write(): Promise<void> {
    const put = take(changed);
    const gone = take(forgotten);
    try {
      await store.transaction((tx) => writeRows(tx, put.values(), gone.values()));
    } catch (error) {
      log.error({ err: error, rows: put.size + gone.size }, "reported usage could not be written, it is tried again");
      for (const [name, row] of put) if (!changed.has(name) && !forgotten.has(name)) changed.set(name, row);
      for (const [name, row] of gone) if (!changed.has(name)) forgotten.set(name, row);
    }
  }

  function writeSoon(): void {
    if (stopTimer || writing || (changed.size === 0 && forgotten.size === 0)) return;
    stopTimer = clock.after(WRITE_GAP_MS, () => {
      stopTimer = undefined;
      writing = write().finally(() => {
        writing = undefined;
        writeSoon();
      });
    });
  }

  return {
    record(environment, projection, report) {
      const app = report.app;
      for (const { flag, variant, count } of report.evaluated) {
        const { known, key } = lookUp(store.feed, environment, projection, flag);
        // A program may still hold a flag that was deleted or hidden a moment ago: then nobody saw what it says now.
        remember(environment, { flagKey: key, known, app, variant: known === "known" ? variant : null, count });
      }
      for (const { flag, count } of report.unknown) {
        const { known, key } = lookUp(store.feed, environment, projection, flag);
        // It asked before the flag had reached it; what it gets from now on comes with its next report.
        if (known !== "known") remember(environment, { flagKey: key, known, app, variant: null, count });
      }
      writeSoon();
    },
    seen(environmentId, flagKey) {
      const row = environments.get(environmentId)?.get(nameOf({ known: "known", flagKey }));
      return row && row.variant !== null ? { at: row.at, app: row.app, variant: row.variant } : null;
    },
    hiddenAsked(environmentId, flagKey) {
      const row = environments.get(environmentId)?.get(nameOf({ known: "hidden", flagKey }));
      return row ? { at: row.at, app: row.app } : null;
    },
    onUsage(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      await writing;
      stopTimer?.();
      // Counted before: if the database refuses, the log says so and what is left is lost.
      const rounds = Math.ceil(changed.size / WRITE_ROWS_MAX) + Math.ceil(forgotten.size / WRITE_ROWS_MAX);
      for (let round = 0; round < rounds; round += 1) await write();
    },
  };
}

function take(rows: Map<string, Row>): Map<string, Row> {
  const taken = new Map<string, Row>();
  for (const [name, row] of rows) {
    if (taken.size === WRITE_ROWS_MAX) break;
    taken.set(name, row);
    rows.delete(name);
  }
  return taken;
}

/** What a program with this projection may know of a key, and the key that the flag has now (it may have asked by an old one). */
function lookUp(feed: Feed, { id }: EnvironmentInfo, projection: Projection, asked: string): { known: Known; key: string } {
  const { entries } = feed.state(id, "server");
  const alias = entries.get(entryId({ kind: "alias", key: asked }));
  const key = alias?.kind === "alias" ? alias.flag : asked;
  const flagId = entryId({ kind: "flag", key });
  if (!entries.has(flagId)) return { known: "unknown", key: asked };
  const isVisible = projection === "server" || feed.state(id, projection).entries.has(flagId);
  return { known: isVisible ? "known" : "hidden", key };
}

function nameOf({ known, flagKey }: Pick<Row, "known" | "flagKey">): string {
  return `${known}:${flagKey}`;
}

function fullName(row: Row): string {
  return `${row.environmentId}:${nameOf(row)}`;
}

function writeRows(tx: Tx, put: Iterable<Row>, gone: Iterable<Row>): void {
  const { usage } = tables;
  for (const { environmentId, flagKey, known } of gone) {
    tx.delete(usage)
      .where(and(eq(usage.environmentId, environmentId), eq(usage.flagKey, flagKey), eq(usage.known, known)))
      .run();
  }
  for (const row of put) {
    const { app, variant, count, at } = row;
    tx.insert(usage)
      .values(row)
      .onConflictDoUpdate({ target: [usage.environmentId, usage.flagKey, usage.known], set: { app, variant, count, at } })
      .run();
  }
}
