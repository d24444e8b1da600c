import { attributeReader, isObject, ownKey } from "./attribute.ts";
import {
  BUCKETS,
  type HashPrefix,
  isBucketCount,
  isInside,
  rolloutBucketAfter,
  rolloutPrefix,
  splitBucketAfter,
  splitPrefix,
  type Threshold,
  threshold,
  unitOf,
} from "./bucket.ts";
import {
  type Call,
  compileCondition,
  FALSE,
  flagged,
  never,
  type Predicate,
  type Question,
  type Slots,
  spend,
  TRUE,
  text,
  UNKNOWN,
  Unreadable,
  type Verdict,
} from "./conditions.ts";
import { isInstant } from "./dates.ts";
import type { Evaluation, Json, Reason, Schedule, SchedulePoint } from "./model.ts";
import { endAt } from "./schedule.ts";

/**
 * A compiled rule: its answer for a context, undefined if it does not apply.
 * A denial, a rule that serves the off variant, applies unless its verdict is false; every other rule only if it is true.
 * The off share of a split is a denial of that share: else taking attributes away could let a context past it.
 */
export type RulePlan = (context: unknown, call: Call) => Evaluation | undefined;

/** A rule, and what an index may know of it: it applies only where each of these attributes has one of the values. */
export interface CompiledRule {
  readonly answer: RulePlan;
  readonly lists: readonly ListedValues[];
  /** The answer where all the lists hold, if they are all that its conditions ask for. */
  readonly rest: RulePlan | undefined;
}

export interface ListedValues {
  readonly attribute: string;
  readonly values: readonly unknown[];
}

/** What a rule needs of its flag. `serve` is undefined for a variant that the flag does not have. */
export interface RuleOwner {
  readonly key: string;
  readonly off: string;
  readonly salt: string;
  serve(variant: string, reason: Reason): Evaluation | undefined;
}

type Slice = (context: unknown, call: Call) => Verdict;

/** Compiles a rule off the wire. Throws `Unreadable`, which makes the whole flag unreadable: a rule left out could be a denial. */
export function compileRule(wire: unknown, owner: RuleOwner, slots: Slots): CompiledRule {
  if (!isObject(wire)) throw new Unreadable("a rule is not an object");
  const answer = compileAnswer(wire, owner, slots);
  const lists = canServeOff(wire.serve, owner.off) ? [] : listsOf(wire.when);
  const isAll = lists.length > 0 && lists.length === leavesOf(wire.when);
  return { answer, lists, rest: isAll ? compileAnswer({ ...wire, when: undefined }, owner, slots) : undefined };
}

/** How many conditions `listsOf` would have to find for a rule to ask for nothing else. */
function leavesOf(when: unknown): number {
  if (!isObject(when) || when.op !== "all" || !Array.isArray(when.of)) return 1;
  return when.of.reduce((sum: number, part) => sum + leavesOf(part), 0);
}

function canServeOff(serve: unknown, off: string): boolean {
  if (!isObject(serve) || serve.kind === "variant") return !isObject(serve) || serve.variant === off;
  return true;
}

/** What must hold for a condition to be true: the lists of texts among its parts, if all of them have to hold. */
function listsOf(when: unknown): ListedValues[] {
  if (!isObject(when)) return [];
  if (when.op === "all" && Array.isArray(when.of)) {
    const seen = new Set<unknown>();
    return when.of.flatMap(listsOf).filter(({ attribute }) => !seen.has(attribute) && seen.add(attribute));
  }
  if (when.op !== "in" || when.ignoreCase === true || typeof when.attribute !== "string" || when.attribute.includes(".")) return [];
  return Array.isArray(when.values) ? [{ attribute: when.attribute, values: when.values }] : [];
}

function compileAnswer(wire: Readonly<Record<string, unknown>>, owner: RuleOwner, slots: Slots): RulePlan {
  const ruleId = text(wire.id, "id");
  const ask = (question: Question): Predicate =>
    wire.when === undefined ? (question === TRUE ? always : never) : compileCondition(wire.when, question, slots);
  const slice = compileSlice(wire.rollout, owner);
  const { serve } = wire;
  if (!isObject(serve)) throw new Unreadable("a rule serves nothing");
  if (serve.kind === "variant") return compileVariant(text(serve.variant, "variant"), ruleId, ask, slice, owner);
  if (serve.kind !== "split") throw new Unreadable(`unknown way to serve ${JSON.stringify(serve.kind)}`);
  refuseMethod(serve.method);
  const shares = readShares(serve.weights);
  const [whole] = shares.filter((share) => share.weight === BUCKETS);
  // A split that gives everything to one variant needs no unit.
  if (whole) return compileVariant(whole.variant, ruleId, ask, slice, owner);
  return compileSplit(serve, shares, ruleId, ask, slice, owner);
}

