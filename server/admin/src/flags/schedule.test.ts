import { stateOf } from "@signalbox/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rolloutBody } from "./body.ts";
import {
  instantOf,
  localText,
  nextPoint,
  percentageAt,
  type Rollout,
  rampPoints,
  rolloutProblem,
  scheduled,
  stopped,
  withPoint,
} from "./schedule.ts";

const start = Date.parse("2026-12-01T09:00:00Z");
const HOUR_MS = 3_600_000;
const at = (hours: number, percentage: number) => ({ at: new Date(start + hours * HOUR_MS).toISOString(), percentage });

const ramp: fc.Arbitrary<Rollout> = fc
  .record({
    percentage: fc.integer({ min: 0, max: 100_000 }),
    kind: fc.constantFrom("steps" as const, "line" as const),
    points: fc.uniqueArray(fc.record({ hours: fc.integer({ min: 0, max: 200 }), percentage: fc.integer({ min: 0, max: 100_000 }) }), {
      minLength: 1,
      maxLength: 6,
      selector: ({ hours }) => hours,
    }),
  })
  .map(({ percentage, kind, points }) => ({
    percentage: percentage / 1_000,
    over: { kind, points: points.sort((a, b) => a.hours - b.hours).map(({ hours, percentage }) => at(hours, percentage / 1_000)) },
  }));

describe("percentageAt", () => {
  test("is what core's state of the flag says, at every time", () => {
    fc.assert(
      fc.property(ramp, fc.integer({ min: -60, max: 13_000 }), (rollout, minutes) => {
        const now = start + minutes * 60_000;
        const rules = [
          { id: "first", when: { op: "exists" as const, attribute: "plan" }, serve: { kind: "variant" as const, variant: "on" } },
          { id: "ramp", rollout: rolloutBody(rollout), serve: { kind: "variant" as const, variant: "on" } },
        ];
        const state = stateOf({ kind: "flag", key: "f", type: "boolean", off: "off", on: "on", mode: "targeted", salt: "f", rules }, now);
        expect(state.percentage ?? 0).toBe(percentageAt(rollout, now));
      }),
      { numRuns: 300 },
    );
  });

  test("without a schedule is the percentage", () => {
    expect(percentageAt({ percentage: 12 }, start)).toBe(12);
  });
});

test("rampPoints: a line has two ends, steps stop where people look", () => {
  const given = { from: 1, to: 100, days: 10, startMs: start };
  expect(rampPoints("line", given)).toEqual([at(0, 1), at(240, 100)]);
  expect(rampPoints("steps", given)).toEqual([at(0, 1), at(48, 5), at(96, 10), at(144, 25), at(192, 50), at(240, 100)]);
  const week = rampPoints("steps", { ...given, days: 7 });
  expect(week.map(({ at }) => (Date.parse(at) - start) / 24 / HOUR_MS)).toEqual([0, 1, 3, 4, 6, 7]);
  expect(rampPoints("steps", { ...given, days: 0.5 })[1]).toEqual(at(2.4, 5));
  expect(rampPoints("steps", { ...given, from: 50, to: 0 }).map(({ percentage }) => percentage)).toEqual([50, 25, 10, 5, 1, 0]);
});

test("scheduled starts a ramp below 100 and stopped ends it where it stands", () => {
  const rollout = scheduled({ percentage: 100, by: "account.key" }, "line", start);
  expect(rollout).toEqual({ percentage: 0, by: "account.key", over: { kind: "line", points: [at(0, 1), at(168, 100)] } });
  expect(scheduled(rollout, "steps", start).over?.points).toEqual(rollout.over?.points);
  expect(stopped(rollout, start + 84 * HOUR_MS)).toEqual({ percentage: 50.5, by: "account.key" });
});

test("withPoint adds a row after the last, nextPoint finds the coming one", () => {
  const schedule = { kind: "steps" as const, points: [at(0, 10)] };
  expect(withPoint(schedule, start).points).toEqual([at(0, 10), at(24, 10)]);
  expect(nextPoint(withPoint(schedule, start), start)).toEqual(at(24, 10));
  expect(nextPoint(schedule, start)).toBeUndefined();
});

test("rolloutProblem says what the server would refuse", () => {
  expect(rolloutProblem({ percentage: 10, from: 90 })).toBeUndefined();
  expect(rolloutProblem({ percentage: 20, from: 90 })).toBe("The slice begins at 90 % and ends at 110 %, above 100 %.");
  expect(rolloutProblem({ percentage: 0, over: { kind: "line", points: [at(2, 1), at(1, 2)] } })).toBe("Row 2 is not after row 1.");
});

test("a field's local time and the instant stand for each other", () => {
  expect(instantOf(localText("2026-12-01T09:00:00.000Z"))).toBe("2026-12-01T09:00:00.000Z");
  expect([instantOf(""), localText("never")]).toEqual([undefined, ""]);
});
