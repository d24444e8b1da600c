import { BUCKETS, type FlagEntry, sentenceOf, stateOf, type Rule as WireRule } from "@signalbox/core";
import type { Configuration, Flag, FlagState, Rule } from "../../../src/api-types.ts";
import { ruleProblem } from "./read-rule.ts";

type FlagBody = Omit<FlagEntry, "fp">;
type WireRollout = NonNullable<WireRule["rollout"]>;

/** Percent with three decimals to buckets of 100,000, without the dust of floating point. */
export function bucketsOf(percentage: number): number {
  return Math.round((percentage * BUCKETS) / 100);
}

/**
 * A configuration in the form that words are made of, for edits that are not saved yet. Not for evaluation: of patterns and dates the
 * server works out more than is here.
 */
export function bodyOf(flag: Pick<Flag, "key" | "type" | "killed">, configuration: Configuration): FlagBody {
  return {
    kind: "flag",
    key: flag.key,
    type: flag.type,
    ...(flag.type === "boolean" ? {} : { variants: configuration.values as NonNullable<FlagBody["variants"]> }),
    off: configuration.off,
    on: configuration.on,
    mode: configuration.mode,
    killed: flag.killed !== null,
    archived: configuration.archived,
    salt: flag.key,
    // What this page cannot read it says nothing of.
    rules: configuration.rules.filter((rule) => ruleProblem(rule) === undefined).map(ruleBody),
    requires: configuration.requires,
    ...(configuration.parent === null ? {} : { parent: configuration.parent }),
    detached: configuration.detached,
  };
}

function ruleBody(rule: Rule, index: number): WireRule {
  const { rollout, serve } = rule;
  return {
    id: rule.id ?? `rule-${index + 1}`,
    ...(rule.name === undefined ? {} : { name: rule.name }),
    ...(rule.when === undefined ? {} : { when: rule.when as NonNullable<WireRule["when"]> }),
    ...(rollout === undefined ? {} : { rollout: rolloutBody(rollout) }),
    serve:
      serve.kind === "variant"
        ? serve
        : {
            kind: "split",
            weights: serve.weights.map(({ variant, percentage }) => ({ variant, weight: bucketsOf(percentage) })),
            ...(serve.by === undefined ? {} : { by: serve.by }),
            ...(serve.salt === undefined ? {} : { salt: serve.salt }),
          },
  };
}

/** `percentage` is the size of a slice that begins at `from`. */
export function rolloutBody({ percentage, from = 0, by, salt, random, over }: NonNullable<Rule["rollout"]>): WireRollout {
  const start = bucketsOf(from);
  return {
    ...(start > 0 ? { from: start } : {}),
    to: start + bucketsOf(percentage),
    ...(by === undefined ? {} : { by }),
    ...(salt === undefined ? {} : { salt }),
    ...(random ? { random } : {}),
    ...(over
      ? {
          over: {
            kind: over.kind,
            points: over.points.map(({ at, percentage }) => ({ at: Date.parse(at), to: start + bucketsOf(percentage) })),
          },
        }
      : {}),
  };
}

/** The sentence of the server says the same for what is saved; this one speaks of the edits too. */
export function sentenceFor(flag: Flag, configuration: Configuration, groupName: (key: string) => string): string {
  return sentenceOf(bodyOf(flag, configuration), { group: groupName });
}

export function stateFor(flag: Flag, configuration: Configuration, now = Date.now()): FlagState {
  return stateOf(bodyOf(flag, configuration), now);
}
