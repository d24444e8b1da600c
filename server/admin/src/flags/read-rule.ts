import type { Configuration, Rule } from "../../../src/api-types.ts";
import { conditionProblem } from "../conditions/read.ts";

/** What is wrong with a rule that came as JSON, so far that it cannot be shown; the rest is the server's to say. */
export function ruleProblem(value: unknown): string | undefined {
  if (!isObject(value)) return "A rule is an object.";
  if (value.id !== undefined && typeof value.id !== "string") return 'The "id" of a rule is a text.';
  if (value.name !== undefined && typeof value.name !== "string") return 'The "name" of a rule is a text.';
  if (value.when !== undefined) {
    const problem = conditionProblem(value.when);
    if (problem !== undefined) return problem;
  }
  return rolloutShape(value.rollout) ?? serveShape(value.serve);
}

export function rulesProblem(value: unknown): string | undefined {
  if (!Array.isArray(value)) return "Rules are a list.";
  for (const [index, rule] of value.entries()) {
    const problem = ruleProblem(rule);
    if (problem !== undefined) return `Rule ${index + 1}: ${problem}`;
  }
  const ids = value.flatMap(({ id }: Rule) => (id === undefined ? [] : [id]));
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  return twice === undefined ? undefined : `Two rules have the id "${twice}".`;
}

function rolloutShape(rollout: unknown): string | undefined {
  if (rollout === undefined) return undefined;
  if (!isObject(rollout) || typeof rollout.percentage !== "number") return 'A "rollout" has a number in "percentage".';
  if (rollout.from !== undefined && typeof rollout.from !== "number") return 'A "rollout" has a number in "from".';
  const { over } = rollout;
  if (over === undefined) return undefined;
  const isPoint = (point: unknown) =>
    isObject(point) && typeof point.percentage === "number" && typeof point.at === "string" && !Number.isNaN(Date.parse(point.at));
  if (!isObject(over) || !["steps", "line"].includes(String(over.kind))) return 'The "kind" of "over" is "steps" or "line".';
  return Array.isArray(over.points) && over.points.length > 0 && over.points.every(isPoint)
    ? undefined
    : '"over" has a list of "points", each with "at", such as "2026-12-01T09:00:00Z", and a "percentage".';
}

function serveShape(serve: unknown): string | undefined {
  const wanted =
    'A rule serves { "kind": "variant", "variant": … } or { "kind": "split", "weights": [{ "variant": …, "percentage": … }] }.';
  if (!isObject(serve)) return wanted;
  if (serve.kind === "variant") return typeof serve.variant === "string" ? undefined : wanted;
  if (serve.kind !== "split" || !Array.isArray(serve.weights)) return wanted;
  const isWeight = (weight: unknown) => isObject(weight) && typeof weight.variant === "string" && typeof weight.percentage === "number";
  return serve.weights.every(isWeight) ? undefined : wanted;
}

const RULE = ["id", "name", "when", "rollout", "serve"];
const ROLLOUT = ["percentage", "from", "by", "salt", "random", "over"];
const SERVE = ["kind", "variant", "weights", "by", "salt"];

/** Whether the page has fields for all of this rule, besides its conditions. */
export function isRuleDrawn(rule: Rule): boolean {
  const { serve, rollout = {} } = rule;
  if (ruleProblem(rule) !== undefined || !hasOnly(rule, RULE) || !hasOnly(rollout, ROLLOUT) || !hasOnly(serve, SERVE)) return false;
  if (serve.kind === "variant") return true;
  return new Set(serve.weights.map(({ variant }) => variant)).size === serve.weights.length;
}

function hasOnly(value: object, fields: readonly string[]): boolean {
  return Object.keys(value).every((field) => fields.includes(field));
}

export function asRules(value: unknown): Configuration["rules"] {
  return value as Configuration["rules"]; // rulesProblem has looked at it.
}

export function asRule(value: unknown): Rule {
  return value as Rule; // ruleProblem has looked at it.
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
