import fc from "fast-check";
import { expect, test } from "vitest";
import type { Condition, FlagEntry, Rule } from "./index.ts";
import { ZERO64 } from "./index.ts";
import { compileFlag } from "./plan.ts";
import { createSlots } from "./slots.ts";

const attributes = ["key", "plan", "seats", "staff"] as const;
const scalar = fc.oneof(fc.constantFrom("a", "b", "c", ""), fc.integer({ min: 0, max: 2 }), fc.boolean());
const list: fc.Arbitrary<Condition> = fc.record({
  op: fc.constant("in" as const),
  attribute: fc.constantFrom(...attributes),
  values: fc.array(scalar, { minLength: 1, maxLength: 3 }),
});
const folded = list.map((condition): Condition => ({ ...condition, ignoreCase: true }) as Condition);
const part = fc.oneof(
  { weight: 6, arbitrary: list },
  { weight: 1, arbitrary: folded },
  {
    weight: 1,
    arbitrary: list.map((of): Condition => ({ op: "not", of })),
  },
);
const when: fc.Arbitrary<Condition | undefined> = fc.oneof(
  part,
  fc.array(part, { maxLength: 3 }).map((of): Condition => ({ op: "all", of })),
  fc.array(part, { maxLength: 3 }).map((of): Condition => ({ op: "any", of })),
  fc.constant(undefined),
);
const rule = fc.record({
  when,
  rollout: fc.option(fc.record({ to: fc.integer({ min: 0, max: 100_000 }) }), { nil: undefined }),
  variant: fc.constantFrom("red", "blue", "red", "blue", "none"),
  split: fc.boolean(),
});
const value = fc.oneof(
  { weight: 5, arbitrary: scalar },
  fc.array(scalar, { maxLength: 3 }),
  fc.constantFrom(null, undefined, Number.NaN, {}),
);
const context = fc.record({ key: value, plan: value, seats: value, staff: value }, { requiredKeys: [] });

function flag(rules: readonly Rule[]): FlagEntry {
  const variants = { none: "", red: "r", blue: "b" };
  return { kind: "flag", key: "f", fp: ZERO64, type: "string", variants, off: "none", on: "red", mode: "targeted", salt: "f", rules };
}

test("an index passes over no rule that applies: the answer is that of the rules asked one by one", () => {
  fc.assert(
    fc.property(fc.array(rule, { minLength: 1, maxLength: 70 }), fc.array(context, { minLength: 1, maxLength: 8 }), (given, contexts) => {
      const rules = given.map(({ when, rollout, variant, split }, index): Rule => {
        const serve: Rule["serve"] = split
          ? {
              kind: "split",
              weights: [
                { variant, weight: 60_000 },
                { variant: "blue", weight: 40_000 },
              ],
            }
          : { kind: "variant", variant };
        return { id: `r${index}`, serve, ...(when && { when }), ...(rollout && { rollout }) };
      });
      const plan = compileFlag(flag(rules), createSlots());
      expect(plan.problem).toBeUndefined();
      for (const one of contexts) {
        const asked = plan.rules.map((answer) => answer(one, {})).find((answer) => answer !== undefined);
        expect(plan.firstAnswer(one, {})).toEqual(asked);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("a context whose attributes throw is asked of every rule", () => {
  const lists = ["a", "b", "c", "d"].map(
    (value, index): Rule => ({
      id: `r${index}`,
      when: { op: "in", attribute: "plan", values: [value] },
      serve: { kind: "variant", variant: "red" },
    }),
  );
  const last: Rule = { id: "last", when: { op: "exists", attribute: "key" }, serve: { kind: "variant", variant: "blue" } };
  const plan = compileFlag(flag([...lists, last]), createSlots());
  const hostile = {
    key: "u",
    get plan() {
      throw new Error("hostile");
    },
  };
  expect(plan.firstAnswer(hostile, {})).toMatchObject({ variant: "blue" });
});
