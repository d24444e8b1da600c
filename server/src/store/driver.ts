import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type Database from "better-sqlite3";
import type { BetterSQLite3Database } from "drizzle-orm/better-sqlite3";
import { BetterSQLiteSession } from "drizzle-orm/better-sqlite3/session";
import { BaseSQLiteDatabase, SQLiteSyncDialect } from "drizzle-orm/sqlite-core";
import { adaptLibsql } from "./libsql.ts";

export type SqliteDriver = "better-sqlite3" | "libsql";

export interface SqliteHandle {
  readonly db: BetterSQLite3Database;
  /** The driver's own handle, with the methods of better-sqlite3 whichever is open. */
  readonly raw: Database.Database;
  /** "better-sqlite3 12.9.0 (SQLite 3.53.0)" */
  readonly driver: string;
  /**
   * Runs `run` between BEGIN IMMEDIATE and COMMIT, and undoes everything if it throws. Every statement of this handle is then part of the
   * transaction, so whoever reads meanwhile needs a handle of their own, and nobody may begin a second one.
   */
  transaction<T>(run: (tx: BetterSQLite3Database) => T | Promise<T>): Promise<T>;
  close(): void;
}

/** Neither driver can be had, or the file cannot be opened. The message is one sentence that says what to do. */
export class SqliteUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SqliteUnavailable";
  }
}

/** How long a statement waits for another process's lock before it fails with SQLITE_BUSY. */
const BUSY_MS_MAX = 5_000;

/**
 * Opens a SQLite file (made when absent): WAL, durable at each commit, foreign keys on. Without `driver`, better-sqlite3 is
 * tried first and libsql, which npm carries prebuilt, where the former was not built. Throws SqliteUnavailable.
 */
export async function openSqlite(file: string, options: { driver?: SqliteDriver } = {}): Promise<SqliteHandle> {
  const { open, name, version } = loadDriver(options.driver ? [options.driver] : ["better-sqlite3", "libsql"]);
  let raw: Database.Database | undefined;
  try {
    raw = open(file);
    raw.pragma("journal_mode = WAL");
    raw.pragma("synchronous = FULL");
    raw.pragma("foreign_keys = ON");
    raw.pragma(`busy_timeout = ${BUSY_MS_MAX}`);
    const sqlite = raw.prepare<[], [string]>("select sqlite_version()").raw().get()?.[0] ?? "unknown";
    const handle = raw;
    const db = database(handle);
    return {
      db,
      raw: handle,
      driver: `${name} ${version} (SQLite ${sqlite})`,
      async transaction(run) {
        handle.exec("BEGIN IMMEDIATE");
        try {
          const result = await run(db);
          handle.exec("COMMIT");
          return result;
        } catch (error) {
          // A full disk or a failed flush has ended it already.
          if (handle.inTransaction) handle.exec("ROLLBACK");
          throw error;
        }
      },
      close: () => void handle.close(),
    };
  } catch (error) {
    raw?.close();
    throw new SqliteUnavailable(
      isNoDatabase(error)
        ? `${file} is not a Signalbox database or is damaged: put a backup in its place, or name another folder with SIGNALBOX_DATA.`
        : `The database ${file} cannot be opened (${messageOf(error)}): check that its folder exists, can be written and has space left.`,
      { cause: error },
    );
  }
}

/**
 * What `drizzle()` of drizzle-orm/better-sqlite3 makes. That module imports better-sqlite3 itself, so it would fail where only
 * libsql is installed, and load what must not be loaded; its session alone does not.
 */
function database(handle: Database.Database): BetterSQLite3Database {
  const dialect = new SQLiteSyncDialect();
  return new BaseSQLiteDatabase("sync", dialect, new BetterSQLiteSession(withStatements(handle), dialect, undefined), undefined);
}

/** Statements that a handle keeps compiled; past this the oldest is forgotten. */
const STATEMENTS_MAX = 500;

/** The handle as drizzle uses it, which compiles a statement once and not each time it runs. */
function withStatements(handle: Database.Database): Database.Database {
  const kept = new Map<string, Statement>();
  function prepare(text: string): Statement {
    const known = kept.get(text);
    if (known) return known;
    const plain = handle.prepare(text);
    let rows: Database.Statement | undefined;
    const statement: Statement = {
      run: (...values) => plain.run(...values),
      all: (...values) => plain.all(...values),
      get: (...values) => plain.get(...values),
      // A statement of its own: what is switched to rows as lists stays so.
      raw: () => (rows ??= handle.prepare(text).raw()),
    };
    const [oldest] = kept.size >= STATEMENTS_MAX ? kept.keys() : [];
    if (oldest !== undefined) kept.delete(oldest);
    kept.set(text, statement);
    return statement;
  }
  return { prepare } as unknown as Database.Database;
}

type Statement = Pick<Database.Statement, "run" | "all" | "get" | "raw">;

interface LoadedDriver {
  readonly name: SqliteDriver;
  readonly version: string;
  readonly open: (file: string) => Database.Database;
}

function loadDriver(wanted: readonly SqliteDriver[]): LoadedDriver {
  const failures: unknown[] = [];
  for (const name of wanted) {
    try {
      return loadOne(name);
    } catch (error) {
      failures.push(error);
    }
  }
  const why = failures.map((failure, i) => `${wanted[i]}: ${messageOf(failure)}`).join("; ");
  throw new SqliteUnavailable(
    `No SQLite driver can be loaded (${why}): run "npm install" again with this Node (${process.version}), without --omit=optional.`,
    { cause: new AggregateError(failures) },
  );
}

const require = createRequire(import.meta.url);

function loadOne(name: SqliteDriver): LoadedDriver {
  const version = versionOf(name);
  const refusal = name === "better-sqlite3" ? refusalOf(version, process.versions.node) : undefined;
  if (refusal) throw new Error(refusal);
  const Driver = require(name) as typeof Database;
  // The binding is loaded by the first open, not by require: without this, a driver that was never built would count as there.
  new Driver(":memory:").close();
  return { name, version, open: (file) => (name === "libsql" ? adaptLibsql(new Driver(file)) : new Driver(file)) };
}

/** Read from the file, because libsql does not export its package.json, and because better-sqlite3 must not be loaded yet. */
function versionOf(name: SqliteDriver): string {
  const file = (require.resolve.paths(name) ?? []).map((folder) => join(folder, name, "package.json")).find((path) => existsSync(path));
  if (!file) throw new Error("it is not installed");
  const parsed: unknown = JSON.parse(readFileSync(file, "utf8"));
  if (typeof parsed === "object" && parsed !== null && "version" in parsed && typeof parsed.version === "string") return parsed.version;
  throw new Error(`${file} names no version`);
}

/**
 * Why this better-sqlite3 must not be loaded, or undefined. From 13 on it needs Node-API 10, which came with Node 22.14; on an
 * older Node it does not throw but ends the process by a signal, so it has to be refused before it is loaded.
 */
export function refusalOf(version: string, node: string): string | undefined {
  const [major = 0] = numbers(version);
  const [nodeMajor = 0, nodeMinor = 0] = numbers(node);
  if (major < 13 || nodeMajor > 22 || (nodeMajor === 22 && nodeMinor >= 14)) return undefined;
  return `version ${version} would crash Node ${node}, it needs Node 22.14 or later`;
}

function numbers(version: string): number[] {
  return version.split(".").map((part) => Number.parseInt(part, 10));
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n", 1)[0] ?? message;
}

function isNoDatabase(error: unknown): boolean {
  return /not a database|malformed/i.test(messageOf(error));
}
