import { describe, expect, test } from "vitest";
import type { Rule } from "../../../src/api-types.ts";
import { allow, everyone } from "./configuration.test-support.ts";
import { isRuleDrawn, ruleProblem, rulesProblem } from "./read-rule.ts";

const split: Rule["serve"] = { kind: "split", weights: [{ variant: "on", percentage: 100 }] };
const serve = { kind: "variant", variant: "on" };

describe("ruleProblem", () => {
  test.each([
    [allow("a")],
    [everyone(10)],
    [{ serve: split, rollout: { percentage: 1, over: { kind: "line", points: [{ at: "2026-12-01T09:00:00Z", percentage: 5 }] } } }],
  ])("takes %j", (rule) => {
    expect(ruleProblem(rule)).toBeUndefined();
  });

  test.each([
    [null, /is an object/],
    [{}, /A rule serves/],
    [{ serve: { kind: "split" } }, /A rule serves/],
    [{ serve, rollout: {} }, /a number in "percentage"/],
    [{ serve, rollout: { percentage: 1, over: { kind: "curve", points: [] } } }, /"steps" or "line"/],
    [{ serve, rollout: { percentage: 1, over: { kind: "line", points: [{ at: "soon", percentage: 1 }] } } }, /list of "points"/],
    [{ serve, when: { op: "all" } }, /list of conditions/],
  ])("says what is wrong with %j", (rule, message) => {
    expect(ruleProblem(rule)).toMatch(message);
  });
});

test("rulesProblem names the rule, and ids that come twice", () => {
  expect(rulesProblem([allow("a"), {}])).toMatch(/^Rule 2: A rule serves/);
  expect(rulesProblem([allow("a"), allow("a")])).toBe('Two rules have the id "a".');
  expect(rulesProblem({})).toBe("Rules are a list.");
});

test("what the page has no fields for is not drawn, so that nothing of it is lost", () => {
  expect(isRuleDrawn(allow("a"))).toBe(true);
  expect(isRuleDrawn(allow("a", { serve: split }))).toBe(true);
  expect(isRuleDrawn(allow("a", { serve: { ...split, weights: [...split.weights, { variant: "on", percentage: 0 }] } }))).toBe(false);
  expect(isRuleDrawn(allow("a", { rollout: { percentage: 1, method: "linear" } as never }))).toBe(false);
  expect(isRuleDrawn(allow("a", { serve: { kind: "of a newer server" } as never }))).toBe(false);
});
