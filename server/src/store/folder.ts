import { randomBytes } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSqlite, type SqliteDriver } from "./driver.ts";
import { StoreUnusable } from "./rows.ts";

/** Makes the data folder if needed. Throws StoreUnusable if it cannot be written. */
export function prepareFolder(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    if (existsSync(directory) && !statSync(directory).isDirectory()) {
      throw new StoreUnusable(`SIGNALBOX_DATA names ${directory}, which is a file: name a folder.`, { cause: error });
    }
    const why = error instanceof Error ? error.message : String(error);
    throw new StoreUnusable(
      `The data folder ${directory} cannot be written (${why}): give this user the right to write there, or name another folder with SIGNALBOX_DATA.`,
      { cause: error },
    );
  }
}

/**
 * Holds the folder for this process until the returned function is called, or until the process ends in any way: the lock is
 * SQLite's own on a file beside the database, and the operating system lifts it even after kill -9.
 */
export async function lockFolder(directory: string, driver: SqliteDriver | undefined): Promise<() => void> {
  const inUse = (cause: unknown) =>
    new StoreUnusable(
      `The data folder ${directory} is in use by another Signalbox: stop that one first, or name another folder with SIGNALBOX_DATA.`,
      { cause },
    );
  const handle = await openSqlite(join(directory, "signalbox.lock"), driver ? { driver } : {}).catch((error: unknown) => {
    if (isBusy(error instanceof Error ? error.cause : error)) throw inUse(error);
    throw error;
  });
  try {
    handle.raw.pragma("busy_timeout = 0");
    handle.raw.exec("BEGIN IMMEDIATE");
  } catch (error) {
    handle.close();
    throw isBusy(error) ? inUse(error) : error;
  }
  return () => {
    // libsql keeps the transaction of a handle that is closed until its statements are collected.
    handle.raw.exec("ROLLBACK");
    handle.close();
  };
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && /locked|busy/i.test(error.message);
}

const SECRET_BYTES = 32;

/** The folder's secret, from which SDK keys are derived: made at first, readable by this user only. */
export function folderSecret(directory: string): Buffer {
  const file = join(directory, "secret.key");
  if (!existsSync(file)) {
    // Flushed, so that no power cut leaves a database whose keys were made with a secret that is gone.
    writeFileSync(file, `${randomBytes(SECRET_BYTES).toString("base64url")}\n`, { mode: 0o600, flag: "wx", flush: true });
  }
  const secret = Buffer.from(readFileSync(file, "utf8").trim(), "base64url");
  if (secret.length !== SECRET_BYTES) {
    throw new StoreUnusable(`${file} is damaged (${secret.length} bytes instead of ${SECRET_BYTES}): put its backup in its place.`);
  }
  return secret;
}
