import { join } from "node:path";
import { and, asc, eq, isNull, sql } from "drizzle-orm";
import type { Log } from "../log.ts";
import type { Backend } from "./backend.ts";
import { queryRows, statement } from "./database.ts";
import { openSqlite, type SqliteDriver, type SqliteHandle } from "./driver.ts";
import { StoreUnusable } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";
import { createWriteGuard } from "./write-guard.ts";

/** How long one attempt waits for another process's lock, with the event loop standing still: the queue tries again. */
const LOCK_MS_MAX = 20;

interface SqliteOptions {
  readonly driver?: SqliteDriver | undefined;
  readonly log?: Pick<Log, "warn"> | undefined;
}

/** The database of a data folder: one handle that writes, one that reads. */
export async function openSqliteBackend(directory: string, { driver, log }: SqliteOptions): Promise<Backend> {
  const file = join(directory, "signalbox.db");
  const options = driver ? { driver } : {};
  const writer = await openSqlite(file, options);
  let reader: SqliteHandle;
  try {
    checkPages(writer);
    reader = await openSqlite(file, options);
  } catch (error) {
    writer.close();
    throw asUnusable(error, directory);
  }
  const { db } = reader;
  const guard = createWriteGuard(directory, log);
  return {
    db,
    driver: writer.driver,
    isShared: false,
    guard,
    transaction: writer.transaction,
    // Between the statements of one decision nothing else is written: reads of the file that belong together are made in its transaction.
    snapshot: (run) => run(db),
    lockHeads: async (tx, projectId) => selectHeads(tx, { projectId }),
    async reserveIds(table) {
      const [row] = await queryRows<{ seq: number }>(db, sql`select seq from sqlite_sequence where name = ${table}`);
      return { first: (row?.seq ?? 0) + 1, end: Number.MAX_SAFE_INTEGER };
    },
    keysVersion: async () => undefined,
    heads: async () => new Map(),
    async alone(run) {
      const result = await run();
      // From now on the queue waits for another process's lock, and the event loop does not.
      writer.raw.pragma(`busy_timeout = ${LOCK_MS_MAX}`);
      return result;
    },
    unusable: (error) => asUnusable(error, directory),
    async close() {
      guard.close();
      reader.close();
      writer.close();
    },
  };
}

const { environment } = tables;

const selectHeads = statement(["projectId"], (tx, { projectId }: { projectId: number }) =>
  tx
    .select()
    .from(environment)
    .where(and(eq(environment.projectId, projectId), isNull(environment.deletedAt)))
    .orderBy(asc(environment.id)),
);

/** SQLite keeps no checksum of its pages: this finds damage of the structure, the digests of the heads find damage of the content. */
export function checkPages({ raw }: SqliteHandle): void {
  const [found] = raw.prepare<[], [string]>("pragma quick_check(1)").raw().all();
  if (found && found[0] !== "ok") throw new DamagedFile(found[0]);
}

class DamagedFile extends Error {}

/** What reading a damaged file throws, as a sentence for the person who starts it. */
export function asUnusable(error: unknown, directory: string): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  // A SyntaxError comes from a column that holds JSON.
  const damaged = error instanceof DamagedFile || error instanceof SyntaxError || /^SQLITE_(CORRUPT|NOTADB)/.test(code);
  if (error instanceof Error && damaged) {
    const [what] = error.message.split("\n", 1);
    return new StoreUnusable(
      `The database in ${directory} is damaged (${what}): put a backup of the data folder in its place. Programs go on with what they hold.`,
      { cause: error },
    );
  }
  if (!/^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|BUSY|LOCKED)/.test(code)) return error;
  return new StoreUnusable(
    `The database in ${directory} cannot be written (${code}): check that its disk can be written, has space left, and that no other program holds the file.`,
    { cause: error },
  );
}
