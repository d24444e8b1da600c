import { attributeReader, isObject } from "./attribute.ts";
import { BUCKETS, rolloutBucket, splitBucket, unitOf } from "./bucket.ts";
import { allowSteps, type Call, compileCondition, FALSE, GROUP_DEPTH_MAX, TRUE } from "./conditions.ts";
import { isInstant } from "./dates.ts";
import { type EvaluateOptions, evaluate } from "./evaluate.ts";
import type { Condition, Evaluation, FlagEntry, Json, Rollout, Serve } from "./model.ts";
import { compileFlag, type FlagPlan } from "./plan.ts";
import { endAt } from "./schedule.ts";
import { flagSlot } from "./slots.ts";
import type { State } from "./state.ts";
import { conditionSentence, type Names, percent, ruleTitle } from "./words.ts";

/** Why a flag answers as it does for one context. Plain JSON, for people and pages; evaluation itself never makes one. */
export interface Trace {
  /** The key under which the flag stands; the old key that was asked for leads to it. Undefined if there is no such flag. */
  readonly flag: string | undefined;
  readonly evaluation: Evaluation;
  /** One true sentence: `on: rule "Staff" applies, because plan is pro.` */
  readonly sentence: string;
  /** Required flags and the parent, with what each serves this context. */
  readonly needs: readonly NeedTrace[];
  /** All rules, in order; empty unless the mode is `targeted`. Rules after the one that decides are not reached. */
  readonly rules: readonly RuleTrace[];
}

export interface NeedTrace {
  readonly kind: "requirement" | "parent";
  readonly flag: string;
  /** For a requirement: the variants of which one is needed. */
  readonly variants?: readonly string[];
  /** What it serves; undefined if there is no such flag or if it serves nothing. */
  readonly serves: string | undefined;
  readonly met: boolean;
}

export type VerdictWord = "true" | "false" | "unknown";

export interface RuleTrace {
  readonly id: string;
  readonly title: string;
  /** False: an earlier rule or something above the rules has decided. Then its parts are told all the same. */
  readonly reached: boolean;
  readonly applies: boolean;
  /** It serves the off variant, so it applies also where it is unknown whether it does. */
  readonly denial: boolean;
  readonly when?: ConditionTrace;
  readonly rollout?: RolloutTrace;
  readonly split?: SplitTrace;
}

export interface ConditionTrace {
  readonly words: string;
  readonly verdict: VerdictWord;
  readonly attribute?: string;
  /** What the context holds there, shortened; absent if it holds nothing. */
  readonly value?: Json;
  /** Of a group: its key. */
  readonly group?: string;
  readonly of?: readonly ConditionTrace[];
}

export interface RolloutTrace {
  readonly verdict: VerdictWord;
  /** The attribute that holds the unit. */
  readonly by: string;
  readonly salt: string;
  /** The unit that was hashed; undefined if the context has none there. */
  readonly unit: string | undefined;
  /** 0 to 99,999, inside when `from <= bucket < to`; undefined without a unit and for a random percentage. */
  readonly bucket: number | undefined;
  readonly from: number;
  /** At the time of the evaluation; undefined if it depends on a time that was not given. */
  readonly to: number | undefined;
  readonly random: boolean;
}

export interface SplitTrace {
  readonly by: string;
  readonly salt: string;
  readonly unit: string | undefined;
  readonly bucket: number | undefined;
}

/** Texts are cut to this many characters, lists and objects to so many parts: an explanation is read by people. */
const VALUE_LENGTH_MAX = 200;
const VALUE_PARTS_MAX = 20;
/** Conditions that one explanation tells; what is inside of further ones is left out. */
const PARTS_MAX = 2_000;

/** What one explanation is about, and how much of it is told already. */
interface Tracing {
  readonly state: State;
  readonly context: unknown;
  readonly call: Call;
  readonly names: Names;
  parts: number;
  /** Groups whose conditions are told: each once, for groups in groups multiply. */
  readonly told: Set<string>;
  /** Verdicts of groups by depth and key. */
  readonly verdicts: Map<string, VerdictWord>;
}

