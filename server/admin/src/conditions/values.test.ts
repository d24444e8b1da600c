import { describe, expect, test } from "vitest";
import { asKind, kindOfAll, looksLikeNumbers, tagsOf, valuesOf } from "./values.ts";

describe("valuesOf", () => {
  test('what is typed is of the kind that was chosen, and 5 is not "5"', () => {
    expect(valuesOf(["5"], [], "text")).toEqual({ values: ["5"], refused: [] });
    expect(valuesOf(["5", "-1.5", "1e3"], [], "number")).toEqual({ values: [5, -1.5, 1000], refused: [] });
    expect(valuesOf(["yes", "No", "true"], [], "boolean")).toEqual({ values: [true, false, true], refused: [] });
  });

  test("what is not of that kind is refused and named", () => {
    expect(valuesOf(["5", "five", "0x10"], [], "number")).toEqual({ values: [5], refused: ["five", "0x10"] });
    expect(valuesOf(["maybe"], [], "boolean")).toEqual({ values: [], refused: ["maybe"] });
  });

  test("values of several kinds survive the editing of the tags beside them", () => {
    const before = ["se", 3, "3", true];
    expect(tagsOf(before)).toEqual(["se", "3 (number)", "3", "yes (yes/no)"]);
    expect(valuesOf([...tagsOf(before), "4711"], before, "text")).toEqual({ values: [...before, "4711"], refused: [] });
  });
});

test("asKind turns what can be turned and leaves the rest", () => {
  expect(asKind(["5", "six"], "number")).toEqual([5, "six"]);
  expect(asKind([5, true], "text")).toEqual(["5", "yes"]);
});

test("kindOfAll is that of all values, if they agree", () => {
  expect([kindOfAll([]), kindOfAll([1, 2]), kindOfAll([1, "2"])]).toEqual([undefined, "number", undefined]);
});

test("looksLikeNumbers sees text that a number is not equal to", () => {
  expect([looksLikeNumbers(["se"]), looksLikeNumbers(["se", "5"]), looksLikeNumbers([5])]).toEqual([false, true, false]);
});
