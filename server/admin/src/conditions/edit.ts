import { conditionSentence, type Condition as WireCondition } from "@signalbox/core";
import type { Condition } from "../../../src/api-types.ts";

export type Leaf = Exclude<Condition, { op: "all" } | { op: "any" } | { op: "not" }>;
export type Branch = Extract<Condition, { op: "all" | "any" }>;

/** A condition with its `not`s counted off, as the page shows it: "none of", "is not one of". */
export type View = { readonly negated: boolean; readonly leaf: Leaf } | { readonly negated: boolean; readonly branch: Branch };

/** Deeper conditions (they can come from the API) are shown as a sentence. Three levels are what people still read. */
export const EDIT_DEPTH_MAX = 3;

export function viewOf(condition: Condition): View {
  let negated = false;
  let inner = condition;
  while (inner.op === "not") {
    negated = !negated;
    inner = inner.of;
  }
  if (inner.op === "all" || inner.op === "any") return { negated, branch: inner };
  return { negated, leaf: inner as Leaf };
}

export function negate(condition: Condition, negated: boolean): Condition {
  return negated ? { op: "not", of: condition } : condition;
}

export function depthOf(condition: Condition): number {
  if (condition.op === "not") return depthOf(condition.of);
  if (condition.op === "all" || condition.op === "any") return 1 + Math.max(0, ...condition.of.map(depthOf));
  return 0;
}

/** What a person picks for one line: the operator with its `not`, in words. */
export const OPERATORS = [
  { id: "in", words: "is one of", op: "in", negated: false },
  { id: "not-in", words: "is not one of", op: "in", negated: true },
  { id: "contains", words: "contains", op: "contains", negated: false },
  { id: "not-contains", words: "does not contain", op: "contains", negated: true },
  { id: "startsWith", words: "starts with", op: "startsWith", negated: false },
  { id: "not-startsWith", words: "does not start with", op: "startsWith", negated: true },
  { id: "endsWith", words: "ends with", op: "endsWith", negated: false },
  { id: "not-endsWith", words: "does not end with", op: "endsWith", negated: true },
  { id: "number", words: "is a number", op: "number", negated: false },
  { id: "not-number", words: "is a number, but not", op: "number", negated: true },
  { id: "exists", words: "is given", op: "exists", negated: false },
  { id: "not-exists", words: "is not given", op: "exists", negated: true },
  { id: "group", words: "is in the group", op: "group", negated: false },
  { id: "not-group", words: "is not in the group", op: "group", negated: true },
] as const satisfies readonly { id: string; words: string; op: Leaf["op"]; negated: boolean }[];

export type OperatorId = (typeof OPERATORS)[number]["id"];

export function operatorOf(view: { negated: boolean; leaf: Leaf }): OperatorId {
  const found = OPERATORS.find((operator) => operator.op === view.leaf.op && operator.negated === view.negated);
  return found ? found.id : "in";
}

/** The same line with another operator. Attribute and values stay where the new operator has a place for them. */
export function withOperator(leaf: Leaf, id: OperatorId): Condition {
  const operator = OPERATORS.find((candidate) => candidate.id === id) ?? OPERATORS[0];
  return negate(operator.op === leaf.op ? leaf : convert(leaf, operator.op), operator.negated);
}

function convert(leaf: Leaf, op: Leaf["op"]): Leaf {
  const attribute = leaf.op === "group" ? "key" : leaf.attribute;
  const values = "values" in leaf ? leaf.values : [];
  const ignoreCase = "ignoreCase" in leaf && leaf.ignoreCase ? { ignoreCase: true } : {};
  switch (op) {
    case "in":
      return { op, attribute, values: [...values], ...ignoreCase };
    case "contains":
    case "startsWith":
    case "endsWith":
      return { op, attribute, values: values.map(String), ...ignoreCase };
    case "number":
      return { op, attribute, is: ">=", value: 0 };
    case "exists":
      return { op, attribute };
    case "group":
      return { op, group: "" };
  }
}

export function emptyLeaf(): Leaf {
  return { op: "in", attribute: "key", values: [] };
}

/** As a branch to edit: a single line becomes "all of" with one line. */
export function asBranch(condition: Condition): { negated: boolean; branch: Branch } {
  const view = viewOf(condition);
  return "branch" in view ? view : { negated: false, branch: { op: "all", of: [condition] } };
}

/** Back from `asBranch`: "all of" one line is that line, so that opening and closing an editor changes nothing. */
export function simplified(condition: Condition): Condition {
  if ((condition.op === "all" || condition.op === "any") && condition.of.length === 1 && condition.of[0]) return condition.of[0];
  return condition;
}

/**
 * What is missing before it can be saved, as sentences; empty when complete. An "all of" nothing would be true for everybody and an
 * "any of" nothing for nobody, which no one means who left the lines out.
 */
export function incomplete(condition: Condition): string[] {
  switch (condition.op) {
    case "not":
      return incomplete(condition.of);
    case "all":
    case "any":
      return condition.of.length === 0 ? ["Add at least one condition."] : condition.of.flatMap(incomplete);
    case "group":
      return condition.group === "" ? ["Choose a group."] : [];
    case "number":
    case "exists":
      return condition.attribute.trim() === "" ? ["Name the attribute."] : [];
    default: {
      const attribute = condition.attribute.trim();
      if (attribute === "") return ["Name the attribute."];
      return condition.values.length === 0 ? [`Enter at least one value for ${attribute}.`] : [];
    }
  }
}

/** Values as tags: text as it is; numbers and yes/no values, which only the API writes, say what they are. */
export function tagOf(value: string | number | boolean): string {
  return typeof value === "string" ? value : `${value} (${typeof value === "number" ? "number" : "yes/no"})`;
}

/** Tags back to values. What was a number before stays one; what is typed is text. */
export function valuesOf(tags: readonly string[], before: readonly (string | number | boolean)[]): (string | number | boolean)[] {
  const known = new Map(before.map((value) => [tagOf(value), value]));
  return tags.map((tag) => known.get(tag) ?? tag);
}

/** A condition in words. Only optional fields that may be spelled out as undefined keep the two types of one form apart. */
export function inWords(condition: Condition, groupName?: (key: string) => string): string {
  return conditionSentence(condition as WireCondition, groupName ? { group: groupName } : {});
}
