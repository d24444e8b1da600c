import { BUCKETS } from "./bucket.ts";
import type { FlagBody } from "./check.ts";
import { parseDate } from "./dates.ts";
import type { Condition, Rollout, Rule, Schedule, Serve } from "./model.ts";
import { colonParent } from "./plan.ts";
import { rolloutEnd } from "./schedule.ts";

/** How things are called on screen; keys are shown where a name is not given. */
export interface Names {
  readonly group?: (key: string) => string;
}

export interface FlagState {
  readonly word: "OFF" | "KILLED" | "SOME" | "ON" | "INHERITS";
  /** How much of everyone else gets it; null when that is not said by a percentage. */
  readonly percentage: number | null;
  /** As shown: `SOME 12 %`. */
  readonly text: string;
}

/** Of a longer list of values only the first are named. */
const VALUES_NAMED_MAX = 5;

/**
 * The one word for a flag in an environment, the same everywhere. A flag whose rules can only serve its off variant is OFF. `now`, in ms
 * since 1970, says how far a schedule is; without it a schedule counts as done.
 */
export function stateOf(flag: FlagBody, now?: number): FlagState {
  if (flag.killed) return said("KILLED");
  if (flag.archived || flag.mode === "off") return said("OFF");
  if (flag.mode === "on") return said("ON");
  if (flag.mode === "inherit") return said("INHERITS");
  const rules = reachable(flag);
  if (!rules.some((rule) => couldServeOn(rule, flag))) return said("OFF");
  const last = rules.at(-1);
  if (last && !last.when && last.rollout?.over && shareOn(last, flag, now) === 0 && rules.length === 1) return said("OFF");
  const share = last && !last.when ? shareOn(last, flag, now) : 0;
  if (share === 0) return said("SOME");
  const percentage = Math.max(1, Math.round(share)) / 1_000;
  return { word: "SOME", percentage, text: `SOME ${percent(percentage)}` };
}

/**
 * What a flag does, in plain English, true for every context: `On for staff and for 10 % of everyone else; off for the rest.`
 * Takes what the server has checked; what it does not know it calls unknown.
 */
export function sentenceOf(flag: FlagBody, names: Names = {}): string {
  if (flag.archived) return `Archived: ${served(flag, flag.off)} for everyone.`;
  if (!flag.killed) return capitalized(configured(flag, names));
  return `Killed: ${served(flag, flag.off)} for everyone. When restored: ${configured(flag, names)}`;
}

function configured(flag: FlagBody, names: Names): string {
  const limits = limitsOf(flag);
  switch (flag.mode) {
    case "off":
      return `${served(flag, flag.off)} for everyone.`;
    case "on":
      return `${served(flag, flag.on)} for everyone.${limits}`;
    case "inherit":
      return inherited(flag);
    default:
      return targeted(flag, names, limits);
  }
}

function inherited(flag: FlagBody): string {
  const parent = flag.parent ?? colonParent(flag.key);
  if (parent === undefined) return `${served(flag, flag.off)} for everyone: it follows its parent, but has none.`;
  const lead = `as its parent ${parent}: ${served(flag, flag.on)} where ${parent} is on, ${served(flag, flag.off)} elsewhere.`;
  return lead + requirementsOf(flag);
}

/** Rules in order; neighbors that serve the same are told together, since their order among themselves changes nothing. */
function targeted(flag: FlagBody, names: Names, limits: string): string {
  const rules = reachable(flag);
  if (!rules.some((rule) => couldServeOn(rule, flag))) {
    return `${served(flag, flag.off)} for everyone: ${flag.rules?.length ? "no rule turns it on" : "there are no rules"}.`;
  }
  const parts: { serves: string; whom: string[] }[] = [];
  for (const [index, rule] of rules.entries()) {
    // A percentage after a rule that took only a part of its people is not one of everyone else: the others of them are asked again.
    const isElse = index > 0 && (isWhole(rule.rollout) || rules.slice(0, index).every((earlier) => isWhole(earlier.rollout)));
    const everyone = isElse ? "everyone else" : "everyone";
    const serves = servedBy(rule.serve, flag);
    const whom = audience(rule, everyone, names) + doubt(rule, flag);
    const last = parts.at(-1);
    if (last?.serves === serves) last.whom.push(whom);
    else parts.push({ serves, whom: [whom] });
  }
  const told = parts.map(({ serves, whom }, index) => {
    const those = listed(
      whom.map((one) => `for ${one}`),
      "and",
    );
    return `${index > 0 ? "otherwise " : ""}${serves} ${those}`;
  });
  const last = rules.at(-1);
  if (!last || !leavesNobody(last, flag)) told.push(`${served(flag, flag.off)} for the rest`);
  return `${told.join("; ")}.${limits}`;
}

function audience({ when, rollout }: Rule, everyone: string, names: Names): string {
  const share = rollout && !isWhole(rollout) ? `${shareWords(rollout)} of ` : "";
  if (!when) return share + everyone;
  return share + (when.op === "group" ? groupName(when.group, names) : `those where ${conditionSentence(when, names)}`);
}