/**
 * Explains one answer by the same compiled parts that evaluation asks, so that both agree. Never throws, and tells a bounded number of
 * parts. A random percentage is drawn once for each flag and the clock read once, for the answer and for its explanation.
 */
export function explain(state: State, flagKey: string, context: unknown, options: EvaluateOptions = {}, names: Names = {}): Trace {
  const { clock, random, ...rest } = options;
  const fixed = { ...rest, ...frozenCall(clock, random) };
  const evaluation = evaluate(state, flagKey, context, fixed);
  try {
    const slot = state.position === undefined ? undefined : flagSlot(state.slots.flags.get(flagKey));
    if (!slot) return { flag: undefined, evaluation, sentence: sentenceWithout(evaluation, flagKey), needs: [], rules: [] };
    slot.plan ??= compileFlag(slot.entry, state.slots);
    const { plan } = slot;
    const entry = slot.entry as FlagEntry; // read only as far as the plan says that it could be read
    const needs = plan.readable ? needsOf(state, entry, plan, context, fixed) : [];
    const tracing: Tracing = { state, context, call: fixed, names, parts: 0, told: new Set(), verdicts: new Map() };
    const rules = plan.readable && plan.mode === "targeted" ? rulesOf(tracing, entry, plan, evaluation) : [];
    return { flag: slot.key, evaluation, sentence: sentenceFor(entry, plan, evaluation, needs, rules, state), needs, rules };
  } catch {
    // The stack is used up by a context that asks for flags in turn; the answer stands without its reasons.
    return { flag: undefined, evaluation, sentence: `${said(evaluation)}: it cannot be explained.`, needs: [], rules: [] };
  }
}

function frozenCall(clock: Call["clock"], random: Call["random"]): Call {
  const now = clock && quietly(clock);
  const draws = new Map<string, number>();
  const draw = (flag: string): number => {
    const drawn = draws.get(flag) ?? quietly(() => random?.(flag)) ?? Number.NaN;
    draws.set(flag, drawn);
    return drawn;
  };
  return { ...(isInstant(now) && { clock: () => now }), ...(random && { random: draw }) };
}

function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // as evaluation takes it: not given
  }
}

function needsOf(state: State, entry: FlagEntry, plan: FlagPlan, context: unknown, options: EvaluateOptions): NeedTrace[] {
  const { override: _ofThisFlag, ...others } = options;
  const served = (key: string) => {
    const answer = evaluate(state, key, context, others);
    const serves = answer.served ? answer.variant : undefined;
    return { serves, isOn: serves !== undefined && serves !== flagSlot(state.slots.flags.get(key))?.plan?.off };
  };
  const needs: NeedTrace[] = (entry.requires ?? []).map(({ flag, variants }) => {
    const { serves, isOn } = served(flag);
    return { kind: "requirement", flag, variants, serves, met: isOn && serves !== undefined && variants.includes(serves) };
  });
  const parent = plan.parent?.slot.key;
  if (parent !== undefined && (plan.obeysParent || plan.mode === "inherit")) {
    const exists = flagSlot(state.slots.flags.get(parent)) !== undefined;
    const { serves, isOn } = exists ? served(parent) : { serves: undefined, isOn: true };
    needs.push({ kind: "parent", flag: parent, serves, met: isOn });
  }
  return needs;
}

function rulesOf(tracing: Tracing, entry: FlagEntry, plan: FlagPlan, { reason }: Evaluation): RuleTrace[] {
  const { context, call, names } = tracing;
  const deciding = reason.kind === "TARGETING_MATCH" || reason.kind === "SPLIT" ? reason.ruleId : undefined;
  // Rules are asked only if nothing above them has decided.
  let reached = deciding !== undefined || reason.kind === "DEFAULT";
  return (entry.rules ?? []).map((rule) => {
    // Each rule with the effort that a whole evaluation has: what is told of one does not depend on those before it.
    allowSteps();
    const applies = reached && rule.id === deciding;
    const trace: RuleTrace = {
      id: rule.id,
      title: ruleTitle(rule, entry, names),
      reached,
      applies,
      denial: rule.serve.kind === "variant" && rule.serve.variant === plan.off,
      ...(rule.when && { when: conditionTrace(tracing, rule.when, 0) }),
      ...(rule.rollout && { rollout: rolloutTrace(rule.rollout, entry, context, call) }),
      ...(splitsUnits(rule.serve) && { split: splitTrace(rule.serve, entry.salt, context) }),
    };
    if (applies) reached = false;
    return trace;
  });
}

