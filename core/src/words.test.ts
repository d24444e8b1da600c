import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import * as worlds from "../test/arbitraries.ts";
import {
  type Condition,
  conditionSentence,
  evaluate,
  type FlagBody,
  type FlagEntry,
  loadEntries,
  type Rule,
  type SchedulePoint,
  sentenceOf,
  stateOf,
} from "./index.ts";

// Properties take seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

function flag(fields: Partial<FlagBody>, key = "f"): FlagBody {
  return { kind: "flag", key, type: "boolean", off: "off", on: "on", mode: "targeted", salt: key, ...fields };
}

const color = { type: "string", variants: { none: "", red: "#f00", blue: "#00f" }, off: "none", on: "red" } as const;
const is = (attribute: string, ...values: string[]): Condition => ({ op: "in", attribute, values });
const of = (group: string): Condition => ({ op: "group", group });

let ids = 0;
function rule(when: Condition | undefined, to: number | undefined, serve: string | Rule["serve"] = "on", more: object = {}): Rule {
  return {
    id: `r${ids++}`,
    ...(when && { when }),
    ...(to !== undefined && { rollout: { to, ...more } }),
    serve: typeof serve === "string" ? { kind: "variant", variant: serve } : serve,
  };
}

function point(at: string, to: number): SchedulePoint {
  return { at: Date.parse(at), to };
}

const ways: Rule["serve"] = {
  kind: "split",
  weights: [
    { variant: "red", weight: 50_000 },
    { variant: "blue", weight: 50_000 },
  ],
};
const half: Rule["serve"] = {
  kind: "split",
  weights: [
    { variant: "on", weight: 50_000 },
    { variant: "off", weight: 50_000 },
  ],
};
const names = { group: (key: string): string => ({ staff: "staff", early: "early adopters" })[key] ?? key };

