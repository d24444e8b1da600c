import type { ConditionTrace, Explanation } from "../../../src/api-types.ts";
import { percent } from "./changes.ts";

type RuleTrace = Explanation["rules"][number];
type Need = Explanation["needs"][number];

/** How a rule stands in an explanation. */
export function standingOf({ reached, applies, denial }: RuleTrace): "applies" | "denies" | "does not apply" | "not reached" {
  if (!reached) return "not reached";
  if (!applies) return "does not apply";
  return denial ? "denies" : "applies";
}

export function verdictWord(verdict: ConditionTrace["verdict"]): string {
  return { true: "yes", false: "no", unknown: "not known" }[verdict];
}

/** What the context holds for a condition; undefined where it asks for no attribute. */
export function held({ attribute, value }: ConditionTrace): string | undefined {
  if (attribute === undefined) return undefined;
  return value === undefined ? `no ${attribute}` : `${attribute} is ${JSON.stringify(value)}`;
}

export function needWords({ kind, flag, variants, serves }: Need): string {
  const now = serves === undefined ? "serves nothing" : `serves ${serves}`;
  if (kind === "parent") return `The parent ${flag} must not be off; it ${now}.`;
  return `${flag} must serve ${(variants ?? []).join(" or ")}; it ${now}.`;
}

/** The bucket against the slice that it was compared with. */
export function rolloutWords({ by, unit, bucket, from, to, random }: NonNullable<RuleTrace["rollout"]>): string {
  const slice =
    to === undefined
      ? "a percentage that depends on the time"
      : from === 0
        ? `the first ${percent(to / 1_000)}`
        : `${percent(from / 1_000)} to ${percent(to / 1_000)}`;
  if (random) return `A new draw falls into ${slice}`;
  if (unit === undefined || bucket === undefined) return `There is no ${by} to decide ${slice} by`;
  return `${by} “${unit}” falls on ${percent(bucket / 1_000)}, inside is ${slice}`;
}

export function splitWords({ by, unit, bucket }: NonNullable<RuleTrace["split"]>): string {
  if (unit === undefined || bucket === undefined) return `There is no ${by} to split by.`;
  return `${by} “${unit}” falls on ${percent(bucket / 1_000)} of the split.`;
}
