import { parseRange } from "./addresses.ts";
import { BUCKETS, isBucketCount } from "./bucket.ts";
import { GROUP_DEPTH_MAX } from "./conditions.ts";
import { isInstant, parseDate } from "./dates.ts";
import { REQUIREMENT_DEPTH_MAX, typeMatches } from "./evaluate.ts";
import type { AliasEntry, Condition, Entry, EntryId, FlagEntry, GroupEntry, Requirement, Rollout, Rule, Schedule } from "./model.ts";
import { colonParent } from "./plan.ts";
import { parseVersion } from "./semver.ts";
import { ALIAS_STEPS_MAX } from "./slots.ts";

/** A flag as it is saved, before the server has made its fingerprint. */
export type FlagBody = Omit<FlagEntry, "fp">;

/** `path` leads to the field, joined by dots (`rules.0.rollout`); `message` names the value, the rule and, where there is one, the next step. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

export type Entries = ReadonlyMap<EntryId, Entry>;

/** Conditions may nest this deep when saved; SDKs read deeper ones, so that a later server may allow them. */
export const CONDITION_DEPTH_MAX = 8;
/** Points of a schedule. */
export const SCHEDULE_POINTS_MAX = 50;
/** Circles and missing groups are not searched any further once so many problems are known. */
const PROBLEMS_MAX = 100;

/**
 * What speaks against saving a flag among the entries of its environment (which may hold an older state of it).
 * Problems refuse the save: the flag could not be read, or would not do what it says. Warnings are shown and change nothing.
 */
export function checkFlag(flag: FlagBody, entries: Entries): { problems: Problem[]; warnings: string[] } {
  const problems: Problem[] = [];
  const warnings: string[] = [];
  const names = variantNames(flag);
  checkVariants(flag, names, problems);
  const ids = new Set<string>();
  for (const [index, rule] of (flag.rules ?? []).entries()) {
    checkRule(rule, `rules.${index}`, names, entries, problems);
    if (ids.has(rule.id))
      problems.push({ path: `rules.${index}.id`, message: `two rules have the id ${quoted(rule.id)}; give each its own` });
    ids.add(rule.id);
  }
  for (const [index, requirement] of (flag.requires ?? []).entries()) {
    checkRequirement(requirement, `requires.${index}`, entries, problems);
  }
  checkChain(flag, entries, problems);
  warnAboutParent(flag, entries, warnings);
  if (flag.on === flag.off)
    warnings.push(`its on variant and its off variant are both ${quoted(flag.off)}, so it never serves anything else as a whole`);
  return { problems, warnings };
}

/** What speaks against saving a condition. `within` is the key of the group that it belongs to, if it is a group's. */
export function checkCondition(condition: Condition, entries: Entries, path = "when", within?: string): Problem[] {
  const problems: Problem[] = [];
  const depth = depthOf(condition);
  if (depth > CONDITION_DEPTH_MAX) {
    problems.push({
      path,
      message: `conditions nest ${depth} deep, at most ${CONDITION_DEPTH_MAX} are allowed; put some of them into a group`,
    });
    return problems;
  }
  checkOperators(condition, path, problems);
  checkGroups(condition, entries, path, within === undefined ? [] : [within], problems);
  return problems;
}

/** Keys of the flags that require this flag or have it as their parent, directly, by this key or by one of its old keys; sorted by code units. */
export function dependents(flagKey: string, entries: Entries): string[] {
  const keys = new Set([flagKey]);
  for (const entry of entries.values()) if (entry.kind === "alias" && entry.flag === flagKey) keys.add(entry.key);
  const found: string[] = [];
  for (const entry of entries.values()) {
    if (entry.kind === "flag" && entry.key !== flagKey && leadsTo(entry).some((key) => keys.has(key))) found.push(entry.key);
  }
  return found.sort();
}

/**
 * Why a flag cannot be marked for browsers, one sentence each; empty when it can. `marked` holds the keys of the flags that are marked.
 * Conditions are no obstacle: those that name people or customers stay on the server, which browsers ask for the answers.
 */
