import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { count, eq, inArray, sql } from "drizzle-orm";
import { brokenAuditRow } from "./audit.ts";
import { openSqlite, type SqliteHandle, SqliteUnavailable } from "./driver.ts";
import { folderSecret, lockFolder, prepareFolder } from "./folder.ts";
import { environmentName, type Marks, openHighWater, raiseGenerations } from "./high-water.ts";
import { migrateDatabase } from "./migrate.ts";
import { loadProjects, StoreUnusable } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";
import { asUnusable, checkPages } from "./sqlite-backend.ts";
import { upgradeProjections } from "./upgrade.ts";

/** What a backup holds, as read from it. */
export interface BackupReport {
  readonly bytes: number;
  /** When it was made. */
  readonly at: number;
  readonly environments: readonly {
    readonly name: string;
    readonly generation: number;
    readonly revision: number;
    readonly flags: number;
  }[];
  readonly auditRows: number;
  readonly hasSecret: boolean;
}

/** In a backup `meta` has what is not in the database otherwise: when it was made, and the folder's secret. */
const MADE_AT = "backup.at";
const SECRET = "backup.secret";

/**
 * Copies the database of a folder into one file, consistent, while the server may go on writing; then reads the copy as a start would, and
 * proves its digests and its audit. The file holds everything, the folder's secret too. Throws StoreUnusable.
 */
export async function createBackup(directory: string, file: string, now: number): Promise<BackupReport> {
  const source = join(directory, "signalbox.db");
  if (!existsSync(source)) throw new StoreUnusable(`There is no database in ${directory}: name the data folder with SIGNALBOX_DATA.`);
  if (existsSync(file)) throw new StoreUnusable(`${file} exists already: choose another name, or take it away first.`);
  const partial = `${file}.partial`;
  removeDatabase(partial);
  try {
    const from = await openSqlite(source);
    try {
      writeFileSync(partial, "", { mode: 0o600, flag: "wx" });
      from.db.run(sql`vacuum into ${partial}`);
    } finally {
      from.close();
    }
    const report = await onCopy(partial, async (handle) => {
      const rows = [
        { key: MADE_AT, value: String(now) },
        { key: SECRET, value: folderSecret(directory).toString("base64url") },
      ];
      await handle.transaction((tx) => tx.insert(tables.meta).values(rows));
      return inspect(handle);
    });
    flush(partial);
    renameSync(partial, file);
    flush(dirname(file));
    return { ...report, bytes: statSync(file).size };
  } catch (error) {
    removeDatabase(partial);
    throw asUnusable(error, directory);
  }
}

/** Reads a backup as a start would, on a copy of it in the folder `scratch`. Throws StoreUnusable for one that would not start. */
export async function verifyBackup(file: string, scratch: string, now: number): Promise<BackupReport> {
  const copy = join(scratch, `signalbox.verify-${process.pid}.db`);
  try {
    copyBackup(file, copy);
    return { ...(await onCopy(copy, (handle) => readAsAStart(handle, now))), bytes: statSync(file).size };
  } catch (error) {
    throw damagedBackup(error, file);
  } finally {
    removeDatabase(copy);
  }
}

export interface Restored extends BackupReport {
  /** Where what was in the folder before lies now; undefined if there was nothing. */
  readonly aside: string | undefined;
}

/**
 * Puts a backup in the place of a folder's database. The server must be stopped. What was there stays beside it; the backup is proved first,
 * its generations are raised above everything that the folder has seen, and it takes its place in one step. Throws StoreUnusable.
 */
export async function restoreBackup(directory: string, file: string, now: number): Promise<Restored> {
  prepareFolder(directory);
  const unlock = await lockFolder(directory, undefined);
  const copy = join(directory, "signalbox.db.restoring");
  const target = join(directory, "signalbox.db");
  try {
    copyBackup(file, copy);
    const report = await onCopy(copy, async (handle) => {
      const read = await readAsAStart(handle, now);
      const marks = await marksOf(directory, target);
      const [kept] = await handle.db.select().from(tables.meta).where(eq(tables.meta.key, SECRET));
      await handle.transaction(async (tx) => {
        await raiseGenerations(tx, marks, now, true);
        await tx.delete(tables.meta).where(inArray(tables.meta.key, [MADE_AT, SECRET]));
      });
      return { ...(await inspect(handle)), at: read.at, hasSecret: read.hasSecret, secret: kept?.value };
    }).catch((error: unknown) => {
      throw damagedBackup(error, file);
    });
    const aside = await putAside(target, now);
    if (report.secret !== undefined) putSecret(directory, report.secret, now);
    flush(copy);
    renameSync(copy, target);
    flush(directory);
    const { secret: _secret, ...told } = report;
    return { ...told, bytes: statSync(target).size, aside };
  } catch (error) {
    throw asUnusable(error, directory);
  } finally {
    removeDatabase(copy);
    unlock();
  }
}

