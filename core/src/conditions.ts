import { isInRange, parseAddress, parseRange } from "./addresses.ts";
import { attributeReader, isObject, ownKey, ownValue } from "./attribute.ts";
import { unitOf } from "./bucket.ts";
import { instantOf, isInstant, msOfDate, parseDate } from "./dates.ts";
import type { Evaluation } from "./model.ts";
import { compareVersions, parseVersion, VERSION_LENGTH_MAX } from "./semver.ts";
import { SipSet, sipKey } from "./siphash.ts";
import type { FlagSlot, GroupSlot } from "./slots.ts";

/** Three-valued logic. As a caller sees it, only `TRUE` lets a rule apply and only `FALSE` keeps a denial from applying. */
export type Verdict = typeof FALSE | typeof TRUE | typeof UNKNOWN;
export const FALSE = 0;
export const TRUE = 1;
export const UNKNOWN = 2;

/**
 * A compiled condition answers one of two questions, "is the verdict true?" or "is it false?", so that evaluation itself is
 * two-valued: `not` swaps the questions at compile time and reaches only the leaves. Never throws. `depth` counts nested groups.
 */
export type Predicate = (context: unknown, depth: number, call: Call) => boolean;
export type Question = typeof TRUE | typeof FALSE;

/** What a caller hands into an evaluation besides the context. What depends on one that is missing is unknown. */
export interface Call {
  /** Server-corrected time, ms since 1970. */
  readonly clock?: () => number;
  /** Draws from 0 up to 1 for the random percentages of a flag. */
  readonly random?: (flag: string) => number;
  /** What the server has answered of the conditions that it does not show; without it all of them are unknown. */
  readonly facts?: Facts | undefined;
}

/** The answers of the server for one context. */
export interface Facts {
  /** Unknown for every other context. */
  verdict(fact: number, context: unknown): Verdict;
  /** Goes up with each verdict that is unknown because the server has not answered yet. */
  readonly missed: number;
  /** What a flag answers meanwhile, if anything: its last answer for this context. */
  held(flag: string): Evaluation | undefined;
}

/** Compiles a pattern in RE2 syntax to a search for it in a text, in linear time; throws if the pattern is none. */
export type RegexEngine = (pattern: string, ignoreCase: boolean) => (text: string) => boolean;

/** Where compiled flags find what they refer to: the slots of a state, which stay the same objects while entries change. */
export interface Slots {
  flag(key: string): FlagSlot;
  group(key: string): GroupSlot;
  /** Undefined where none was handed in: a flag with a `matches` condition then cannot be read. Browsers have none; there such conditions are facts. */
  readonly regex: RegexEngine | undefined;
}

/** What a group is compiled to. Both predicates are false for a group that is absent or cannot be read: unknown. */
export interface GroupPlan {
  readonly isIn: Predicate;
  readonly isOut: Predicate;
  /** Its list, to which members come and from which they go while the plan stays; undefined without one. */
  readonly list: SipSet | undefined;
  /** Why it cannot be read; undefined if it can, and of a group that is absent. */
  readonly problem: string | undefined;
}

/** Thrown while compiling, and caught there: the entry cannot be read by this version. */
export class Unreadable extends Error {}

/** The highest `schema` of an entry that this version reads. */
export const SCHEMA_READ_MAX = 1;
/** Deeper conditions than this cannot be read. The server saves at most 8 levels; the rest is room for later servers. */
export const CONDITION_DEPTH_READ_MAX = 32;
/** Groups nested deeper than this, and groups in a circle, are unknown. */
export const GROUP_DEPTH_MAX = 8;
/** Of a longer array attribute only the first elements are looked at; what was not seen is unknown. */
export const ARRAY_LENGTH_MAX = 10_000;
/** Flags and groups that one evaluation looks at; past it a group is unknown and a required flag is not met. */
export const STEPS_MAX = 10_000;

/**
 * What one evaluation may spend on texts, lists and units, counted in characters that are compared with one value, or as many as take as long
 * (some 3 ns). What costs more than is left is unknown: no context, however large, keeps a program busy for long.
 */
