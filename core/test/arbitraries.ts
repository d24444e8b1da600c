import fc from "fast-check";
import { RE2JS } from "re2js";
import type { AliasEntry, Condition, FlagEntry, GroupEntry, Rollout, Rule, Schedule, Serve } from "../src/index.ts";
import { BUCKETS, createRegexEngine, sipHash, ZERO64 } from "../src/index.ts";

/** Small worlds, so that conditions meet contexts, and flags meet groups, often. */
const ATTRIBUTES = ["plan", "seats", "staff", "account.plan"] as const;
const TEXTS = ["pro", "free", "Pro", "proper", ""] as const;
const HASH_KEY = "000102030405060708090a0b0c0d0e0f";

export const flagKeysOfWorld = ["a", "b", "c", "a:x", "a:x:y"] as const;
export const groupKeysOfWorld = ["g", "h", "i"] as const;
export const units = ["u1", "u2", "u3"] as const;

/** For `matches`, as Node programs have it. */
export const regex = createRegexEngine(() => ({ RE2JS }));

const VERSIONS = ["1.0.0", "1.0.0-rc.1", "v1.2", "2.0.0+b", "1.0.0-rc.10", "0.9"] as const;
const ADDRESSES = ["10.0.0.1", "10.1.0.0", "::ffff:10.0.0.1", "2001:db8::1", "192.0.2.7"] as const;
const RANGES = ["10.0.0.0/8", "10.0.0.0/16", "2001:db8::/32", "192.0.2.7", "::/0", "0.0.0.0/0", "::ffff:10.0.0.0/120"] as const;
const PATTERNS = ["^p", "ro$", "^[a-z]{3,4}$", "0\\.0", ""] as const;
/** The moments around which dates and schedules of the world lie. */
export const MOMENTS = [0, 86_400_000, 1_000_000_000_000] as const;
const moment = fc.tuple(fc.constantFrom(...MOMENTS), fc.integer({ min: -2, max: 2 })).map(([at, off]) => at + off);
/** The clock of the world; undefined: there is none. */
export const now = fc.option(moment, { nil: undefined });
/** A text of a moment: with a zone, with an offset, or local. */
const dateText = fc.tuple(moment, fc.constantFrom("Z", "", "+02:00", "-05:30", "day")).map(([at, form]) => {
  const text = new Date(at).toISOString();
  return form === "Z" ? text : form === "day" ? text.slice(0, 10) : text.slice(0, -1) + form;
});

const scalar = fc.oneof(fc.constantFrom(...TEXTS), fc.integer({ min: -2, max: 3 }), fc.boolean());
/** What the operators on versions, addresses and dates understand; of no use to the others. */
const special = fc.oneof(fc.constantFrom(...VERSIONS, ...ADDRESSES), dateText, moment);
const attribute = fc.constantFrom(...ATTRIBUTES);
const unit = fc.oneof(fc.constantFrom(...units), fc.integer({ min: 0, max: 5 }));