export function browserObstacles(flag: FlagBody, entries: Entries, marked: ReadonlySet<string>): string[] {
  const obstacles = new Set<string>();
  for (const { flag: key } of flag.requires ?? []) {
    const required = flagAt(key, entries)?.key ?? key;
    if (!marked.has(required))
      obstacles.add(`it requires ${quoted(required)}, which is hidden from browsers; mark ${quoted(required)} for browsers first`);
  }
  const parent = parentInForce(flag, entries);
  if (parent && !marked.has(parent.key)) {
    obstacles.add(
      `its parent ${quoted(parent.key)} is hidden from browsers, so a browser could not follow it; mark ${quoted(parent.key)} for browsers first, or opt ${quoted(flag.key)} out of its parent`,
    );
  }
  return [...obstacles];
}

/** A context key identifies somebody: a person, a customer (`account.key`), a device. */
export function namesPeople(attribute: string): boolean {
  return attribute === "key" || attribute.endsWith(".key");
}

function variantNames(flag: FlagBody): readonly string[] {
  return flag.type === "boolean" ? ["on", "off"] : Object.keys(flag.variants ?? {});
}

function checkVariants(flag: FlagBody, names: readonly string[], problems: Problem[]): void {
  if (flag.type === "boolean") {
    if (flag.off !== "off") problems.push({ path: "off", message: `the off variant of a boolean flag is "off", not ${quoted(flag.off)}` });
    if (flag.on !== "on") problems.push({ path: "on", message: `the on variant of a boolean flag is "on", not ${quoted(flag.on)}` });
    return;
  }
  if (names.length === 0) problems.push({ path: "values", message: `a ${flag.type} flag needs at least one variant` });
  for (const field of ["off", "on"] as const) checkVariant(flag[field], names, field, `its ${field} variant`, problems);
  for (const [name, value] of Object.entries(flag.variants ?? {})) {
    if (!typeMatches(value, flag.type)) {
      problems.push({
        path: `values.${name}`,
        message: `variant ${quoted(name)} has the value ${JSON.stringify(value)}, which is not a ${flag.type}`,
      });
    }
  }
}

function checkVariant(variant: string, names: readonly string[], path: string, what: string, problems: Problem[]): void {
  if (names.includes(variant)) return;
  problems.push({ path, message: `${what} is ${quoted(variant)}, but the flag's variants are ${names.map(quoted).join(", ") || "none"}` });
}

function checkRule(rule: Rule, path: string, names: readonly string[], entries: Entries, problems: Problem[]): void {
  if (rule.when) problems.push(...checkCondition(rule.when, entries, `${path}.when`));
  if (rule.rollout) checkRollout(rule.rollout, `${path}.rollout`, rule, problems);
  const { serve } = rule;
  if (serve.kind === "variant") {
    checkVariant(serve.variant, names, `${path}.serve.variant`, `what rule ${nameOf(rule)} serves`, problems);
    return;
  }
  checkMethod(serve.method, `${path}.serve.method`, rule, problems);
  let sum = 0;
  for (const [index, { variant, weight }] of serve.weights.entries()) {
    sum += weight;
    checkVariant(variant, names, `${path}.serve.weights.${index}.variant`, `a share of rule ${nameOf(rule)}`, problems);
    if (!isBucketCount(weight)) {
      problems.push({
        path: `${path}.serve.weights.${index}`,
        message: `the weight ${weight} in rule ${nameOf(rule)} is not a whole number of 0 to ${BUCKETS}`,
      });
    }
  }
  if (sum !== BUCKETS) {
    problems.push({ path: `${path}.serve.weights`, message: `weights of rule ${nameOf(rule)} add up to ${sum}, expected ${BUCKETS}` });
  }
}