describe("one state word and one sentence", () => {
  test.each<[string, string, FlagBody]>([
    [
      "SOME 100 %",
      '50 % "red" and 50 % "blue" for everyone; "none" for the rest.',
      flag({ ...color, rules: [rule(undefined, undefined, ways)] }),
    ],
    ["SOME 50 %", "50 % on and 50 % off for everyone.", flag({ rules: [rule(undefined, undefined, half), rule(undefined, undefined)] })],
    ["OFF", "Off for everyone.", flag({ mode: "off", rules: [rule(undefined, undefined)] })],
    ["ON", "On for everyone.", flag({ mode: "on", rules: [rule(undefined, undefined, "off")] })],
    ["OFF", "Archived: off for everyone.", flag({ mode: "on", archived: true })],
    ["KILLED", "Killed: off for everyone. When restored: on for everyone.", flag({ mode: "on", killed: true })],
    [
      "KILLED",
      "Killed: off for everyone. When restored: on for staff; off for the rest.",
      flag({ killed: true, rules: [rule(of("staff"), undefined)] }),
    ],
    ["OFF", "Off for everyone: there are no rules.", flag({})],
    ["OFF", "Off for everyone: no rule turns it on.", flag({ rules: [rule(of("staff"), undefined, "off"), rule(undefined, 0)] })],
    ["SOME", "On for staff; off for the rest.", flag({ rules: [rule(of("staff"), undefined)] })],
    [
      "SOME 10 %",
      "On for staff, for early adopters, and for 10 % of everyone else; off for the rest.",
      flag({ rules: [rule(of("staff"), undefined), rule(of("early"), undefined), rule(undefined, 10_000)] }),
    ],
    ["SOME 12 %", "On for 12 % of everyone; off for the rest.", flag({ rules: [rule(undefined, 12_000)] })],
    ["SOME 0.001 %", "On for 0.001 % of everyone; off for the rest.", flag({ rules: [rule(undefined, 1)] })],
    ["SOME 100 %", "On for everyone.", flag({ rules: [rule(undefined, 100_000)] })],
    [
      "SOME 100 %",
      "Off for staff (or where that is not known); otherwise on for everyone else.",
      flag({ rules: [rule(of("staff"), undefined, "off"), rule(undefined, undefined), rule(undefined, 5)] }),
    ],
    [
      "SOME 25 %",
      "On for 10 % of staff and for 25 % of everyone; off for the rest.",
      flag({ rules: [rule(of("staff"), 10_000), rule(undefined, 25_000)] }),
    ],
    [
      "SOME",
      "On for staff; otherwise off for early adopters (or where that is not known); otherwise on for those where plan is pro; off for the rest.",
      flag({ rules: [rule(of("staff"), undefined), rule(of("early"), undefined, "off"), rule(is("plan", "pro"), undefined)] }),
    ],
    [
      "SOME 20 %",
      "On for 20 % (from 10 % to 30 %) of everyone; off for the rest.",
      flag({ rules: [rule(undefined, 30_000, "on", { from: 10_000 })] }),
    ],
    [
      "SOME 50 %",
      "On for 50 % (by account.key) of everyone; off for the rest.",
      flag({ rules: [rule(undefined, 50_000, "on", { by: "account.key" })] }),
    ],
    [
      "SOME 5 %",
      "On for a random 5 % of the checks of everyone; off for the rest.",
      flag({ rules: [rule(undefined, 5_000, "on", { random: true })] }),
    ],
    [
      "SOME 25 %",
      "50 % on and 50 % off for 50 % of everyone (off also where that is not known); off for the rest.",
      flag({ rules: [rule(undefined, 50_000, half)] }),
    ],
    [
      "SOME 5 %",
      '"red" for staff; otherwise "blue" for 5 % of everyone else; "none" for the rest.',
      flag({ ...color, rules: [rule(of("staff"), undefined, "red"), rule(undefined, 5_000, "blue")] }),
    ],
    ["ON", '"red" for everyone.', flag({ ...color, mode: "on" })],
    [
      "ON",
      "On for everyone. Only where checkout is on and color is red or blue.",
      flag({
        mode: "on",
        requires: [
          { flag: "checkout", variants: ["on"] },
          { flag: "color", variants: ["red", "blue"] },
        ],
      }),
    ],
    ["ON", "On for everyone. If there is a flag checkout, only where that is on.", flag({ mode: "on" }, "checkout:applepay")],
    ["ON", "On for everyone.", flag({ mode: "on", detached: true }, "checkout:applepay")],
    ["OFF", "Off for everyone.", flag({ mode: "off", requires: [{ flag: "checkout", variants: ["on"] }] })],
    ["INHERITS", "As its parent checkout: on where checkout is on, off elsewhere.", flag({ mode: "inherit" }, "checkout:applepay")],
    ["INHERITS", "Off for everyone: it follows its parent, but has none.", flag({ mode: "inherit" })],
  ])("%s: %s", (text, sentence, body) => {
    expect(stateOf(body).text).toBe(text);
    expect(sentenceOf(body, names)).toBe(sentence);
  });

  test.each<[string, string, string, FlagBody]>([
    [
      "SOME 1 %",
      "SOME 100 %",
      "On for 1 % (10 % from 2026-12-01 09:00 UTC, 100 % from 2026-12-08 09:00 UTC) of everyone; off for the rest.",
      flag({
        rules: [
          rule(undefined, 1_000, "on", {
            over: { kind: "steps", points: [point("2026-12-01T09:00Z", 10_000), point("2026-12-08T09:00Z", 100_000)] },
          }),
        ],
      }),
    ],
    [
      "OFF",
      "SOME 50 %",
      "On for 0 % (0 % from 2026-12-01 09:00 UTC, in a straight line to 50 % at 2026-12-08 09:00 UTC) of everyone; off for the rest.",
      flag({
        rules: [
          rule(undefined, 0, "on", { over: { kind: "line", points: [point("2026-12-01T09:00Z", 0), point("2026-12-08T09:00Z", 50_000)] } }),
        ],
      }),
    ],
    [
      "SOME",
      "SOME",
      "On for 0 % (50 % from 2026-12-01 09:00 UTC) (by account.key) of staff; off for the rest.",
      flag({
        rules: [rule(of("staff"), 0, "on", { by: "account.key", over: { kind: "steps", points: [point("2026-12-01T09:00Z", 50_000)] } })],
      }),
    ],
  ])("a schedule: %s before it, %s after: %s", (before, after, sentence, body) => {
    expect(stateOf(body, Date.parse("2026-12-01T08:59Z")).text).toBe(before);
    expect(stateOf(body, Date.parse("2027-01-01")).text).toBe(after);
    expect(stateOf(body).text).toBe(after);
    expect(sentenceOf(body, names)).toBe(sentence);
  });

  test("stateOf gives the percentage of everyone else as a number, null where there is none", () => {
    expect(stateOf(flag({ rules: [rule(undefined, 12_345)] }))).toEqual({ word: "SOME", percentage: 12.345, text: "SOME 12.345 %" });
    expect(stateOf(flag({ mode: "on" }))).toEqual({ word: "ON", percentage: null, text: "ON" });
    expect(stateOf(flag({ rules: [rule(of("staff"), 10_000)] }))).toEqual({ word: "SOME", percentage: null, text: "SOME" });
  });

  test("what is said of everyone is true of everyone", () => {
    let said = 0;
    fc.assert(
      fc.property(
        worlds.flag("f", { exists: true, groups: [] }),
        worlds.context,
        fc.constantFrom(...worlds.MOMENTS),
        (entry, context, now) => {
          const alone = { ...entry, requires: [] } as FlagEntry;
          const answer = evaluate(loadEntries([alone], { regex: worlds.regex }), "f", context, { clock: () => now });
          const variant = answer.served ? answer.variant : undefined;
          const { word, percentage } = stateOf(alone, now);
          if (word === "OFF" || word === "KILLED") expect(variant).toBe(alone.off);
          if (word === "ON") expect(variant).toBe(alone.on);
          const words = /^(?:"(\w+)"|(\w+)) for everyone[.:]/.exec(sentenceOf(alone));
          if (words) {
            said++;
            expect(variant).toBe(words[1] ?? words[2]?.toLowerCase());
          }
          // A split leaves over those without a unit.
          if (percentage === 100 && alone.rules?.length === 1 && alone.rules[0]?.serve.kind === "variant")
            expect(variant).not.toBe(alone.off);
        },
      ),
      { numRuns: 2_000 },
    );
    expect(said).toBeGreaterThan(100);
  });
});

