import type { AuditRow } from "../store/audit.ts";
import type { Database, Tx } from "../store/rows.ts";

/** What accounts, sessions and tokens need of the store. */
export interface AuthStore {
  readonly db: Database;
  /** Runs a synchronous function in a transaction of its own, after those that came before. */
  transaction<T>(work: (tx: Tx) => T): Promise<T>;
  audit(tx: Tx, row: AuditRow): void;
}

export type { Tx };