/** What an older program wrote is brought up to date, as a start does it, and proved. */
async function readAsAStart(handle: SqliteHandle, now: number): Promise<Omit<BackupReport, "bytes">> {
  checkPages(handle);
  await migrateDatabase(handle);
  await upgradeProjections(handle, now);
  return inspect(handle);
}

/** Proves digests and audit. */
async function inspect(handle: SqliteHandle): Promise<Omit<BackupReport, "bytes">> {
  checkPages(handle);
  const { db } = handle;
  const projects = await loadProjects(db);
  const broken = await brokenAuditRow(db);
  if (broken !== undefined)
    throw new StoreUnusable(`The audit does not fit its chain at row ${broken}: somebody has changed it outside Signalbox.`);
  const meta = new Map((await db.select().from(tables.meta)).map(({ key, value }) => [key, value]));
  const [audit] = await db.select({ rows: count() }).from(tables.audit);
  const environments = projects
    .filter(({ hidden }) => !hidden)
    .flatMap((project) =>
      project.environments.map(({ info, generation, revision, flags }) => {
        return { name: environmentName(project.key, info.key), generation, revision, flags: flags.size };
      }),
    );
  return { at: Number(meta.get(MADE_AT) ?? 0), environments, auditRows: audit?.rows ?? 0, hasSecret: meta.has(SECRET) };
}

/** What this folder has seen: by its mark, and by the database that lies there, if it can be read. */
async function marksOf(directory: string, target: string): Promise<Marks> {
  const marks = new Map(openHighWater(directory).marks);
  if (!existsSync(target)) return marks;
  try {
    const handle = await openSqlite(target);
    try {
      const { environment, project } = tables;
      const rows = await handle.db
        .select({ owner: project.key, key: environment.key, generation: environment.generation, revision: environment.revision })
        .from(environment)
        .innerJoin(project, sql`${project.id} = ${environment.projectId}`);
      for (const { owner, key, generation, revision } of rows) {
        const name = environmentName(owner, key);
        const mark = marks.get(name);
        if (!mark || generation > mark.generation) marks.set(name, { generation, revision });
      }
    } finally {
      handle.close();
    }
  } catch {
    // It is damaged, which is why a backup is put in its place; the mark has to do, and what it misses programs will show.
  }
  return marks;
}

/** Opens a copy, and leaves it as one file: no log beside it that belongs to it. */
async function onCopy<T>(file: string, run: (handle: SqliteHandle) => Promise<T>): Promise<T> {
  const handle = await openSqlite(file);
  try {
    const result = await run(handle);
    handle.raw.pragma("journal_mode = DELETE");
    return result;
  } finally {
    handle.close();
  }
}

function copyBackup(file: string, copy: string): void {
  removeDatabase(copy);
  if (!existsSync(file)) throw new StoreUnusable(`There is no file ${file}: name the backup that "signalbox backup create" made.`);
  writeFileSync(copy, "", { mode: 0o600 });
  copyFileSync(file, copy);
}

/** The old database under another name, with the log that belongs to it. A hard link, so that at no moment there is none. */
async function putAside(target: string, now: number): Promise<string | undefined> {
  if (!existsSync(target)) return undefined;
  const aside = `${target}.before-${new Date(now).toISOString().replace(/[:.]/g, "-")}`;
  // What its log holds is written into it first; a damaged one keeps its log beside it.
  await openSqlite(target).then(
    (handle) => handle.close(),
    () => {},
  );
  copyFileSync(target, aside);
  flush(aside);
  for (const end of ["-wal", "-shm"]) if (existsSync(target + end)) renameSync(target + end, aside + end);
  return aside;
}

function putSecret(directory: string, secret: string, now: number): void {
  const file = join(directory, "secret.key");
  if (existsSync(file)) {
    if (readFileSync(file, "utf8").trim() === secret) return;
    renameSync(file, `${file}.before-${new Date(now).toISOString().replace(/[:.]/g, "-")}`);
  }
  writeFileSync(file, `${secret}\n`, { mode: 0o600, flag: "wx", flush: true });
}

function damagedBackup(error: unknown, file: string): unknown {
  if (error instanceof SqliteUnavailable) {
    const detail = `The backup ${file} cannot be used, and nothing was changed. It is no Signalbox database, or it is damaged.`;
    return new StoreUnusable(detail, { cause: error });
  }
  const known = asUnusable(error, dirname(file));
  if (!(known instanceof StoreUnusable)) return known;
  const [why = ""] = known.message.split(": put a backup");
  return new StoreUnusable(`The backup ${file} cannot be used, and nothing was changed. ${why.replace(/\.?$/, ".")}`, { cause: error });
}

function flush(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function removeDatabase(file: string): void {
  for (const end of ["", "-wal", "-shm", "-journal"]) rmSync(file + end, { force: true });
}
