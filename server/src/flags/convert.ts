import type { z } from "@hono/zod-openapi";
import { BUCKETS, type Condition, type Rollout, type Rule, type Serve } from "@signalbox/core";
import type { Rule as RuleShape } from "../api-types.ts";
import { type Problem, problem } from "../errors.ts";
import type { StoredConfiguration } from "../store/define.ts";
import { limitOf } from "./patterns.ts";
import type { ConditionInput, configurationPatch } from "./schema.ts";
import { instantIn, isZone } from "./zones.ts";

/** Between the API's form (percent, as people say it) and the stored and wire form (buckets of 100,000). Nothing is lost either way. */

const BUCKETS_PER_PERCENT = BUCKETS / 100;

/** Parsed by the schema; a field that is absent stays as it is. */
export type ConfigurationPatch = z.infer<typeof configurationPatch>;
export type StoredPatch = Partial<StoredConfiguration>;

/** `newRuleId` names the rules that come without an id. */
export function toStored(patch: ConfigurationPatch, newRuleId: () => string): StoredPatch {
  const { rules, ...rest } = patch;
  return { ...defined(rest), ...(rules && { rules: rules.map((rule, index) => toRule(rule, `rules.${index}`, newRuleId)) }) };
}

/** Throws VALIDATION_FAILED for what only the library of patterns or the runtime's list of time zones can tell. */
export function toCondition(input: ConditionInput, path: string): Condition {
  switch (input.op) {
    case "all":
    case "any":
      return { op: input.op, of: input.of.map((part, index) => toCondition(part, `${path}.of.${index}`)) };
    case "not":
      return { op: "not", of: toCondition(input.of, `${path}.of`) };
    case "in": {
      const { ignoreCase, ...leaf } = input;
      return { ...leaf, ...(ignoreCase && { ignoreCase }) };
    }
    case "contains":
    case "startsWith":
    case "endsWith": {
      const { ignoreCase, ...leaf } = input;
      return { ...leaf, ...(ignoreCase && { ignoreCase }) };
    }
    case "matches": {
      const { ignoreCase, ...leaf } = input;
      const limit = limitOf(input.values);
      if ("problem" in limit) throw refusedAt(`${path}.values`, limit.problem);
      return { ...leaf, ...(ignoreCase && { ignoreCase }), textLengthMax: limit.textLengthMax };
    }
    case "date": {
      const { attribute, zone, ...leaf } = input;
      if (zone !== undefined && !isZone(zone))
        throw refusedAt(`${path}.zone`, `"${zone}" is not a time zone; write one as Europe/Zurich or UTC`);
      const at = instantIn(input.value, zone);
      return { ...leaf, ...(attribute !== undefined && { attribute }), ...(zone !== undefined && { zone }), at };
    }
    default:
      return input;
  }
}

function refusedAt(path: string, message: string): Problem {
  return problem("VALIDATION_FAILED", `body field ${path}: ${message}`, { issues: [{ path, message }] });
}

function toRule(rule: RuleShape, path: string, newRuleId: () => string): Rule {
  const { id, name, when, rollout, serve } = rule;
  return {
    id: id ?? newRuleId(),
    ...(name !== undefined && name !== "" && { name }),
    ...(when && { when: toCondition(when, `${path}.when`) }),
    ...(rollout && { rollout: toRollout(rollout) }),
    serve: toServe(serve),
  };
}

/** `percentage` is the size of the slice; it begins at `from`. */
function toRollout({ percentage, from, by, salt, random, over }: NonNullable<RuleShape["rollout"]>): Rollout {
  const start = toBuckets(from ?? 0);
  return {
    ...(start > 0 && { from: start }),
    to: start + toBuckets(percentage),
    ...(by !== undefined && { by }),
    ...(salt !== undefined && { salt }),
    ...(random && { random }),
    ...(over && {
      over: {
        kind: over.kind,
        points: over.points.map(({ at, percentage }) => ({ at: Date.parse(at), to: start + toBuckets(percentage) })),
      },
    }),
  };
}

function toServe(serve: RuleShape["serve"]): Serve {
  if (serve.kind === "variant") return serve;
  const { by, salt, weights } = serve;
  return {
    kind: "split",
    weights: weights.map(({ variant, percentage }) => ({ variant, weight: toBuckets(percentage) })),
    ...(by !== undefined && { by }),
    ...(salt !== undefined && { salt }),
  };
}

export function fromRule({ id, name, when, rollout, serve }: Rule): RuleShape {
  return {
    id,
    ...(name !== undefined && { name }),
    ...(when && { when: fromCondition(when) }),
    ...(rollout && { rollout: fromRollout(rollout) }),
    serve: fromServe(serve),
  };
}

function fromRollout({ from = 0, to, by, salt, random, over }: Rollout): NonNullable<RuleShape["rollout"]> {
  return {
    percentage: toPercent(to - from),
    ...(from > 0 && { from: toPercent(from) }),
    ...(by !== undefined && { by }),
    ...(salt !== undefined && { salt }),
    ...(random && { random }),
    ...(over && {
      over: {
        kind: over.kind,
        points: over.points.map(({ at, to }) => ({ at: new Date(at).toISOString(), percentage: toPercent(to - from) })),
      },
    }),
  };
}

function fromServe(serve: Serve): RuleShape["serve"] {
  if (serve.kind === "variant") return serve;
  const { by, salt, weights } = serve;
  return {
    kind: "split",
    weights: weights.map(({ variant, weight }) => ({ variant, percentage: toPercent(weight) })),
    ...(by !== undefined && { by }),
    ...(salt !== undefined && { salt }),
  };
}

/** Stored conditions came through the schema, so they hold what it takes; a fact exists only in a projection. */
export function fromCondition(condition: Condition): ConditionInput {
  switch (condition.op) {
    case "all":
    case "any":
      return { op: condition.op, of: condition.of.map(fromCondition) };
    case "not":
      return { op: "not", of: fromCondition(condition.of) };
    case "in":
    case "contains":
    case "startsWith":
    case "endsWith":
    case "cidr":
      return { ...condition, values: [...condition.values] } as ConditionInput;
    case "matches": {
      const { textLengthMax: _made, ...leaf } = condition;
      return { ...leaf, values: [...leaf.values] };
    }
    case "date": {
      const { at: _made, ...leaf } = condition;
      return leaf;
    }
    case "fact":
      throw new TypeError("a stored condition holds a fact");
    default:
      return condition;
  }
}

/** A rule as core puts it into words. What only evaluation reads of conditions is not there. */
export function worded({ id, name, when, rollout, serve }: RuleShape): Rule {
  return {
    id: id ?? "",
    ...(name !== undefined && { name }),
    ...(when && { when: when as Condition }),
    ...(rollout && { rollout: toRollout(rollout) }),
    serve: toServe(serve),
  };
}

// Percent come with at most three decimals, which a float does not always hold exactly.
function toBuckets(percent: number): number {
  return Math.round(percent * BUCKETS_PER_PERCENT);
}

function toPercent(buckets: number): number {
  return buckets / BUCKETS_PER_PERCENT;
}

/** Without the fields that are undefined, which schemas let through and stored forms do not know. */
export function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
