import type { Rule } from "../../../src/api-types.ts";

export type Split = Extract<Rule["serve"], { kind: "split" }>;
export type Weights = Split["weights"];

/** Percent with three decimals are added up as thousandths, which a float holds exactly. */
const thousandths = (percentage: number) => Math.round(percentage * 1_000);

export function sumOf(weights: Weights): number {
  return weights.reduce((sum, { percentage }) => sum + thousandths(percentage), 0) / 1_000;
}

/** Equal shares; the first takes what does not divide. */
export function evenWeights(variants: readonly string[]): Weights {
  if (variants.length === 0) return [];
  const each = Math.floor(100_000 / variants.length);
  const rest = 100_000 - each * variants.length;
  return variants.map((variant, index) => ({ variant, percentage: (index === 0 ? each + rest : each) / 1_000 }));
}

export function weightOf(weights: Weights, variant: string): number {
  return weights.find((weight) => weight.variant === variant)?.percentage ?? 0;
}

/** Shares lie one after the other in the order of this list: it stays, so that changing one share moves as few people as can be. */
export function withWeight(weights: Weights, variant: string, percentage: number): Weights {
  const rounded = thousandths(Math.min(100, Math.max(0, percentage))) / 1_000;
  if (!weights.some((weight) => weight.variant === variant)) return [...weights, { variant, percentage: rounded }];
  return weights.map((weight) => (weight.variant === variant ? { variant, percentage: rounded } : weight));
}

/** What a variant would have if it took all that the others leave; undefined when they leave nothing to take. */
export function restFor(weights: Weights, variant: string): number | undefined {
  const rest = 100 - sumOf(weights.filter((weight) => weight.variant !== variant));
  return rest < 0 ? undefined : thousandths(rest) / 1_000;
}

export function splitProblem({ weights }: Split): string | undefined {
  const sum = sumOf(weights);
  if (sum === 100) return undefined;
  const difference = thousandths(Math.abs(100 - sum)) / 1_000;
  return sum < 100
    ? `The shares add up to ${sum} %: ${difference} % are missing.`
    : `The shares add up to ${sum} %: ${difference} % too much.`;
}
