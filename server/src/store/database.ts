import { type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import type { SqliteHandle } from "./driver.ts";

/**
 * A database as drizzle sees it, for reading what is committed. Its builders are awaited and nothing else: `get`, `all`, `run` and
 * `prepare` are SQLite's alone.
 */
export type Database = SqliteHandle["db"];

/** The same inside a transaction. */
export type Tx = Database;

/** Runs a query that is written by hand, and returns its rows. */
export async function queryRows<T>(db: Database, query: SQL): Promise<T[]> {
  return db.all<T>(query);
}

/** Runs a statement that is written by hand and has no rows. */
export async function runStatement(db: Database, statement: SQL): Promise<void> {
  db.run(statement);
}

interface InsertMany {
  readonly target: SQLiteColumn[];
  /** What a row that is there takes from the new one, or what its fields become. */
  readonly update: readonly string[] | { readonly [field: string]: SQL };
  /** Lets others go on in between; may throw. */
  readonly turn?: () => Promise<void> | undefined;
}

/**
 * Inserts many rows, all with the same fields, or updates those that are there. A statement for each row would be built ten thousand
 * times for ten thousand members, and a kill would wait half a second for it.
 */
export async function insertMany<T extends SQLiteTable>(
  tx: Tx,
  table: T,
  rows: readonly T["$inferInsert"][],
  { target, update, turn }: InsertMany,
): Promise<void> {
  const [first] = rows;
  if (!first) return;
  const columns = table as unknown as { readonly [field: string]: SQLiteColumn };
  const set = Array.isArray(update)
    ? Object.fromEntries(update.map((field) => [field, sql`excluded.${sql.identifier(columns[field]?.name ?? field)}`]))
    : update;
  const values = Object.fromEntries(Object.keys(first).map((field) => [field, sql.placeholder(field)]));
  const prepared = tx
    .insert(table)
    .values(values as T["$inferInsert"])
    .onConflictDoUpdate({ target, set: set as never })
    .prepare();
  for (const row of rows) {
    await turn?.();
    prepared.run({ ...row });
  }
}
