import type { UsageReport } from "./protocol.ts";

/** The part of a report that is counted. */
export type CountedUsage = Pick<UsageReport, "evaluated" | "unknown">;

/** Rows of (flag, variant) counted at one time, unknown keys kept, and rows that lie aside until a report takes them: at most so many each. */
export const USAGE_ROWS_MAX = 5_000;
/** Rows of each kind in one report, the server's limit. */
export const REPORT_ROWS_MAX = 500;
/** A report is smaller than this however its keys are written: the server takes 64 KiB, and so does a page that goes away. */
export const REPORT_BYTES_MAX = 48 * 1024;
/** A longer key is no flag key, nor a longer name a variant's; counting it would only make the server refuse the report. */
const KEY_LENGTH_MAX = 100;

/** Since when something is counted (ms since 1970, by the server's clock), and which revision answers; undefined before a state is held. */
export interface UsageSpan {
  readonly at: number;
  readonly revision: number | undefined;
}

/**
 * Counts which flag served which variant, and which keys are unknown. In memory and bounded; nothing about contexts.
 * `add` says what the count is worth: "fresh" for a flag, or a variant of it, not counted before (somebody may be waiting to see just
 * that), "first" for the first count since the last span ended, "dropped" when there is no room for it.
 */
export interface UsageCounts {
  /** `variant` undefined: the flag is unknown. `place` remembers the row, so that the next count of the same needs no look-up. */
  add(flag: string, variant: string | undefined, place?: UsagePlace): "fresh" | "first" | "more" | "dropped";
  /**
   * Lays what was counted of flags aside as counted in `span`; counting begins at 0. Costs as many steps as rows were counted. Without
   * room for it all, it goes on being counted in the same span, unless `always`: then what finds no room is lost, and how much is answered.
   */
  endSpan(span: UsageSpan, always: boolean): { readonly ended: boolean; readonly lost: number };
  /** The next report's rows, and forgets them; undefined when nothing lies aside and no key was unknown. */
  take(): CountedUsage | undefined;
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

type Evaluated = CountedUsage["evaluated"][number];

export function createUsageCounts(rowsMax = USAGE_ROWS_MAX): UsageCounts {
  /** The rows of each flag, chained, those in use, and how many there are. */
  const served = new Map<string, UsageRow>();
  let inUse: UsageRow[] = [];
  let rows = 0;
  /** How often each unknown key was asked for since the last report that told it. */
  const unknown = new Map<string, number>();
  let unknownInUse = 0;
  /** What ended spans counted, the oldest first. */
  let aside: Evaluated[] = [];

  function addServed(flag: string, variant: string, place: UsagePlace | undefined): "fresh" | "first" | "more" | "dropped" {
    const first = served.get(flag);
    let row = first;
    while (row !== undefined && row.variant !== variant) row = row.next;
    const fresh = row === undefined;
    if (row === undefined) {
      if (rows >= rowsMax || flag.length > KEY_LENGTH_MAX || variant.length > KEY_LENGTH_MAX) return "dropped";
      row = { flag, variant, count: 0, next: first };
      rows++;
      served.set(flag, row);
    }
    if (place) place.usage = served.get(flag);
    const worth = fresh ? "fresh" : inUse.length === 0 ? "first" : "more";
    if (row.count === 0) inUse.push(row);
    row.count++;
    return worth;
  }

  function addUnknown(flag: string): "fresh" | "first" | "more" | "dropped" {
    const before = unknown.get(flag);
    if (before === undefined && (unknown.size >= rowsMax || flag.length > KEY_LENGTH_MAX)) return "dropped";
    const worth = before === undefined ? "fresh" : unknownInUse === 0 ? "first" : "more";
    if (!before) unknownInUse++;
    unknown.set(flag, (before ?? 0) + 1);
    return worth;
  }

  return {
    add: (flag, variant, place) => (variant === undefined ? addUnknown(flag) : addServed(flag, variant, place)),
    endSpan({ at, revision }, always) {
      const room = rowsMax - aside.length;
      if (inUse.length > room && !always) return { ended: false, lost: 0 };
      let lost = 0;
      for (const [index, row] of inUse.entries()) {
        const { flag, variant = "", count } = row;
        if (index < room) aside.push({ flag, variant, count, at, ...(revision === undefined ? {} : { revision }) });
        else lost += count;
        row.count = 0;
      }
      inUse = [];
      if (rows >= rowsMax) {
        // A table filled by a flood is begun anew, so that flags asked for later are counted as well. All counts are 0 now, so no place
        // counts on in a row of the old table.
        served.clear();
        rows = 0;
      }
      return { ended: true, lost };
    },
    take() {
      if (aside.length === 0 && unknownInUse === 0) return undefined;
      let bytes = 0;
      // As JSON writes it, three bytes for each character, and the names and numbers of the fields.
      const fits = (...names: string[]) => {
        bytes += 3 * JSON.stringify(names).length + 120;
        return bytes <= REPORT_BYTES_MAX;
      };
      let taken = 0;
      for (const { flag, variant } of aside) {
        if (taken === REPORT_ROWS_MAX || !fits(flag, variant)) break;
        taken++;
      }
      const evaluated = aside.slice(0, taken);
      aside = aside.slice(taken);
      const missing: { flag: string; count: number }[] = [];
      for (const [flag, count] of unknown) {
        if (count === 0) continue;
        if (missing.length === REPORT_ROWS_MAX || !fits(flag)) break;
        missing.push({ flag, count });
        unknown.set(flag, 0);
        unknownInUse--;
      }
      if (unknownInUse === 0 && unknown.size >= rowsMax) unknown.clear();
      return { evaluated, unknown: missing };
    },
  };
}