/** What serves the off variant applies also where it is unknown whether it does, and that must be said for the sentence to be true. */
function doubt(rule: Rule, flag: FlagBody): string {
  const certain = !rule.when && isWhole(rule.rollout);
  const { serve } = rule;
  if (serve.kind === "variant") return serve.variant === flag.off && !certain ? " (or where that is not known)" : "";
  const hasOffShare = serve.weights.some(({ variant, weight }) => variant === flag.off && weight > 0);
  return hasOffShare && !certain ? ` (${served(flag, flag.off)} also where that is not known)` : "";
}

function shareWords(rollout: Rollout): string {
  const { from = 0, to, random, by, over } = rollout;
  if (over)
    return `${scheduleWords(over, from, to)} ${random ? "of the checks, at random," : by === undefined ? "" : `(by ${by})`}`.trimEnd();
  const share = percent(Math.max(0, to - from) / 1_000);
  if (random) return `a random ${share} of the checks`;
  const slice = from > 0 ? ` (from ${percent(from / 1_000)} to ${percent(to / 1_000)})` : "";
  return `${share}${slice}${by === undefined ? "" : ` (by ${by})`}`;
}

const DATES_NAMED_MAX = 4;

/** `1 % (10 % from 2026-12-01 09:00 UTC, 100 % from 2026-12-08 09:00 UTC)`; a line says "in a straight line to" in place of "from". */
function scheduleWords({ kind, points }: Schedule, from: number, before: number): string {
  const size = (to: number) => percent(Math.max(0, to - from) / 1_000);
  const told = points.slice(0, DATES_NAMED_MAX).map(({ at, to }, index) => {
    const word = kind === "line" && index > 0 ? "in a straight line to" : "from";
    return word === "from" ? `${size(to)} from ${moment(at)}` : `${word} ${size(to)} at ${moment(at)}`;
  });
  const more = points.length - told.length;
  if (more > 0) told.push(`and ${more} later ${more === 1 ? "step" : "steps"}`);
  const slice = from > 0 ? `, each slice beginning at ${percent(from / 1_000)}` : "";
  return `${size(before)} (${told.join(", ")}${slice})`;
}

