import { expect, test } from "vitest";
import { firstVariants, newVariantProblem, newVariantsBody, newVariantsProblem, oneMore } from "./new-variants.ts";

test("the first variant is the off variant and the second the on variant", () => {
  const variants = oneMore(firstVariants("number"), "number").map((variant, index) => ({ ...variant, name: `v${index}`, value: index }));
  expect(newVariantsBody(variants)).toEqual({ values: { v0: 0, v1: 1, v2: 2 }, off: "v0", on: "v1" });
});

test("each variant needs a name of its own", () => {
  const variants = oneMore(firstVariants("string"), "string");
  expect(newVariantsProblem(firstVariants("string"))).toBeUndefined();
  expect(newVariantProblem(variants, 2)).toBe("Enter a name.");
  expect(newVariantsProblem(variants.map((variant) => ({ ...variant, name: "same" })))).toBe("There is a variant “same” already.");
});
