import type { Condition } from "../../../src/api-types.ts";
import { type Leaf, negate, type View } from "./edit.ts";

/**
 * What a person picks for one line: the operator with its `not`, in words. Those with a comparison of their own have a `not` only so
 * that one which is stored can be shown. `isListed: false` keeps those out of the list of choices.
 */
export const OPERATORS = [
  { id: "in", kind: "Text and numbers", words: "is one of", op: "in", negated: false },
  { id: "not-in", kind: "Text and numbers", words: "is not one of", op: "in", negated: true },
  { id: "contains", kind: "Text and numbers", words: "contains", op: "contains", negated: false },
  { id: "not-contains", kind: "Text and numbers", words: "does not contain", op: "contains", negated: true },
  { id: "startsWith", kind: "Text and numbers", words: "starts with", op: "startsWith", negated: false },
  { id: "not-startsWith", kind: "Text and numbers", words: "does not start with", op: "startsWith", negated: true },
  { id: "endsWith", kind: "Text and numbers", words: "ends with", op: "endsWith", negated: false },
  { id: "not-endsWith", kind: "Text and numbers", words: "does not end with", op: "endsWith", negated: true },
  { id: "matches", kind: "Text and numbers", words: "matches a pattern", op: "matches", negated: false },
  { id: "not-matches", kind: "Text and numbers", words: "matches no pattern", op: "matches", negated: true },
  { id: "number", kind: "Comparisons", words: "is a number", op: "number", negated: false },
  { id: "not-number", kind: "Comparisons", words: "is a number, but not", op: "number", negated: true, isListed: false },
  { id: "semver", kind: "Comparisons", words: "is a version", op: "semver", negated: false },
  { id: "not-semver", kind: "Comparisons", words: "is a version, but not", op: "semver", negated: true, isListed: false },
  { id: "date", kind: "Comparisons", words: "is a date", op: "date", negated: false },
  { id: "not-date", kind: "Comparisons", words: "is a date, but not", op: "date", negated: true, isListed: false },
  { id: "clock", kind: "Comparisons", words: "the time now is", op: "date", negated: false },
  { id: "not-clock", kind: "Comparisons", words: "the time now is not", op: "date", negated: true, isListed: false },
  { id: "cidr", kind: "Others", words: "is an address in", op: "cidr", negated: false },
  { id: "not-cidr", kind: "Others", words: "is an address outside of", op: "cidr", negated: true },
  { id: "exists", kind: "Others", words: "is given", op: "exists", negated: false },
  { id: "not-exists", kind: "Others", words: "is not given", op: "exists", negated: true },
  { id: "group", kind: "Others", words: "is in the group", op: "group", negated: false },
  { id: "not-group", kind: "Others", words: "is not in the group", op: "group", negated: true },
] as const satisfies readonly { id: string; kind: string; words: string; op: Leaf["op"]; negated: boolean; isListed?: false }[];

export type OperatorId = (typeof OPERATORS)[number]["id"];

/** The choices of a line by kind; the operator that it has now is always among them. */
export function operatorChoices(current: OperatorId): { group: string; items: { value: OperatorId; label: string }[] }[] {
  const kinds = [...new Set(OPERATORS.map(({ kind }) => kind))];
  return kinds.map((group) => ({
    group,
    items: OPERATORS.filter((operator) => operator.kind === group && (!("isListed" in operator) || operator.id === current)).map(
      ({ id, words }) => ({ value: id, label: words }),
    ),
  }));
}

export function operatorOf({ negated, leaf }: Extract<View, { leaf: Leaf }>): OperatorId {
  if (leaf.op === "date" && leaf.attribute === undefined) return negated ? "not-clock" : "clock";
  return OPERATORS.find((operator) => operator.op === leaf.op && operator.negated === negated)?.id ?? "in";
}

/** The same line with another operator. Attribute and values stay where the new operator has a place for them. */
export function withOperator(leaf: Leaf, id: OperatorId): Condition {
  const operator = OPERATORS.find((candidate) => candidate.id === id) ?? OPERATORS[0];
  return negate(converted(leaf, id, operator.op), operator.negated);
}

function converted(leaf: Leaf, id: OperatorId, op: Leaf["op"]): Leaf {
  if (op !== "date") return op === leaf.op ? leaf : convert(leaf, op);
  const date = leaf.op === "date" ? leaf : { op, is: ">=" as const, value: "" };
  const { attribute: _, ...clock } = date;
  if (id === "clock" || id === "not-clock") return clock;
  return { ...clock, attribute: attributeOf(leaf) };
}

function convert(leaf: Leaf, op: Exclude<Leaf["op"], "date">): Leaf {
  const attribute = attributeOf(leaf);
  const values = "values" in leaf ? leaf.values : [];
  const ignoreCase = "ignoreCase" in leaf && leaf.ignoreCase ? { ignoreCase: true } : {};
  switch (op) {
    case "in":
      return { op, attribute, values: [...values], ...ignoreCase };
    case "contains":
    case "startsWith":
    case "endsWith":
    case "matches":
      return { op, attribute, values: values.map(String), ...ignoreCase };
    case "cidr":
      return { op, attribute, values: values.map(String) };
    case "number":
      return { op, attribute, is: ">=", value: 0 };
    case "semver":
      return { op, attribute, is: ">=", value: "" };
    case "exists":
      return { op, attribute };
    case "group":
      return { op, group: "" };
  }
}

function attributeOf(leaf: Leaf): string {
  return ("attribute" in leaf ? leaf.attribute : undefined) ?? "key";
}

export const NUMBER_COMPARISONS = { "<": "below", "<=": "at most", ">": "above", ">=": "at least", "=": "equal to", "!=": "not equal to" };
export const VERSION_COMPARISONS = { "<": "before", "<=": "at most", ">": "after", ">=": "at least", "=": "exactly", "!=": "other than" };
export const DATE_COMPARISONS = { "<": "before", "<=": "at or before", ">": "after", ">=": "at or after" };
