import { isObject } from "./attribute.ts";
import { CONDITION_DEPTH_READ_MAX, flagged, SCHEMA_READ_MAX, type Slots, text, Unreadable } from "./conditions.ts";
import type { Evaluation, Json, Mode, Reason } from "./model.ts";
import { compileRule, type RulePlan } from "./rule.ts";
import { inOrder } from "./rule-index.ts";
import type { FlagSlot } from "./slots.ts";

/**
 * A flag compiled for evaluation. All answers that it can give are made here, once, and frozen: evaluation allocates nothing.
 * `parent` and the slots in `requires` are looked up here and resolved at each evaluation, since they come and go.
 */
export interface FlagPlan {
  /** False: row 4 of the precedence table. The rest is then as much as could be read. */
  readonly readable: boolean;
  /** Why it cannot be read; undefined when it can. */
  readonly problem: string | undefined;
  readonly killed: boolean;
  /** Archived, or mode `off`. */
  readonly idle: boolean;
  readonly maxStaleMs: number;
  readonly requires: readonly RequirementPlan[];
  readonly parent: ParentPlan | undefined;
  /** False for a flag that has opted out of its parent. */
  readonly obeysParent: boolean;
  readonly mode: Mode;
  /** Whether requirements, a parent or the mode `inherit` have a say. */
  readonly needsOthers: boolean;
  /** No row of the precedence table but the rules and what follows them can decide, overrides and emergency kills aside. */
  readonly onlyRules: boolean;
  /** The one answer to every context, where neither context, clock, other flags nor age have a say. */
  readonly constant: Evaluation | undefined;
  readonly rules: readonly RulePlan[];
  /** The answer of the first rule that applies. */
  readonly firstAnswer: RulePlan;
  /** The off variant's name; undefined when it could not be read. */
  readonly off: string | undefined;
  readonly answers: Answers;
  serve(variant: string, reason: Reason): Evaluation | undefined;
}

export interface Answers {
  readonly killed: Evaluation;
  readonly unreadable: Evaluation;
  readonly disabled: Evaluation;
  readonly stale: Evaluation;
  readonly default: Evaluation;
  /** Mode `on`, or `inherit` under a parent that is on; and `inherit` otherwise. */
  readonly on: Evaluation;
  readonly notInherited: Evaluation;
}

export interface RequirementPlan {
  readonly slot: FlagSlot;
  readonly variants: ReadonlySet<string>;
  readonly unmet: Evaluation;
}

export interface ParentPlan {
  readonly slot: FlagSlot;
  readonly unmet: Evaluation;
}

type Wire = Readonly<Record<string, unknown>>;
type Values = ReadonlyMap<string, Json>;

const MODES: ReadonlySet<unknown> = new Set<Mode>(["off", "targeted", "on", "inherit"]);
const BOOLEAN_VALUES: Values = new Map([
  ["on", true],
  ["off", false],
]);
const NO_VALUES: Values = new Map();

/** Compiles a flag off the wire. Never throws: what cannot be read becomes an unreadable plan with the off variant, if that can be read. */
export function compileFlag(wire: unknown, slots: Slots): FlagPlan {
  const entry = isObject(wire) ? wire : {};
  const values = readValues(entry);
  const off = readOff(entry, values);
  try {
    return readFlag(entry, values, off, slots);
  } catch (error) {
    if (error instanceof Unreadable) return unreadableFlag(entry, values, off, error.message);
    throw error;
  }
}

function readFlag(entry: Wire, values: Values, off: string | undefined, slots: Slots): FlagPlan {
  if (entry.schema !== undefined && entry.schema !== SCHEMA_READ_MAX) throw new Unreadable("the flag has a newer schema");
  if (off === undefined || off !== entry.off) throw new Unreadable('"off" names no variant');
  if (!FLAG_TYPES.has(entry.type)) throw new Unreadable("unknown type");
  if (!MODES.has(entry.mode)) throw new Unreadable("unknown mode");
  const serve = server(values);
  const on = serve(text(entry.on, "on"), { kind: "STATIC" });
  if (!on) throw new Unreadable('"on" names no variant');
  const salt = text(entry.salt, "salt");
  const key = text(entry.key, "key");
  const offWith = (reason: Reason): Evaluation => serve(off, reason) ?? refused(reason);
  const rules = optionalList(entry.rules, "rules").map((rule) => compileRule(rule, { key, off, salt, serve }, slots));
  const parentKey = entry.parent === undefined ? colonParent(key) : text(entry.parent, "parent");
  const all: Answers = { ...answers(offWith), on };
  const killed = flagged(entry.killed);
  const idle = flagged(entry.archived) || entry.mode === "off";
  const maxStaleMs = readMaxStale(entry.maxStaleMs);
  const requires = optionalList(entry.requires, "requires").map((one) => compileRequirement(one, offWith, slots));
  const needsOthers = requires.length > 0 || parentKey !== undefined || entry.mode === "inherit";
  return {
    readable: true,
    problem: undefined,
    killed,
    idle,
    maxStaleMs,
    requires,
    parent: parentKey === undefined ? undefined : { slot: slots.flag(parentKey), unmet: offWith(unmet(parentKey)) },
    obeysParent: !flagged(entry.detached),
    mode: entry.mode as Mode,
    needsOthers,
    onlyRules: !killed && !idle && !needsOthers && maxStaleMs === Number.POSITIVE_INFINITY && entry.mode === "targeted",
    constant: killed
      ? all.killed
      : idle
        ? all.disabled
        : needsOthers || maxStaleMs !== Number.POSITIVE_INFINITY
          ? undefined
          : entry.mode === "on"
            ? on
            : rules.length === 0
              ? all.default
              : undefined,
    rules: rules.map(({ answer }) => answer),
    firstAnswer: factsOf(entry).length === 0 ? inOrder(rules) : holding(inOrder(rules), key),
    off,
    answers: all,
    serve,
  };
}