/** Values that an app may send, usable or not. */
const value = fc.oneof(
  { weight: 6, arbitrary: scalar },
  { weight: 4, arbitrary: special },
  { weight: 1, arbitrary: fc.array(fc.oneof(special, scalar), { maxLength: 3 }) },
  { weight: 2, arbitrary: fc.array(fc.oneof(scalar, fc.constant(null)), { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom(null, undefined, Number.NaN, {}) },
);

/** `account.plan` comes nested or flat, never both: of both the flat one counts, so taking it away would uncover the other. */
export const context: fc.Arbitrary<Record<string, unknown>> = fc
  .record(
    {
      key: fc.oneof({ weight: 5, arbitrary: unit }, { weight: 1, arbitrary: value }),
      plan: value,
      seats: value,
      staff: value,
      account: fc.record({ plan: value, key: unit }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  )
  .chain((nested) =>
    fc.boolean().map((flat) => (flat && nested.account ? { ...without(nested, "account"), "account.plan": nested.account.plan } : nested)),
  );

function without(holder: Record<string, unknown>, name: string): Record<string, unknown> {
  const { [name]: _gone, ...rest } = holder;
  return rest;
}

/** In a zone of whole hours, which the server would have resolved; without an attribute it asks the clock. */
const date: fc.Arbitrary<Condition> = fc
  .record({
    attribute: fc.option(attribute, { nil: undefined }),
    is: fc.constantFrom("<" as const, "<=" as const, ">" as const, ">=" as const),
    at: moment,
    zone: fc.integer({ min: -12, max: 14 }),
  })
  .map(({ attribute, is, at, zone }) => ({
    op: "date",
    ...(attribute !== undefined && { attribute }),
    is,
    value: new Date(at + zone * 3_600_000).toISOString().slice(0, -1),
    at,
  }));

export interface ConditionChoice {
  /** `exists` is never unknown and so outside the law on taking attributes away. */
  readonly exists: boolean;
  readonly groups: readonly string[];
}

export function condition({ exists, groups }: ConditionChoice, depth = 3): fc.Arbitrary<Condition> {
  const leaves: fc.Arbitrary<Condition>[] = [
    fc.record({ op: fc.constant("in" as const), attribute, values: fc.array(scalar, { maxLength: 3 }), ignoreCase: fc.boolean() }),
    fc.record({
      op: fc.constantFrom("contains" as const, "startsWith" as const, "endsWith" as const),
      attribute,
      values: fc.array(fc.constantFrom(...TEXTS), { minLength: 1, maxLength: 2 }),
      ignoreCase: fc.boolean(),
    }),
    fc.record({
      op: fc.constant("number" as const),
      attribute,
      is: fc.constantFrom("<", "<=", ">", ">=", "=", "!="),
      value: fc.integer({ min: -2, max: 3 }),
    }),
    fc.record({
      op: fc.constant("matches" as const),
      attribute,
      values: fc.array(fc.constantFrom(...PATTERNS), { maxLength: 2 }),
      ignoreCase: fc.boolean(),
      textLengthMax: fc.constantFrom(2, 100),
    }),
    fc.record({
      op: fc.constant("semver" as const),
      attribute,
      is: fc.constantFrom("<", "<=", ">", ">=", "=", "!="),
      value: fc.constantFrom(...VERSIONS),
    }),
    fc.record({ op: fc.constant("cidr" as const), attribute, values: fc.array(fc.constantFrom(...RANGES), { maxLength: 2 }) }),
    date,
    fc.record({ op: fc.constant("fact" as const), fact: fc.nat() }),
  ];
  if (exists) leaves.push(fc.record({ op: fc.constant("exists" as const), attribute }));
  if (groups.length > 0) leaves.push(fc.record({ op: fc.constant("group" as const), group: fc.constantFrom(...groups) }));
  const leaf = fc.oneof(...leaves);
  if (depth <= 1) return leaf;
  const inner = condition({ exists, groups }, depth - 1);
  return fc.oneof(
    { weight: 3, arbitrary: leaf },
    { weight: 1, arbitrary: fc.record({ op: fc.constantFrom("all" as const, "any" as const), of: fc.array(inner, { maxLength: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("not" as const), of: inner }) },
  );
}

const threshold = fc.oneof(fc.constantFrom(0, BUCKETS), fc.nat(BUCKETS));
/** Points around the moments of the world, in order, each with its own time. */
export const schedule: fc.Arbitrary<Schedule> = fc
  .record({
    kind: fc.constantFrom("steps" as const, "line" as const),
    points: fc.uniqueArray(fc.record({ at: moment, to: threshold }), { selector: ({ at }) => at, maxLength: 4 }),
  })
  .map(({ kind, points }) => ({ kind, points: points.toSorted((a, b) => a.at - b.at) }));
const rollout: fc.Arbitrary<Rollout> = fc
  .record({
    a: threshold,
    b: threshold,
    by: fc.constantFrom(undefined, "account.key"),
    over: fc.option(schedule, { nil: undefined, freq: 3 }),
  })
  .map(({ a, b, by, over }) => ({ from: Math.min(a, b), to: Math.max(a, b), ...(by && { by }), ...(over && { over }) }));

function serve(variants: readonly string[]): fc.Arbitrary<Serve> {
  const split = fc.tuple(fc.nat(BUCKETS), fc.constantFrom(...variants), fc.constantFrom(...variants)).map(
    ([weight, one, other]): Serve => ({
      kind: "split",
      weights: [
        { variant: one, weight },
        { variant: other, weight: BUCKETS - weight },
      ],
    }),
  );
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...variants).map((variant): Serve => ({ kind: "variant", variant })) },
    { weight: 1, arbitrary: split },
  );
}

function rule(variants: readonly string[], choice: ConditionChoice): fc.Arbitrary<Rule> {
  return fc
    .record({
      id: fc.constantFrom("r1", "r2"),
      when: fc.option(condition(choice), { nil: undefined }),
      rollout: fc.option(rollout, { nil: undefined }),
      serve: serve(variants),
    })
    .map(({ id, when, rollout, serve }) => ({ id, serve, ...(when && { when }), ...(rollout && { rollout }) }));
}

/** A flag of the world: boolean, or with two on-variants; it may require and follow others, also in a circle. */
export function flag(key: string, choice: ConditionChoice): fc.Arbitrary<FlagEntry> {
  return fc.boolean().chain((boolean) => {
    const variants = boolean ? ["on", "off"] : ["none", "red", "blue"];
    const [on, off] = boolean ? ["on", "off"] : ["red", "none"];
    return fc
      .record({
        mode: fc.constantFrom(
          "targeted" as const,
          "targeted" as const,
          "targeted" as const,
          "on" as const,
          "inherit" as const,
          "off" as const,
        ),
        rules: fc.array(rule(variants, choice), { maxLength: 3 }),
        // All on-variants: which of several is served may change when an attribute goes.
        requires: fc.array(fc.record({ flag: fc.constantFrom(...flagKeysOfWorld, "gone"), variants: fc.constant(["on", "red", "blue"]) }), {
          maxLength: 1,
        }),
        detached: fc.boolean(),
        killed: fc.constantFrom(false, false, false, true),
      })
      .map((rest): FlagEntry => {
        const values = boolean ? {} : { variants: { none: 0, red: 1, blue: 2 } };
        return {
          kind: "flag",
          key,
          fp: ZERO64,
          type: boolean ? "boolean" : "number",
          on: String(on),
          off: String(off),
          salt: key,
          ...values,
          ...rest,
        };
      });
  });
}

export function group(key: string, choice: ConditionChoice): fc.Arbitrary<GroupEntry> {
  const list = fc
    .subarray([...units, "1", "2"])
    .map((members) => ({ hashKey: HASH_KEY, members: members.map((member) => sipHash(HASH_KEY, member)) }));
  return fc
    .record({ when: fc.option(condition(choice, 2), { nil: undefined }), list: fc.option(list, { nil: undefined }) })
    .map(({ when, list }) => ({ kind: "group", key, fp: ZERO64, ...(when && { when }), ...(list && { list }) }));
}

export type WorldEntry = FlagEntry | GroupEntry | AliasEntry;

/** One entry of the world, its key drawn too. */
export function entry(choice: ConditionChoice): fc.Arbitrary<WorldEntry> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...flagKeysOfWorld).chain((key) => flag(key, choice)) },
    { weight: 2, arbitrary: fc.constantFrom(...groupKeysOfWorld).chain((key) => group(key, choice)) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("alias" as const),
        key: fc.constantFrom("old", "c"),
        fp: fc.constant(ZERO64),
        flag: fc.constantFrom(...flagKeysOfWorld),
      }),
    },
  );
}

