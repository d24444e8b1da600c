import fc from "fast-check";
import { expect, test } from "vitest";
import type { Rule } from "../api-types.ts";
import { fromRule, toStored } from "./convert.ts";
import { configurationPatch } from "./schema.ts";

const rule = (more: object): Rule => ({ id: "r1", serve: { kind: "variant", variant: "on" }, ...more });

function stored(input: Rule) {
  const [first] = toStored({ rules: [input] }, () => "new").rules ?? [];
  return first ?? expect.fail("no rule");
}

test("percent with three decimals become buckets and come back exactly, for every bucket", () => {
  const wrong: number[] = [];
  for (let bucket = 0; bucket <= 100_000; bucket++) {
    const percentage = bucket / 1000;
    const kept = stored(rule({ rollout: { percentage } }));
    if (kept.rollout?.to !== bucket || fromRule(kept).rollout?.percentage !== percentage) wrong.push(bucket);
  }
  expect(wrong).toEqual([]);
});

test("a slice begins at `from` and is as wide as its percentage", () => {
  expect(stored(rule({ rollout: { percentage: 10, from: 20.5, by: "account.key" } })).rollout).toEqual({
    from: 20_500,
    to: 30_500,
    by: "account.key",
  });
});

test("a rule without an id gets one, and defaults are not stored", () => {
  const { id: _none, ...input } = rule({
    name: "",
    rollout: { percentage: 5, random: false },
    when: { op: "contains", attribute: "a", values: ["x"], ignoreCase: false },
  });
  expect(stored(input)).toEqual({
    id: "new",
    when: { op: "contains", attribute: "a", values: ["x"] },
    rollout: { to: 5_000 },
    serve: { kind: "variant", variant: "on" },
  });
});

test("every percentage that the schema takes is a whole number of buckets, and others are refused", () => {
  const parse = (percentage: number) => configurationPatch.safeParse({ rules: [rule({ rollout: { percentage } })] }).success;
  fc.assert(fc.property(fc.integer({ min: 0, max: 100_000 }), (buckets) => parse(buckets / 1000)));
  for (const percentage of [-0.001, 100.001, 0.0001, 12.34567, Number.NaN, Number.POSITIVE_INFINITY]) expect(parse(percentage)).toBe(false);
});
