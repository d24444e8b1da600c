import { describe, expect, test } from "vitest";
import { type Leaf, viewOf } from "./edit.ts";
import { OPERATORS, operatorChoices, operatorOf, withOperator } from "./operators.ts";

const leaf = { op: "in" as const, attribute: "country", values: ["se"] };

describe("withOperator", () => {
  test("each operator that is chosen is the one that is shown", () => {
    for (const { id } of OPERATORS) {
      const view = viewOf(withOperator(leaf, id));
      expect("leaf" in view && operatorOf(view)).toBe(id);
    }
  });

  test("keeps attribute and values where the new operator has a place for them", () => {
    expect(withOperator(leaf, "not-in")).toEqual({ op: "not", of: leaf });
    expect(withOperator(leaf, "contains")).toEqual({ op: "contains", attribute: "country", values: ["se"] });
    expect(withOperator({ ...leaf, values: [3, true] }, "startsWith")).toEqual({
      op: "startsWith",
      attribute: "country",
      values: ["3", "true"],
    });
    expect(withOperator({ ...leaf, ignoreCase: true }, "matches")).toEqual({
      op: "matches",
      attribute: "country",
      values: ["se"],
      ignoreCase: true,
    });
    expect(withOperator({ ...leaf, ignoreCase: true }, "cidr")).toEqual({ op: "cidr", attribute: "country", values: ["se"] });
    expect(withOperator(leaf, "exists")).toEqual({ op: "exists", attribute: "country" });
    expect(withOperator({ op: "group", group: "staff" }, "in")).toEqual({ op: "in", attribute: "key", values: [] });
  });

  test("a date of an attribute and the time now turn into each other", () => {
    const date: Leaf = { op: "date", attribute: "signedUpAt", is: "<", value: "2026-12-01", zone: "UTC" };
    const clock: Leaf = { op: "date", is: "<", value: "2026-12-01", zone: "UTC" };
    expect(withOperator(date, "clock")).toEqual(clock);
    expect(withOperator(clock, "date")).toEqual({ ...clock, attribute: "key" });
    expect(withOperator(leaf, "clock")).toEqual({ op: "date", is: ">=", value: "" });
  });
});

test("a stored operator that is not offered is among the choices of its line", () => {
  const offered = (id: "in" | "not-semver") => operatorChoices(id).flatMap(({ items }) => items.map(({ value }) => value));
  expect(offered("in")).not.toContain("not-semver");
  expect(offered("not-semver")).toContain("not-semver");
});
