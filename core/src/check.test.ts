import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import * as worlds from "../test/arbitraries.ts";
import { REQUIREMENT_DEPTH_MAX } from "./evaluate.ts";
import {
  browserObstacles,
  CONDITION_DEPTH_MAX,
  type Condition,
  checkCondition,
  checkFlag,
  dependents,
  type Entry,
  type EntryId,
  entryId,
  evaluate,
  type FlagBody,
  type FlagEntry,
  type GroupEntry,
  loadEntries,
  type Rule,
  SCHEDULE_POINTS_MAX,
  type SchedulePoint,
  ZERO64,
} from "./index.ts";

// Properties take seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

function flag(key: string, fields: Partial<FlagEntry> = {}): FlagEntry {
  return { kind: "flag", key, fp: ZERO64, type: "boolean", off: "off", on: "on", mode: "targeted", salt: key, ...fields };
}

function group(key: string, when?: Condition, list?: GroupEntry["list"]): GroupEntry {
  return { kind: "group", key, fp: ZERO64, ...(when && { when }), ...(list && { list }) };
}

function entriesOf(...entries: Entry[]): ReadonlyMap<EntryId, Entry> {
  return new Map(entries.map((entry) => [entryId(entry), entry]));
}

function problemsOf(body: FlagBody, ...entries: Entry[]): string[] {
  return checkFlag(body, entriesOf(...entries)).problems.map(({ path, message }) => `${path}: ${message}`);
}

const ruled = (fields: Partial<Rule>): Partial<FlagEntry> => ({
  rules: [{ id: "r1", name: "beta", serve: { kind: "variant", variant: "on" }, ...fields }],
});
const inPlan: Condition = { op: "in", attribute: "plan", values: ["pro"] };
const requires = (key: string, ...variants: string[]): Partial<FlagEntry> => ({ requires: [{ flag: key, variants }] });
const list = { hashKey: "00".repeat(16), members: [] };

