import { attributeReader, isObject } from "./attribute.ts";
import { BUCKETS, isBucketCount, rolloutBucketAfter, rolloutPrefix, splitBucketAfter, splitPrefix, unitOf } from "./bucket.ts";
import {
  compileCondition,
  FALSE,
  flagged,
  never,
  type Predicate,
  type Question,
  type Slots,
  TRUE,
  text,
  UNKNOWN,
  Unreadable,
  type Verdict,
} from "./conditions.ts";
import type { Evaluation, Reason } from "./model.ts";

/**
 * A compiled rule: its answer for a context, undefined if it does not apply.
 * A denial, a rule that serves the off variant, applies unless its verdict is false; every other rule only if it is true.
 * The off share of a split is a denial of that share: else taking attributes away could let a context past it.
 */
export type RulePlan = (context: unknown, random: (() => number) | undefined) => Evaluation | undefined;

/** What a rule needs of its flag. `serve` is undefined for a variant that the flag does not have. */
export interface RuleOwner {
  readonly off: string;
  readonly salt: string;
  serve(variant: string, reason: Reason): Evaluation | undefined;
}

type Slice = (context: unknown, random: (() => number) | undefined) => Verdict;

/** Compiles a rule off the wire. Throws `Unreadable`, which makes the whole flag unreadable: a rule left out could be a denial. */
export function compileRule(wire: unknown, owner: RuleOwner, slots: Slots): RulePlan {
  if (!isObject(wire)) throw new Unreadable("a rule is not an object");
  const ruleId = text(wire.id, "id");
  const ask = (question: Question): Predicate =>
    wire.when === undefined ? (question === TRUE ? always : never) : compileCondition(wire.when, question, slots);
  const slice = compileSlice(wire.rollout, owner.salt);
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
    if (!slice) return (context) => (fails(context, 0) ? undefined : answer);
    return (context, random) => (fails(context, 0) || slice(context, random) === FALSE ? undefined : answer);
  }
  const holds = ask(TRUE);
  if (!slice) return (context) => (holds(context, 0) ? answer : undefined);
  // For everyone else: the commonest rule, without a call to ask a condition that always holds.
  if (holds === always) return (context, random) => (slice(context, random) === TRUE ? answer : undefined);
  return (context, random) => (holds(context, 0) && slice(context, random) === TRUE ? answer : undefined);
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
  for (const { variant } of shares) {
    if (!owner.serve(variant, { kind: "DEFAULT" })) throw new Unreadable(`a split names a variant that the flag does not have`);
  }
  const canServeOff = present.some((share) => share.variant === owner.off);
  const offWithoutUnit = canServeOff ? owner.serve(owner.off, { kind: "TARGETING_MATCH", ruleId }) : undefined;
  return (context, random) => {
    if (fails(context, 0)) return undefined;
    const inside = slice ? slice(context, random) : TRUE;
    if (inside === FALSE) return undefined;
    const unit = unitAt(context);
    if (unit === undefined) return offWithoutUnit;
    const bucket = splitBucketAfter(prefix, unit);
    const variant = pick(present, bucket);
    const applies = variant === owner.off || (inside === TRUE && holds(context, 0));
    return applies ? owner.serve(variant, { kind: "SPLIT", ruleId, bucket }) : undefined;
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
function compileSlice(wire: unknown, salt: string): Slice | undefined {
  if (wire === undefined) return undefined;
  if (!isObject(wire)) throw new Unreadable("a percentage is not an object");
  refuseMethod(wire.method);
  const from = wire.from === undefined ? 0 : wire.from;
  const { to } = wire;
  if (!isBucketCount(from) || !isBucketCount(to)) throw new Unreadable("a percentage is not within 0 to 100000");
  const read = attributeReader(wire.by === undefined ? "key" : text(wire.by, "by"));
  const prefix = rolloutPrefix(wire.salt === undefined ? salt : text(wire.salt, "salt"));
  if (from === 0 && to === BUCKETS) return undefined;
  if (from >= to) return () => FALSE;
  if (flagged(wire.random)) return (_context, random) => drawn(random, from, to);
  return (context) => {
    let bucket: number;
    try {
      const unit = unitOf(read(context));
      if (unit === undefined) return UNKNOWN;
      bucket = rolloutBucketAfter(prefix, unit);
    } catch {
      return UNKNOWN; // A getter or a proxy of the caller threw: no usable unit.
    }
    return bucket >= from && bucket < to ? TRUE : FALSE;
  };
}

/** Unknown without a usable source: a caller that gives none cannot sample. */
function drawn(random: (() => number) | undefined, from: number, to: number): Verdict {
  if (!random) return UNKNOWN;
  const x = random() * BUCKETS;
  if (!(x >= 0 && x < BUCKETS)) return UNKNOWN;
  return x >= from && x < to ? TRUE : FALSE;
}

function unitReader(by: unknown): (context: unknown) => string | undefined {
  const read = attributeReader(by === undefined ? "key" : text(by, "by"));
  return (context) => {
    try {
      return unitOf(read(context));
    } catch {
      return undefined; // A getter or a proxy of the caller threw: no usable unit.
    }
  };
}

function refuseMethod(method: unknown): void {
  if (method !== undefined) throw new Unreadable(`unknown method of bucketing ${JSON.stringify(method)}`);
}
