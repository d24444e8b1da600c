import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evenWeights, restFor, splitProblem, sumOf, weightOf, withWeight } from "./split.ts";

const weights = [
  { variant: "blue", percentage: 33.334 },
  { variant: "green", percentage: 33.333 },
  { variant: "red", percentage: 33.333 },
];

describe("a split", () => {
  test("three thirds add up to 100 without the dust of floating point", () => {
    expect(evenWeights(["blue", "green", "red"])).toEqual(weights);
    expect(sumOf(weights)).toBe(100);
    expect(splitProblem({ kind: "split", weights })).toBeUndefined();
  });

  test("equal shares of any number of variants add up to 100", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 32 }), (count) => {
        expect(sumOf(evenWeights(Array.from({ length: count }, (_, index) => `v${index}`)))).toBe(100);
      }),
    );
  });

  test("a changed share keeps the order, a new one goes to the end", () => {
    const changed = withWeight(withWeight(weights, "green", 10.0004), "black", 5);
    expect(changed.map(({ variant }) => variant)).toEqual(["blue", "green", "red", "black"]);
    expect([weightOf(changed, "green"), weightOf(changed, "black"), weightOf(changed, "none")]).toEqual([10, 5, 0]);
  });

  test("the rest is what the others leave", () => {
    expect(restFor(withWeight(weights, "green", 10), "red")).toBe(56.666);
    expect(restFor(weights, "black")).toBe(0);
    expect(restFor([{ variant: "blue", percentage: 100.5 }], "red")).toBeUndefined();
  });

  test("what is missing or too much is said", () => {
    expect(splitProblem({ kind: "split", weights: withWeight(weights, "red", 30) })).toBe(
      "The shares add up to 96.667 %: 3.333 % are missing.",
    );
    expect(splitProblem({ kind: "split", weights: withWeight(weights, "red", 40) })).toBe(
      "The shares add up to 106.667 %: 6.667 % too much.",
    );
  });
});