function checkRollout(rollout: Rollout, path: string, rule: Rule, problems: Problem[]): void {
  checkMethod(rollout.method, `${path}.method`, rule, problems);
  const { from = 0, to } = rollout;
  for (const edge of [from, to]) {
    if (isBucketCount(edge)) continue;
    problems.push({ path, message: `the percentage of rule ${nameOf(rule)} ${beyond(edge)}` });
    return;
  }
  if (rollout.over) checkSchedule(rollout.over, from, `${path}.over`, rule, problems);
  // From 0 to 0 is "0 %"; any other slice that is empty is a slip.
  if (from >= to && from > 0 && !rollout.over) {
    problems.push({
      path,
      message: `the percentage of rule ${nameOf(rule)} goes from ${from / 1_000} % to ${to / 1_000} %, so nobody is inside; the end must be above the start`,
    });
  }
}

/** People write percent; the buckets are told only where they are no such number at all. */
function beyond(edge: number): string {
  if (edge > BUCKETS) return `reaches to ${edge / 1_000} %, the most is 100 %; lower where it begins or how large it is`;
  return `reaches to ${edge / 1_000} %, which is not 0 to 100 % with three decimals`;
}

function checkSchedule({ points }: Schedule, from: number, path: string, rule: Rule, problems: Problem[]): void {
  const say = (at: string, message: string) =>
    problems.push({ path: `${path}.${at}`, message: `the schedule of rule ${nameOf(rule)} ${message}` });
  if (points.length === 0) say("points", "has no points; give it one, or leave the schedule out");
  if (points.length > SCHEDULE_POINTS_MAX) say("points", `has ${points.length} points, the most is ${SCHEDULE_POINTS_MAX}`);
  for (const [index, { at, to }] of points.entries()) {
    if (!isInstant(at)) say(`points.${index}.at`, `has the time ${at}, which is not in whole milliseconds since 1970`);
    if (!isBucketCount(to)) say(`points.${index}.percentage`, beyond(to));
    else if (to < from)
      say(
        `points.${index}.percentage`,
        `ends at ${to / 1_000} %, before its start at ${from / 1_000} %; take the start back or raise the end`,
      );
    const earlier = points[index - 1];
    if (earlier && at <= earlier.at)
      say(`points.${index}.at`, "has points that are not in the order of their times; sort them, each with its own time");
  }
}

function checkMethod(method: string | undefined, path: string, rule: Rule, problems: Problem[]): void {
  if (method !== undefined)
    problems.push({ path, message: `rule ${nameOf(rule)} names the unknown method of bucketing ${quoted(method)}; leave it out` });
}

function checkRequirement({ flag: key, variants }: Requirement, path: string, entries: Entries, problems: Problem[]): void {
  const required = flagAt(key, entries);
  if (!required) {
    problems.push({ path: `${path}.flag`, message: `it requires ${quoted(key)}, but there is no such flag` });
    return;
  }
  if (variants.length === 0) problems.push({ path: `${path}.variants`, message: `the requirement of ${quoted(key)} names no variant` });
  const names = variantNames(required);
  for (const [index, variant] of variants.entries()) {
    const at = `${path}.variants.${index}`;
    if (variant === required.off) {
      problems.push({
        path: at,
        message: `a requirement may not name the off variant ${quoted(variant)} of ${quoted(key)}: that is what it serves when it is killed`,
      });
    } else if (!names.includes(variant)) {
      problems.push({
        path: at,
        message: `${quoted(key)} has no variant ${quoted(variant)}; its variants are ${names.map(quoted).join(", ")}`,
      });
    }
  }
}