/** All flags and groups of the world. */
export function world(choice: ConditionChoice): fc.Arbitrary<WorldEntry[]> {
  return fc.tuple(...flagKeysOfWorld.map((key) => flag(key, choice)), ...groupKeysOfWorld.map((key) => group(key, choice)));
}

/** A flag that is decided by its rules alone, and often on for everyone that they leave over. */
export function ruledFlag(choice: ConditionChoice): fc.Arbitrary<FlagEntry> {
  const variants = ["none", "red", "blue"];
  const rest: Rule = { id: "rest", serve: { kind: "variant", variant: "red" } };
  return fc.tuple(fc.array(rule(variants, choice), { minLength: 1, maxLength: 2 }), fc.boolean()).map(([rules, onForTheRest]) => ({
    kind: "flag",
    key: "f",
    fp: ZERO64,
    type: "number",
    variants: { none: 0, red: 1, blue: 2 },
    off: "none",
    on: "red",
    mode: "targeted",
    salt: "f",
    rules: onForTheRest ? [...rules, rest] : rules,
  }));
}

/** Many rules, most of which list values: what an evaluator would put into an index. `red` is on and `none` is off. */
export const listedRules: fc.Arbitrary<Rule[]> = fc
  .array(
    fc.record({
      when: fc.option(listing(), { nil: undefined, freq: 20 }),
      variant: fc.constantFrom("red", "red", "red", "none"),
      to: fc.constantFrom(undefined, undefined, 0, BUCKETS),
    }),
    { minLength: 3, maxLength: 70 },
  )
  .map((rules) =>
    rules.map(({ when, variant, to }, index) => ({
      id: `r${index}`,
      ...(when && { when }),
      ...(to !== undefined && { rollout: { to } }),
      serve: { kind: "variant", variant },
    })),
  );