export const EFFORT_MAX = 1_000_000;
/** So many searches of the longest text that its patterns allow may be made by one evaluation; the worst patterns need 3 ms for each. */
export const SEARCHES_MAX = 4;
/** What things cost in characters, as measured. */
const EFFORT = { element: 16, parsedCharacter: 30, range: 32, hashedCharacter: 50 } as const;

// Evaluation is synchronous, so one counter serves all; as an argument it would cost an object for each evaluation.
const steps = { left: 0, effort: 0 };

export function allowSteps(): void {
  steps.left = STEPS_MAX;
  steps.effort = EFFORT_MAX;
}

export function takeStep(): boolean {
  return steps.left-- > 0;
}

/** False if that costs more than is left; then nothing is taken, so that what costs little goes on. */
export function spend(effort: number): boolean {
  if (effort > steps.effort) return false;
  steps.effort -= effort;
  return true;
}

/** Compiles a condition off the wire to one of its questions. Throws `Unreadable` for anything that it does not know. */
export function compileCondition(condition: unknown, question: Question, slots: Slots, depth = 1): Predicate {
  if (depth > CONDITION_DEPTH_READ_MAX) throw new Unreadable(`conditions nest deeper than ${CONDITION_DEPTH_READ_MAX}`);
  if (!isObject(condition)) throw new Unreadable("a condition is not an object");
  const { op } = condition;
  if (op === "not") return compileCondition(condition.of, question === TRUE ? FALSE : TRUE, slots, depth + 1);
  if (op === "all" || op === "any") {
    if (!Array.isArray(condition.of)) throw new Unreadable(`"${op}" has no list of conditions`);
    const parts = condition.of.map((part) => compileCondition(part, question, slots, depth + 1));
    // All is true when each part is true and false when some part is false; any is the dual.
    return (op === "all") === (question === TRUE) ? every(parts) : some(parts);
  }
  if (op === "group") return compileGroupLeaf(text(condition.group, "group"), question, slots);
  if (op === "fact") {
    if (!Number.isSafeInteger(condition.fact)) throw new Unreadable("a fact has no number");
    const fact = condition.fact as number;
    return (context, _depth, { facts }) => facts !== undefined && facts.verdict(fact, context) === question;
  }
  if (op === "in" && !flagged(condition.ignoreCase)) {
    const attribute = text(condition.attribute, "attribute");
    if (!attribute.includes(".")) return listPredicate(attribute, list(condition.values), question);
  }
  const judge = compileLeaf(condition, slots.regex);
  return (context, _depth, call) => judge(context, call) === question;
}

/** The condition that most rules have, in one piece: a text is looked up at once, all else takes the way of all operators. */
function listPredicate(attribute: string, values: readonly unknown[], question: Question): Predicate {
  const test = inTest(values, false);
  const texts = new Set(values);
  const hasTexts = values.length === 0 || values.some((value) => typeof value === "string");
  const isKey = attribute === "key";
  const wanted = question === TRUE;
  return (context) => {
    try {
      const value = isKey ? ownKey(context) : ownValue(context, attribute);
      if (typeof value === "string") return hasTexts && texts.has(value) === wanted;
      return (Array.isArray(value) ? anyElement(value, test) : test(value)) === question;
    } catch {
      return false; // A getter or a proxy of the caller threw, or the stack is used up: nothing is known.
    }
  };
}

