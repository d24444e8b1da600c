import { describe, expect, test } from "vitest";
import type { Condition } from "../../../src/api-types.ts";
import { asBranch, depthOf, incomplete, OPERATORS, operatorOf, simplified, tagOf, valuesOf, viewOf, withOperator } from "./edit.ts";

const leaf = { op: "in" as const, attribute: "country", values: ["se"] };

describe("viewOf", () => {
  test("counts the nots off", () => {
    expect(viewOf(leaf)).toEqual({ negated: false, leaf });
    expect(viewOf({ op: "not", of: leaf })).toEqual({ negated: true, leaf });
    expect(viewOf({ op: "not", of: { op: "not", of: leaf } })).toEqual({ negated: false, leaf });
    expect(viewOf({ op: "not", of: { op: "any", of: [leaf] } })).toEqual({ negated: true, branch: { op: "any", of: [leaf] } });
  });
});

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
    expect(withOperator(leaf, "exists")).toEqual({ op: "exists", attribute: "country" });
    expect(withOperator({ op: "group", group: "staff" }, "in")).toEqual({ op: "in", attribute: "key", values: [] });
  });
});

test("opening an editor and closing it changes nothing", () => {
  const conditions: Condition[] = [
    leaf,
    { op: "not", of: leaf },
    { op: "any", of: [leaf, leaf] },
    { op: "not", of: { op: "all", of: [leaf, leaf] } },
  ];
  for (const condition of conditions) {
    const { negated, branch } = asBranch(condition);
    expect(simplified(negated ? { op: "not", of: branch } : branch)).toEqual(condition);
  }
});

test("depthOf counts all and any, not the nots", () => {
  expect(depthOf(leaf)).toBe(0);
  expect(depthOf({ op: "not", of: { op: "all", of: [leaf, { op: "any", of: [leaf] }] } })).toBe(2);
});

test("incomplete says what is missing, wherever it is", () => {
  expect(incomplete(leaf)).toEqual([]);
  expect(incomplete({ op: "all", of: [] })).toEqual(["Add at least one condition."]);
  expect(incomplete({ op: "not", of: { op: "any", of: [{ op: "group", group: "" }] } })).toEqual(["Choose a group."]);
  expect(incomplete({ op: "in", attribute: " ", values: [] })).toEqual(["Name the attribute."]);
  expect(incomplete({ op: "in", attribute: "plan", values: [] })).toEqual(["Enter at least one value for plan."]);
});

test("values that are not text survive the editing of the tags beside them", () => {
  const before = ["se", 3, true];
  expect(valuesOf([...before.map(tagOf), "4711"], before)).toEqual(["se", 3, true, "4711"]);
});
