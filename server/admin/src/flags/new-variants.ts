import type { CreateFlag } from "../../../src/api-types.ts";
import { emptyValue, type FlagType, variantKeyProblem } from "./variants.ts";

/** A variant of a flag that is not made yet: its name can still be typed. */
export interface NewVariant {
  readonly id: number;
  readonly name: string;
  readonly value: unknown;
}

/** The first is the off variant, the second the on variant. */
export function firstVariants(type: FlagType): NewVariant[] {
  return ["off", "on"].map((name, id) => ({ id, name, value: emptyValue(type) }));
}

export function oneMore(variants: readonly NewVariant[], type: FlagType): NewVariant[] {
  return [...variants, { id: 1 + Math.max(-1, ...variants.map(({ id }) => id)), name: "", value: emptyValue(type) }];
}

export function newVariantProblem(variants: readonly NewVariant[], index: number): string | undefined {
  const names = variants.map(({ name }) => name);
  return variantKeyProblem(names[index] ?? "", names.slice(0, index));
}

export function newVariantsProblem(variants: readonly NewVariant[]): string | undefined {
  return variants.map((_, index) => newVariantProblem(variants, index)).find((problem) => problem !== undefined);
}

export function newVariantsBody(variants: readonly NewVariant[]): Pick<CreateFlag, "values" | "off" | "on"> {
  const [off, on = off] = variants;
  const values = Object.fromEntries(variants.map(({ name, value }) => [name, value])) as NonNullable<CreateFlag["values"]>;
  return { values, ...(off && on ? { off: off.name, on: on.name } : {}) };
}
