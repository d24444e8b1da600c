import { createHash } from "node:crypto";
import type { Context, Json, Projection } from "@signalbox/core";
import { and, eq } from "drizzle-orm";
import type { Clock } from "../delivery/clock.ts";
import type { EnvironmentInfo } from "../delivery/feed.ts";
import { insertMany, type Tx } from "../store/database.ts";
import { canonicalJson } from "../store/fingerprint.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { Store } from "../store/store.ts";

/** Contexts kept of one environment, the newest, and for how long. */
export const SAMPLES_MAX = 1_000;
const SAMPLES_KEPT_MS = 14 * 24 * 3_600_000;
/** Rows written in one transaction. */
const WRITE_ROWS_MAX = 500;

export interface Sample {
  readonly context: Context;
  readonly at: number;
}

interface Row extends Sample {
  readonly environmentId: number;
  readonly hash: string;
}

/**
 * Contexts that programs sent to try edits on. Private attributes are taken out before anything is kept; the same context is kept once.
 * Nothing is kept of an environment that does not ask for them.
 */
export interface Samples {
  add(environment: EnvironmentInfo, projection: Projection, contexts: readonly Context[]): void;
  /** Those of an environment, the oldest first. */
  of(environmentId: number): readonly Sample[];
  /** Forgets those in which a value is this unit. Resolves with how many when the database has none of them either. */
  erase(unit: string): Promise<number>;
  pending(): boolean;
  /** What is to be written with the next transaction. */
  begin(): { write(tx: Tx): Promise<void>; failed(): void };
  close(): void;
}

export async function createSamples({
  store,
  clock,
}: {
  store: Pick<Store, "db" | "feed" | "transaction">;
  clock: Clock;
}): Promise<Samples> {
  /** By environment and hash, the oldest first. */
  const environments = new Map<number, Map<string, Row>>();
  const changed = new Map<string, Row>();
  const forgotten = new Map<string, Pick<Row, "environmentId" | "hash">>();

  for (const row of await store.db.select().from(tables.sampledContext).orderBy(tables.sampledContext.at)) {
    rowsOf(row.environmentId).set(row.hash, { ...row, context: row.context as Context });
  }
  // The settings may have been changed a moment before the last stop.
  for (const { id } of store.feed.environments()) review(id);

  function rowsOf(environmentId: number): Map<string, Row> {
    const rows = environments.get(environmentId) ?? new Map<string, Row>();
    environments.set(environmentId, rows);
    return rows;
  }

  function keep(environmentId: number, context: Context, at: number): void {
    const hash = createHash("sha256").update(canonicalJson(context)).digest("hex").slice(0, 32);
    const rows = rowsOf(environmentId);
    const row: Row = { environmentId, hash, context, at };
    rows.delete(hash);
    rows.set(hash, row);
    changed.set(fullName(row), row);
    forgotten.delete(fullName(row));
    for (const oldest of rows.values()) {
      if (rows.size <= SAMPLES_MAX && oldest.at > at - SAMPLES_KEPT_MS) break;
      forget(oldest);
    }
  }

  function forget(row: Row): void {
    environments.get(row.environmentId)?.delete(row.hash);
    changed.delete(fullName(row));
    forgotten.set(fullName(row), row);
  }

  /** After settings were changed: what may no longer be kept goes. */
  function review(environmentId: number): void {
    const { sampleContexts, privateAttributes } = store.feed.settings(environmentId);
    for (const row of [...rowsOf(environmentId).values()]) {
      const context = withoutPrivate(row.context, privateAttributes);
      if (sampleContexts && canonicalJson(context) === canonicalJson(row.context)) continue;
      forget(row);
      if (sampleContexts && Object.keys(context).length > 0) keep(environmentId, context, row.at);
    }
  }

  const stop = store.feed.onCommit(({ environmentId, action }) => {
    if (action === "environment.settings") review(environmentId);
  });

  return {
    add(environment, projection, contexts) {
      const { sampleContexts, privateAttributes, secureMode } = store.feed.settings(environment.id);
      // In secure mode a page's word for a context counts for nothing.
      if (!sampleContexts || (secureMode && projection === "browser")) return;
      for (const given of contexts) {
        const context = withoutPrivate(given, privateAttributes);
        if (Object.keys(context).length > 0) keep(environment.id, context, clock.now());
      }
    },
    of(environmentId) {
      const oldest = clock.now() - SAMPLES_KEPT_MS;
      return [...rowsOf(environmentId).values()].filter(({ at }) => at > oldest);
    },
    async erase(unit) {
      const rows = [...environments.values()].flatMap((all) => [...all.values()]).filter(({ context }) => holds(context as Json, unit));
      for (const row of rows) forget(row);
      // Also what a write that is under way has stored since.
      await store.transaction((tx) => writeRows(tx, [], rows));
      return rows.length;
    },
    pending: () => changed.size > 0 || forgotten.size > 0,
    begin() {
      const put = take(changed);
      const gone = take(forgotten);
      return {
        write: (tx) => writeRows(tx, [...put.values()], gone.values()),
        failed() {
          for (const [name, row] of put) if (!changed.has(name) && !forgotten.has(name)) changed.set(name, row);
          for (const [name, row] of gone) if (!changed.has(name)) forgotten.set(name, row);
        },
      };
    },
    close: stop,
  };
}

/** Without the attributes named, sent flat or nested, however the dots are divided, and without what lies inside them. */
export function withoutPrivate(context: Context, names: readonly string[]): Context {
  const isPrivate = (path: string) => names.some((one) => path === one || path.startsWith(`${one}.`));
  const strip = (value: Json, path?: string): Json => {
    if (Array.isArray(value)) return value.map((one) => strip(one, path));
    if (typeof value !== "object" || value === null) return value;
    const inner = Object.entries(value).map(([name, one]) => [path === undefined ? name : `${path}.${name}`, name, one] as const);
    return Object.fromEntries(inner.filter(([full]) => !isPrivate(full)).map(([full, name, one]) => [name, strip(one, full)]));
  };
  return strip(context as Json) as Context;
}

function holds(value: Json, unit: string): boolean {
  if (typeof value !== "object" || value === null) return String(value) === unit;
  return Object.values(value).some((one) => holds(one, unit));
}

function fullName({ environmentId, hash }: Pick<Row, "environmentId" | "hash">): string {
  return `${environmentId}:${hash}`;
}

function take<T>(rows: Map<string, T>): Map<string, T> {
  const taken = new Map<string, T>();
  for (const [name, row] of rows) {
    if (taken.size === WRITE_ROWS_MAX) break;
    taken.set(name, row);
    rows.delete(name);
  }
  return taken;
}

async function writeRows(tx: Tx, put: readonly Row[], gone: Iterable<Pick<Row, "environmentId" | "hash">>): Promise<void> {
  const { sampledContext } = tables;
  for (const { environmentId, hash } of gone) {
    await tx.delete(sampledContext).where(and(eq(sampledContext.environmentId, environmentId), eq(sampledContext.hash, hash)));
  }
  const rows = put.map(({ environmentId, hash, context, at }) => ({ environmentId, hash, context: context as Json, at }));
  await insertMany(tx, sampledContext, rows, { target: [sampledContext.environmentId, sampledContext.hash], update: ["at"] });
}