function listing(): fc.Arbitrary<Condition> {
  const values = fc.oneof(scalar, fc.constantFrom(...units));
  const one: fc.Arbitrary<Condition> = fc.record({
    op: fc.constant("in" as const),
    attribute: fc.constantFrom(...ATTRIBUTES, "key"),
    values: fc.array(values, { minLength: 1, maxLength: 3 }),
    ignoreCase: fc.constantFrom(false, false, true),
  });
  return fc.oneof(
    { weight: 5, arbitrary: one },
    { weight: 3, arbitrary: fc.record({ op: fc.constantFrom("all" as const, "any" as const), of: fc.array(one, { maxLength: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("not" as const), of: one }) },
    { weight: 1, arbitrary: condition({ exists: true, groups: [] }, 2) },
  );
}

/** An entry of which one field, at any depth, is replaced by any JSON, or to which one is added; but for the fields named, without which it is no entry. */
export function spoiled<T extends object>(entry: fc.Arbitrary<T>, but: readonly string[] = []): fc.Arbitrary<T> {
  return fc
    .tuple(entry, fc.string(), fc.jsonValue())
    .chain(([entry, name, junk]) =>
      fc
        .constantFrom(...pathsOf(entry).filter(([first]) => !but.includes(first ?? "")), [but.includes(name) ? "more" : name])
        .map((path) => replaced(entry, path, junk) as T),
    );
}

type Path = readonly string[];

function pathsOf(value: unknown, at: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return at.length > 0 ? [at] : [];
  return [...(at.length > 0 ? [at] : []), ...Object.entries(value).flatMap(([name, inner]) => pathsOf(inner, [...at, name]))];
}

function replaced(value: unknown, [name, ...rest]: Path, junk: unknown): unknown {
  if (name === undefined) return junk;
  if (Array.isArray(value)) return value.map((one, index) => (String(index) === name ? replaced(one, rest, junk) : one));
  const holder = value as Record<string, unknown>;
  return { ...holder, [name]: replaced(holder[name], rest, junk) };
}
