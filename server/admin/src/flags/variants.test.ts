import { expect, test } from "vitest";
import { allow, configuration } from "./configuration.test-support.ts";
import { valueWords, variantKeyProblem, variantNeededBy, variantsInOrder, variantWord } from "./variants.ts";

const colors = configuration({ values: { red: "#f00", green: "#0f0", blue: "#00f" }, off: "red", on: "blue" });

test("variants are called On and Off for a boolean flag, by their names for others", () => {
  expect(["on", "off"].map((variant) => variantWord(variant, configuration()))).toEqual(["On", "Off"]);
  expect(["blue", "red"].map((variant) => variantWord(variant, colors))).toEqual(["“blue”", "“red” (off)"]);
});

test("the on variant comes first and the off variant last", () => {
  expect(variantsInOrder(colors)).toEqual(["blue", "green", "red"]);
});

test("a variant that something needs cannot go, and says what needs it", () => {
  const rules = [allow("a", { serve: { kind: "split", weights: [{ variant: "green", percentage: 100 }] } })];
  const needed = (variant: string) => variantNeededBy(variant, { ...colors, rules });
  expect([needed("red"), needed("blue"), needed("green")]).toEqual([
    "It is the off variant.",
    "It is the on variant.",
    "Rule 1 serves it.",
  ]);
  expect(variantNeededBy("green", colors)).toBeUndefined();
});

test("names of variants are checked as the server does", () => {
  expect(variantKeyProblem("dark-blue", ["blue"])).toBeUndefined();
  expect(variantKeyProblem("blue", ["blue"])).toBe("There is a variant “blue” already.");
  expect(variantKeyProblem("dark blue", [])).toMatch(/letters, digits/);
});

test("long values are cut for a list", () => {
  expect(valueWords({ a: "x".repeat(80) })).toHaveLength(60);
  expect(valueWords("short")).toBe("short");
});
