import { entryId, type FlagEntry, type Projection, type UsageReport } from "@signalbox/core";
import { and, eq } from "drizzle-orm";
import type { UsageEvent } from "../api-types.ts";
import { type Clock, systemClock } from "../delivery/clock.ts";
import type { EnvironmentInfo, Feed } from "../delivery/feed.ts";
import type { Log } from "../log.ts";
import { insertMany, type Tx } from "../store/database.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { Store } from "../store/store.ts";
import { type CountRow, createCounts, HOUR_MS } from "./counts.ts";
import { type History, readHistory, readSinceKill, type SinceKill, type Span } from "./history.ts";
import { createKills } from "./kills.ts";
import { createRates } from "./rates.ts";
import { createSamples, type Sample } from "./samples.ts";

/** Flag keys remembered for each environment. Past this the oldest that no flag has go first, then the oldest of all. */
const KEYS_MAX = 5_000;
/** Rows in one transaction, so that a flood of keys never holds a kill up for long; the rest goes with the next. */
const WRITE_ROWS_MAX = 500;

/** A report of what was evaluated longer ago (a program was cut off) says nothing of how much is evaluated now. */
const RECENT_MS = 75_000;
/** How long ago a report may say that something was evaluated. What is older is filed here, without its revision: it may be from before a kill. */
const AGO_MS_MAX = { server: 24 * HOUR_MS, browser: HOUR_MS };
/** What a variant is filed under that the flag does not have, or no longer: names are not to be made up by programs. No variant is called so. */
export const OTHER_VARIANT = "(other)";
const ON_OFF = { on: true, off: false };

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
  /** Resolves when the report is in the database. Rejects with a problem when that cannot be said: the program comes again with it. */
  record(environment: EnvironmentInfo, projection: Projection, report: UsageReport): Promise<void>;
  /** The last reported evaluation of a flag. */
  seen(environmentId: number, flagKey: string): { at: number; app: string; variant: string } | null;
  /** When a browser last asked for a flag that is hidden from browsers. */
  hiddenAsked(environmentId: number, flagKey: string): { at: number; app: string } | null;
  /** Reported evaluations of a flag in the last minute. */
  perMinute(environmentId: number, flagKey: string): number;
  /** Keys that were asked for in vain and still would be, those asked for last first. */
  unknownKeys(environment: EnvironmentInfo): readonly UnknownKey[];
  /** Contexts to try edits on, none unless the environment asks for them; the oldest first. */
  samples(environmentId: number): readonly Sample[];
  /** Forgets sampled contexts in which a value is this unit, here and in the database. Resolves with how many. */
  eraseSamples(unit: string): Promise<number>;
  /** What a flag served, and when; `keys` are the key that it has and those that it had. */
  history(environmentId: number, keys: readonly string[], span: Span): Promise<History>;
  /** Whether the kill that holds now has taken effect; undefined when none does. `off`: the variant that a kill serves. */
  sinceKill(environmentId: number, keys: readonly string[], off: string): Promise<SinceKill | undefined>;
  /** Called for each reported key. */
  onUsage(listener: (event: UsageEvent) => void): () => void;
  /** Writes what is not yet in the database. */
  close(): Promise<void>;
}

export interface UnknownKey {
  readonly flag: string;
  readonly hidden: boolean;
  readonly app: string;
  readonly count: number;
  readonly at: number;
}

export type { SinceKill } from "./history.ts";