test.each<[string, Condition]>([
  ["plan is pro", is("plan", "pro")],
  ["plan is pro or team", is("plan", "pro", "team")],
  ["plan is a, b, c, d, e, or 2 more", is("plan", "a", "b", "c", "d", "e", "f", "g")],
  ["email ends with @x.example (in any case)", { op: "endsWith", attribute: "email", values: ["@x.example"], ignoreCase: true }],
  ["email contains a or b", { op: "contains", attribute: "email", values: ["a", "b"] }],
  ["seats is at least 5", { op: "number", attribute: "seats", is: ">=", value: 5 }],
  ["plan is known", { op: "exists", attribute: "plan" }],
  ["plan is not known", { op: "not", of: { op: "exists", attribute: "plan" } }],
  ["in early adopters", of("early")],
  ["not in early adopters", { op: "not", of: of("early") }],
  ["plan is not pro", { op: "not", of: is("plan", "pro") }],
  ["plan is none of pro or team", { op: "not", of: is("plan", "pro", "team") }],
  ["not (seats is below 5)", { op: "not", of: { op: "number", attribute: "seats", is: "<", value: 5 } }],
  [
    "plan is pro and (seats is above 5 or in staff)",
    { op: "all", of: [is("plan", "pro"), { op: "any", of: [{ op: "number", attribute: "seats", is: ">", value: 5 }, of("staff")] }] },
  ],
  ["email matches /@shop/ or /^qa-/", { op: "matches", attribute: "email", values: ["@shop", "^qa-"], textLengthMax: 9 }],
  ["email matches /a/ (in any case)", { op: "matches", attribute: "email", values: ["a"], ignoreCase: true, textLengthMax: 9 }],
  ["app is at least version 2.0.0-rc.1", { op: "semver", attribute: "app", is: ">=", value: "2.0.0-rc.1" }],
  ["not (app is version 2)", { op: "not", of: { op: "semver", attribute: "app", is: "=", value: "2" } }],
  ["born is before 2026-12-01 (UTC)", { op: "date", attribute: "born", is: "<", value: "2026-12-01", at: 0 }],
  [
    "the time is at or after 2026-12-01T09:30 (Europe/Zurich)",
    { op: "date", is: ">=", value: "2026-12-01T09:30", zone: "Europe/Zurich", at: 0 },
  ],
  ["the time is after 2026-12-01T09:30+01:00", { op: "date", is: ">", value: "2026-12-01T09:30+01:00", at: 0 }],
  ["ip is in 10.0.0.0/8 or 192.0.2.7", { op: "cidr", attribute: "ip", values: ["10.0.0.0/8", "192.0.2.7"] }],
  ["always", { op: "all", of: [] }],
  ["never", { op: "any", of: [] }],
  ["an unknown condition holds", { op: "later" } as unknown as Condition],
])("conditionSentence: %s", (expected, condition) => {
  expect(conditionSentence(condition, names)).toBe(expected);
});

test("sentenceOf shows keys where it is given no names", () => {
  expect(sentenceOf(flag({ rules: [rule(of("early"), undefined)] }))).toBe("On for early; off for the rest.");
});
