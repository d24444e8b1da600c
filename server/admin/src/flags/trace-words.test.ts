import { expect, test } from "vitest";
import type { Explanation } from "../../../src/api-types.ts";
import { held, needWords, rolloutWords, splitWords, standingOf } from "./trace-words.ts";

const rule = { id: "r", title: "R", reached: true, applies: true, denial: false } satisfies Explanation["rules"][number];
const rollout = { verdict: "true", by: "key", salt: "f", unit: "u1", bucket: 12_345, from: 0, to: 25_000, random: false } as const;

test("a rule stands in one of four ways", () => {
  expect(standingOf(rule)).toBe("applies");
  expect(standingOf({ ...rule, denial: true })).toBe("denies");
  expect(standingOf({ ...rule, applies: false })).toBe("does not apply");
  expect(standingOf({ ...rule, reached: false })).toBe("not reached");
});

test("a condition says what the context holds", () => {
  expect(held({ words: "plan is pro", verdict: "true", attribute: "plan", value: "pro" })).toBe('plan is "pro"');
  expect(held({ words: "plan is pro", verdict: "unknown", attribute: "plan" })).toBe("no plan");
  expect(held({ words: "in Staff", verdict: "true", group: "staff" })).toBeUndefined();
});

test.each([
  [rollout, "key “u1” falls on 12.345 %, inside is the first 25 %"],
  [{ ...rollout, from: 10_000 }, "key “u1” falls on 12.345 %, inside is 10 % to 25 %"],
  [{ ...rollout, unit: undefined, bucket: undefined }, "There is no key to decide the first 25 % by"],
  [{ ...rollout, random: true }, "A new draw falls into the first 25 %"],
  [{ ...rollout, to: undefined }, "key “u1” falls on 12.345 %, inside is a percentage that depends on the time"],
])("a percentage %#", (trace, words) => {
  expect(rolloutWords(trace)).toBe(words);
});

test("needs and splits", () => {
  expect(needWords({ kind: "parent", flag: "checkout", serves: "off", met: false })).toBe(
    "The parent checkout must not be off; it serves off.",
  );
  expect(needWords({ kind: "requirement", flag: "search", variants: ["a", "b"], met: false })).toBe(
    "search must serve a or b; it serves nothing.",
  );
  expect(splitWords({ by: "key", salt: "f" })).toBe("There is no key to split by.");
  expect(splitWords({ by: "key", salt: "f", unit: "u", bucket: 500 })).toBe("key “u” falls on 0.5 % of the split.");
});