/** A split that gives everything to one variant asks for no unit. */
function splitsUnits(serve: Serve): serve is Extract<Serve, { kind: "split" }> {
  return serve.kind === "split" && !serve.weights.some(({ weight }) => weight === BUCKETS);
}

function conditionTrace(tracing: Tracing, condition: Condition, groupDepth: number): ConditionTrace {
  const words = conditionSentence(condition, tracing.names);
  const isTold = ++tracing.parts <= PARTS_MAX;
  switch (condition.op) {
    case "all":
    case "any":
    case "not": {
      if (!isTold) return { words, verdict: verdictOf(tracing, condition, groupDepth) };
      const of = (condition.op === "not" ? [condition.of] : condition.of).map((part) => conditionTrace(tracing, part, groupDepth));
      return { words, verdict: combined(condition.op, of), of };
    }
    case "group":
      return { words, ...groupTrace(tracing, condition, groupDepth, isTold) };
    default: {
      const verdict = verdictOf(tracing, condition, groupDepth);
      const attribute = condition.op === "fact" ? undefined : condition.attribute;
      return { words, verdict, ...(attribute !== undefined && attributeTrace(attribute, tracing.context)) };
    }
  }
}

function combined(op: "all" | "any" | "not", of: readonly { readonly verdict: VerdictWord }[]): VerdictWord {
  const verdicts = of.map(({ verdict }) => verdict);
  if (op === "not") return verdicts[0] === "true" ? "false" : verdicts[0] === "false" ? "true" : "unknown";
  const deciding = op === "all" ? "false" : "true";
  if (verdicts.includes(deciding)) return deciding;
  return verdicts.includes("unknown") ? "unknown" : op === "all" ? "true" : "false";
}

function groupTrace(
  tracing: Tracing,
  condition: Extract<Condition, { op: "group" }>,
  groupDepth: number,
  isTold: boolean,
): Omit<ConditionTrace, "words"> {
  const { state, told, verdicts, context } = tracing;
  const { group: key } = condition;
  const place = `${groupDepth}:${key}`;
  const verdict = verdicts.get(place) ?? verdictOf(tracing, condition, groupDepth);
  verdicts.set(place, verdict);
  const group = state.slots.groups.get(key)?.entry;
  if (!isTold || told.has(key) || !isObject(group)) return { verdict, group: key };
  told.add(key);
  const by = isObject(group.list) ? (typeof group.list.by === "string" ? group.list.by : "key") : undefined;
  const when = isObject(group.when) && groupDepth < GROUP_DEPTH_MAX ? (group.when as unknown as Condition) : undefined;
  return {
    verdict,
    group: key,
    ...(by !== undefined && attributeTrace(by, context)),
    ...(when && { of: [conditionTrace(tracing, when, groupDepth + 1)] }),
  };
}

function verdictOf({ state, context, call }: Tracing, condition: Condition, groupDepth: number): VerdictWord {
  try {
    if (compileCondition(condition, TRUE, state.slots)(context, groupDepth, call)) return "true";
    return compileCondition(condition, FALSE, state.slots)(context, groupDepth, call) ? "false" : "unknown";
  } catch {
    return "unknown"; // in a group that cannot be read
  }
}

function attributeTrace(attribute: string, context: unknown): { attribute: string; value?: Json } {
  const value = readQuietly(attribute, context);
  return value === undefined ? { attribute } : { attribute, value: shortened(value, 0) };
}

function readQuietly(attribute: string, context: unknown): unknown {
  try {
    return attributeReader(attribute)(context);
  } catch {
    return undefined; // a getter or a proxy of the caller threw: nothing is known
  }
}