const always: Predicate = () => true;

function compileVariant(
  variant: string,
  ruleId: string,
  ask: (q: Question) => Predicate,
  slice: Slice | undefined,
  owner: RuleOwner,
): RulePlan {
  const answer = owner.serve(variant, { kind: "TARGETING_MATCH", ruleId });
  if (!answer) throw new Unreadable(`rule ${JSON.stringify(ruleId)} serves a variant that the flag does not have`);
  if (variant === owner.off) {
    const fails = ask(FALSE);
    if (!slice) return (context, call) => (fails(context, 0, call) ? undefined : answer);
    return (context, call) => (fails(context, 0, call) || slice(context, call) === FALSE ? undefined : answer);
  }
  const holds = ask(TRUE);
  if (!slice) return (context, call) => (holds(context, 0, call) ? answer : undefined);
  // For everyone else: the commonest rule, without a call to ask a condition that always holds.
  if (holds === always) return (context, call) => (slice(context, call) === TRUE ? answer : undefined);
  return (context, call) => (holds(context, 0, call) && slice(context, call) === TRUE ? answer : undefined);
}

interface Share {
  readonly variant: string;
  readonly weight: number;
}

function compileSplit(
  serve: Readonly<Record<string, unknown>>,
  shares: readonly Share[],
  ruleId: string,
  ask: (q: Question) => Predicate,
  slice: Slice | undefined,
  owner: RuleOwner,
): RulePlan {
  const holds = ask(TRUE);
  const fails = ask(FALSE);
  const unitAt = unitReader(serve.by);
  const prefix = splitPrefix(serve.salt === undefined ? owner.salt : text(serve.salt, "salt"));
  const present = shares.filter((share) => share.weight > 0);
  const values = new Map<string, Json>();
  for (const { variant } of shares) {
    const answer = owner.serve(variant, { kind: "DEFAULT" });
    if (!answer?.served) throw new Unreadable(`a split names a variant that the flag does not have`);
    values.set(variant, answer.value);
  }
  const canServeOff = present.some((share) => share.variant === owner.off);
  const offWithoutUnit = canServeOff ? owner.serve(owner.off, { kind: "TARGETING_MATCH", ruleId }) : undefined;
  return (context, call) => {
    if (fails(context, 0, call)) return undefined;
    const inside = slice ? slice(context, call) : TRUE;
    if (inside === FALSE) return undefined;
    const unit = unitAt(context);
    if (unit === undefined) return offWithoutUnit;
    const bucket = splitBucketAfter(prefix, unit);
    const variant = pick(present, bucket);
    const applies = variant === owner.off || (inside === TRUE && holds(context, 0, call));
    // Made for this call alone, so nothing is gained by freezing it, which takes longer than all the rest.
    return applies ? { served: true, variant, value: values.get(variant) as Json, reason: { kind: "SPLIT", ruleId, bucket } } : undefined;
  };
}

function pick(shares: readonly Share[], bucket: number): string {
  let upTo = 0;
  let variant = "";
  for (const share of shares) {
    variant = share.variant;
    upTo += share.weight;
    if (bucket < upTo) break;
  }
  return variant;
}

function readShares(wire: unknown): readonly Share[] {
  if (!Array.isArray(wire)) throw new Unreadable("a split has no weights");
  let sum = 0;
  const shares = wire.map((one: unknown): Share => {
    if (!isObject(one) || !isBucketCount(one.weight)) throw new Unreadable("a weight is not a whole number of 0 to 100000");
    sum += one.weight;
    return { variant: text(one.variant, "variant"), weight: one.weight };
  });
  if (sum !== BUCKETS) throw new Unreadable(`weights add up to ${sum}, not to ${BUCKETS}`);
  return shares;
}