describe("checkFlag", () => {
  test("has nothing against a flag that uses everything as it should be used", () => {
    const color = flag("color", { type: "string", variants: { none: "", red: "#f00", blue: "#00f" }, off: "none", on: "red" });
    const shop = flag("shop:checkout", {
      ...requires("color", "red", "blue"),
      rules: [
        {
          id: "r1",
          when: {
            op: "all",
            of: [
              { op: "group", group: "staff" },
              { op: "not", of: inPlan },
            ],
          },
          serve: { kind: "variant", variant: "off" },
        },
        {
          id: "r2",
          rollout: { from: 0, to: 12_345 },
          serve: {
            kind: "split",
            weights: [
              { variant: "on", weight: 60_000 },
              { variant: "off", weight: 40_000 },
            ],
          },
        },
        { id: "r3", rollout: { to: 0 }, serve: { kind: "variant", variant: "on" } },
      ],
    });
    expect(checkFlag(shop, entriesOf(color, flag("shop"), group("staff", inPlan)))).toEqual({ problems: [], warnings: [] });
  });

  test.each<[string, Partial<FlagEntry>, string]>([
    [
      "an unknown variant in a rule",
      ruled({ serve: { kind: "variant", variant: "maybe" } }),
      'rules.0.serve.variant: what rule "beta" serves is "maybe", but the flag\'s variants are "on", "off"',
    ],
    [
      "an unknown variant in a split",
      ruled({ serve: { kind: "split", weights: [{ variant: "maybe", weight: 100_000 }] } }),
      'rules.0.serve.weights.0.variant: a share of rule "beta" is "maybe", but the flag\'s variants are "on", "off"',
    ],
    [
      "weights that do not add up",
      ruled({ serve: { kind: "split", weights: [{ variant: "on", weight: 99_000 }] } }),
      'rules.0.serve.weights: weights of rule "beta" add up to 99000, expected 100000',
    ],
    [
      "a slice that ends before it starts",
      ruled({ rollout: { from: 50_000, to: 10_000 } }),
      'rules.0.rollout: the percentage of rule "beta" goes from 50 % to 10 %, so nobody is inside; the end must be above the start',
    ],
    [
      "a percentage above 100",
      ruled({ rollout: { to: 100_001 } }),
      'rules.0.rollout: the percentage of rule "beta" reaches to 100.001 %, the most is 100 %; lower where it begins or how large it is',
    ],
    [
      "an unknown method",
      ruled({ rollout: { to: 5, method: "crc32" } }),
      'rules.0.rollout.method: rule "beta" names the unknown method of bucketing "crc32"; leave it out',
    ],
    [
      "an unknown group",
      ruled({ when: { op: "any", of: [{ op: "group", group: "staf" }] } }),
      'rules.0.when: there is no group "staf" in this environment',
    ],
    [
      "a condition without values",
      ruled({ when: { op: "not", of: { op: "in", attribute: "plan", values: [] } } }),
      'rules.0.when.of.values: the condition on "plan" lists no value',
    ],
    ["a fact", ruled({ when: { op: "fact", fact: 3 } }), "rules.0.when: a fact is made by the server; it cannot be saved"],
    ["an unknown operator", ruled({ when: { op: "sounds-like" } as unknown as Condition }), 'rules.0.when: unknown operator "sounds-like"'],
    ["another off variant of a boolean flag", { off: "on" }, 'off: the off variant of a boolean flag is "off", not "on"'],
    [
      "an off variant that is not there",
      { type: "string", variants: { a: "A" }, off: "b", on: "a" },
      'off: its off variant is "b", but the flag\'s variants are "a"',
    ],
    [
      "a value of another type",
      { type: "number", variants: { a: 1, b: "2" }, off: "a", on: "b" },
      'values.b: variant "b" has the value "2", which is not a number',
    ],
    ["an unknown required flag", requires("gone", "on"), 'requires.0.flag: it requires "gone", but there is no such flag'],
    [
      "a requirement on the off variant",
      requires("other", "off"),
      'requires.0.variants.0: a requirement may not name the off variant "off" of "other": that is what it serves when it is killed',
    ],
    [
      "a requirement on an unknown variant",
      requires("other", "red"),
      'requires.0.variants.0: "other" has no variant "red"; its variants are "on", "off"',
    ],
    ["a requirement on no variant", requires("other"), 'requires.0.variants: the requirement of "other" names no variant'],
  ])("refuses %s", (_name, fields, expected) => {
    expect(problemsOf(flag("f", fields), flag("other"))).toEqual([expected]);
  });

  test.each<[string, SchedulePoint[], string]>([
    ["no points", [], 'points: the schedule of rule "beta" has no points; give it one, or leave the schedule out'],
    [
      "too many points",
      Array.from({ length: SCHEDULE_POINTS_MAX + 1 }, (_, at) => ({ at, to: 50_000 })),
      'points: the schedule of rule "beta" has 51 points, the most is 50',
    ],
    [
      "a time that is none",
      [{ at: 0.5, to: 50_000 }],
      'points.0.at: the schedule of rule "beta" has the time 0.5, which is not in whole milliseconds since 1970',
    ],
    [
      "an end beyond 100 %",
      [{ at: 1, to: 100_001 }],
      'points.0.percentage: the schedule of rule "beta" reaches to 100.001 %, the most is 100 %; lower where it begins or how large it is',
    ],
    [
      "an end before the start",
      [{ at: 1, to: 9 }],
      'points.0.percentage: the schedule of rule "beta" ends at 0.009 %, before its start at 0.01 %; take the start back or raise the end',
    ],
    [
      "times out of order",
      [
        { at: 2, to: 20 },
        { at: 1, to: 30 },
      ],
      'points.1.at: the schedule of rule "beta" has points that are not in the order of their times; sort them, each with its own time',
    ],
  ])("refuses a schedule with %s", (_name, points, problem) => {
    const body = flag("f", ruled({ rollout: { from: 10, to: 20, over: { kind: "steps", points } } }));
    expect(problemsOf(body)).toEqual([`rules.0.rollout.over.${problem}`]);
  });

  test("refuses two rules of one id, which counters and explanations could not tell apart", () => {
    const [rule] = ruled({}).rules ?? [];
    expect(problemsOf(flag("f", { rules: rule ? [rule, rule] : [] }))).toEqual([
      'rules.1.id: two rules have the id "r1"; give each its own',
    ]);
  });

  test("names a circle over requirements and parents with its whole path, and lets every other flag of it be told too", () => {
    const a = flag("a", requires("b", "on"));
    const b = flag("b", { parent: "c:child" });
    const c = flag("c", requires("a", "on"));
    const child = flag("c:child");
    expect(problemsOf(a, b, c, child)).toEqual([
      'requires.0.flag: requirements and parents go in a circle: "a" → "b" → "c:child" → "c" → "a"',
    ]);
    expect(problemsOf(b, a, c, child)).toEqual(['parent: requirements and parents go in a circle: "b" → "c:child" → "c" → "a" → "b"']);
    expect(problemsOf(flag("s", requires("s", "on")), flag("s"))).toEqual([
      'requires.0.flag: requirements and parents go in a circle: "s" → "s"',
    ]);
    // A circle among others is not this flag's.
    expect(problemsOf(flag("z", requires("a", "on")), a, b, c, child)).toEqual([]);
  });

  test("follows old keys when it looks for a circle", () => {
    const alias: Entry = { kind: "alias", key: "old", fp: ZERO64, flag: "a" };
    expect(problemsOf(flag("a", requires("b", "on")), flag("b", requires("old", "on")), flag("a"), alias)).toHaveLength(1);
  });

  test("a parent counts in a circle unless the flag has opted out of it; who inherits from it has not", () => {
    const up = flag("up", requires("up:child", "on"));
    expect(problemsOf(up, flag("up:child"))).toHaveLength(1);
    expect(problemsOf(up, flag("up:child", { detached: true }))).toEqual([]);
    expect(problemsOf(up, flag("up:child", { detached: true, mode: "inherit" }))).toHaveLength(1);
  });

  test("refuses a chain that SDKs would not follow, and ends on many ways through the same flags", () => {
    const chain = Array.from({ length: REQUIREMENT_DEPTH_MAX + 2 }, (_, i) => flag(`f${i}`, i === 0 ? {} : requires(`f${i - 1}`, "on")));
    expect(problemsOf(chain[REQUIREMENT_DEPTH_MAX] as FlagEntry, ...chain)).toEqual([]);
    expect(problemsOf(chain[REQUIREMENT_DEPTH_MAX + 1] as FlagEntry, ...chain)).toEqual([
      expect.stringContaining("a chain of more than 100"),
    ]);
    const wide = Array.from({ length: 60 }, (_, i) =>
      flag(`f${i}`, i < 2 ? {} : { requires: [1, 2].map((back) => ({ flag: `f${i - back}`, variants: ["on"] })) }),
    );
    expect(problemsOf(wide[59] as FlagEntry, ...wide)).toEqual([]);
  });

  test.each<[string, FlagEntry, string[]]>([
    [
      "a colon key without a parent",
      flag("gone:child"),
      ['its key names "gone" as its parent, but there is no such flag, so it has no parent'],
    ],
    [
      "a parent by name that is missing",
      flag("f", { parent: "gone" }),
      ['its parent is set to "gone", but there is no such flag, so it has no parent'],
    ],
    [
      "a missing parent that it follows",
      flag("gone:child", { mode: "inherit" }),
      ['its key names "gone" as its parent, but there is no such flag, so it is off for everyone'],
    ],
    ["no parent to follow", flag("f", { mode: "inherit" }), ["it is set to follow its parent, but it has none, so it is off for everyone"]],
    ["a missing parent that it has opted out of", flag("gone:child", { detached: true }), []],
  ])("warns of %s", (_name, body, warnings) => {
    expect(checkFlag(body, entriesOf())).toEqual({ problems: [], warnings });
  });

  test("what it lets pass, evaluation can read", () => {
    let passed = 0;
    fc.assert(
      fc.property(worlds.world({ exists: true, groups: worlds.groupKeysOfWorld }), worlds.context, worlds.now, (entries, context, now) => {
        const map = entriesOf(...entries);
        const state = loadEntries(entries, { regex: worlds.regex });
        for (const entry of entries) {
          if (entry.kind !== "flag" || checkFlag(entry, map).problems.length > 0) continue;
          const { reason } = evaluate(state, entry.key, context, now === undefined ? {} : { clock: () => now });
          expect(reason).not.toEqual({ kind: "ERROR", code: "PARSE_ERROR" });
          passed++;
        }
      }),
      { numRuns: 300 },
    );
    expect(passed).toBeGreaterThan(20);
  });
});

