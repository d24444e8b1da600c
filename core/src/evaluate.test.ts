import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import * as worlds from "../test/arbitraries.ts";
import { endOf, reference } from "../test/references.ts";
import { rolloutBucket } from "./bucket.ts";
import { ARRAY_LENGTH_MAX, SEARCHES_MAX, STEPS_MAX } from "./conditions.ts";
import { REQUIREMENT_DEPTH_MAX } from "./evaluate.ts";
import {
  BUCKETS,
  type Condition,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  type FlagEntry,
  type GroupEntry,
  loadEntries,
  type Rule,
  type Schedule,
  typeMatches,
  unitOf,
  unreadableBecause,
  ZERO64,
} from "./index.ts";

// Properties take seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

function flag(key: string, fields: Partial<FlagEntry> = {}): FlagEntry {
  return { kind: "flag", key, fp: ZERO64, type: "boolean", off: "off", on: "on", mode: "targeted", salt: key, ...fields };
}

const serveOn: Rule["serve"] = { kind: "variant", variant: "on" };
const serveOff: Rule["serve"] = { kind: "variant", variant: "off" };

/** A condition told apart by two flags: one that it lets in, one that it keeps out. */
function verdictOf(when: Condition, context: unknown, now?: number): boolean | undefined {
  const state = loadEntries(
    [
      flag("allowed", { rules: [{ id: "r", when, serve: serveOn }] }),
      flag("denied", {
        rules: [
          { id: "d", when, serve: serveOff },
          { id: "r", serve: serveOn },
        ],
      }),
    ],
    { regex: worlds.regex },
  );
  const allowed = isOn(evaluate(state, "allowed", context, at(now)));
  const denied = !isOn(evaluate(state, "denied", context, at(now)));
  if (allowed) expect(denied).toBe(true);
  return allowed ? true : denied ? undefined : false;
}

/** A clock that stands still; none without a time. */
function at(now: number | undefined): EvaluateOptions {
  return now === undefined ? {} : { clock: () => now };
}

function isOn(evaluation: Evaluation): boolean {
  return evaluation.served && evaluation.variant !== "off" && evaluation.variant !== "none";
}

function throwing(): never {
  throw new Error("no");
}

const plain = { exists: true, groups: [] };
const lawful = { exists: false, groups: worlds.groupKeysOfWorld };

test("a yes-or-no field that is neither makes a flag unreadable, however the attribute is named", () => {
  for (const attribute of ["name", "user.name", "key"]) {
    const when = { op: "not", of: { op: "in", attribute, values: ["Bob"], ignoreCase: "true" } } as unknown as Condition;
    const state = loadEntries([flag("f", { rules: [{ id: "r", when, serve: serveOn }] })]);
    expect(evaluate(state, "f", { name: "bob", key: "bob", user: { name: "bob" } }).reason).toEqual({ kind: "ERROR", code: "PARSE_ERROR" });
  }
});

describe("conditions", () => {
  test("agree with a naive three-valued interpreter", () => {
    fc.assert(
      fc.property(worlds.condition(plain), worlds.context, worlds.now, (when, context, now) => {
        expect(verdictOf(when, context, now)).toBe(reference(when, context, now));
      }),
      { numRuns: 5_000 },
    );
  });

  test("in a group mean the same as written out", () => {
    fc.assert(
      fc.property(worlds.condition(plain), worlds.context, worlds.now, fc.boolean(), (when, context, now, negated) => {
        const named: Condition = { op: "group", group: "g" };
        const ask = (condition: Condition): string =>
          JSON.stringify(
            evaluate(
              loadEntries(
                [
                  { kind: "group", key: "g", fp: ZERO64, when },
                  flag("f", {
                    rules: [
                      { id: "d", when: condition, serve: serveOff },
                      { id: "r", serve: serveOn },
                    ],
                  }),
                ],
                { regex: worlds.regex },
              ),
              "f",
              context,
              at(now),
            ),
          );
        expect(ask(negated ? { op: "not", of: named } : named)).toBe(ask(negated ? { op: "not", of: when } : when));
      }),
    );
  });

  test("keep the laws of not, all and any", () => {
    const of = worlds.condition(plain, 2);
    fc.assert(
      fc.property(of, of, worlds.context, worlds.now, (a, b, context, now) => {
        const not = (one: Condition): Condition => ({ op: "not", of: one });
        const ask = (one: Condition) => verdictOf(one, context, now);
        expect(ask(not(not(a)))).toBe(ask(a));
        expect(ask(not({ op: "all", of: [a, b] }))).toBe(ask({ op: "any", of: [not(a), not(b)] }));
        expect(ask({ op: "all", of: [a, b] })).toBe(ask({ op: "all", of: [b, a] }));
        expect(ask({ op: "any", of: [a, a] })).toBe(ask(a));
      }),
      { numRuns: 500 },
    );
  });

  test("of a long array only the first elements are looked at; the rest is unknown", () => {
    const when: Condition = { op: "in", attribute: "tags", values: ["x"] };
    const tags = (x: number): { tags: string[] } => ({
      tags: Array.from({ length: ARRAY_LENGTH_MAX + 1 }, (_, i) => (i === x ? "x" : "y")),
    });
    expect(verdictOf(when, tags(ARRAY_LENGTH_MAX - 1))).toBe(true);
    expect(verdictOf(when, tags(ARRAY_LENGTH_MAX))).toBeUndefined();
    expect(verdictOf(when, { tags: tags(-1).tags.slice(1) })).toBe(false);
  });
});