/** Loads what was reported before, and writes what is reported from now on behind the callers. */
export async function createUsage({
  store,
  log,
  clock = systemClock,
}: {
  store: Pick<Store, "db" | "feed" | "transaction">;
  log: Log;
  clock?: Clock;
}): Promise<Usage> {
  /** For each environment, by kind and key, the oldest first: a row that changes goes to the end. */
  const environments = new Map<number, Map<string, Row>>();
  const listeners = new Set<(event: UsageEvent) => void>();
  /** What the database does not hold yet: rows to write, and rows to delete. Bounded by what is remembered. */
  const changed = new Map<string, Row>();
  const forgotten = new Map<string, Row>();
  const rates = createRates(clock);
  const samples = await createSamples({ store, clock });
  const kills = await createKills(store);
  const counts = await createCounts({ store, log, clock, also: { pending: () => isPending() || samples.pending(), begin } });

  for (const row of await store.db.select().from(tables.usage).orderBy(tables.usage.at)) rowsOf(row.environmentId).set(nameOf(row), row);

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
    const perMinute = known === "known" ? rates.perMinute(environment.id, flag) : 0;
    const event: UsageEvent = {
      project: environment.projectKey,
      environment: environment.key,
      flag,
      app,
      variant,
      count: said.count,
      known,
      at,
      perMinute,
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

  const isPending = () => changed.size > 0 || forgotten.size > 0;

  /** Takes what has changed, to be written in the next transaction; if that fails it stays changed. */
  function begin() {
    const put = take(changed);
    const gone = take(forgotten);
    const sampled = samples.begin();
    return {
      async write(tx: Tx) {
        await writeRows(tx, [...put.values()], gone.values());
        await sampled.write(tx);
      },
      failed() {
        sampled.failed();
        for (const [name, row] of put) if (!changed.has(name) && !forgotten.has(name)) changed.set(name, row);
        for (const [name, row] of gone) if (!changed.has(name)) forgotten.set(name, row);
      },
    };
  }

  function rowsIn(environment: EnvironmentInfo, projection: Projection, report: UsageReport): CountRow[] {
    const now = clock.now();
    const oldest = now - AGO_MS_MAX[projection];
    const head = store.feed.state(environment.id, "server").revision;
    const rows: CountRow[] = [];
    for (const { flag, variant: said, count, revision: told = 0, at = now } of report.evaluated) {
      const { known, key, body } = lookUp(store.feed, environment, projection, flag);
      // A program may still hold a flag that was deleted or hidden a moment ago: then nobody saw what it says now.
      remember(environment, { flagKey: key, known, app: report.app, variant: known === "known" ? said : null, count });
      if (known !== "known" || !body) continue;
      if (at > now - RECENT_MS) rates.add(environment.id, key, count);
      const variant = Object.hasOwn(body.variants ?? ON_OFF, said) ? said : OTHER_VARIANT;
      const row = { environmentId: environment.id, flagKey: key, variant, revision: told > head ? 0 : told, at: Math.min(at, now), count };
      const isOlder = at < oldest;
      kills.note(environment, { ...row, app: report.app, isUntimed: isOlder }, body.off);
      rows.push(isOlder ? { ...row, at: oldest, revision: 0 } : row);
    }
    return rows;
  }

  return {
    async record(environment, projection, report) {
      const { app, instance, run, batch, unknown, contexts = [] } = report;
      const number = { environmentId: environment.id, projection, instance, run, batch };
      if (counts.isRepeated(number)) return counts.add(number, []);
      counts.assertRoom(projection);
      const rows = rowsIn(environment, projection, report);
      for (const { flag, count } of unknown) {
        const { known, key } = lookUp(store.feed, environment, projection, flag);
        // It asked before the flag had reached it; what it gets from now on comes with its next report.
        if (known !== "known") remember(environment, { flagKey: key, known, app, variant: null, count });
      }
      samples.add(environment, projection, contexts);
      return counts.add(number, rows);
    },
    seen(environmentId, flagKey) {
      const row = environments.get(environmentId)?.get(nameOf({ known: "known", flagKey }));
      return row && row.variant !== null ? { at: row.at, app: row.app, variant: row.variant } : null;
    },
    hiddenAsked(environmentId, flagKey) {
      const row = environments.get(environmentId)?.get(nameOf({ known: "hidden", flagKey }));
      return row ? { at: row.at, app: row.app } : null;
    },
    perMinute: rates.perMinute,
    unknownKeys(environment) {
      const now = (row: Row) => lookUp(store.feed, environment, row.known === "hidden" ? "browser" : "server", row.flagKey).known;
      return [...(environments.get(environment.id)?.values() ?? [])]
        .filter((row) => row.known !== "known" && now(row) === row.known)
        .reverse()
        .map(({ flagKey, known, app, count, at }) => ({ flag: flagKey, hidden: known === "hidden", app, count, at }));
    },
    samples: samples.of,
    eraseSamples: samples.erase,
    history: (environmentId, keys, span) => readHistory(store, counts.unwritten(), environmentId, keys, { ...span, now: clock.now() }),
    async sinceKill(environmentId, keys, off) {
      const known = kills.of(environmentId, keys);
      return known && readSinceKill(store, counts.unwritten(), environmentId, keys, off, known);
    },
    onUsage(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      kills.close();
      await counts.close();
      samples.close();
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
function lookUp(
  feed: Feed,
  { id }: EnvironmentInfo,
  projection: Projection,
  asked: string,
): { known: Known; key: string; body?: FlagEntry } {
  const { entries } = feed.state(id, "server");
  const alias = entries.get(entryId({ kind: "alias", key: asked }));
  const key = alias?.kind === "alias" ? alias.flag : asked;
  const flagId = entryId({ kind: "flag", key });
  const body = entries.get(flagId);
  if (body?.kind !== "flag") return { known: "unknown", key: asked };
  const isVisible = projection === "server" || feed.state(id, projection).entries.has(flagId);
  return { known: isVisible ? "known" : "hidden", key, body };
}

function nameOf({ known, flagKey }: Pick<Row, "known" | "flagKey">): string {
  return `${known}:${flagKey}`;
}

function fullName(row: Row): string {
  return `${row.environmentId}:${nameOf(row)}`;
}

async function writeRows(tx: Tx, put: readonly Row[], gone: Iterable<Row>): Promise<void> {
  const { usage } = tables;
  for (const { environmentId, flagKey, known } of gone) {
    await tx.delete(usage).where(and(eq(usage.environmentId, environmentId), eq(usage.flagKey, flagKey), eq(usage.known, known)));
  }
  const target = [usage.environmentId, usage.flagKey, usage.known];
  await insertMany(tx, usage, put, { target, update: ["app", "variant", "count", "at"] });
}
