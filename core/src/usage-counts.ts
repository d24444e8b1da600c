import type { UsageReport } from "./protocol.ts";

/** The part of a report that is counted. */
export type CountedUsage = Pick<UsageReport, "evaluated" | "unknown">;

/** Rows of (flag, variant) kept at most, known and unknown flags together; what is beyond is not counted until the next report. */
export const USAGE_ROWS_MAX = 5_000;
/** Rows of each kind in one report, the server's limit. */
export const REPORT_ROWS_MAX = 500;
/** A report is smaller than this however its keys are written: the server takes 64 KiB, and so does a page that goes away. */
export const REPORT_BYTES_MAX = 48 * 1024;
/** A longer key is no flag key; counting it would only make the server refuse the report. */
const KEY_LENGTH_MAX = 100;

/**
 * Counts which flag served which variant, and which keys are unknown. In memory and bounded; nothing about contexts.
 * `add` says what the count is worth: "fresh" for a flag, or a variant of it, not counted before (somebody may be waiting to see just
 * that), "first" for the first count since the last report.
 */
export interface UsageCounts {
  /** `variant` undefined: the flag is unknown. */
  add(flag: string, variant: string | undefined): "fresh" | "first" | "more";
  /** The next report's rows, and forgets their counts; undefined when nothing was counted. */
  take(): CountedUsage | undefined;
  /** Counts a report that did not arrive again. */
  giveBack(usage: CountedUsage): void;
}

interface Row {
  readonly flag: string;
  readonly variant: string | undefined;
  count: number;
}

export function createUsageCounts(rowsMax = USAGE_ROWS_MAX): UsageCounts {
  const served = new Map<string, Map<string, Row>>();
  const unknown = new Map<string, Row>();
  const rows: Row[] = [];
  let pending = 0;

  function rowOf(flag: string, variant: string | undefined): Row | undefined {
    const variants = variant === undefined ? undefined : served.get(flag);
    const row = variant === undefined ? unknown.get(flag) : variants?.get(variant);
    if (row !== undefined || rows.length >= rowsMax || flag.length > KEY_LENGTH_MAX) return row;
    const made: Row = { flag, variant, count: 0 };
    rows.push(made);
    if (variant === undefined) unknown.set(flag, made);
    else if (variants) variants.set(variant, made);
    else served.set(flag, new Map([[variant, made]]));
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
    add(flag, variant) {
      const before = pending;
      const known = rows.length;
      if (!count(flag, variant, 1)) return "more";
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
        // A table filled by a flood of keys is begun anew, so that flags asked for later are counted as well.
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
