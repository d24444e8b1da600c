import type { UsageReport } from "./protocol.ts";

/** The part of a report that is counted. */
export type CountedUsage = Pick<UsageReport, "evaluated" | "unknown">;

/** Rows of (flag, variant) kept at most, known and unknown flags together; what is beyond is not counted until the next report. */
export const USAGE_ROWS_MAX = 5_000;
/** Rows of each kind in one report, the server's limit. */
export const REPORT_ROWS_MAX = 500;
/** A report is smaller than this however its keys are written: the server takes 64 KiB, and so does a page that goes away. */
export const REPORT_BYTES_MAX = 48 * 1024;
/** A longer key is no flag key, nor a longer name a variant's; counting it would only make the server refuse the report. */
const KEY_LENGTH_MAX = 100;

/**
 * Counts which flag served which variant, and which keys are unknown. In memory and bounded; nothing about contexts.
 * `add` says what the count is worth: "fresh" for a flag, or a variant of it, not counted before (somebody may be waiting to see just
 * that), "first" for the first count since the last report.
 */
export interface UsageCounts {
  /** `variant` undefined: the flag is unknown. `place` remembers the row, so that the next count of the same needs no look-up. */
  add(flag: string, variant: string | undefined, place?: UsagePlace): "fresh" | "first" | "more";
  /** The next report's rows, and forgets their counts; undefined when nothing was counted. */
  take(): CountedUsage | undefined;
  /** Counts a report that did not arrive again. */
  giveBack(usage: CountedUsage): void;
}

/** One row of the table. It is in use while its count is above 0: only then may it be counted up without asking. */
export interface UsageRow {
  readonly flag: string;
  readonly variant: string | undefined;
  count: number;
  /** The next row of the same flag. */
  readonly next: UsageRow | undefined;
}

export interface UsagePlace {
  usage: UsageRow | undefined;
}

/** Counts up a row that is in use; false when there is none and `add` has to be asked. One comparison and one addition for most reads. */
export function countUp({ usage }: UsagePlace, variant: string): boolean {
  for (let row = usage; row !== undefined; row = row.next) {
    if (row.variant !== variant) continue;
    if (row.count === 0) return false;
    row.count++;
    return true;
  }
  return false;
}

export function createUsageCounts(rowsMax = USAGE_ROWS_MAX): UsageCounts {
  /** The rows of each flag, chained. */
  const served = new Map<string, UsageRow>();
  const unknown = new Map<string, UsageRow>();
  const rows: UsageRow[] = [];
  let pending = 0;

  function rowOf(flag: string, variant: string | undefined): UsageRow | undefined {
    const first = (variant === undefined ? unknown : served).get(flag);
    for (let row = first; row !== undefined; row = row.next) if (row.variant === variant) return row;
    if (rows.length >= rowsMax || flag.length > KEY_LENGTH_MAX || (variant ?? "").length > KEY_LENGTH_MAX) return undefined;
    const made: UsageRow = { flag, variant, count: 0, next: first };
    rows.push(made);
    (variant === undefined ? unknown : served).set(flag, made);
    return made;
  }

  function count(flag: string, variant: string | undefined, times: number): boolean {
    const row = rowOf(flag, variant);
    if (row === undefined) return false;
    if (row.count === 0) pending++;
    row.count += times;
    return true;
  }

  return {
    add(flag, variant, place) {
      const before = pending;
      const known = rows.length;
      if (!count(flag, variant, 1)) return "more";
      if (place && variant !== undefined) place.usage = served.get(flag);
      if (rows.length > known) return "fresh";
      return before === 0 ? "first" : "more";
    },
    take() {
      if (pending === 0) return undefined;
      const evaluated: { flag: string; variant: string; count: number }[] = [];
      const missing: { flag: string; count: number }[] = [];
      let bytes = 0;
      for (const row of rows) {
        if (row.count === 0) continue;
        const many = row.variant === undefined ? missing : evaluated;
        // As JSON writes it, three bytes for each character, and the names of the fields.
        bytes += 3 * JSON.stringify([row.flag, row.variant]).length + 60;
        if (many.length === REPORT_ROWS_MAX) continue;
        if (bytes > REPORT_BYTES_MAX) break;
        if (row.variant === undefined) missing.push({ flag: row.flag, count: row.count });
        else evaluated.push({ flag: row.flag, variant: row.variant, count: row.count });
        row.count = 0;
        pending--;
      }
      if (pending === 0 && rows.length >= rowsMax) {
        // A table filled by a flood of keys is begun anew, so that flags asked for later are counted as well. All counts are 0 now, so no
        // place counts on in a row of the old table.
        served.clear();
        unknown.clear();
        rows.length = 0;
      }
      return { evaluated, unknown: missing };
    },
    giveBack(usage) {
      for (const row of usage.evaluated) count(row.flag, row.variant, row.count);
      for (const row of usage.unknown) count(row.flag, undefined, row.count);
    },
  };
}
