import { applySnapshot, createState, evaluate, ZERO64 } from "@signalbox/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Configuration, Rule } from "../../../src/api-types.ts";
import { bodyOf } from "./body.ts";
import { allow, configuration, deny, everyone } from "./configuration.test-support.ts";
import { directionOf } from "./direction.ts";

const base = configuration({ rules: [deny("blocked"), allow("staff"), everyone(10)] });
const to = (change: Partial<Configuration>) => directionOf(base, { ...base, ...change });

describe("directionOf", () => {
  test.each([
    ["nothing", {}, "none"],
    ["raising the percentage", { rules: [deny("blocked"), allow("staff"), everyone(25)] }, "more"],
    ["lowering the percentage", { rules: [deny("blocked"), allow("staff"), everyone(5)] }, "fewer"],
    ["taking a group out", { rules: [deny("blocked"), everyone(10)] }, "fewer"],
    ["adding a group", { rules: [deny("blocked"), allow("staff"), allow("beta"), everyone(10)] }, "more"],
    ["adding a denial", { rules: [deny("competitors"), deny("blocked"), allow("staff"), everyone(10)] }, "fewer"],
    ["taking a denial out", { rules: [allow("staff"), everyone(10)] }, "more"],
    ["a denial for a part only", { rules: [deny("blocked", { rollout: { percentage: 50 } }), allow("staff"), everyone(10)] }, "more"],
    ["both ways at once", { rules: [deny("blocked"), everyone(25)] }, "both"],
    ["another order", { rules: [allow("staff"), deny("blocked"), everyone(10)] }, "both"],
    ["another condition", { rules: [deny("blocked"), allow("staff", { when: { op: "group", group: "beta" } }), everyone(10)] }, "both"],
    [
      "another unit",
      { rules: [deny("blocked"), allow("staff"), { ...everyone(10), rollout: { percentage: 10, by: "account.key" } }] },
      "both",
    ],
    ["renaming a rule", { rules: [deny("blocked"), allow("staff", { name: "Us" }), everyone(10)] }, "none"],
    ["nobody", { mode: "off" }, "fewer"],
    ["everybody", { mode: "on" }, "more"],
    ["as the parent", { mode: "inherit" }, "both"],
    ["one more requirement", { requires: [{ flag: "checkout", variants: ["on"] }] }, "fewer"],
    ["archiving", { archived: true }, "fewer"],
  ] as const)("%s", (_name, change, direction) => {
    expect(to(change as unknown as Partial<Configuration>)).toBe(direction);
  });

  test("of several variants a person can get another one, which is neither more nor fewer", () => {
    const green = { kind: "variant" as const, variant: "green" };
    const colors = configuration({ values: { off: 0, on: 1, green: 2 }, rules: [allow("staff", { serve: green }), everyone(10)] });
    expect(directionOf(colors, { ...colors, rules: [allow("staff", { serve: green }), everyone(5)] })).toBe("both");
    expect(directionOf(colors, { ...colors, mode: "on" })).toBe("both");
    expect(directionOf(colors, { ...colors, mode: "off" })).toBe("fewer");
    const greenOnly = configuration({ ...colors, rules: [{ ...everyone(10), serve: green }] });
    expect(directionOf(greenOnly, { ...greenOnly, rules: [{ ...everyone(5), serve: green }] })).toBe("fewer");
  });

  test("another plan in time, slice, salt or unit can do both", () => {
    const over = { kind: "line" as const, points: [{ at: "2026-12-01T09:00:00.000Z", percentage: 50 }] };
    for (const change of [{ over }, { from: 20 }, { salt: "winter" }, { by: "account.key" }, { random: true }]) {
      const row = { ...everyone(10), rollout: { percentage: 10, ...change } };
      expect(to({ rules: [deny("blocked"), allow("staff"), row] })).toBe("both");
    }
  });

  test("what it says holds for every person", () => {
    fc.assert(
      fc.property(anyConfiguration, anyConfiguration, (before, after) => {
        const direction = directionOf(before, after);
        if (direction === "both") return;
        const was = whoGets(before);
        const is = whoGets(after);
        for (const [index, had] of was.entries()) {
          const has = is[index];
          if (had && !has) expect(direction).toBe("fewer");
          if (!had && has) expect(direction).toBe("more");
        }
      }),
      { numRuns: 500 },
    );
  });
});

const rule: fc.Arbitrary<Rule> = fc
  .record({
    id: fc.constantFrom("a", "b", "c"),
    country: fc.constantFrom("se", "no", undefined),
    percentage: fc.constantFrom(0, 20, 50, 100, undefined),
    variant: fc.constantFrom("on", "off"),
  })
  .map(({ id, country, percentage, variant }) => ({
    id,
    ...(country === undefined ? {} : { when: { op: "in" as const, attribute: "country", values: [country] } }),
    ...(percentage === undefined ? {} : { rollout: { percentage } }),
    serve: { kind: "variant" as const, variant },
  }));

const anyConfiguration = fc
  .record({
    mode: fc.constantFrom("off" as const, "targeted" as const, "targeted" as const, "on" as const),
    rules: fc.uniqueArray(rule, { maxLength: 3, selector: ({ id }) => id }),
    archived: fc.constantFrom(false, false, false, true),
  })
  .map(configuration);

function whoGets(given: Configuration): boolean[] {
  const state = createState();
  const entry = { ...bodyOf({ key: "f", type: "boolean", killed: null }, given), fp: ZERO64 };
  applySnapshot(state, {
    generation: 1,
    revision: 1,
    digest: ZERO64,
    factsAt: 0,
    environment: "development",
    project: "default",
    entries: [entry],
  });
  const people = Array.from({ length: 40 }, (_, index) => ({
    key: `u${index}`,
    ...(index % 3 === 2 ? {} : { country: index % 3 === 0 ? "se" : "no" }),
  }));
  return people.map((context) => {
    const answer = evaluate(state, "f", context);
    return answer.served && answer.variant === "on";
  });
}
