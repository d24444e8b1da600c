import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as worlds from "../test/arbitraries.ts";
import {
  type Call,
  type ConditionTrace,
  type Entry,
  effect,
  evaluate,
  explain,
  type FlagEntry,
  loadEntries,
  type Rule,
  sampleContexts,
  type Trace,
  ZERO64,
} from "./index.ts";

const on: Rule["serve"] = { kind: "variant", variant: "on" };
const off: Rule["serve"] = { kind: "variant", variant: "off" };

function flag(rules: readonly Rule[], fields: Partial<FlagEntry> = {}): FlagEntry {
  return { kind: "flag", key: "f", fp: ZERO64, type: "boolean", off: "off", on: "on", mode: "targeted", salt: "f", rules, ...fields };
}

function sentence(entries: readonly Entry[], context: unknown, call: Call = {}): string {
  return explain(loadEntries(entries), "f", context, call).sentence;
}

describe("explain", () => {
  test.each<[string, FlagEntry, unknown, string]>([
    ["a flag that is on", flag([], { mode: "on" }), {}, "on: the flag is on for everyone."],
    ["a killed flag", flag([], { mode: "on", killed: true }), {}, "off: the flag is killed."],
    ["an archived flag", flag([], { mode: "on", archived: true }), {}, "off: the flag is archived."],
    ["a flag without rules", flag([]), {}, "off: there are no rules."],
    [
      "a rule that applies",
      flag([{ id: "r1", name: "Staff", when: { op: "in", attribute: "plan", values: ["pro"] }, serve: on }]),
      { plan: "pro" },
      'on: rule "Staff" applies, because plan is pro.',
    ],
    [
      "a percentage without a key",
      flag([{ id: "r1", rollout: { to: 10_000 }, serve: on }]),
      { plan: "pro" },
      "off: no rule applies; no key in the context: percentage rules cannot apply.",
    ],
    [
      "a percentage that leaves somebody out",
      flag([{ id: "r1", rollout: { to: 1 }, serve: on }]),
      { key: "u1" },
      'off: no rule applies; key "u1" falls on 14.274 %, outside the first 0.001 %.',
    ],
    [
      "a missing attribute",
      flag([{ id: "r1", when: { op: "in", attribute: "plan", values: ["pro"] }, serve: on }]),
      {},
      "off: no rule applies; plan is not in the context.",
    ],
    [
      "a denial where it is not known",
      flag([{ id: "r1", name: "Not yet", when: { op: "in", attribute: "country", values: ["de"] }, serve: off }]),
      {},
      'off: rule "Not yet" applies, because it is not known whether country is de, and a denial applies then.',
    ],
    [
      "an unreadable flag",
      flag([{ id: "r1", when: { op: "sounds-like" } as never, serve: on }]),
      {},
      'off: the flag cannot be read: unknown operator "sounds-like".',
    ],
  ])("says why: %s", (_name, entry, context, expected) => {
    expect(sentence([entry], context)).toBe(expected);
  });

  test("names the required flag and what it serves", () => {
    const pay = { ...flag([], { mode: "off" }), key: "pay" };
    expect(sentence([pay, flag([], { mode: "on", requires: [{ flag: "pay", variants: ["on"] }] })], {})).toBe(
      'off: it requires "pay" to serve on, which serves off.',
    );
  });

  test("names the parent that is off, and the one that is followed", () => {
    const parent = { ...flag([], { mode: "off" }), key: "p" };
    expect(sentence([parent, flag([], { mode: "on", parent: "p" })], {})).toBe('off: its parent "p" is off here (serves off).');
    expect(sentence([{ ...parent, mode: "on" }, flag([], { mode: "inherit", parent: "p" })], {})).toBe(
      'on: it follows its parent, "p", which serves on.',
    );
  });

  test("says that there is no such flag, and that nothing has arrived", () => {
    expect(sentence([], {})).toBe('the caller\'s default: there is no flag "f".');
  });

  test("shows what the context holds, shortened, and the bucket with its threshold", () => {
    const when = {
      op: "all",
      of: [
        { op: "in", attribute: "tags", values: ["a"] },
        { op: "exists", attribute: "gone" },
      ],
    } as const;
    const { rules } = explain(loadEntries([flag([{ id: "r1", when, rollout: { to: 90_000 }, serve: on }])]), "f", {
      key: "u1",
      tags: Array.from({ length: 50 }, () => "x".repeat(300)),
    });
    const [rule] = rules;
    expect(rule?.when?.of?.map(({ verdict }) => verdict)).toEqual(["false", "false"]);
    expect(JSON.stringify(rule?.when).length).toBeLessThan(10_000);
    expect(rule?.rollout).toEqual({
      verdict: "true",
      by: "key",
      salt: "f",
      unit: "u1",
      bucket: 14_274,
      from: 0,
      to: 90_000,
      random: false,
    });
  });

  test("agrees with evaluation: the rule, and each verdict with its parts", () => {
    const entries = fc.tuple(
      worlds.flag("a", { exists: true, groups: worlds.groupKeysOfWorld }),
      worlds.flag("b", { exists: true, groups: worlds.groupKeysOfWorld }),
      worlds.flag("a:x", { exists: true, groups: worlds.groupKeysOfWorld }),
    );
    fc.assert(
      fc.property(entries, worlds.context, fc.constantFrom("a", "b", "a:x"), (given, context, key) => {
        const state = loadEntries(given);
        const trace = explain(state, key, context, { clock: () => 0 });
        const answer = evaluate(state, key, context, { clock: () => 0 });
        expect(trace.evaluation).toEqual(answer);
        const deciding = trace.rules.find(({ reached, applies }) => reached && applies);
        const { reason } = answer;
        expect(deciding?.id).toBe(reason.kind === "TARGETING_MATCH" || reason.kind === "SPLIT" ? reason.ruleId : undefined);
        for (const { when } of trace.rules) if (when) fits(when);
        expect(trace.sentence).toMatch(/\.$/);
      }),
      { numRuns: 2_000 },
    );
  });

  test("tells a bounded number of parts, however groups multiply", () => {
    const group = (key: string, inner: readonly string[]): Entry => ({
      kind: "group",
      key,
      fp: ZERO64,
      when: inner.length > 0 ? { op: "any", of: inner.map((group) => ({ op: "group", group })) } : { op: "exists", attribute: "plan" },
    });
    const groups = Array.from({ length: 8 }, (_, level) => group(`g${level}`, level < 7 ? Array(8).fill(`g${level + 1}`) : []));
    const state = loadEntries([...groups, flag([{ id: "r1", when: { op: "group", group: "g0" }, serve: on }])]);
    const trace = explain(state, "f", {});
    expect(JSON.stringify(trace).length).toBeLessThan(50_000);
    const many: ConditionTrace[] = [];
    const wide = {
      op: "any",
      of: Array.from({ length: 5_000 }, (_, i) => ({ op: "not", of: { op: "exists", attribute: `a${i}` } })),
    } as never;
    const collect = (one: ConditionTrace): void => {
      many.push(one);
      one.of?.forEach(collect);
    };
    for (const { when } of explain(loadEntries([flag([{ id: "r1", when: wide, serve: on }])]), "f", {}).rules) if (when) collect(when);
    expect(many.length).toBeLessThan(7_100);
  });

  test("a time that is none is no time, as evaluation takes it", () => {
    const over = { kind: "steps", points: [{ at: 0, to: 100_000 }] } as const;
    for (const now of [Number.NaN, 2000.5, 1e20]) {
      const { evaluation, rules } = explain(
        loadEntries([flag([{ id: "r1", rollout: { to: 0, over }, serve: on }])]),
        "f",
        {},
        { clock: () => now },
      );
      expect([evaluation.reason.kind, rules[0]?.rollout?.verdict]).toEqual(["DEFAULT", "unknown"]);
    }
  });

  test("a requirement that names the off variant of its flag is not met", () => {
    const needed = { ...flag([], { mode: "off" }), key: "needed" };
    const { needs, sentence } = explain(
      loadEntries([needed, flag([], { mode: "on", requires: [{ flag: "needed", variants: ["off"] }] })]),
      "f",
      {},
    );
    expect([needs[0]?.met, sentence]).toEqual([false, 'off: it requires "needed" to serve off, which serves off.']);
  });

  test("never throws, whatever the context is", () => {
    const hostile = new Proxy({}, { get: () => fail(), has: () => fail(), ownKeys: () => fail(), getOwnPropertyDescriptor: () => fail() });
    const state = loadEntries([flag([{ id: "r1", when: { op: "in", attribute: "plan", values: ["x"] }, rollout: { to: 5 }, serve: on }])]);
    const traces: Trace[] = [hostile, null, 7, "text", [], { plan: hostile, key: hostile }].map((context) => explain(state, "f", context));
    expect(traces.map(({ evaluation }) => evaluation.served && evaluation.variant)).toEqual(Array(6).fill("off"));
  });
});

