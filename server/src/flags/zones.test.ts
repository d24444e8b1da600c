import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { instantIn, isZone } from "./zones.ts";

const ZONES = [
  "UTC",
  "Europe/Zurich",
  "America/New_York",
  "America/St_Johns",
  "Australia/Lord_Howe",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "Pacific/Kiritimati",
  "Pacific/Apia",
  "Africa/Casablanca",
  "America/Sao_Paulo",
  "Antarctica/Troll",
  "Europe/Dublin",
] as const;
const zone = fc.constantFrom(...ZONES);
const instant = fc.integer({ min: Date.UTC(1970, 0, 1), max: Date.UTC(2100, 0, 1) });

// Slow to make.
const formats = new Map<string, Intl.DateTimeFormat>();

/** What a clock on the wall of the zone shows, by the runtime: 2026-12-01T09:30:00.250. */
function wall(at: number, timeZone: string): string {
  const format = formats.get(timeZone) ?? new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
  formats.set(timeZone, format);
  const text = format.format(at);
  return `${text.replace(" ", "T")}.${String(((at % 1_000) + 1_000) % 1_000).padStart(3, "0")}`;
}

/** The instants of 2026 from which on another offset holds. */
function changesOf(offsetAt: (at: number) => number): number[] {
  const changes: number[] = [];
  for (let day = Date.UTC(2026, 0, 1); day < Date.UTC(2027, 0, 1); day += 86_400_000) {
    let [before, after] = [day, day + 86_400_000];
    if (offsetAt(before) === offsetAt(after)) continue;
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (offsetAt(middle) === offsetAt(day)) before = middle;
      else after = middle;
    }
    changes.push(after);
  }
  return changes;
}

describe("instantIn", () => {
  test("is an instant at which the clocks of the zone show that time, whenever there is one, and the first of them", () => {
    let second = 0;
    fc.assert(
      fc.property(zone, instant, (zone, at) => {
        const text = wall(at, zone);
        const found = instantIn(text, zone);
        expect(wall(found, zone)).toBe(text);
        // A time that comes twice: the first.
        if (found !== at) second++;
        expect(found).toBeLessThanOrEqual(at);
        expect(at - found).toBeLessThanOrEqual(3 * 3_600_000);
      }),
      { numRuns: 1_000 },
    );
    expect(second).toBeLessThan(50);
  });

  test("around every change of the clocks of a year: skipped times count as after it, doubled ones as the first", () => {
    let changes = 0;
    for (const zone of ZONES) {
      const offsetAt = (at: number): number => Date.parse(`${wall(at, zone)}Z`) - at;
      for (const at of changesOf(offsetAt)) {
        changes++;
        const change = offsetAt(at) - offsetAt(at - 1);
        if (change > 0) {
          // Skipped: the minutes before what the clock shows after the change.
          const skipped = new Date(at + offsetAt(at) - 60_000).toISOString().slice(0, -1);
          const found = instantIn(skipped, zone);
          expect(found, `${skipped} in ${zone}`).toBeGreaterThanOrEqual(at);
          expect(found, `${skipped} in ${zone}`).toBe(at + change - 60_000);
        } else {
          const doubled = wall(at, zone);
          expect(instantIn(doubled, zone), `${doubled} in ${zone}`).toBe(at + change);
          expect(wall(at + change, zone)).toBe(doubled);
        }
      }
    }
    expect(changes).toBeGreaterThan(8);
  });

  test("an offset of the text itself comes before the zone, and without either it is UTC", () => {
    fc.assert(
      fc.property(zone, instant, (zone, at) => {
        const text = new Date(at).toISOString();
        expect(instantIn(text, zone)).toBe(at);
        expect(instantIn(text, undefined)).toBe(at);
        expect(instantIn(text.slice(0, -1), undefined)).toBe(at);
        expect(instantIn(text.slice(0, -1), "UTC")).toBe(at);
        expect(instantIn(`${text.slice(0, -1)}+02:00`, zone)).toBe(at - 7_200_000);
      }),
      { numRuns: 200 },
    );
  });

  test("known times", () => {
    for (const [text, zone, utc] of [
      ["2026-12-01T09:30", "Europe/Zurich", "2026-12-01T08:30:00Z"],
      ["2026-07-01", "Europe/Zurich", "2026-06-30T22:00:00Z"],
      ["2026-03-29T02:30", "Europe/Zurich", "2026-03-29T01:30:00Z"],
      ["2026-10-25T02:30", "Europe/Zurich", "2026-10-25T00:30:00Z"],
      ["2026-11-01T01:30", "America/New_York", "2026-11-01T05:30:00Z"],
      ["2011-12-31", "Pacific/Apia", "2011-12-30T10:00:00Z"],
      ["2026-01-01T00:00:00.250", "Asia/Kathmandu", "2025-12-31T18:15:00.250Z"],
      ["1800-01-01", "UTC", "1800-01-01T00:00:00Z"],
      ["0001-01-01", "UTC", "0001-01-01T00:00:00Z"],
      ["9999-12-31T23:59:59.999", "UTC", "9999-12-31T23:59:59.999Z"],
    ] as const)
      expect(new Date(instantIn(text, zone)).toISOString(), `${text} in ${zone}`).toBe(new Date(utc).toISOString());
  });

  test("is no instant for what is no date or no zone", () => {
    for (const [text, zone] of [
      ["soon", "UTC"],
      ["2026-02-29", "UTC"],
      ["2026-12-01", "Europe/Zuerich"],
      ["2026-12-01", ""],
      ["", undefined],
    ] as const)
      expect(instantIn(text, zone)).toBeNaN();
  });
});

test("isZone knows the names of the IANA list, and nothing made up", () => {
  for (const zone of ZONES) expect(isZone(zone), zone).toBe(true);
  for (const zone of ["Europe/Zuerich", "", "here", "__proto__", "Europe/Zurich ", "x".repeat(10_000)])
    expect(isZone(zone), zone).toBe(false);
});