describe("checkCondition", () => {
  const nested = (depth: number): Condition => (depth === 1 ? inPlan : { op: "not", of: nested(depth - 1) });

  test("refuses conditions that nest too deep", () => {
    expect(checkCondition(nested(CONDITION_DEPTH_MAX), entriesOf())).toEqual([]);
    expect(checkCondition(nested(CONDITION_DEPTH_MAX + 1), entriesOf())).toEqual([
      { path: "when", message: "conditions nest 9 deep, at most 8 are allowed; put some of them into a group" },
    ]);
  });

  test.each<[string, Condition, string | undefined]>([
    ["a version", { op: "semver", attribute: "app", is: ">=", value: "v1.2" }, undefined],
    [
      "what is no version",
      { op: "semver", attribute: "app", is: ">=", value: "latest" },
      'when.value: "latest" is not a semantic version; write one as 1.4.2 or 2.0.0-beta.1',
    ],
    ["a date by the clock", { op: "date", is: "<", value: "2026-12-01", zone: "Europe/Zurich", at: 0 }, undefined],
    [
      "a day that does not exist",
      { op: "date", attribute: "born", is: "<", value: "2026-02-29", at: 0 },
      'when.value: "2026-02-29" is not a date; write one as 2026-12-01, 2026-12-01T09:30 or 2026-12-01T09:30:00+01:00',
    ],
    [
      "an offset and a zone",
      { op: "date", is: "<", value: "2026-12-01T09:00+01:00", zone: "Europe/Zurich", at: 0 },
      'when.zone: "2026-12-01T09:00+01:00" says its zone itself; leave the zone "Europe/Zurich" out',
    ],
    [
      "a date without its instant",
      { op: "date", is: "<", value: "2026-12-01", at: Number.NaN },
      'when.value: "2026-12-01" is outside of what can be compared',
    ],
    ["ranges and addresses", { op: "cidr", attribute: "ip", values: ["10.0.0.0/8", "2001:db8::1"] }, undefined],
    [
      "what is no range",
      { op: "cidr", attribute: "ip", values: ["10.0.0.0/8", "10.0.0.0/33"] },
      'when.values.1: "10.0.0.0/33" is neither an IP address nor a range; write one as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32',
    ],
    ["no ranges", { op: "cidr", attribute: "ip", values: [] }, 'when.values: the condition on "ip" lists no value'],
    ["no patterns", { op: "matches", attribute: "x", values: [], textLengthMax: 1 }, 'when.values: the condition on "x" lists no value'],
    [
      "a number that is none",
      { op: "number", attribute: "n", is: "<", value: Number.NaN },
      'when.value: the condition on "n" compares with NaN, which is not a number',
    ],
    ["an operator of a later version", { op: "later" } as unknown as Condition, 'when: unknown operator "later"'],
  ])("looks at %s", (_name, condition, problem) => {
    expect(checkCondition(condition, entriesOf()).map(({ path, message }) => `${path}: ${message}`)).toEqual(problem ? [problem] : []);
  });

  test("refuses groups in a circle, groups that nest too deep, and names the way", () => {
    const of = (key: string): Condition => ({ op: "group", group: key });
    const circle = entriesOf(group("a", of("b")), group("b", of("a")));
    expect(checkCondition(of("b"), circle, "when", "a")).toEqual([{ path: "when", message: 'groups go in a circle: "a" → "b" → "a"' }]);
    expect(checkCondition(of("a"), entriesOf(group("a")), "when", "a")).toHaveLength(1);
    const deep = Array.from({ length: 10 }, (_, i) => group(`g${i}`, i === 0 ? inPlan : of(`g${i - 1}`)));
    expect(checkCondition(of("g7"), entriesOf(...deep))).toEqual([]);
    expect(checkCondition(of("g8"), entriesOf(...deep))).toEqual([
      { path: "when", message: expect.stringContaining("groups nest more than 8 deep") },
    ]);
    const state = loadEntries([...deep, ...["g7", "g8"].map((key) => flag(key, ruled({ when: of(key) })))]);
    expect(["g7", "g8"].map((key) => evaluate(state, key, { plan: "pro" }).reason.kind)).toEqual(["TARGETING_MATCH", "DEFAULT"]);
  });
});

