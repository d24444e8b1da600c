import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { endOf } from "../test/references.ts";
import { BUCKETS, type Schedule } from "./index.ts";
import { endAt, rolloutEnd } from "./schedule.ts";

const DATE_MS_MAX = 8.64e15;
const moment = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 }),
  fc.maxSafeInteger().map((ms) => ms % DATE_MS_MAX),
);
const schedule: fc.Arbitrary<Schedule> = fc
  .record({
    kind: fc.constantFrom("steps" as const, "line" as const),
    points: fc.uniqueArray(fc.record({ at: moment, to: fc.nat(BUCKETS) }), { selector: ({ at }) => at, maxLength: 6 }),
  })
  .map(({ kind, points }) => ({ kind, points: points.toSorted((a, b) => a.at - b.at) }));

describe("endAt", () => {
  test("is where exact arithmetic says", () => {
    fc.assert(
      fc.property(schedule, fc.nat(BUCKETS), moment, (over, before, now) => {
        // Beyond 2^53 the product of buckets and milliseconds is rounded: spans above 2,800 years.
        const [first, last] = [over.points[0]?.at ?? 0, over.points.at(-1)?.at ?? 0];
        if (over.kind === "line" && last - first > Number.MAX_SAFE_INTEGER / BUCKETS) return;
        expect(endAt(over, before, now)).toBe(endOf(over, before, now));
      }),
      { numRuns: 3_000 },
    );
  });

  test("equals each point at its time, by steps and by a line alike, and the end before the first", () => {
    fc.assert(
      fc.property(schedule, fc.nat(BUCKETS), (over, before) => {
        for (const { at, to } of over.points) expect(endAt(over, before, at)).toBe(to);
        const [first] = over.points;
        expect(endAt(over, before, first ? first.at - 1 : 0)).toBe(before);
        expect(endAt(over, before, DATE_MS_MAX)).toBe(over.points.at(-1)?.to ?? before);
      }),
    );
  });

  test("between two points a line stays between their ends and only goes one way; steps stay", () => {
    fc.assert(
      fc.property(schedule, fc.nat(BUCKETS), fc.nat(1_000_000), fc.nat(1_000_000), ({ kind, points }, before, a, b) => {
        for (const [index, point] of points.entries()) {
          const next = points[index + 1];
          if (!next) continue;
          const within = (share: number) => point.at + Math.floor(((next.at - point.at - 1) * share) / 1_000_000);
          const [one, other] = [Math.min(a, b), Math.max(a, b)].map((share) => endAt({ kind, points }, before, within(share))) as [
            number,
            number,
          ];
          if (kind === "steps") expect([one, other]).toEqual([point.to, point.to]);
          else {
            expect(Math.sign(other - one) * Math.sign(next.to - point.to)).toBeGreaterThanOrEqual(0);
            for (const end of [one, other]) {
              expect(end).toBeGreaterThanOrEqual(Math.min(point.to, next.to));
              expect(end).toBeLessThanOrEqual(Math.max(point.to, next.to));
              expect(Number.isInteger(end)).toBe(true);
            }
          }
        }
      }),
    );
  });
});

test("rolloutEnd is the end at a time, without a time where the schedule leads to, without a schedule the end itself", () => {
  const over: Schedule = {
    kind: "steps",
    points: [
      { at: 10, to: 500 },
      { at: 20, to: 1_000 },
    ],
  };
  expect(rolloutEnd({ to: 7 }, 15)).toBe(7);
  expect([5, 10, 15, 20, undefined].map((now) => rolloutEnd({ to: 7, over }, now))).toEqual([7, 500, 500, 1_000, 1_000]);
  expect(rolloutEnd({ to: 7, over: { kind: "line", points: [] } }, undefined)).toBe(7);
});
