import { getTableName, type SQL, sql } from "drizzle-orm";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import type { SqliteHandle } from "./driver.ts";

/**
 * A database as drizzle sees it, for reading what is committed: SQLite or PostgreSQL, with the types of SQLite. Its builders are awaited and
 * nothing else: `get`, `all`, `run` and `prepare` are SQLite's alone. Queries are made with the tables of `schema.sqlite.ts` for both.
 */
export type Database = SqliteHandle["db"];

/** The same inside a transaction. */
export type Tx = Database;

export type Dialect = "sqlite" | "postgres";

/** Of which database this is. Who asks has a reason in one of them. */
export function dialectOf(db: Database): Dialect {
  return asPostgres(db) ? "postgres" : "sqlite";
}

/** Of PostgreSQL, whatever its type says: `Database` has the types of SQLite. */
function asPostgres(db: Database): PgDatabase<PgQueryResultHKT> | undefined {
  return "execute" in db ? (db as unknown as PgDatabase<PgQueryResultHKT>) : undefined;
}

/** Runs a query that is written by hand, and returns its rows. */
export async function queryRows<T>(db: Database, query: SQL): Promise<T[]> {
  const postgres = asPostgres(db);
  return postgres ? ((await postgres.execute(query)) as unknown as T[]) : db.all<T>(query);
}

/** Runs a statement that is written by hand and has no rows. */
export async function runStatement(db: Database, statement: SQL): Promise<void> {
  const postgres = asPostgres(db);
  if (postgres) await postgres.execute(statement);
  else db.run(statement);
}

/** Any number of our own, as those of `postgres.ts`. */
const AUDIT = 7_261_846_003;

/** Until the end of the transaction nobody else appends to the audit, whose rows are a chain. SQLite has one writer only. */
export async function lockAudit(tx: Tx): Promise<void> {
  await asPostgres(tx)?.execute(sql`select pg_advisory_xact_lock(${sql.raw(String(AUDIT))})`);
}

/** A query of drizzle's builder, not yet run. */
interface Built<R> extends PromiseLike<R> {
  prepare(): { execute(values: { readonly [name: string]: unknown }): PromiseLike<R> };
}

/**
 * A statement that is put together once for each handle of SQLite, which takes longer than running it. `build` gets placeholders of these
 * names in the place of the values, so it must not look at them. Transactions of PostgreSQL are handles of their own: there it is put
 * together each time, with the values.
 */
export function statement<V extends object, R>(
  names: readonly (keyof V & string)[],
  build: (db: Database, values: V) => Built<R>,
): (db: Database, values: V) => PromiseLike<R> {
  const placeholders = Object.fromEntries(names.map((name) => [name, sql.placeholder(name)])) as unknown as V;
  const prepared = new WeakMap<Database, ReturnType<Built<R>["prepare"]>>();
  return (db, values) => {
    if (dialectOf(db) === "postgres") return build(db, values);
    let known = prepared.get(db);
    if (!known) {
      known = build(db, placeholders).prepare();
      prepared.set(db, known);
    }
    return known.execute(values as { readonly [name: string]: unknown });
  };
}

/** Inserts one row with these fields. */
export function insertion<T extends SQLiteTable, F extends keyof T["$inferInsert"] & string>(
  table: T,
  fields: readonly F[],
): (tx: Tx, row: Pick<T["$inferInsert"], F>) => PromiseLike<unknown> {
  return statement(fields, (tx, row) => tx.insert(table).values({ ...row } as T["$inferInsert"]));
}

interface InsertMany {
  readonly target: SQLiteColumn[];
  /** What a row that is there takes from the new one, or what its fields become. */
  readonly update: readonly string[] | { readonly [field: string]: SQL };
  /** Lets others go on in between; may throw. */
  readonly turn?: () => Promise<void> | undefined;
}

/** Each way to a server and back counts, so that many rows go in one statement there. */
const ROWS_PER_INSERT = 500;

type Upsert = { run(values: { readonly [field: string]: unknown }): unknown };

/** What `insertMany` has put together, by table and columns: there are only so many in the code. */
const upserts = new WeakMap<Database, Map<string, Upsert>>();

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
  if (dialectOf(tx) === "postgres") {
    for (let i = 0; i < rows.length; i += ROWS_PER_INSERT) {
      await turn?.();
      await tx
        .insert(table)
        .values(rows.slice(i, i + ROWS_PER_INSERT) as T["$inferInsert"][])
        .onConflictDoUpdate({ target, set: set as never });
    }
    return;
  }
  const fields = Object.keys(first);
  const name = Array.isArray(update) ? [getTableName(table), ...fields, "/", ...update].join(" ") : undefined;
  const known = upserts.get(tx) ?? new Map<string, Upsert>();
  upserts.set(tx, known);
  const prepared =
    (name !== undefined && known.get(name)) ||
    tx
      .insert(table)
      .values(Object.fromEntries(fields.map((field) => [field, sql.placeholder(field)])) as T["$inferInsert"])
      .onConflictDoUpdate({ target, set: set as never })
      .prepare();
  if (name !== undefined) known.set(name, prepared);
  for (const row of rows) {
    await turn?.();
    prepared.run({ ...row });
  }
}