function shortened(value: unknown, depth: number): Json {
  try {
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
    if (typeof value === "string") return value.length > VALUE_LENGTH_MAX ? `${value.slice(0, VALUE_LENGTH_MAX)}…` : value;
    if (typeof value !== "object") return typeof value;
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? "an invalid date" : value.toISOString();
    if (depth >= 2) return "…";
    if (Array.isArray(value)) return value.slice(0, VALUE_PARTS_MAX).map((one) => shortened(one, depth + 1));
    return Object.fromEntries(
      Object.entries(value)
        .slice(0, VALUE_PARTS_MAX)
        .map(([name, one]) => [name.slice(0, VALUE_LENGTH_MAX), shortened(one, depth + 1)]),
    );
  } catch {
    return "…"; // a proxy that cannot be looked into
  }
}

function rolloutTrace(rollout: Rollout, flag: FlagEntry, context: unknown, { clock, random }: Call): RolloutTrace {
  const { from = 0, by = "key", salt = flag.salt, over } = rollout;
  const isRandom = rollout.random === true;
  const now = clock?.();
  const to = over ? (now === undefined ? undefined : endAt(over, rollout.to, now)) : rollout.to;
  const unit = isRandom ? undefined : unitOf(readQuietly(by, context));
  const bucket = unit === undefined ? undefined : rolloutBucket(salt, unit);
  const at = isRandom ? random && random(flag.key) * BUCKETS : bucket;
  return { verdict: inside(at, from, to), by, salt, unit, bucket, from, to, random: isRandom };
}

function inside(at: number | undefined, from: number, to: number | undefined): VerdictWord {
  if (to === undefined) return "unknown";
  if (from >= to) return "false";
  if (from === 0 && to === BUCKETS) return "true";
  if (at === undefined || Number.isNaN(at)) return "unknown";
  return at >= from && at < to ? "true" : "false";
}

function splitTrace({ by = "key", salt }: Extract<Serve, { kind: "split" }>, flagSalt: string, context: unknown): SplitTrace {
  const unit = unitOf(readQuietly(by, context));
  const own = salt ?? flagSalt;
  return { by, salt: own, unit, bucket: unit === undefined ? undefined : splitBucket(own, unit) };
}

// Sentences

function said(evaluation: Evaluation): string {
  return evaluation.served ? evaluation.variant : "the caller's default";
}

function sentenceWithout(evaluation: Evaluation, flagKey: string): string {
  const { reason } = evaluation;
  if (reason.kind === "ERROR" && reason.code === "PROVIDER_NOT_READY") return "the caller's default: no flags have arrived yet.";
  return `the caller's default: there is no flag "${flagKey}".`;
}

function sentenceFor(
  entry: FlagEntry,
  plan: FlagPlan,
  evaluation: Evaluation,
  needs: readonly NeedTrace[],
  rules: readonly RuleTrace[],
  state: State,
): string {
  const { reason } = evaluation;
  const what = said(evaluation);
  switch (reason.kind) {
    case "DISABLED":
      if (reason.killed) return `${what}: the flag is killed${plan.killed ? "" : " (an emergency kill)"}.`;
      return `${what}: the flag is ${entry.archived ? "archived" : "off for everyone"}.`;
    case "ERROR":
      return `${what}: the flag cannot be read: ${plan.problem ?? "evaluation went too deep"}.`;
    case "STALE":
      return `${what}: what is known of the flags is older than the flag allows.`;
    case "PREREQUISITE_FAILED":
      return `${what}: ${needSentence(needs.find(({ flag, met }) => flag === reason.flag && !met))}.`;
    case "STATIC":
      if (reason.source) return `${what}: set by ${reason.source === "preview" ? "a preview link" : "a local override"}.`;
      if (plan.mode === "on") return `${what}: the flag is on for everyone.`;
      return `${what}: it follows its parent, ${parentSentence(needs, state)}.`;
    case "TARGETING_MATCH":
    case "SPLIT": {
      const rule = rules.find(({ reached, applies }) => reached && applies);
      return `${what}: rule ${rule ? `"${rule.title}"` : reason.ruleId} applies${because(rule)}.`;
    }
    case "DEFAULT":
      return `${what}: ${rules.length === 0 ? "there are no rules" : "no rule applies"}${notes(rules)}.`;
  }
}

