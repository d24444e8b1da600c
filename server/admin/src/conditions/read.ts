import type { Condition } from "../../../src/api-types.ts";
import type { Leaf } from "./edit.ts";

/** Longer lists are shown as JSON: a tag for each of thousands of values is of no use and slows the page. */
export const TAGS_MAX = 100;

const LISTS = ["in", "contains", "startsWith", "endsWith", "matches", "cidr"];
const KNOWN = [...LISTS, "number", "semver", "date", "exists", "group"];

/** What is wrong with a condition that came as JSON, so far that it cannot be shown; the rest is the server's to say. */
export function conditionProblem(value: unknown): string | undefined {
  if (!isObject(value) || typeof value.op !== "string")
    return 'A condition is an object with an "op", such as { "op": "exists", "attribute": "plan" }.';
  const { op } = value;
  if (op === "not") return conditionProblem(value.of);
  if (op === "all" || op === "any") {
    if (!Array.isArray(value.of)) return `"${op}" has a list of conditions in "of".`;
    for (const part of value.of) {
      const problem = conditionProblem(part);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  return leafProblem(op, value);
}

function leafProblem(op: string, leaf: Readonly<Record<string, unknown>>): string | undefined {
  if (!KNOWN.includes(op)) return undefined;
  if (op === "group") return typeof leaf.group === "string" ? undefined : '"group" has the key of a group in "group".';
  const isClock = op === "date" && leaf.attribute === undefined;
  if (!isClock && typeof leaf.attribute !== "string") return `"${op}" has the name of an attribute in "attribute".`;
  if (LISTS.includes(op)) {
    const isRight = (value: unknown) =>
      typeof value === "string" || (op === "in" && (typeof value === "number" || typeof value === "boolean"));
    return Array.isArray(leaf.values) && leaf.values.every(isRight)
      ? undefined
      : `"${op}" has a list of ${op === "in" ? "texts, numbers or true and false" : "texts"} in "values".`;
  }
  if (op === "exists") return undefined;
  if (typeof leaf.is !== "string") return `"${op}" has a comparison in "is", such as ">=".`;
  if (op === "number") return typeof leaf.value === "number" ? undefined : '"number" has a number in "value".';
  if (typeof leaf.value !== "string") return `"${op}" has a text in "value".`;
  return leaf.zone === undefined || typeof leaf.zone === "string" ? undefined : '"date" has the name of a time zone in "zone".';
}

/** Whether the page has fields for all of this line. */
export function isDrawn(leaf: Leaf): boolean {
  const { op, ...rest } = leaf as Record<string, unknown> & Leaf;
  if (!KNOWN.includes(op) || conditionProblem(leaf) !== undefined) return false;
  const fields = ["attribute", "values", "ignoreCase", "is", "value", "zone", "group"];
  if (!Object.keys(rest).every((field) => fields.includes(field))) return false;
  if (!("values" in leaf)) return true;
  // Each tag has a text of its own.
  const { values } = leaf as { readonly values: readonly unknown[] };
  return values.length <= TAGS_MAX && !values.includes("") && new Set(values).size === values.length;
}

export function asCondition(value: unknown): Condition {
  return value as Condition; // conditionProblem has looked at it.
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