test("dependents are those that require the flag or are its children, also by an old key, sorted", () => {
  const entries = entriesOf(
    flag("a"),
    { kind: "alias", key: "old", fp: ZERO64, flag: "a" },
    flag("z", requires("a", "on")),
    flag("y", requires("old", "on")),
    flag("a:child"),
    flag("old:child"),
    flag("named", { parent: "a" }),
    flag("a:named", { parent: "z" }),
    flag("a:free", { detached: true }),
    flag("far", requires("z", "on")),
  );
  expect(dependents("a", entries)).toEqual(["a:child", "named", "old:child", "y", "z"]);
});

describe("browserObstacles", () => {
  const obstacles = (body: FlagBody, marked: string[], ...entries: Entry[]): string[] =>
    browserObstacles(body, entriesOf(...entries), new Set(marked));

  test("has nothing against conditions, those included that stay on the server", () => {
    const when: Condition = {
      op: "all",
      of: [inPlan, { op: "in", attribute: "key", values: ["ada"] }, { op: "group", group: "pro" }, { op: "group", group: "listed" }],
    };
    expect(
      obstacles(
        flag("f", { ...ruled({ when, rollout: { to: 5, by: "account.key" } }), ...requires("seen", "on") }),
        ["seen"],
        flag("seen"),
        group("pro", inPlan),
        group("listed", undefined, list),
      ),
    ).toEqual([]);
  });

  test.each<[string, Partial<FlagEntry>, string]>([
    [
      "a required flag that is hidden",
      requires("hidden", "on"),
      'it requires "hidden", which is hidden from browsers; mark "hidden" for browsers first',
    ],
    [
      "a parent that is hidden",
      { parent: "hidden" },
      'its parent "hidden" is hidden from browsers, so a browser could not follow it; mark "hidden" for browsers first, or opt "f" out of its parent',
    ],
  ])("%s", (_name, fields, expected) => {
    const groups = [
      group("listed", undefined, list),
      group("outer", { op: "group", group: "listed" }),
      group("keys", { op: "in", attribute: "key", values: ["ada"] }),
    ];
    expect(obstacles(flag("f", fields), [], flag("hidden"), ...groups)).toEqual([expected]);
  });

  test("a parent that does not exist or does not count is none", () => {
    expect(obstacles(flag("gone:child"), [])).toEqual([]);
    expect(obstacles(flag("up:child", { detached: true }), [], flag("up"))).toEqual([]);
  });

  test("ends on groups in a circle", () => {
    const of = (key: string): Condition => ({ op: "group", group: key });
    expect(obstacles(flag("f", ruled({ when: of("a") })), [], group("a", of("b")), group("b", of("a")))).toEqual([]);
  });
});