function fail(): never {
  throw new Error("hostile");
}

/** All is the least of its parts, any the greatest, where false < unknown < true. */
function fits({ words, verdict, of }: ConditionTrace): void {
  if (!of) return;
  for (const part of of) fits(part);
  const verdicts = of.map((part) => part.verdict);
  if (words.startsWith("in ") || words === "always" || words === "never") return;
  if (verdicts.length > 1 && new Set(verdicts).size === 1) expect(verdict).toBe(verdicts[0]);
}

describe("effect", () => {
  const versions = (from: number, to: number) => {
    const with_ = (end: number) => loadEntries([flag([{ id: "r1", rollout: { to: end }, serve: on }])]);
    return [with_(from), with_(to)] as const;
  };

  test("who gains is who was out and is in, and raising a percentage takes it from nobody", () => {
    const contexts = sampleContexts([flag([])], 10_000);
    const outcome = effect(...versions(10_000, 25_000), "f", contexts);
    const count = (difference: string) => outcome.filter((one) => one.difference === difference).length;
    expect(count("loses")).toBe(0);
    expect(count("gains") + count("keeps") + count("staysOut")).toBe(10_000);
    expect(count("gains")).toBe(
      outcome.filter(({ before, after }) => before.served && !before.value && after.served && after.value).length,
    );
    expect(count("gains")).toBeGreaterThan(1_350);
    expect(count("gains")).toBeLessThan(1_650);
  });

  test("tells a change of variant from gaining", () => {
    const colors = (variant: string) =>
      loadEntries([
        {
          ...flag([{ id: "r1", serve: { kind: "variant", variant } }]),
          type: "string",
          variants: { no: "", red: "r", blue: "b" },
          off: "no",
          on: "red",
        },
      ]);
    const of = (before: string, after: string) => effect(colors(before), colors(after), "f", [{ key: "u" }])[0]?.difference;
    expect([of("red", "blue"), of("red", "red"), of("no", "red"), of("red", "no"), of("no", "no")]).toEqual([
      "changes",
      "keeps",
      "gains",
      "loses",
      "staysOut",
    ]);
  });

  test("a random percentage is drawn once for both versions", () => {
    const random = (to: number) => loadEntries([flag([{ id: "r1", rollout: { to, random: true }, serve: on }])]);
    const outcome = effect(random(30_000), random(30_000), "f", sampleContexts([], 1_000), { random: Math.random });
    expect(outcome.every(({ difference }) => difference === "keeps" || difference === "staysOut")).toBe(true);
  });

  test("made-up contexts have a unit for every attribute that is hashed", () => {
    const byAccount = flag([{ id: "r1", rollout: { to: 5, by: "account.key" }, serve: on }]);
    expect(sampleContexts([byAccount], 2)).toEqual([
      { key: "sample-1", "account.key": "sample-1" },
      { key: "sample-2", "account.key": "sample-2" },
    ]);
  });
});
