import { allowSteps, type Call, takeStep } from "./conditions.ts";
import type { ErrorCode, Evaluation, FlagType, Json } from "./model.ts";
import { compileFlag, type FlagPlan, type ParentPlan } from "./plan.ts";
import { type FlagSlot, flagSlot } from "./slots.ts";
import type { State } from "./state.ts";

/** What a local override or a signed preview link says for one flag. */
export interface Override {
  readonly variant: string;
  readonly source: "override" | "preview";
}

export interface EvaluateOptions extends Call {
  /** How long ago the state was last known to be current; 0 when absent. */
  readonly staleMs?: number;
  /** For the flag that is asked for. One that names a variant which the flag does not have is ignored. */
  readonly override?: Override | undefined;
  /** By flag key, also for required flags and parents on the way; `override` wins for the flag that is asked for. */
  readonly overrides?: ReadonlyMap<string, Override>;
  /** Lets overrides precede kills, archived and mode `off`. Refused by production keys; the SDK sees to that. */
  readonly development?: boolean;
}

/** Longer chains of requirements and parents than this, and circles, are not met. */
export const REQUIREMENT_DEPTH_MAX = 100;

const NO_OPTIONS: EvaluateOptions = {};
const NOT_READY = failure("PROVIDER_NOT_READY");
const NOT_FOUND = failure("FLAG_NOT_FOUND");
const BROKEN = failure("PARSE_ERROR");

// How many evaluations are under way: more than one only if a getter of a context asks for a flag in turn.
let underWay = 0;

/**
 * Evaluates one flag for one context: rows 1 to 12 of the precedence table (row 13, the type, is the caller's: `typeMatches`).
 * Synchronous, never throws whatever the state and the context hold, and reads nothing but its arguments. Answers are frozen
 * and shared; the same answer may be the same object.
 */
export function evaluate(state: State, flagKey: string, context: unknown, options: EvaluateOptions = NO_OPTIONS): Evaluation {
  try {
    return evaluateSlot(state, state.slots.flags.get(flagKey), context, options);
  } catch {
    return BROKEN; // the stack was nearly used up before it began, or `options` is hostile
  }
}

/**
 * The same for a caller that has looked the key up: `asked` is what `state.slots.flags` holds for it. It may throw where the stack is
 * nearly used up, and for `options` that throw.
 */
export function evaluateSlot(state: State, asked: FlagSlot | undefined, context: unknown, options: EvaluateOptions): Evaluation {
  const plan = asked?.plan;
  if (plan !== undefined && state.emergency.size === 0 && options.override === undefined && options.overrides === undefined) {
    if (plan.constant !== undefined) return plan.constant;
    if (plan.onlyRules && underWay === 0) return firstAnswer(plan, context, options);
  }
  const slot = flagSlot(asked);
  if (!slot) return state.position === undefined ? NOT_READY : NOT_FOUND;
  if (underWay > 0) return evaluateWithin(state, slot, context, options);
  allowSteps();
  underWay = 1;
  try {
    return decide(state, slot, context, options, options.override ?? options.overrides?.get(slot.key), 0);
  } catch {
    // The stack is used up, or `options` is hostile: everything of the context's is caught where it is read.
    return slot.plan?.answers.unreadable ?? BROKEN;
  } finally {
    underWay = 0;
  }
}

/** A getter of a context that asks for a flag in turn; it must end also if that flag asks the getter. */
function evaluateWithin(state: State, slot: FlagSlot, context: unknown, options: EvaluateOptions): Evaluation {
  if (!takeStep()) return BROKEN;
  try {
    return decide(state, slot, context, options, options.override ?? options.overrides?.get(slot.key), 0);
  } catch {
    return slot.plan?.answers.unreadable ?? BROKEN; // as above
  }
}

/** The way of most flags, on which the rows above the rules have nothing to say. */
function firstAnswer(plan: FlagPlan, context: unknown, options: EvaluateOptions): Evaluation {
  allowSteps();
  underWay = 1;
  try {
    return plan.firstAnswer(context, options) ?? plan.answers.default;
  } catch {
    return plan.answers.unreadable; // the stack is used up
  } finally {
    underWay = 0;
  }
}

/** The precedence table from row 3 on. */
function decide(
  state: State,
  slot: FlagSlot,
  context: unknown,
  options: EvaluateOptions,
  override: Override | undefined,
  depth: number,
): Evaluation {
  slot.plan ??= compileFlag(slot.entry, state.slots);
  const flag = slot.plan;
  const { answers } = flag;
  const overridden = override && flag.serve(override.variant, { kind: "STATIC", source: override.source });
  const forced = overridden !== undefined && options.development === true;

  if ((flag.killed || (state.emergency.size > 0 && state.emergency.has(slot.key))) && !forced) return answers.killed;
  if (!flag.readable) return answers.unreadable;
  if (flag.idle && !forced) return answers.disabled;
  if (options.staleMs !== undefined && options.staleMs > flag.maxStaleMs) return answers.stale;
  if (overridden) return overridden;

  if (flag.needsOthers) {
    for (const requirement of flag.requires) {
      const served = decideOther(state, requirement.slot, context, options, depth);
      if (!isOn(served, requirement.slot) || !requirement.variants.has(served.variant)) return requirement.unmet;
    }
    const parentOn =
      flag.parent && (flag.obeysParent || flag.mode === "inherit") ? isParentOn(state, flag.parent, context, options, depth) : undefined;
    if (flag.parent && flag.obeysParent && parentOn === false) return flag.parent.unmet;
    if (flag.mode === "inherit") return parentOn === true ? answers.on : answers.notInherited;
  }
  if (flag.mode === "on") return answers.on;
  return flag.firstAnswer(context, options) ?? answers.default;
}

type Served = Extract<Evaluation, { served: true }>;

/** A required flag or a parent; undefined when there is none, or when it lies too deep. */
function decideOther(state: State, slot: FlagSlot, context: unknown, options: EvaluateOptions, depth: number): Evaluation | undefined {
  const other = flagSlot(slot);
  if (!other || depth >= REQUIREMENT_DEPTH_MAX || !takeStep()) return undefined;
  return decide(state, other, context, options, options.overrides?.get(other.key), depth + 1);
}

/** Undefined without a parent: a parent that does not exist never turns its child off. */
function isParentOn(state: State, parent: ParentPlan, context: unknown, options: EvaluateOptions, depth: number): boolean | undefined {
  if (!flagSlot(parent.slot)) return undefined;
  return isOn(decideOther(state, parent.slot, context, options, depth), parent.slot);
}

/** Whether it serves anything but its off variant. */
function isOn(served: Evaluation | undefined, slot: FlagSlot): served is Served {
  return served?.served === true && served.variant !== flagSlot(slot)?.plan?.off;
}

/** Why this version cannot read a flag (row 4), as part of a sentence: `unknown operator "matches"`. Undefined if it can, or if there is no such flag. */
export function unreadableBecause(state: State, flagKey: string): string | undefined {
  const slot = flagSlot(state.slots.flags.get(flagKey));
  if (!slot) return undefined;
  slot.plan ??= compileFlag(slot.entry, state.slots);
  return slot.plan.problem;
}

/** Row 13: whether a value is of the type that the caller asks for. Any value is JSON. */
export function typeMatches(value: Json, type: FlagType): boolean {
  return type === "json" || typeof value === type;
}

function failure(code: ErrorCode): Evaluation {
  return Object.freeze({ served: false, reason: Object.freeze({ kind: "ERROR", code }) });
}
