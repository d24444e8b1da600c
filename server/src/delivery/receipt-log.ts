import { and, eq, lte } from "drizzle-orm";
import type { Log } from "../log.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "./clock.ts";
import type { Receipt } from "./receipts.ts";
import { receipt as receiptShape } from "./schema.ts";

/** Receipts kept for each environment: those of its newest revisions. */
export const RECEIPTS_KEPT_MAX = 10_000;
/** Receipts grow for a moment after each write: they are written behind, together. */
const WRITE_AFTER_MS = 1_000;
const RETRY_MS = 5_000;
const ROWS_PER_WRITE_MAX = 500;
/** Receipts that wait to be written while the database takes none; the oldest are let go of. */
const WAITING_MAX = 10_000;

export interface ReceiptRow {
  readonly environmentId: number;
  readonly generation: number;
  readonly revision: number;
  readonly at: number;
  /** As it is when it is written. */
  readonly read: () => Receipt;
}

/** Receipts in the database, beside the audit. What is lost with the process is at most the last second of a receipt's growth. */
export interface ReceiptLog {
  find(environmentId: number, revision: number): Promise<Receipt | undefined>;
  put(row: ReceiptRow): void;
  /** Writes what waits. Never rejects: a receipt that cannot be written is no reason not to stop. */
  close(): Promise<void>;
}

export function createReceiptLog({ store, clock, log }: { store: Pick<Store, "db" | "transaction">; clock: Clock; log: Log }): ReceiptLog {
  const { changeSet, receipt: table } = tables;
  const waiting = new Map<string, ReceiptRow>();
  let stopTimer: (() => void) | undefined;

  function plan(ms: number): void {
    stopTimer ??= clock.after(ms, () => {
      stopTimer = undefined;
      void flush();
    });
  }

  async function flush(): Promise<boolean> {
    const rows = [...waiting].slice(0, ROWS_PER_WRITE_MAX);
    if (rows.length === 0) return true;
    for (const [key] of rows) waiting.delete(key);
    try {
      await store.transaction(async (tx) => {
        const newest = new Map<number, number>();
        for (const [, { read, ...row }] of rows) {
          newest.set(row.environmentId, Math.max(row.revision, newest.get(row.environmentId) ?? 0));
          // Whose change it was is in the change log, where a name can be erased.
          const body = { ...bounded(read()), by: "" };
          await tx
            .insert(table)
            .values({ ...row, body })
            .onConflictDoUpdate({ target: [table.environmentId, table.revision], set: { body, generation: row.generation, at: row.at } });
        }
        for (const [environmentId, revision] of newest) {
          await tx.delete(table).where(and(eq(table.environmentId, environmentId), lte(table.revision, revision - RECEIPTS_KEPT_MAX)));
        }
      });
    } catch (error) {
      log.warn({ err: error, receipts: rows.length }, "receipts could not be written, trying again");
      for (const [key, row] of rows) if (!waiting.has(key)) waiting.set(key, row);
      for (const key of waiting.keys()) {
        if (waiting.size <= WAITING_MAX) break;
        waiting.delete(key);
      }
      plan(RETRY_MS);
      return false;
    }
    if (waiting.size > 0) plan(WRITE_AFTER_MS);
    return true;
  }

  return {
    async find(environmentId, revision) {
      const [row] = await store.db
        .select({ body: table.body, by: changeSet.by })
        .from(table)
        .leftJoin(changeSet, and(eq(changeSet.environmentId, table.environmentId), eq(changeSet.revision, table.revision)))
        .where(and(eq(table.environmentId, environmentId), eq(table.revision, revision)));
      const read = receiptShape.safeParse(row?.body);
      return read.success ? { ...read.data, by: row?.by ?? read.data.by, open: false } : undefined;
    },
    put(row) {
      waiting.set(`${row.environmentId}:${row.revision}`, row);
      plan(WRITE_AFTER_MS);
    },
    async close() {
      while (waiting.size > 0 && (await flush()));
      stopTimer?.();
    },
  };
}

/** Of a kill everybody is kept; of other writes, of which there may be thousands, the first few. */
const MISSING_KEPT_MAX = 10;

function bounded(receipt: Receipt): Receipt {
  if (receipt.action === "flag.kill" || receipt.action === "flag.restore") return receipt;
  return { ...receipt, missing: receipt.missing.slice(0, MISSING_KEPT_MAX) };
}