describe("evaluate", () => {
  describe("taking attributes away never turns a flag on", () => {
    function without(context: Record<string, unknown>, keep: (name: string) => boolean): Record<string, unknown> {
      const less: Record<string, unknown> = {};
      for (const [name, value] of Object.entries(context)) {
        if (!keep(name)) continue;
        less[name] =
          name === "account" ? Object.fromEntries(Object.entries(value as object).filter(([inner]) => keep(`account.${inner}`))) : value;
      }
      return less;
    }

    function check(
      entries: worlds.WorldEntry[],
      context: Record<string, unknown>,
      now: number | undefined,
      keep: (name: string) => boolean,
    ): number {
      const state = loadEntries(entries, { regex: worlds.regex });
      const less = without(context, keep);
      // The clock can go too.
      const lessNow = keep("the clock") ? now : undefined;
      let turnedOff = 0;
      for (const { kind, key } of entries) {
        if (kind !== "flag") continue;
        const before = isOn(evaluate(state, key, context, at(now)));
        const after = isOn(evaluate(state, key, less, at(lessNow)));
        if (before && !after) turnedOff++;
        expect(!before && after, key).toBe(false);
      }
      return turnedOff;
    }

    test("through groups, requirements and parents", () => {
      let turnedOff = 0;
      fc.assert(
        fc.property(worlds.world(lawful), worlds.context, worlds.now, fc.func(fc.boolean()), (entries, context, now, keep) => {
          turnedOff += check(entries, context, now, keep);
        }),
        { numRuns: 3_000 },
      );
      // The law would also hold for flags that are never on.
      expect(turnedOff).toBeGreaterThan(10);
    });

    test("through rules, denials, percentages and splits", () => {
      let turnedOff = 0;
      fc.assert(
        fc.property(
          worlds.ruledFlag({ exists: false, groups: [] }),
          worlds.context,
          worlds.now,
          fc.func(fc.boolean()),
          (flag, context, now, keep) => {
            turnedOff += check([flag], context, now, keep);
          },
        ),
        { numRuns: 10_000 },
      );
      expect(turnedOff).toBeGreaterThan(100);
    });
  });

  test("the first of many rules that applies decides, as a naive interpreter says", () => {
    const decided = new Set<string>();
    fc.assert(
      fc.property(worlds.listedRules, fc.array(worlds.context, { minLength: 1, maxLength: 5 }), worlds.now, (rules, contexts, now) => {
        const variants = { none: 0, red: 1 };
        const entry = flag("f", { type: "number", variants, off: "none", on: "red", rules });
        const state = loadEntries([entry], { regex: worlds.regex });
        for (const context of contexts) {
          const first = rules.find(({ when, rollout, serve }) => {
            const verdict = rollout?.to === 0 ? false : when ? reference(when, context, now) : true;
            return serve.kind === "variant" && serve.variant === "none" ? verdict !== false : verdict === true;
          });
          const { reason } = evaluate(state, "f", context, at(now));
          expect(reason).toEqual(first ? { kind: "TARGETING_MATCH", ruleId: first.id } : { kind: "DEFAULT" });
          if (first) decided.add(first.id);
        }
      }),
      { numRuns: 500 },
    );
    expect(decided.size).toBeGreaterThan(10);
  });

  test("raising a percentage never takes a flag away, lowering never gives it", () => {
    fc.assert(
      fc.property(fc.nat(BUCKETS), fc.nat(BUCKETS), worlds.context, fc.string(), (a, b, context, salt) => {
        const ask = (to: number): boolean =>
          isOn(evaluate(loadEntries([flag("f", { salt, rules: [{ id: "r", rollout: { to }, serve: serveOn }] })]), "f", context));
        expect(ask(Math.min(a, b)) && !ask(Math.max(a, b))).toBe(false);
      }),
    );
  });

  test("a schedule ends where exact arithmetic says, equals its points at their times, and a unit is inside by that end alone", () => {
    fc.assert(
      fc.property(worlds.schedule, fc.nat(BUCKETS), fc.nat(BUCKETS), worlds.now, worlds.context, (over, from, to, now, context) => {
        const ask = (rollout: Rule["rollout"]): Evaluation =>
          evaluate(loadEntries([flag("f", { rules: [{ id: "r", ...(rollout && { rollout }), serve: serveOn }] })]), "f", context, at(now));
        if (now === undefined) {
          expect(isOn(ask({ from, to, over }))).toBe(false);
          return;
        }
        const end = endOf(over, to, now);
        for (const point of over.points) if (point.at === now) expect(end).toBe(point.to);
        expect(ask({ from, to, over })).toEqual(ask({ from, to: end }));
      }),
      { numRuns: 3_000 },
    );
  });

  test("a schedule that only rises takes the flag from nobody as time goes on, one that only falls gives it to nobody", () => {
    fc.assert(
      fc.property(
        worlds.schedule,
        fc.nat(BUCKETS),
        worlds.context,
        fc.boolean(),
        fc.array(fc.integer({ min: -2, max: 2e12 })),
        (drawn, to, context, up, times) => {
          const ends = [to, ...drawn.points.map((point) => point.to)].sort((a, b) => (up ? a - b : b - a));
          const over = { ...drawn, points: drawn.points.map(({ at }, index) => ({ at, to: ends[index + 1] as number })) };
          const state = loadEntries([flag("f", { rules: [{ id: "r", rollout: { to: ends[0] as number, over }, serve: serveOn }] })]);
          const moments = [...times, ...over.points.flatMap((point) => [point.at - 1, point.at])].sort((a, b) => a - b);
          const answers = moments.map((now) => isOn(evaluate(state, "f", context, at(now))));
          expect(answers).toEqual(answers.toSorted((a, b) => (up ? Number(a) - Number(b) : Number(b) - Number(a))));
        },
      ),
    );
  });

  test("every bucket is reached, and p % are exactly p % of them", () => {
    const reached = new Set<number>();
    for (let i = 0; i < 3_000_000 && reached.size < BUCKETS; i++) reached.add(rolloutBucket("s", `u${i}`));
    expect(reached.size).toBe(BUCKETS);
    expect([...reached].filter((bucket) => bucket < 12_345)).toHaveLength(12_345);
  });

  test("a random percentage is met within a point over ten thousand draws", () => {
    const state = loadEntries([flag("f", { rules: [{ id: "r", rollout: { to: 30_000, random: true }, serve: serveOn }] })]);
    // Draws spread evenly, in an order of no meaning: 7919 is prime to 10,000.
    let draws = 0;
    const random = (): number => ((draws++ * 7_919) % 10_000) / 10_000;
    const on = Array.from({ length: 10_000 }, () => isOn(evaluate(state, "f", { key: "u" }, { random }))).filter(Boolean).length;
    expect(Math.abs(on - 3_000)).toBeLessThanOrEqual(100);
  });

  test("disjoint slices share no unit and leave none out", () => {
    fc.assert(
      fc.property(fc.nat(BUCKETS), fc.string({ minLength: 1 }), (cut, key) => {
        const slice = (from: number, to: number): FlagEntry =>
          flag(`${from}-${to}`, { salt: "s", rules: [{ id: "r", rollout: { from, to }, serve: serveOn }] });
        const state = loadEntries([slice(0, cut), slice(cut, BUCKETS)]);
        if (cut > 0 && cut < BUCKETS)
          expect(isOn(evaluate(state, `0-${cut}`, { key }))).toBe(!isOn(evaluate(state, `${cut}-${BUCKETS}`, { key })));
      }),
    );
  });

  test("never throws for any entries, key and context, and answers in one of two shapes", () => {
    const spoiled = worlds.spoiled(worlds.entry({ exists: true, groups: [...worlds.groupKeysOfWorld, "gone"] }));
    fc.assert(
      fc.property(
        fc.array(spoiled, { maxLength: 6 }),
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true }),
        fc.anything(),
        fc.constantFrom<EvaluateOptions[]>({}, at(0), at(Number.NaN), at(1e300), at("2026-12-01" as never), { clock: throwing }),
        (entries, context, key, options) => {
          const state = loadEntries(entries as FlagEntry[], { regex: worlds.regex });
          for (const asked of [...worlds.flagKeysOfWorld, "old", key as string]) {
            const { served, reason, ...rest } = evaluate(state, asked, context, options);
            expect(typeof reason.kind).toBe("string");
            expect(Object.keys(rest).sort()).toEqual(served ? ["value", "variant"] : []);
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test("one spoiled flag never changes the answer of a flag that does not refer to it", () => {
    fc.assert(
      fc.property(
        worlds.flag("a", plain),
        worlds.context,
        fc.jsonValue(),
        fc.constantFrom("rules", "mode", "requires", "type", "salt"),
        (other, context, junk, field) => {
          const alone = flag("z", { rules: [{ id: "r", when: { op: "in", attribute: "plan", values: ["pro"] }, serve: serveOn }] });
          const beside = loadEntries([{ ...other, [field]: junk } as unknown as FlagEntry, alone]);
          evaluate(beside, "a", context);
          expect(evaluate(beside, "z", context)).toEqual(evaluate(loadEntries([alone]), "z", context));
        },
      ),
    );
  });

  test("answers are frozen, since they are shared", () => {
    const answer = evaluate(loadEntries([flag("f", { mode: "on" })]), "f", {});
    expect(Object.isFrozen(answer) && Object.isFrozen(answer.reason)).toBe(true);
    expect(evaluate(loadEntries([]), "f", {})).toSatisfy(Object.isFrozen);
  });

  test("overrides by key also reach required flags and parents", () => {
    const state = loadEntries([
      flag("a"),
      flag("a:b", { mode: "on" }),
      flag("c", { mode: "on", requires: [{ flag: "a", variants: ["on"] }] }),
    ]);
    expect(isOn(evaluate(state, "a:b", {}))).toBe(false);
    const overrides = new Map([["a", { variant: "on", source: "override" as const }]]);
    expect(evaluate(state, "a:b", {}, { overrides }).reason).toEqual({ kind: "STATIC" });
    expect(isOn(evaluate(state, "c", {}, { overrides }))).toBe(true);
    expect(evaluate(state, "a", {}, { overrides, override: { variant: "off", source: "preview" } })).toMatchObject({
      variant: "off",
      reason: { source: "preview" },
    });
  });

  test("random draws again at each call, and takes a source that is unusable as none", () => {
    const state = loadEntries([flag("f", { rules: [{ id: "r", rollout: { to: 50_000, random: true }, serve: serveOn }] })]);
    let draws = 0;
    const random = (): number => (draws++ % 2 === 0 ? 0.1 : 0.9);
    expect([0, 1, 2, 3].map(() => isOn(evaluate(state, "f", { key: "u" }, { random })))).toEqual([true, false, true, false]);
    for (const bad of [Number.NaN, 1, -0.1, Number.POSITIVE_INFINITY])
      expect(isOn(evaluate(state, "f", {}, { random: () => bad }))).toBe(false);
  });
});

describe("hostile contexts", () => {
  const when: Condition = { op: "in", attribute: "plan", values: ["pro"] };
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const loop: Record<string, unknown> = { plan: ["free"] };
  loop.self = loop;

  test.each<[string, unknown, boolean | undefined]>([
    ["a getter that throws", Object.defineProperty({}, "plan", { get: throwing, enumerable: true }), undefined],
    ["a getter that answers", Object.defineProperty({}, "plan", { get: () => "pro" }), true],
    ["a proxy that throws at everything", new Proxy({}, { get: throwing, has: throwing, getOwnPropertyDescriptor: throwing }), undefined],
    ["a revoked proxy", proxy, undefined],
    ["a revoked proxy as attribute", { plan: proxy }, undefined],
    ["a list whose elements throw", { plan: new Proxy(["free"], { get: throwing }) }, undefined],
    ["a list that claims to be endless", { plan: new Proxy([], { get: (_t, name) => (name === "length" ? 2 ** 53 : "free") }) }, undefined],
    ["an inherited attribute", Object.create({ plan: "pro" }), undefined],
    [
      "an instance of a class with a field",
      new (class {
        plan = "pro";
      })(),
      true,
    ],
    [
      "an instance of a class with a getter",
      new (class {
        get plan() {
          return "pro";
        }
      })(),
      undefined,
    ],
    ["no prototype", Object.assign(Object.create(null), { plan: "pro" }), true],
    ["a BigInt", { plan: 5n }, undefined],
    ["a symbol", { plan: Symbol("pro") }, undefined],
    ["a function", { plan: () => "pro" }, undefined],
    ["a String object", { plan: new String("pro") }, undefined],
    ["a Date", { plan: new Date(0) }, undefined],
    ["a circle", loop, false],
    ["__proto__ from JSON", JSON.parse('{"__proto__": {"plan": "pro"}}'), undefined],
    ["nothing", undefined, undefined],
    ["null", null, undefined],
    ["a text", "pro", undefined],
    ["a function as context", Object.assign(() => {}, { plan: "pro" }), undefined],
  ])("%s", (_name, context, expected) => {
    expect(verdictOf(when, context)).toBe(expected);
    expect(verdictOf({ op: "not", of: when }, context)).toBe(expected === undefined ? undefined : !expected);
  });

  describe("values that pretend to be others are unknown to every operator", () => {
    const operators: Condition[] = [
      { op: "in", attribute: "x", values: ["a", 6, true] },
      { op: "contains", attribute: "x", values: [""] },
      { op: "number", attribute: "x", is: "!=", value: 5 },
      { op: "semver", attribute: "x", is: "!=", value: "0.0.1" },
      { op: "date", attribute: "x", is: "<", value: "9000-01-01", at: Date.parse("9000-01-01") },
      { op: "cidr", attribute: "x", values: ["0.0.0.0/0", "::/0"] },
      { op: "matches", attribute: "x", values: [""], textLengthMax: 100 },
    ];
    test.each<[string, unknown]>([
      ["an object that says it is a Date", { [Symbol.toStringTag]: "Date", getTime: () => 5, valueOf: () => 5 }],
      ["an object that throws when asked what it is", Object.defineProperty({}, Symbol.toStringTag, { get: throwing })],
      ["an object that becomes a text", { toString: () => "1.0.0" }],
      ["an object that becomes a number", { [Symbol.toPrimitive]: () => 6, valueOf: () => 6 }],
      ["an invalid Date", new Date(Number.NaN)],
      ["what inherits from a Date", Object.create(new Date(5))],
      ["a Date behind a proxy", new Proxy(new Date(5), {})],
      ["a number in an object", Object(6)],
      ["a text in an object", Object("a")],
      ["a BigInt", 10n],
      ["a symbol", Symbol("a")],
      ["a function", () => "a"],
      ["not a number", Number.NaN],
      ["something like an array", { length: 1, 0: "a" }],
      ["bytes", new Uint8Array([6])],
      ["a set", new Set(["a"])],
      ["a regular expression", /a/],
      ["an array that holds itself", Array.from({ length: 1 }, (_, __, self: unknown[] = []) => self.push(self) && self)],
      ["an array without elements, but with a length", new Array(5)],
      ["an array whose elements throw", Object.defineProperty([0], 0, { get: throwing })],
    ])("%s", (_name, x) => {
      for (const operator of operators) expect(verdictOf(operator, { x }), operator.op).toBeUndefined();
    });

    test("a Date of a class that lies about its time is taken at its own time", () => {
      const lying = Object.assign(new Date(5), { getTime: throwing, valueOf: throwing, toString: throwing });
      expect(verdictOf({ op: "date", attribute: "x", is: "<", value: "1970-01-02", at: 86_400_000 }, { x: lying })).toBe(true);
    });
  });

  test("a unit whose getter throws is no usable unit", () => {
    const state = loadEntries([flag("f", { rules: [{ id: "r", rollout: { to: 99_999 }, serve: serveOn }] })]);
    expect(evaluate(state, "f", Object.defineProperty({}, "key", { get: throwing })).reason).toEqual({ kind: "DEFAULT" });
  });

  test("a source of random numbers that throws cannot break the caller", () => {
    const state = loadEntries([flag("f", { rules: [{ id: "r", rollout: { to: 5, random: true }, serve: serveOn }] })]);
    expect(isOn(evaluate(state, "f", {}, { random: throwing }))).toBe(false);
  });

  test("a clock that gives anything but whole milliseconds, or throws, leaves the time unknown, to conditions and schedules alike", () => {
    const until: Condition = { op: "date", is: "<", value: "9000-01-01", at: Date.parse("9000-01-01") };
    const over: Schedule = { kind: "steps", points: [{ at: -8.64e15, to: BUCKETS }] };
    const state = loadEntries([
      flag("date", { rules: [{ id: "r", when: until, serve: serveOn }] }),
      flag("schedule", { rules: [{ id: "r", rollout: { to: 0, over }, serve: serveOn }] }),
    ]);
    const ask = (clock: unknown): boolean[] =>
      ["date", "schedule"].map((key) => isOn(evaluate(state, key, {}, { clock } as EvaluateOptions)));
    expect(ask(() => 0)).toEqual([true, true]);
    const given = ["2026-12-01", new Date(0), 5n, null, undefined, [0], Number.NaN, 0.5, 1e300, Number.NEGATIVE_INFINITY];
    for (const clock of [...given.map((now) => () => now), throwing, 5, null, undefined]) expect(ask(clock)).toEqual([false, false]);
  });

  test("a getter that asks for the same flag again ends, and the next evaluation is not affected", () => {
    const state = loadEntries([flag("f", { rules: [1, 2, 3].map((id) => ({ id: `r${id}`, when, serve: serveOn })) })]);
    let asked = 0;
    const context = Object.defineProperty({}, "plan", {
      get() {
        asked++;
        return isOn(evaluate(state, "f", context)) ? "pro" : "free";
      },
    });
    expect(isOn(evaluate(state, "f", context))).toBe(false);
    expect(asked).toBeGreaterThan(1);
    expect(asked).toBeLessThanOrEqual(3 * STEPS_MAX);
    expect(isOn(evaluate(state, "f", { plan: "pro" }))).toBe(true);
  });
});

describe("bounds", () => {
  function chain(length: number): FlagEntry[] {
    return Array.from({ length: length + 1 }, (_, i) =>
      flag(`f${i}`, { mode: "on", ...(i > 0 && { requires: [{ flag: `f${i - 1}`, variants: ["on"] }] }) }),
    );
  }

  test("a chain of requirements is followed to its bound and not met beyond it", () => {
    const state = loadEntries(chain(REQUIREMENT_DEPTH_MAX + 1));
    expect(isOn(evaluate(state, `f${REQUIREMENT_DEPTH_MAX}`, {}))).toBe(true);
    expect(isOn(evaluate(state, `f${REQUIREMENT_DEPTH_MAX + 1}`, {}))).toBe(false);
  });

  test("requirements that fan out are cut off instead of being walked for years, and the next evaluation has its own allowance", () => {
    // Each level requires the next one ten times: 10^20 paths.
    const levels = 20;
    const wide = Array.from({ length: levels + 1 }, (_, i) =>
      flag(`f${i}`, {
        mode: "on",
        ...(i > 0 && { requires: Array.from({ length: 10 }, () => ({ flag: `f${i - 1}`, variants: ["on"] })) }),
      }),
    );
    const state = loadEntries(wide);
    expect(evaluate(state, `f${levels}`, {}).reason.kind).toBe("PREREQUISITE_FAILED");
    expect(isOn(evaluate(state, "f3", {}))).toBe(true);
  });

  describe("what a large context costs", () => {
    const of = (op: string, more: object): Condition => ({ op, attribute: "x", ...more }) as Condition;
    const texts = (count: number, length: number): string[] => Array.from({ length: count }, (_, i) => String(i).padStart(length, "v"));
    const dates = { is: ">", value: "2026-12-01", at: Date.parse("2026-12-01") };

    // Each of these would take from 5 ms to minutes; where it is known all the same, the answer would be false.
    test.each<[string, Condition, unknown]>([
      ["a text of 10 MB, ten values", of("contains", { values: texts(10, 10) }), "v".repeat(10_000_000)],
      ["a text of 10 MB in any case", of("in", { values: ["z"], ignoreCase: true }), "v".repeat(10_000_000)],
      ["a thousand characters, ten thousand values", of("contains", { values: texts(10_000, 10) }), "v".repeat(1_000)],
      ["long beginnings, ten thousand values", of("startsWith", { values: texts(10_000, 1_000) }), "v".repeat(1_000)],
      ["ten thousand texts, a hundred values", of("contains", { values: texts(100, 10).map((one) => `z${one}`) }), texts(10_000, 99)],
      [
        "ten thousand versions",
        of("semver", { is: ">", value: "9.0.0" }),
        texts(10_000, 9).map((one) => `1.0.0-${"a.".repeat(100)}${one}`),
      ],
      ["ten thousand dates", of("date", dates), Array(10_000).fill("2020-01-01T00:00:00.000000+01:00")],
      [
        "ten thousand addresses, a thousand ranges",
        of("cidr", { values: texts(1_000, 1).map((i) => `10.0.${i.length}.0/24`) }),
        Array(10_000).fill("10.200.0.1"),
      ],
      ["ten thousand searches", of("matches", { values: ["[ab]*a[ab]{15}c"], textLengthMax: 900 }), Array(10_000).fill("ab".repeat(450))],
      ["ten thousand units", { op: "group", group: "list" }, texts(10_000, 40)],
      ["a unit of 1 MB", { op: "group", group: "list" }, "v".repeat(1_000_000)],
    ])("%s: unknown", (_name, when, x) => {
      const group: GroupEntry = { kind: "group", key: "list", fp: ZERO64, list: { hashKey: "00".repeat(16), by: "x", members: [] } };
      const ask = (serve: Rule["serve"], rest: Rule[]): boolean =>
        isOn(
          evaluate(loadEntries([group, flag("f", { rules: [{ id: "r", when, serve }, ...rest] })], { regex: worlds.regex }), "f", { x }),
        );
      expect(ask(serveOn, [])).toBe(false);
      expect(ask(serveOff, [{ id: "rest", serve: serveOn }])).toBe(false);
    });

    test("a unit of 1 MB is none", () => {
      const rollout = { to: BUCKETS - 1 };
      const split: Rule["serve"] = {
        kind: "split",
        weights: [
          { variant: "on", weight: 99_999 },
          { variant: "off", weight: 1 },
        ],
      };
      const state = loadEntries([
        flag("rollout", { rules: [{ id: "r", rollout, serve: serveOn }] }),
        flag("by", { rules: [{ id: "r", rollout: { ...rollout, by: "account.key" }, serve: serveOn }] }),
        flag("split", { rules: [{ id: "r", serve: split }] }),
      ]);
      for (const [length, on] of [
        [10_000, true],
        [1_000_000, false],
      ] as const) {
        const key = "v".repeat(length);
        for (const name of ["rollout", "by", "split"]) expect(isOn(evaluate(state, name, { key, account: { key } })), name).toBe(on);
      }
    });

    test("the searches of one evaluation are few, over all rules and elements, and the next evaluation has its own", () => {
      let searched = 0;
      const regex = () => (text: string) => {
        searched += text.length;
        return false;
      };
      const when = of("matches", { values: ["a"], textLengthMax: 100 });
      const rules = Array.from({ length: 20 }, (_, i): Rule => ({ id: `r${i}`, when, serve: serveOn }));
      const state = loadEntries([flag("f", { rules })], { regex });
      for (const x of ["v".repeat(100), Array(1_000).fill("v".repeat(100))]) {
        searched = 0;
        evaluate(state, "f", { x });
        expect(searched).toBeGreaterThanOrEqual(300);
        expect(searched).toBeLessThanOrEqual(SEARCHES_MAX * 101);
      }
    });

    test("what is too long takes nothing from what is not, and common things never run out", () => {
      const long = of("contains", { values: texts(10, 10) });
      const short: Condition = { op: "semver", attribute: "app", is: ">=", value: "2.0.0" };
      const of50 = Array.from({ length: 50 }, (_, i): Rule => ({ id: `r${i}`, when: long, serve: serveOn }));
      const state = loadEntries([flag("f", { rules: [...of50, { id: "last", when: short, serve: serveOn }] })]);
      expect(evaluate(state, "f", { x: "v".repeat(10_000_000), app: "2.1.0" }).reason).toEqual({ kind: "TARGETING_MATCH", ruleId: "last" });
      const conditions: Condition[] = [
        of("contains", { values: texts(100, 10) }),
        of("in", { values: texts(100, 10), ignoreCase: true }),
        of("endsWith", { values: ["@shop.example"] }),
        of("matches", { values: ["^x[a-z]+@shop"], textLengthMax: 1_000 }),
      ];
      // Two hundred rules over an ordinary text; the last one is for everyone who is known not to be in them.
      const denials = Array.from(
        { length: 200 },
        (_, i): Rule => ({ id: `d${i}`, when: conditions[i % conditions.length] as Condition, serve: serveOff }),
      );
      const common = loadEntries([flag("f", { rules: [...denials, { id: "rest", serve: serveOn }] })], { regex: worlds.regex });
      expect(isOn(evaluate(common, "f", { x: "ada.lovelace@example.org" }))).toBe(true);
    });
  });

  test("groups that fan out are cut off", () => {
    const groups = Array.from({ length: 8 }, (_, i) => ({
      kind: "group" as const,
      key: `g${i}`,
      fp: ZERO64,
      when: (i === 0
        ? { op: "all", of: [] }
        : { op: "all", of: Array.from({ length: 100 }, () => ({ op: "group", group: `g${i - 1}` })) }) as Condition,
    }));
    const state = loadEntries([
      ...groups,
      flag("f", { rules: [{ id: "r", when: { op: "group", group: "g7" }, serve: serveOn }] }),
      flag("small", { rules: [{ id: "r", when: { op: "group", group: "g1" }, serve: serveOn }] }),
    ]);
    expect(isOn(evaluate(state, "f", {}))).toBe(false);
    expect(isOn(evaluate(state, "small", {}))).toBe(true);
  });
});

test("unreadableBecause says why a flag cannot be read, and nothing of one that can", () => {
  const rules = (when: unknown): Partial<FlagEntry> => ({ rules: [{ id: "r", when: when as Condition, serve: serveOn }] });
  const state = loadEntries([flag("newer", rules({ op: "sounds-like" })), flag("odd", { mode: "sideways" as "on" }), flag("good")]);
  expect(["newer", "odd", "good", "gone"].map((key) => unreadableBecause(state, key))).toEqual([
    'unknown operator "sounds-like"',
    "unknown mode",
    undefined,
    undefined,
  ]);
});

test("typeMatches is row 13", () => {
  expect(typeMatches(true, "boolean") && typeMatches("", "string") && typeMatches(0, "number") && typeMatches(null, "json")).toBe(true);
  expect(typeMatches("true", "boolean") || typeMatches(1, "string") || typeMatches("1", "number") || typeMatches(null, "string")).toBe(
    false,
  );
});

test("a usable unit always has an answer", () => {
  const state = loadEntries([
    flag("f", {
      rules: [
        { id: "in", rollout: { to: 50_000 }, serve: serveOn },
        { id: "out", rollout: { from: 50_000, to: BUCKETS }, serve: serveOff },
      ],
    }),
  ]);
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.integer(), fc.double()), (key) => {
      // Without a unit the first rule does not apply, and the denial does.
      const expected = unitOf(key) === undefined ? ["out"] : ["in", "out"];
      expect(expected).toContain((evaluate(state, "f", { key }).reason as { ruleId?: string }).ruleId);
    }),
  );
});