function moment(at: number): string {
  const text = new Date(at).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 16)} UTC`;
}

/** What a rule is called: its name, else whom it is for. */
export function ruleTitle(rule: Rule, flag: Pick<FlagBody, "rules">, names: Names = {}): string {
  if (rule.name) return rule.name;
  const isFirst = flag.rules?.[0]?.id === rule.id;
  return audience(rule, isFirst ? "everyone" : "everyone else", names);
}

/** What a rule does: `staff: on`, `10 % of everyone: "blue"`, `Partners (10 % of those where plan is pro): on`. */
export function ruleSentence(rule: Rule, flag: FlagBody, names: Names = {}): string {
  const whom = audience(rule, "everyone", names);
  return `${rule.name ? `${rule.name} (${whom})` : whom}: ${servedBy(rule.serve, flag)}`;
}

/** A condition as a clause: `plan is pro or team and country is not de`. */
export function conditionSentence(condition: Condition, names: Names = {}): string {
  return clause(condition, names, false);
}

function clause(condition: Condition, names: Names, inner: boolean): string {
  switch (condition.op) {
    case "all":
      return joined(condition.of, "and", "always", names, inner);
    case "any":
      return joined(condition.of, "or", "never", names, inner);
    case "not":
      return negated(condition.of, names);
    case "group":
      return `in ${groupName(condition.group, names)}`;
    case "exists":
      return `${condition.attribute} is known`;
    case "number":
      return `${condition.attribute} ${COMPARISONS[condition.is]} ${condition.value}`;
    case "in":
      return `${condition.attribute} is ${values(condition.values)}${folded(condition.ignoreCase)}`;
    case "contains":
    case "startsWith":
    case "endsWith":
      return `${condition.attribute} ${VERBS[condition.op]} ${values(condition.values)}${folded(condition.ignoreCase)}`;
    case "matches":
      return `${condition.attribute} matches ${values(condition.values.map((one) => `/${one}/`))}${folded(condition.ignoreCase)}`;
    case "semver":
      return `${condition.attribute} ${VERSION_COMPARISONS[condition.is]} version ${condition.value}`;
    case "date":
      return `${condition.attribute ?? "the time"} ${DATE_COMPARISONS[condition.is]} ${condition.value}${zoneWords(condition)}`;
    case "cidr":
      return `${condition.attribute} is in ${values(condition.values)}`;
    case "fact":
      return "a condition holds that only the server can check";
    default:
      return "an unknown condition holds";
  }
}

const VERBS = { contains: "contains", startsWith: "starts with", endsWith: "ends with" } as const;
const COMPARISONS = {
  "<": "is below",
  "<=": "is at most",
  ">": "is above",
  ">=": "is at least",
  "=": "is",
  "!=": "is not",
} as const;

const VERSION_COMPARISONS = {
  "<": "is before",
  "<=": "is at most",
  ">": "is after",
  ">=": "is at least",
  "=": "is",
  "!=": "is not",
} as const;
const DATE_COMPARISONS = { "<": "is before", "<=": "is at or before", ">": "is after", ">=": "is at or after" } as const;

function zoneWords({ value, zone }: Extract<Condition, { op: "date" }>): string {
  if (zone !== undefined) return ` (${zone})`;
  return parseDate(value)?.offset === undefined ? " (UTC)" : "";
}

function joined(parts: readonly Condition[], word: "and" | "or", none: string, names: Names, inner: boolean): string {
  const [only] = parts;
  if (!only) return none;
  if (parts.length === 1) return clause(only, names, inner);
  const text = parts.map((part) => clause(part, names, true)).join(` ${word} `);
  return inner ? `(${text})` : text;
}

function negated(condition: Condition, names: Names): string {
  if (condition.op === "group") return `not in ${groupName(condition.group, names)}`;
  if (condition.op === "exists") return `${condition.attribute} is not known`;
  if (condition.op === "in") {
    const rest = condition.values.length > 1 ? `none of ${values(condition.values)}` : `not ${values(condition.values)}`;
    return `${condition.attribute} is ${rest}${folded(condition.ignoreCase)}`;
  }
  return `not (${clause(condition, names, false)})`;
}

function values(all: readonly (string | number | boolean)[]): string {
  const shown = all.slice(0, VALUES_NAMED_MAX).map(String);
  const more = all.length - shown.length;
  return listed(more > 0 ? [...shown, `${more} more`] : shown, "or");
}

function folded(ignoreCase: boolean | undefined): string {
  return ignoreCase ? " (in any case)" : "";
}

function groupName(key: string, names: Names): string {
  return names.group?.(key) ?? key;
}

/** Rules up to the first that leaves nobody over. One that lets nobody in is left out. */
function reachable(flag: FlagBody): Rule[] {
  const rules: Rule[] = [];
  for (const rule of flag.rules ?? []) {
    if (rule.rollout && !rule.rollout.over && rule.rollout.to <= (rule.rollout.from ?? 0)) continue;
    rules.push(rule);
    if (leavesNobody(rule, flag)) break;
  }
  return rules;
}

/** A split over several on-variants leaves over those who have no unit to split by. */
function leavesNobody({ when, rollout, serve }: Rule, flag: FlagBody): boolean {
  if (when || !isWhole(rollout)) return false;
  return (
    serve.kind === "variant" || serve.weights.some(({ variant, weight }) => weight === BUCKETS || (weight > 0 && variant === flag.off))
  );
}

function isWhole(rollout: Rollout | undefined): boolean {
  return !rollout || (!rollout.over && (rollout.from ?? 0) === 0 && rollout.to === BUCKETS);
}

/** At whatever time. */
function couldServeOn(rule: Rule, flag: FlagBody): boolean {
  const { rollout } = rule;
  if (!rollout?.over) return shareOn(rule, flag) > 0;
  const ends = [rollout.to, ...rollout.over.points.map(({ to }) => to)];
  return ends.some((to) => to > (rollout.from ?? 0)) && shareOn({ id: rule.id, serve: rule.serve }, flag) > 0;
}

/** How many of 100,000 of its audience a rule gives anything but the off variant. */
function shareOn({ rollout, serve }: Rule, flag: FlagBody, now?: number): number {
  const inside = rollout ? Math.max(0, rolloutEnd(rollout, now) - (rollout.from ?? 0)) : BUCKETS;
  if (serve.kind === "variant") return serve.variant === flag.off ? 0 : inside;
  const on = serve.weights.reduce((sum, { variant, weight }) => (variant === flag.off ? sum : sum + weight), 0);
  return (inside * on) / BUCKETS;
}

function servedBy(serve: Serve, flag: FlagBody): string {
  if (serve.kind === "variant") return served(flag, serve.variant);
  return listed(
    serve.weights.filter(({ weight }) => weight > 0).map(({ variant, weight }) => `${percent(weight / 1_000)} ${served(flag, variant)}`),
    "and",
  );
}

function served(flag: FlagBody, variant: string): string {
  return flag.type === "boolean" ? variant : `"${variant}"`;
}

/** What must hold besides the rules, as sentences of their own. */
function limitsOf(flag: FlagBody): string {
  const parent = flag.detached ? undefined : (flag.parent ?? colonParent(flag.key));
  // Whether the parent exists is not known here, and one that does not exist limits nothing.
  return requirementsOf(flag) + (parent === undefined ? "" : ` If there is a flag ${parent}, only where that is on.`);
}

function requirementsOf(flag: FlagBody): string {
  const all = (flag.requires ?? []).map(({ flag: key, variants }) => `${key} is ${listed(variants, "or")}`);
  return all.length === 0 ? "" : ` Only where ${all.join(" and ")}.`;
}

function listed(items: readonly string[], word: "and" | "or"): string {
  const last = items.at(-1) ?? "";
  if (items.length < 3) return items.join(` ${word} `);
  return `${items.slice(0, -1).join(", ")}, ${word} ${last}`;
}

export function percent(value: number): string {
  return `${Number(value.toFixed(3))} %`;
}

function said(word: FlagState["word"]): FlagState {
  return { word, percentage: null, text: word };
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