function needSentence(need: NeedTrace | undefined): string {
  if (!need) return "a flag that it needs is not on";
  const serves = need.serves === undefined ? "serves nothing" : `serves ${need.serves}`;
  if (need.kind === "parent") return `its parent "${need.flag}" is off here (${serves})`;
  return `it requires "${need.flag}" to serve ${(need.variants ?? []).join(" or ")}, which ${serves}`;
}

function parentSentence(needs: readonly NeedTrace[], state: State): string {
  const parent = needs.find(({ kind }) => kind === "parent");
  if (!parent) return "but has none";
  if (!flagSlot(state.slots.flags.get(parent.flag))) return `but there is no flag "${parent.flag}"`;
  return `"${parent.flag}", which ${parent.serves === undefined ? "serves nothing" : `serves ${parent.serves}`}`;
}

function because(rule: RuleTrace | undefined): string {
  if (!rule) return "";
  const parts: string[] = [];
  if (rule.when)
    parts.push(rule.when.verdict === "true" ? rule.when.words : `it is not known whether ${rule.when.words}, and a denial applies then`);
  const { rollout, split } = rule;
  if (rollout && rollout.to !== undefined && !(rollout.from === 0 && rollout.to === BUCKETS)) {
    if (rollout.random && rollout.verdict === "unknown")
      parts.push("there is no draw to decide its percentage by, and a denial applies then");
    else if (rollout.random) parts.push("the draw of this check is inside its percentage");
    else if (rollout.bucket === undefined) parts.push(`there is no ${rollout.by} to decide its percentage by, and a denial applies then`);
    else parts.push(`${rollout.by} "${rollout.unit}" falls on ${at(rollout.bucket)}, inside ${slice(rollout.from, rollout.to)}`);
  }
  if (split?.bucket !== undefined) parts.push(`${split.by} "${split.unit}" falls on ${at(split.bucket)} of the split`);
  return parts.length === 0 ? "" : `, because ${parts.join(", and ")}`;
}

const NOTES_MAX = 3;

/** What kept a reached rule from being decided, told once for each attribute. */
function notes(rules: readonly RuleTrace[]): string {
  const told = new Set<string>();
  for (const { reached, applies, when, rollout, split } of rules) {
    if (!reached || applies) continue;
    if (rollout?.verdict === "unknown" && !rollout.random && rollout.to !== undefined && when?.verdict !== "false") {
      told.add(`no ${rollout.by} in the context: percentage rules cannot apply`);
    }
    if (split && split.unit === undefined && when?.verdict !== "false") told.add(`no ${split.by} in the context: splits cannot apply`);
    if (when?.verdict === "unknown") for (const missing of missingIn(when)) told.add(missing);
    if (rollout?.verdict === "false" && rollout.bucket !== undefined && rollout.to !== undefined && when?.verdict !== "false") {
      told.add(`${rollout.by} "${rollout.unit}" falls on ${at(rollout.bucket)}, outside ${slice(rollout.from, rollout.to)}`);
    }
  }
  return [...told]
    .slice(0, NOTES_MAX)
    .map((note) => `; ${note}`)
    .join("");
}

function missingIn(trace: ConditionTrace): string[] {
  if (trace.verdict !== "unknown") return [];
  if (trace.of && trace.of.length > 0) return trace.of.flatMap(missingIn);
  if (trace.attribute === undefined) return [];
  return [
    trace.value === undefined
      ? `${trace.attribute} is not in the context`
      : `it is not known whether ${trace.words}: ${trace.attribute} is ${JSON.stringify(trace.value)}`,
  ];
}

function at(bucket: number): string {
  return percent(bucket / 1_000);
}

function slice(from: number, to: number): string {
  return from === 0 ? `the first ${percent(to / 1_000)}` : `${percent(from / 1_000)} to ${percent(to / 1_000)}`;
}
