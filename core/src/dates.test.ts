import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { instantOf, isInstant, msOfDate, parseDate } from "./dates.ts";

const date = fc.date({ min: new Date("0000-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true });

function instant(text: string): number | undefined {
  const read = parseDate(text);
  return read && instantOf(read);
}

describe("parseDate", () => {
  test("reads what Date writes, to the millisecond", () => {
    fc.assert(
      fc.property(date, (at) => {
        expect(instant(at.toISOString())).toBe(at.getTime());
      }),
      { numRuns: 2_000 },
    );
  });

  test("reads every millisecond of a second exactly, though decimal fractions are none in binary", () => {
    for (let ms = 0; ms < 1_000; ms++) expect(instant(`1970-01-01T00:00:00.${String(ms).padStart(3, "0")}Z`)).toBe(ms);
  });

  test("an offset moves the instant, and the local time stays what is written", () => {
    fc.assert(
      fc.property(date, fc.integer({ min: -18 * 60, max: 18 * 60 }), (at, offset) => {
        const local = at.toISOString().slice(0, -1);
        const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60].map((part) => String(part).padStart(2, "0"));
        const read = parseDate(`${local}${offset < 0 ? "-" : "+"}${hours}:${minutes}`);
        expect(read).toEqual({ localMs: at.getTime(), offset: expect.closeTo(offset) });
        expect(read && instantOf(read)).toBe(at.getTime() - offset * 60_000);
      }),
    );
  });

  test("without a zone it is a local time, and a day alone is its first moment", () => {
    fc.assert(
      fc.property(date, (at) => {
        const text = at.toISOString();
        expect(parseDate(text.slice(0, -1))).toEqual({ localMs: at.getTime(), offset: undefined });
        expect(parseDate(text.slice(0, 10))).toEqual({ localMs: Math.floor(at.getTime() / 86_400_000) * 86_400_000, offset: undefined });
      }),
    );
  });

  test("knows the days of every month of four hundred years", () => {
    for (let year = 1_900; year < 2_300; year++) {
      for (let month = 1; month <= 12; month++) {
        const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
        const text = (day: number) => `${year}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
        expect(parseDate(text(days)), text(days)).toBeDefined();
        expect(parseDate(text(days + 1)), text(days + 1)).toBeUndefined();
      }
    }
  });

  test("never throws, and whatever it reads is a point in time that Date agrees on", () => {
    const nearly = fc.stringMatching(/^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,4})?)?([Zz]|[+-]\d{2}:?\d{2})?)?$/);
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string()), (text) => {
        const read = parseDate(text);
        if (!read) return;
        expect(isInstant(instantOf(read))).toBe(true);
        const day = new Date(read.localMs).toISOString();
        expect(day.slice(0, 10)).toBe(text.slice(0, 10));
        if (text.length > 10) expect(day.slice(11, 16)).toBe(text.slice(11, 16));
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("msOfDate", () => {
  test("takes dates, also of another realm, and nothing that only says it is one", () => {
    expect(msOfDate(new Date(5))).toBe(5);
    expect(msOfDate(new Date(Number.NaN))).toBeUndefined();
    expect(msOfDate(Object.assign(new Date(5), { getTime: () => 7, valueOf: () => 7 }))).toBe(5);
    for (const value of [5, "2026-12-01", null, undefined, {}, [], () => 5, { getTime: () => 5 }]) expect(msOfDate(value)).toBeUndefined();
    // The caller catches it.
    expect(() => msOfDate({ [Symbol.toStringTag]: "Date" })).toThrow(TypeError);
  });

  test("isInstant takes whole milliseconds that Date can hold", () => {
    for (const value of [0, -1, 8.64e15, -8.64e15]) expect(isInstant(value)).toBe(true);
    for (const value of [0.5, 8.64e15 + 1, Number.NaN, Number.POSITIVE_INFINITY, "0", null, undefined, 5n, new Date(0)])
      expect(isInstant(value)).toBe(false);
  });
});
