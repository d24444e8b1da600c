import { describe, expect, test } from "vitest";
import { conditionProblem, isDrawn } from "./read.ts";

describe("conditionProblem", () => {
  test.each([
    [{ op: "in", attribute: "plan", values: ["pro", 5, true] }],
    [{ op: "date", is: ">=", value: "2026-12-01" }],
    [{ op: "not", of: { op: "any", of: [] } }],
    [{ op: "of a newer server", anything: 1 }],
  ])("takes %j", (condition) => {
    expect(conditionProblem(condition)).toBeUndefined();
  });

  test.each([
    [null, /An? condition is an object/],
    [{ op: "all", of: {} }, /list of conditions/],
    [{ op: "all", of: [{ op: "in", attribute: "plan" }] }, /"in" has a list/],
    [{ op: "matches", attribute: "email", values: [5] }, /list of texts/],
    [{ op: "number", attribute: "age", is: ">", value: "5" }, /a number in "value"/],
    [{ op: "group" }, /key of a group/],
    [{ op: "exists" }, /name of an attribute/],
  ])("says what is wrong with %j", (condition, message) => {
    expect(conditionProblem(condition)).toMatch(message);
  });
});

test("what the page has no fields for is not drawn, so that nothing of it is lost", () => {
  expect(isDrawn({ op: "in", attribute: "plan", values: ["pro"], ignoreCase: true })).toBe(true);
  expect(isDrawn({ op: "in", attribute: "plan", values: Array.from({ length: 101 }, String) })).toBe(false);
  expect(isDrawn({ op: "in", attribute: "plan", values: ["pro", ""] })).toBe(false);
  expect(isDrawn({ op: "in", attribute: "plan", values: ["pro", "pro"] })).toBe(false);
  expect(isDrawn({ op: "exists", attribute: "plan", since: 1 } as never)).toBe(false);
  expect(isDrawn({ op: "of a newer server" } as never)).toBe(false);
});
