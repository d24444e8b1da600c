import { instantOf, msOfDay, parseDate } from "@signalbox/core";

/** Whether the runtime knows a time zone: `Europe/Zurich`, `UTC`. */
export function isZone(zone: string): boolean {
  return formatOf(zone) !== undefined;
}

/**
 * The instant, in ms since 1970, of a date as somebody wrote it: of its own offset, else in `zone`, else in UTC. NaN for what is no
 * date or no zone. A local time that a clock change skips counts as after the change, one that comes twice as the first.
 */
export function instantIn(text: string, zone: string | undefined): number {
  const date = parseDate(text);
  if (!date) return Number.NaN;
  if (date.offset !== undefined || zone === undefined) return instantOf(date);
  const format = formatOf(zone);
  if (!format) return Number.NaN;
  // The offset a day before and a day after: the clocks change at most once between them.
  const [before, after] = [-86_400_000, 86_400_000].map((shift) => offsetMs(format, date.localMs + shift)) as [number, number];
  const first = date.localMs - before;
  if (offsetMs(format, first) === before) return first;
  const second = date.localMs - after;
  // In a gap neither holds: the time as the old offset counts it lies behind the change.
  return offsetMs(format, second) === after ? second : first;
}

const formats = new Map<string, Intl.DateTimeFormat>();
/** Far more than there are zones that people name. */
const FORMATS_MAX = 700;

function formatOf(zone: string): Intl.DateTimeFormat | undefined {
  const known = formats.get(zone);
  if (known) return known;
  try {
    const format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      calendar: "gregory",
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    if (formats.size < FORMATS_MAX) formats.set(zone, format);
    return format;
  } catch {
    return undefined; // RangeError: there is no such zone.
  }
}

function offsetMs(format: Intl.DateTimeFormat, at: number): number {
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const part = (type: Intl.DateTimeFormatPartTypes) => Number(parts.get(type));
  const year = parts.get("era") === "BC" ? 1 - part("year") : part("year");
  const local = msOfDay(year, part("month"), part("day")) + ((part("hour") * 60 + part("minute")) * 60 + part("second")) * 1_000;
  return local - Math.floor(at / 1_000) * 1_000;
}