/** Where the rules meet a fact that is not answered yet, the flag keeps its last answer for a while. */
function holding(rules: RulePlan, key: string): RulePlan {
  return (context, call) => {
    const { facts } = call;
    if (facts === undefined) return rules(context, call);
    const before = facts.missed;
    const answer = rules(context, call);
    return facts.missed === before ? answer : (facts.held(key) ?? answer);
  };
}

/** The numbers of the facts in the rules of a flag off the wire. */
export function factsOf(flag: unknown): number[] {
  const found: number[] = [];
  const look = (condition: unknown, depth: number) => {
    if (!isObject(condition) || depth > CONDITION_DEPTH_READ_MAX) return;
    if (condition.op === "fact") {
      if (Number.isSafeInteger(condition.fact)) found.push(condition.fact as number);
    } else if (Array.isArray(condition.of)) for (const part of condition.of) look(part, depth + 1);
    else if (condition.of !== undefined) look(condition.of, depth + 1);
  };
  if (isObject(flag) && Array.isArray(flag.rules)) for (const rule of flag.rules) if (isObject(rule)) look(rule.when, 0);
  return found;
}

function unreadableFlag(entry: Wire, values: Values, off: string | undefined, problem: string): FlagPlan {
  const serve = server(values);
  const offWith = (reason: Reason): Evaluation => (off === undefined ? refused(reason) : (serve(off, reason) ?? refused(reason)));
  return {
    readable: false,
    problem,
    killed: entry.killed === true,
    idle: false,
    maxStaleMs: Number.POSITIVE_INFINITY,
    requires: [],
    parent: undefined,
    obeysParent: false,
    mode: "off",
    needsOthers: false,
    onlyRules: false,
    constant: undefined,
    rules: [],
    firstAnswer: () => undefined,
    off,
    answers: answers(offWith),
    serve,
  };
}

function answers(offWith: (reason: Reason) => Evaluation): Answers {
  return {
    killed: offWith({ kind: "DISABLED", killed: true }),
    unreadable: offWith({ kind: "ERROR", code: "PARSE_ERROR" }),
    disabled: offWith({ kind: "DISABLED", killed: false }),
    stale: offWith({ kind: "STALE" }),
    default: offWith({ kind: "DEFAULT" }),
    on: offWith({ kind: "STATIC" }),
    notInherited: offWith({ kind: "STATIC" }),
  };
}

function compileRequirement(wire: unknown, offWith: (reason: Reason) => Evaluation, slots: Slots): RequirementPlan {
  if (!isObject(wire) || !Array.isArray(wire.variants)) throw new Unreadable("a requirement names no variants");
  const flag = text(wire.flag, "flag");
  const variants = new Set(wire.variants.map((variant) => text(variant, "variants")));
  return { slot: slots.flag(flag), variants, unmet: offWith(unmet(flag)) };
}

/** `checkout` of `checkout:applepay`; undefined for a key without a colon. */
export function colonParent(key: string): string | undefined {
  const colon = key.lastIndexOf(":");
  return colon > 0 ? key.slice(0, colon) : undefined;
}

function unmet(flag: string): Reason {
  return { kind: "PREREQUISITE_FAILED", flag };
}

const FLAG_TYPES: ReadonlySet<unknown> = new Set(["boolean", "string", "number", "json"]);

function readValues(entry: Wire): Values {
  if (entry.type === "boolean") return BOOLEAN_VALUES;
  if (!isObject(entry.variants)) return NO_VALUES;
  return new Map(Object.entries(entry.variants)) as Values;
}

/** The safe value is wanted even of a flag that cannot be read otherwise; that of a boolean flag is fixed. */
function readOff(entry: Wire, values: Values): string | undefined {
  if (entry.type === "boolean") return "off";
  return typeof entry.off === "string" && values.has(entry.off) ? entry.off : undefined;
}

function server(values: Values): (variant: string, reason: Reason) => Evaluation | undefined {
  return (variant, reason) => {
    const value = values.get(variant);
    if (value === undefined) return undefined;
    return Object.freeze({ served: true, variant, value, reason: Object.freeze(reason) });
  };
}

function refused(reason: Reason): Evaluation {
  return Object.freeze({ served: false, reason: Object.freeze(reason) });
}

function readMaxStale(value: unknown): number {
  if (value === undefined) return Number.POSITIVE_INFINITY;
  if (typeof value === "number" && value >= 0) return value;
  throw new Unreadable('"maxStaleMs" is not a time in milliseconds');
}

function optionalList(value: unknown, what: string): readonly unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw new Unreadable(`"${what}" is not a list`);
}