/** Undefined for a slice that holds for every context, with or without a unit. */
function compileSlice(wire: unknown, owner: RuleOwner): Slice | undefined {
  if (wire === undefined) return undefined;
  if (!isObject(wire)) throw new Unreadable("a percentage is not an object");
  refuseMethod(wire.method);
  const from = wire.from === undefined ? 0 : wire.from;
  const { to } = wire;
  if (!isBucketCount(from) || !isBucketCount(to)) throw new Unreadable("a percentage is not within 0 to 100000");
  const unitAt = unitReader(wire.by);
  const prefix = rolloutPrefix(wire.salt === undefined ? owner.salt : text(wire.salt, "salt"));
  const isRandom = flagged(wire.random);
  const inside = isRandom ? drawnFor(owner.key) : bucketed(unitAt, prefix);
  if (wire.over !== undefined) {
    const end = compileSchedule(wire.over, to);
    return (context, call) => {
      const until = endNow(end, call);
      if (until === undefined) return UNKNOWN;
      if (from >= until) return FALSE;
      return from === 0 && until === BUCKETS ? TRUE : inside(context, call, from, until);
    };
  }
  if (from === 0 && to === BUCKETS) return undefined;
  if (from >= to) return () => FALSE;
  if (!isRandom && (wire.by === undefined || wire.by === "key")) return keySlice(prefix, threshold(from), threshold(to));
  return (context, call) => inside(context, call, from, to);
}

/** The slice that most percentages are, in one piece. */
function keySlice(prefix: HashPrefix, from: Threshold, to: Threshold): Slice {
  return (context) => {
    try {
      const unit = usable(unitOf(ownKey(context)));
      if (unit === undefined) return UNKNOWN;
      return isInside(prefix, unit, from, to) ? TRUE : FALSE;
    } catch {
      return UNKNOWN; // A getter or a proxy of the caller threw: no usable unit.
    }
  };
}

type Inside = (context: unknown, call: Call, from: number, to: number) => Verdict;

function bucketed(unitAt: (context: unknown) => string | undefined, prefix: HashPrefix): Inside {
  return (context, _call, from, to) => {
    const unit = unitAt(context);
    if (unit === undefined) return UNKNOWN;
    const bucket = rolloutBucketAfter(prefix, unit);
    return bucket >= from && bucket < to ? TRUE : FALSE;
  };
}

/** Unknown without a usable source: a caller that gives none cannot sample. */
function drawnFor(flag: string): Inside {
  return (_context, { random }, from, to) => {
    if (!random) return UNKNOWN;
    const x = random(flag) * BUCKETS;
    if (!(x >= 0 && x < BUCKETS)) return UNKNOWN;
    return x >= from && x < to ? TRUE : FALSE;
  };
}

function endNow(end: (now: number) => number, { clock }: Call): number | undefined {
  try {
    const now = clock?.();
    return isInstant(now) ? end(now) : undefined;
  } catch {
    return undefined; // The caller's clock threw: nobody knows what time it is.
  }
}

function unitReader(by: unknown): (context: unknown) => string | undefined {
  const read = attributeReader(by === undefined ? "key" : text(by, "by"));
  return (context) => {
    try {
      return usable(unitOf(read(context)));
    } catch {
      return undefined; // A getter or a proxy of the caller threw: no usable unit.
    }
  };
}

/** A unit that is longer costs effort; who has shorter ones never runs out of it. */
const UNIT_LENGTH_FREE = 256;
/** A character of a unit, hashed, takes as long as comparing so many. */
const UNIT_CHARACTER_EFFORT = 4;

function usable(unit: string | undefined): string | undefined {
  return unit === undefined || unit.length <= UNIT_LENGTH_FREE || spend(unit.length * UNIT_CHARACTER_EFFORT) ? unit : undefined;
}

function compileSchedule(wire: unknown, before: number): (now: number) => number {
  if (!isObject(wire) || !Array.isArray(wire.points)) throw new Unreadable("a schedule has no points");
  if (wire.kind !== "steps" && wire.kind !== "line") throw new Unreadable(`unknown kind of schedule ${JSON.stringify(wire.kind)}`);
  let last = Number.NEGATIVE_INFINITY;
  const points = wire.points.map((point: unknown): SchedulePoint => {
    if (!isObject(point) || !isInstant(point.at) || !isBucketCount(point.to))
      throw new Unreadable("a point of a schedule has no time or end");
    if (point.at <= last) throw new Unreadable("the points of a schedule are not in the order of their times");
    last = point.at;
    return { at: point.at, to: point.to };
  });
  const schedule: Schedule = { kind: wire.kind, points };
  return (now) => endAt(schedule, before, now);
}

function refuseMethod(method: unknown): void {
  if (method !== undefined) throw new Unreadable(`unknown method of bucketing ${JSON.stringify(method)}`);
}