/** Compiles a group off the wire; one that is absent or cannot be read is in no context and out of none. */
export function compileGroup(group: unknown, slots: Slots): GroupPlan {
  try {
    if (!isObject(group)) return unreadableGroup(group === undefined ? undefined : "it is not an object");
    if (group.schema !== undefined && group.schema !== SCHEMA_READ_MAX) return unreadableGroup("it has a newer schema");
    const ways: Pick<GroupPlan, "isIn" | "isOut">[] = [];
    if (group.when !== undefined) {
      ways.push({ isIn: compileCondition(group.when, TRUE, slots), isOut: compileCondition(group.when, FALSE, slots) });
    }
    let list: SipSet | undefined;
    if (group.list !== undefined) {
      const { members, judge } = compileList(group.list);
      list = members;
      ways.push({
        isIn: (context, _depth, call) => judge(context, call) === TRUE,
        isOut: (context, _depth, call) => judge(context, call) === FALSE,
      });
    }
    if (ways.length === 0) return unreadableGroup("it has no way in that this version knows");
    return { isIn: some(ways.map((way) => way.isIn)), isOut: every(ways.map((way) => way.isOut)), list, problem: undefined };
  } catch (error) {
    if (error instanceof Unreadable) return unreadableGroup(error.message);
    throw error;
  }
}

/** For both questions of what is unknown. */
export const never: Predicate = () => false;

function unreadableGroup(problem: string | undefined): GroupPlan {
  return { isIn: never, isOut: never, list: undefined, problem };
}

function compileGroupLeaf(key: string, question: Question, slots: Slots): Predicate {
  const slot = slots.group(key);
  return (context, depth, call) => {
    if (depth >= GROUP_DEPTH_MAX || !takeStep()) return false;
    slot.plan ??= compileGroup(slot.entry, slots);
    return question === TRUE ? slot.plan.isIn(context, depth + 1, call) : slot.plan.isOut(context, depth + 1, call);
  };
}

type Wire = Readonly<Record<string, unknown>>;
type Leaf = (context: unknown, call: Call) => Verdict;
type Test = (value: unknown) => Verdict;

function compileLeaf(condition: Wire, regex: RegexEngine | undefined): Leaf {
  if (condition.op === "exists") return existsLeaf(text(condition.attribute, "attribute"));
  const test = compileTest(condition, regex);
  if (condition.op === "date" && condition.attribute === undefined) return clockLeaf(test);
  return leaf(text(condition.attribute, "attribute"), test);
}

function compileTest(condition: Wire, regex: RegexEngine | undefined): Test {
  const { op, values, ignoreCase, is, value } = condition;
  switch (op) {
    case "in":
      return inTest(list(values), flagged(ignoreCase));
    case "contains":
    case "startsWith":
    case "endsWith":
      return textTest(op, list(values), flagged(ignoreCase));
    case "number":
      return numberTest(is, value);
    case "matches":
      return patternTest(condition, regex);
    case "semver":
      return versionTest(is, text(value, "value"));
    case "date":
      return dateTest(condition);
    case "cidr":
      return addressTest(list(values));
    default:
      throw new Unreadable(`unknown operator ${JSON.stringify(op)}`);
  }
}

function leaf(attribute: string, test: Test): Leaf {
  const read = attributeReader(attribute);
  return (context) => {
    try {
      const value = read(context);
      return typeof value === "object" && Array.isArray(value) ? anyElement(value, test) : test(value);
    } catch {
      return UNKNOWN; // A getter or a proxy of the caller threw, or the stack is used up: nothing is known.
    }
  };
}

function existsLeaf(attribute: string): Leaf {
  const read = attributeReader(attribute);
  return (context) => {
    try {
      const value = read(context);
      return value === undefined || value === null ? FALSE : TRUE;
    } catch {
      return FALSE; // Never unknown: what cannot be read is not there.
    }
  };
}

/** A clock that throws or gives no time leaves it unknown what the time is. */
function clockLeaf(test: Test): Leaf {
  return (_context, { clock }) => {
    try {
      const now: unknown = clock?.();
      return typeof now === "number" ? test(now) : UNKNOWN;
    } catch {
      return UNKNOWN;
    }
  };
}

function anyElement(values: readonly unknown[], test: Test): Verdict {
  let verdict: Verdict = values.length > ARRAY_LENGTH_MAX ? UNKNOWN : FALSE;
  const length = Math.min(values.length, ARRAY_LENGTH_MAX);
  if (!spend(length * EFFORT.element)) return UNKNOWN;
  for (let i = 0; i < length; i++) {
    const one = test(values[i]);
    if (one === TRUE) return TRUE;
    if (one === UNKNOWN) verdict = UNKNOWN;
  }
  return verdict;
}

