import { type EvaluateOptions, evaluate } from "./evaluate.ts";
import type { Evaluation, FlagEntry } from "./model.ts";
import { compileFlag } from "./plan.ts";
import { flagSlot } from "./slots.ts";
import type { State } from "./state.ts";

/** What an edit does to one context. Out is who gets the off variant or nothing. */
export type Difference = "gains" | "loses" | "changes" | "keeps" | "staysOut";

export interface EffectOf {
  readonly difference: Difference;
  readonly before: Evaluation;
  readonly after: Evaluation;
}

/**
 * What two versions of a flag serve to the same contexts, in their order. `before` and `after` hold the versions among the entries of
 * their environment; a random percentage is drawn once for both. Never throws.
 */
export function effect(
  before: State,
  after: State,
  flagKey: string,
  contexts: readonly unknown[],
  options: EvaluateOptions = {},
): EffectOf[] {
  const { random } = options;
  let draw = 0;
  const fixed = { ...options, ...(random && { random: () => draw }) };
  const offBefore = offVariant(before, flagKey);
  const offAfter = offVariant(after, flagKey);
  return contexts.map((context) => {
    draw = random ? random(flagKey) : 0;
    const was = evaluate(before, flagKey, context, fixed);
    const is = evaluate(after, flagKey, context, fixed);
    return { difference: differenceOf(isIn(was, offBefore), isIn(is, offAfter), was, is), before: was, after: is };
  });
}

function differenceOf(wasIn: boolean, isNowIn: boolean, before: Evaluation, after: Evaluation): Difference {
  if (wasIn !== isNowIn) return isNowIn ? "gains" : "loses";
  if (!isNowIn) return "staysOut";
  return before.served && after.served && before.variant === after.variant ? "keeps" : "changes";
}

function isIn(evaluation: Evaluation, off: string | undefined): boolean {
  return evaluation.served && evaluation.variant !== off;
}

function offVariant(state: State, flagKey: string): string | undefined {
  const slot = flagSlot(state.slots.flags.get(flagKey));
  if (!slot) return undefined;
  slot.plan ??= compileFlag(slot.entry, state.slots);
  return slot.plan.off;
}

/**
 * Made-up contexts for an estimate by hashing alone: each has a unit of its own in `key` and in every attribute that a percentage or a
 * split of these versions hashes, and nothing else.
 */
export function sampleContexts(versions: readonly Pick<FlagEntry, "rules">[], count: number): Record<string, string>[] {
  const attributes = new Set(["key"]);
  for (const { rules } of versions) {
    for (const { rollout, serve } of rules ?? []) {
      if (rollout?.by !== undefined) attributes.add(rollout.by);
      if (serve.kind === "split" && serve.by !== undefined) attributes.add(serve.by);
    }
  }
  return Array.from({ length: count }, (_, index) => Object.fromEntries([...attributes].map((name) => [name, `sample-${index + 1}`])));
}