/** Circles over requirements and parents that lead back to this flag, and chains that an SDK would not follow to the end. */
function checkChain(flag: FlagBody, entries: Entries, problems: Problem[]): void {
  // For each flag the longest chain seen to it; a flag is walked again only if reached by a longer one, and no chain passes a flag twice.
  const longest = new Map<string, number>();
  const path: string[] = [];
  const reported = new Set<string>();
  const walk = (at: FlagBody): void => {
    path.push(at.key);
    for (const key of leadsTo(at)) {
      const next = key === flag.key ? flag : flagAt(key, entries);
      if (!next || problems.length > PROBLEMS_MAX) continue;
      if (next.key === flag.key) {
        const circle = [...path, flag.key].map(quoted).join(" → ");
        if (!reported.has(circle))
          problems.push({
            path: fieldTo(flag, path[1] ?? flag.key, entries),
            message: `requirements and parents go in a circle: ${circle}`,
          });
        reported.add(circle);
      } else if (path.length > REQUIREMENT_DEPTH_MAX) {
        if (!reported.has("deep")) {
          problems.push({
            path: "requires",
            message: `a chain of more than ${REQUIREMENT_DEPTH_MAX} requirements and parents starts here; SDKs do not follow it to its end`,
          });
        }
        reported.add("deep");
      } else if (!path.includes(next.key) && (longest.get(next.key) ?? 0) < path.length) {
        longest.set(next.key, path.length);
        walk(next);
      }
    }
    path.pop();
  };
  walk(flag);
}

function fieldTo(flag: FlagBody, key: string, entries: Entries): string {
  const index = (flag.requires ?? []).findIndex((one) => one.flag === key || flagAt(one.flag, entries)?.key === key);
  return index >= 0 ? `requires.${index}.flag` : "parent";
}

/** Keys that the answer of a flag depends on: required flags and the parent, whether or not they exist. */
function leadsTo(flag: FlagBody): string[] {
  const keys = (flag.requires ?? []).map((one) => one.flag);
  const parent = flag.detached && flag.mode !== "inherit" ? undefined : parentKey(flag);
  return parent === undefined ? keys : [...keys, parent];
}

function parentKey(flag: FlagBody): string | undefined {
  return flag.parent ?? colonParent(flag.key);
}

function parentInForce(flag: FlagBody, entries: Entries): FlagBody | undefined {
  const key = flag.detached && flag.mode !== "inherit" ? undefined : parentKey(flag);
  return key === undefined ? undefined : flagAt(key, entries);
}

function warnAboutParent(flag: FlagBody, entries: Entries, warnings: string[]): void {
  const key = parentKey(flag);
  const inherits = flag.mode === "inherit";
  if (key === undefined) {
    if (inherits) warnings.push("it is set to follow its parent, but it has none, so it is off for everyone");
    return;
  }
  if (flagAt(key, entries) || (flag.detached && !inherits)) return;
  const why = flag.parent === undefined ? `its key names ${quoted(key)} as its parent` : `its parent is set to ${quoted(key)}`;
  warnings.push(`${why}, but there is no such flag, so ${inherits ? "it is off for everyone" : "it has no parent"}`);
}

function checkOperators(condition: Condition, path: string, problems: Problem[]): void {
  switch (condition.op) {
    case "all":
    case "any":
      for (const [index, part] of condition.of.entries()) checkOperators(part, `${path}.of.${index}`, problems);
      return;
    case "not":
      checkOperators(condition.of, `${path}.of`, problems);
      return;
    case "in":
    case "contains":
    case "startsWith":
    case "endsWith":
      listsSomething(condition, path, problems);
      return;
    case "number":
      if (!Number.isFinite(condition.value)) {
        problems.push({
          path: `${path}.value`,
          message: `the condition on ${quoted(condition.attribute)} compares with ${condition.value}, which is not a number`,
        });
      }
      return;
    case "matches":
      listsSomething(condition, path, problems);
      return;
    case "cidr":
      listsSomething(condition, path, problems);
      for (const [index, range] of condition.values.entries()) {
        if (parseRange(range)) continue;
        problems.push({
          path: `${path}.values.${index}`,
          message: `${quoted(range)} is neither an IP address nor a range; write one as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32`,
        });
      }
      return;
    case "semver":
      if (parseVersion(condition.value)) return;
      problems.push({
        path: `${path}.value`,
        message: `${quoted(condition.value)} is not a semantic version; write one as 1.4.2 or 2.0.0-beta.1`,
      });
      return;
    case "date":
      checkDate(condition, path, problems);
      return;
    case "fact":
      problems.push({ path, message: "a fact is made by the server; it cannot be saved" });
      return;
    case "exists":
    case "group":
      return;
    default:
      problems.push({ path, message: `unknown operator ${JSON.stringify((condition as { op: unknown }).op)}` });
  }
}

