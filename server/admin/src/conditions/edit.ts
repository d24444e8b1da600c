import { CONDITION_DEPTH_MAX, conditionSentence, parseDate, type Condition as WireCondition } from "@signalbox/core";
import type { Condition } from "../../../src/api-types.ts";

export type Leaf = Exclude<Condition, { op: "all" } | { op: "any" } | { op: "not" }>;
export type Branch = Extract<Condition, { op: "all" | "any" }>;

/** A condition with its `not`s counted off, as the page shows it: "none of", "is not one of". `nots` are how many there are. */
export type View =
  | { readonly negated: boolean; readonly nots: number; readonly leaf: Leaf }
  | { readonly negated: boolean; readonly nots: number; readonly branch: Branch };

/** Sets of conditions within each other: as deep as can be saved, where the last level is a line. */
export const EDIT_DEPTH_MAX = CONDITION_DEPTH_MAX - 1;

export function viewOf(condition: Condition): View {
  let nots = 0;
  let inner = condition;
  while (inner.op === "not") {
    nots++;
    inner = inner.of;
  }
  const negated = nots % 2 === 1;
  if (inner.op === "all" || inner.op === "any") return { negated, nots, branch: inner };
  return { negated, nots, leaf: inner as Leaf };
}

export function negate(condition: Condition, negated: boolean): Condition {
  return negated ? { op: "not", of: condition } : condition;
}

/** As the server counts it: every all, any and not is a level, and so is a line. */
export function depthOf(condition: Condition): number {
  if (condition.op === "not") return 1 + depthOf(condition.of);
  if (condition.op === "all" || condition.op === "any") return 1 + Math.max(0, ...condition.of.map(depthOf));
  return 1;
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
  const depth = depthOf(condition);
  const deep =
    depth > CONDITION_DEPTH_MAX
      ? [`Conditions nest ${depth} deep, the most is ${CONDITION_DEPTH_MAX}: put some of them into a group.`]
      : [];
  return [...deep, ...missing(condition)];
}

function missing(condition: Condition): string[] {
  switch (condition.op) {
    case "not":
      return missing(condition.of);
    case "all":
    case "any":
      return condition.of.length === 0 ? ["Add at least one condition."] : condition.of.flatMap(missing);
    case "group":
      return condition.group === "" ? ["Choose a group."] : [];
    case "date": {
      if (condition.attribute?.trim() === "") return ["Name the attribute."];
      return parseDate(condition.value) ? [] : ["Enter a date, such as 2026-12-01 or 2026-12-01T09:30."];
    }
    default: {
      // Of an operator that the page does not know, fields can hold anything.
      if ("attribute" in condition && String(condition.attribute).trim() === "") return ["Name the attribute."];
      if (condition.op === "semver" && condition.value.trim() === "") return [`Enter the version of ${condition.attribute}.`];
      return "values" in condition && Array.isArray(condition.values) && condition.values.length === 0
        ? [`Enter at least one value for ${condition.attribute}.`]
        : [];
    }
  }
}

/** A condition in words, which need nothing of what the server adds to it. */
export function inWords(condition: Condition, groupName?: (key: string) => string): string {
  return conditionSentence(condition as WireCondition, groupName ? { group: groupName } : {});
}
