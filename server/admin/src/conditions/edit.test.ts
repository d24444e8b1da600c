import { describe, expect, test } from "vitest";
import type { Condition } from "../../../src/api-types.ts";
import { asBranch, depthOf, incomplete, simplified, viewOf } from "./edit.ts";

const leaf = { op: "in" as const, attribute: "country", values: ["se"] };

describe("viewOf", () => {
  test("counts the nots off", () => {
    expect(viewOf(leaf)).toEqual({ negated: false, nots: 0, leaf });
    expect(viewOf({ op: "not", of: leaf })).toEqual({ negated: true, nots: 1, leaf });
    expect(viewOf({ op: "not", of: { op: "not", of: leaf } })).toEqual({ negated: false, nots: 2, leaf });
    expect(viewOf({ op: "not", of: { op: "any", of: [leaf] } })).toEqual({ negated: true, nots: 1, branch: { op: "any", of: [leaf] } });
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

test("depthOf counts as the server does: each all, any and not, and the line", () => {
  expect(depthOf(leaf)).toBe(1);
  expect(depthOf({ op: "not", of: { op: "all", of: [leaf, { op: "any", of: [leaf] }] } })).toBe(4);
});

test("incomplete says what is missing, wherever it is", () => {
  expect(incomplete(leaf)).toEqual([]);
  expect(incomplete({ op: "all", of: [] })).toEqual(["Add at least one condition."]);
  expect(incomplete({ op: "not", of: { op: "any", of: [{ op: "group", group: "" }] } })).toEqual(["Choose a group."]);
  expect(incomplete({ op: "in", attribute: " ", values: [] })).toEqual(["Name the attribute."]);
  expect(incomplete({ op: "in", attribute: "plan", values: [] })).toEqual(["Enter at least one value for plan."]);
  expect(incomplete({ op: "semver", attribute: "version", is: ">=", value: "" })).toEqual(["Enter the version of version."]);
  expect(incomplete({ op: "date", is: ">=", value: "1 Dec" })).toEqual(["Enter a date, such as 2026-12-01 or 2026-12-01T09:30."]);
  expect(incomplete({ op: "date", is: ">=", value: "2026-12-01" })).toEqual([]);
  expect(incomplete({ op: "of a newer server", attribute: 5, values: null } as never)).toEqual([]);
  const deep = Array.from({ length: 8 }).reduce<Condition>((of) => ({ op: "all", of: [of] }), leaf);
  expect(incomplete(deep)).toEqual(["Conditions nest 9 deep, the most is 8: put some of them into a group."]);
});