function listsSomething(
  { attribute, values }: { readonly attribute: string; readonly values: readonly unknown[] },
  path: string,
  problems: Problem[],
): void {
  if (values.length === 0) problems.push({ path: `${path}.values`, message: `the condition on ${quoted(attribute)} lists no value` });
}

function checkDate({ value, zone, at }: Extract<Condition, { op: "date" }>, path: string, problems: Problem[]): void {
  const date = parseDate(value);
  if (!date) {
    problems.push({
      path: `${path}.value`,
      message: `${quoted(value)} is not a date; write one as 2026-12-01, 2026-12-01T09:30 or 2026-12-01T09:30:00+01:00`,
    });
  } else if (date.offset !== undefined && zone !== undefined) {
    problems.push({ path: `${path}.zone`, message: `${quoted(value)} says its zone itself; leave the zone ${quoted(zone)} out` });
  } else if (!isInstant(at)) problems.push({ path: `${path}.value`, message: `${quoted(value)} is outside of what can be compared` });
}

function checkGroups(condition: Condition, entries: Entries, path: string, above: readonly string[], problems: Problem[]): void {
  // For each group the longest way seen to it: it is walked again only by a longer one, else groups that fan out would take years.
  const longest = new Map<string, number>();
  const walk = (at: Condition, way: readonly string[]): void => {
    const keys = new Set<string>();
    collectGroups(at, keys);
    for (const key of keys) {
      const chain = [...way, key];
      const group = groupAt(key, entries);
      if (way.includes(key)) problems.push({ path, message: `groups go in a circle: ${chain.map(quoted).join(" → ")}` });
      else if (!group) problems.push({ path, message: `there is no group ${quoted(key)} in this environment` });
      else if (chain.length > GROUP_DEPTH_MAX) {
        problems.push({ path, message: `groups nest more than ${GROUP_DEPTH_MAX} deep: ${chain.map(quoted).join(" → ")}` });
      } else if (group.when && problems.length <= PROBLEMS_MAX && (longest.get(key) ?? -1) < chain.length) {
        longest.set(key, chain.length);
        walk(group.when, chain);
      }
    }
  };
  walk(condition, above);
}

function collectGroups(condition: Condition, keys: Set<string>): void {
  if (condition.op === "group") keys.add(condition.group);
  else if (condition.op === "not") collectGroups(condition.of, keys);
  else if (condition.op === "all" || condition.op === "any") for (const part of condition.of) collectGroups(part, keys);
}

function depthOf(condition: Condition): number {
  if (condition.op === "not") return 1 + depthOf(condition.of);
  if (condition.op !== "all" && condition.op !== "any") return 1;
  return 1 + condition.of.reduce((deepest, part) => Math.max(deepest, depthOf(part)), 0);
}

function flagAt(key: string, entries: Entries): FlagEntry | undefined {
  // Old keys of old keys: as far as SDKs follow them.
  for (let i = 0, at = key; i <= ALIAS_STEPS_MAX; i++) {
    const flag = entries.get(`flag:${at}`);
    if (flag) return flag as FlagEntry;
    const alias = entries.get(`alias:${at}`) as AliasEntry | undefined;
    if (!alias) return undefined;
    at = alias.flag;
  }
  return undefined;
}

function groupAt(key: string, entries: Entries): GroupEntry | undefined {
  return entries.get(`group:${key}`) as GroupEntry | undefined;
}

function nameOf(rule: Rule): string {
  return quoted(rule.name || rule.id);
}

function quoted(text: string): string {
  return `"${text}"`;
}
