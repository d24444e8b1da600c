import type { Database, Tx } from "./database.ts";
import type { Head } from "./rows.ts";
import type { WriteGuard } from "./write-guard.ts";

/** An open database, as the store needs it: a file of SQLite, or PostgreSQL. */
export interface Backend {
  /** For reading what is committed. */
  readonly db: Database;
  /** What is open, for people: "better-sqlite3 12.9.0 (SQLite 3.53.0)". */
  readonly driver: string;
  /** Whether other processes write to it too, so that memory may be behind it. */
  readonly isShared: boolean;
  /** What a write that the database refuses means for this one and for those after it. */
  readonly guard: WriteGuard;
  /** Runs `run` in one transaction, and undoes everything if it throws. The store calls it for one write at a time. */
  transaction<T>(run: (tx: Tx) => T | Promise<T>): Promise<T>;
  /** Reads one state of the whole database, whatever is committed meanwhile. */
  snapshot<T>(run: (db: Database) => Promise<T>): Promise<T>;
  /** The head rows of a project, ascending by id and locked until the end of the transaction. */
  lockHeads(tx: Tx, projectId: number): Promise<Head[]>;
  /**
   * Takes ids that no other row of the table gets, ever: an ETag must never fit another row. Answers with the first; the following ones up to
   * `end` may be taken too.
   */
  reserveIds(table: "flag" | "flag_group" | "environment" | "project"): Promise<{ readonly first: number; readonly end: number }>;
  /** Something that changes whenever an SDK key does; undefined where only this process changes keys. */
  keysVersion(): Promise<string | undefined>;
  /** The heads of all projects, by project, ascending by id. A project without environments has an empty list. */
  heads(from: Database): Promise<ReadonlyMap<number, readonly Pick<Head, "id" | "generation" | "revision">[]>>;
  /** Runs what a start does while no other process does so. */
  alone<T>(run: () => Promise<T>): Promise<T>;
  /** An error of a start as a sentence for the person who starts it; as it is if there is none. */
  unusable(error: unknown): unknown;
  close(): Promise<void>;
}