/** Equality without conversion. A value of a type that none of the listed values has is refused: 5 is neither in nor outside ["5"]. */
function inTest(values: readonly unknown[], ignoreCase: boolean): Test {
  const listed = new Set<unknown>();
  const types = new Set<string>();
  for (const value of values) {
    if (!isScalar(value)) throw new Unreadable("a value of a list is not a text, number or boolean");
    listed.add(ignoreCase && typeof value === "string" ? value.toLowerCase() : value);
    types.add(typeof value);
  }
  const hasTexts = types.size === 0 || types.has("string");
  const hasNumbers = types.size === 0 || types.has("number");
  const hasBooleans = types.size === 0 || types.has("boolean");
  return (value) => {
    if (typeof value === "string") {
      if (!hasTexts || (ignoreCase && !spend(value.length))) return UNKNOWN;
      return verdict(listed.has(ignoreCase ? value.toLowerCase() : value));
    }
    if (typeof value === "boolean") return hasBooleans ? verdict(listed.has(value)) : UNKNOWN;
    return hasNumbers && Number.isFinite(value) ? verdict(listed.has(value)) : UNKNOWN;
  };
}

function textTest(op: "contains" | "startsWith" | "endsWith", values: readonly unknown[], ignoreCase: boolean): Test {
  const wanted = values.map((value) => {
    if (typeof value !== "string") throw new Unreadable(`a value of "${op}" is not a text`);
    return ignoreCase ? value.toLowerCase() : value;
  });
  const longest = op === "contains" ? Number.POSITIVE_INFINITY : wanted.reduce((most, one) => Math.max(most, one.length), 0);
  return (value) => {
    if (typeof value !== "string") return UNKNOWN;
    const compared = Math.min(value.length, longest) * wanted.length;
    if (!spend(ignoreCase ? compared + value.length : compared)) return UNKNOWN;
    const given = ignoreCase ? value.toLowerCase() : value;
    for (const one of wanted) {
      if (op === "contains" ? given.includes(one) : op === "startsWith" ? given.startsWith(one) : given.endsWith(one)) return TRUE;
    }
    return FALSE;
  };
}

function numberTest(is: unknown, value: unknown): Test {
  if (!isFiniteNumber(value)) throw new Unreadable("a number comparison has no number");
  const compare = comparison(is);
  return (given) => (isFiniteNumber(given) ? verdict(compare(given, value)) : UNKNOWN);
}

/** What a text is found in is as long as the patterns allow: `textLengthMax`, chosen by the server so that no search takes long. */
function patternTest({ values, ignoreCase, textLengthMax }: Wire, regex: RegexEngine | undefined): Test {
  if (!regex) throw new Unreadable("regular expressions are not evaluated here");
  if (!Number.isSafeInteger(textLengthMax)) throw new Unreadable("a regular expression does not say how long a text may be");
  const longest = textLengthMax as number;
  const folds = flagged(ignoreCase);
  const searches = list(values).map((pattern) => {
    try {
      return regex(text(pattern, "values"), folds);
    } catch (error) {
      if (error instanceof Unreadable) throw error;
      throw new Unreadable(`${JSON.stringify(pattern)} is no regular expression`);
    }
  });
  const perCharacter = EFFORT_MAX / (SEARCHES_MAX * (Math.max(longest, 0) + 1));
  return (given) => {
    if (typeof given !== "string" || given.length > longest || !spend(given.length * perCharacter)) return UNKNOWN;
    for (const finds of searches) if (finds(given)) return TRUE;
    return FALSE;
  };
}

function versionTest(is: unknown, value: string): Test {
  const wanted = parseVersion(value);
  if (!wanted) throw new Unreadable(`${JSON.stringify(value)} is no semantic version`);
  const compare = comparison(is);
  return (given) => {
    const version = typeof given === "string" && spendOnParsing(given) ? parseVersion(given) : undefined;
    return version ? verdict(compare(compareVersions(version, wanted), 0)) : UNKNOWN;
  };
}

