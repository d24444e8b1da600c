/** A date or a date and time as written. */
export interface WrittenDate {
  /** What a clock on the wall would show, as the ms since 1970 at which a clock in UTC shows the same. */
  readonly localMs: number;
  /** Minutes east of UTC; undefined if the text names no zone. */
  readonly offset: number | undefined;
}

/** The span of time that JavaScript's dates know. */
const INSTANT_MS_MAX = 8.64e15;

const DATE = /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?([Zz]|[+-]\d{2}:?\d{2})?)?$/;
const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Reads ISO 8601 as it is mostly written: `2026-12-01`, `2026-12-01T09:30`, `2026-12-01 09:30:00.250`, with `Z` or an offset as
 * `+01:00` after a time. A date alone is its first moment. Undefined for anything else, also for a day that does not exist.
 */
export function parseDate(text: string): WrittenDate | undefined {
  const found = text.length <= 40 ? DATE.exec(text) : null;
  if (!found) return undefined;
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((part) => Number(found[part] ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  if (month < 1 || month > 12 || day < 1 || day > (month === 2 && !isLeap ? 28 : (DAYS[month - 1] ?? 0))) return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const offset = parseOffset(found[8]);
  if (offset === null) return undefined;
  const ms = Math.floor(Number(`0.${found[7] ?? "0"}`) * 1_000);
  return { localMs: msOfDay(year, month, day) + ((hour * 60 + minute) * 60 + second) * 1_000 + ms, offset };
}

/** Date.UTC takes the years 0 to 99 for those of the 20th century; in four hundred years the calendar repeats itself. */
export function msOfDay(year: number, month: number, day: number): number {
  return Date.UTC(year + 400, month - 1, day) - 146_097 * 86_400_000;
}

/** Null for one that does not exist. */
function parseOffset(text: string | undefined): number | undefined | null {
  if (text === undefined) return undefined;
  if (text === "Z" || text === "z") return 0;
  const hours = Number(text.slice(1, 3));
  const minutes = Number(text.slice(-2));
  if (hours > 18 || minutes > 59) return null;
  return (hours * 60 + minutes) * (text.startsWith("-") ? -1 : 1);
}

/** Whether a number can be a point in time: whole ms since 1970, within what dates can hold. */
export function isInstant(value: unknown): value is number {
  return Number.isSafeInteger(value) && Math.abs(value as number) <= INSTANT_MS_MAX;
}

/** The instant of a text that names its zone, else of its local time in UTC. */
export function instantOf({ localMs, offset }: WrittenDate): number {
  return localMs - (offset ?? 0) * 60_000;
}

/** The ms of a Date of any realm (a test runner has its own); undefined for other values and for an invalid date. */
export function msOfDate(value: unknown): number | undefined {
  if (Object.prototype.toString.call(value) !== "[object Date]") return undefined;
  const ms: unknown = Date.prototype.getTime.call(value); // throws for an impostor, which the caller catches
  return isInstant(ms) ? ms : undefined;
}
