import { expect, test } from "vitest";
import { moved, placeKeyProblem } from "./moved.ts";

test.each([
  [0, 2, ["b", "c", "a"]],
  [2, 0, ["c", "a", "b"]],
  [1, 1, ["a", "b", "c"]],
  [0, -1, ["a", "b", "c"]],
  [2, 3, ["a", "b", "c"]],
])("moving the entry %i to %i", (from, to, expected) => {
  expect(moved(["a", "b", "c"], from, to)).toEqual(expected);
});

test("the form of a key", () => {
  for (const key of ["", "a", "eu-west-1", "x".repeat(40)]) expect(placeKeyProblem(key), key).toBeUndefined();
  for (const key of ["A", "-a", "a-", "a b", "x".repeat(41)]) expect(placeKeyProblem(key), key).toBeDefined();
});