/** A number is ms since 1970. A text that names no zone is in the condition's, so two local times are compared as they are written. */
function dateTest({ is, value, at }: Wire): Test {
  const written = parseDate(text(value, "value"));
  if (!written || !isInstant(at)) throw new Unreadable(`${JSON.stringify(value)} is no date`);
  if (is === "=" || is === "!=") throw new Unreadable(`unknown comparison of dates ${JSON.stringify(is)}`);
  const compare = comparison(is);
  return (given) => {
    if (typeof given === "string") {
      const date = spendOnParsing(given) ? parseDate(given) : undefined;
      if (!date) return UNKNOWN;
      return verdict(date.offset === undefined ? compare(date.localMs, written.localMs) : compare(instantOf(date), at));
    }
    const instant = typeof given === "object" ? msOfDate(given) : given;
    return isInstant(instant) ? verdict(compare(instant, at)) : UNKNOWN;
  };
}

function addressTest(values: readonly unknown[]): Test {
  const ranges = values.map((value) => {
    const range = parseRange(text(value, "values"));
    if (!range) throw new Unreadable(`${JSON.stringify(value)} is no range of addresses`);
    return range;
  });
  return (given) => {
    const address = typeof given === "string" && spendOnParsing(given) ? parseAddress(given) : undefined;
    if (!address || !spend(ranges.length * EFFORT.range)) return UNKNOWN;
    for (const range of ranges) if (isInRange(address, range)) return TRUE;
    return FALSE;
  };
}

/** Longer texts than a version may have are refused at a glance. */
function spendOnParsing(text: string): boolean {
  return text.length > VERSION_LENGTH_MAX || spend(text.length * EFFORT.parsedCharacter);
}

function comparison(is: unknown): (a: number, b: number) => boolean {
  const compare = COMPARE.get(is);
  if (!compare) throw new Unreadable(`unknown comparison ${JSON.stringify(is)}`);
  return compare;
}

const COMPARE = new Map<unknown, (a: number, b: number) => boolean>([
  ["<", (a, b) => a < b],
  ["<=", (a, b) => a <= b],
  [">", (a, b) => a > b],
  [">=", (a, b) => a >= b],
  ["=", (a, b) => a === b],
  ["!=", (a, b) => a !== b],
]);

function compileList(wire: unknown): { readonly members: SipSet; readonly judge: Leaf } {
  if (!isObject(wire) || !Array.isArray(wire.members)) throw new Unreadable("a list has no members");
  const key = sipKey(wire.hashKey);
  if (!key) throw new Unreadable("a list has no hash key");
  const members = new SipSet(key, wire.members);
  const judge = leaf(wire.by === undefined ? "key" : text(wire.by, "by"), (value) => {
    const unit = unitOf(value);
    return unit === undefined || !spend(unit.length * EFFORT.hashedCharacter) ? UNKNOWN : verdict(members.has(unit));
  });
  return { members, judge };
}

function every(parts: readonly Predicate[]): Predicate {
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  return (context, depth, call) => {
    for (const part of parts) if (!part(context, depth, call)) return false;
    return true;
  };
}

function some(parts: readonly Predicate[]): Predicate {
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  return (context, depth, call) => {
    for (const part of parts) if (part(context, depth, call)) return true;
    return false;
  };
}

function verdict(holds: boolean): Verdict {
  return holds ? TRUE : FALSE;
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "boolean" || isFiniteNumber(value);
}

export function text(value: unknown, what: string): string {
  if (typeof value !== "string") throw new Unreadable(`"${what}" is not a text`);
  return value;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Unreadable('"values" is not a list');
  return value;
}

export function flagged(value: unknown): boolean {
  if (value === undefined || typeof value === "boolean") return value === true;
  throw new Unreadable("a yes-or-no field is neither");
}
