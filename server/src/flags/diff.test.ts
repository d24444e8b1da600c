import { describe, expect, test } from "vitest";
import type { StoredConfiguration } from "../store/define.ts";
import { configurationDifferences, differenceSentence, groupDifferences, identityDifferences } from "./diff.ts";

const OFF: StoredConfiguration = {
  mode: "off",
  off: "off",
  on: "on",
  values: { on: true, off: false },
  rules: [],
  requires: [],
  parent: null,
  detached: false,
  browser: false,
  archived: false,
  salt: "new-checkout",
};
const STAFF = { id: "r1", when: { op: "group", group: "staff" }, serve: { kind: "variant", variant: "on" } } as const;
const TEN = { id: "r2", rollout: { to: 10_000 }, serve: { kind: "variant", variant: "on" } } as const;
const names = { group: (key: string) => (key === "staff" ? "Staff" : key) };
const sentences = (before: StoredConfiguration, after: StoredConfiguration) =>
  configurationDifferences("boolean", before, after, names).map(differenceSentence);

describe("configurationDifferences", () => {
  test("tells each field that differs in words and as it is stored, and nothing of the others", () => {
    const after: StoredConfiguration = { ...OFF, mode: "targeted", rules: [STAFF], browser: true, parent: "checkout" };
    expect(sentences(OFF, after)).toEqual([
      "Who gets it: Nobody → Some",
      "Rule 1: Staff: on",
      "Parent: checkout",
      "Visible in browsers: no → yes",
    ]);
    expect(configurationDifferences("boolean", OFF, after)[1]).toMatchObject({ field: "rules.r1", before: null, after: STAFF });
    expect(sentences(after, after)).toEqual([]);
  });

  test("follows a rule by its id: changed, gone, moved", () => {
    const two: StoredConfiguration = { ...OFF, rules: [STAFF, TEN] };
    expect(sentences(two, { ...OFF, rules: [STAFF, { ...TEN, rollout: { to: 25_000 } }] })).toEqual([
      "Rule 2: 10 % of everyone: on → 25 % of everyone: on",
    ]);
    expect(sentences(two, { ...OFF, rules: [TEN] })).toEqual(["Rule 1: no longer Staff: on"]);
    expect(sentences(two, { ...OFF, rules: [TEN, STAFF] })).toEqual(["Order of the rules: r1, r2 → r2, r1"]);
  });

  test("tells variants one by one, also those with a name that every object has", () => {
    const blue: StoredConfiguration = { ...OFF, values: { blue: "b", constructor: 1 }, off: "blue", on: "blue" };
    expect(sentences({ ...blue, values: { blue: "b" } }, { ...blue, values: { blue: "c", constructor: 1 } })).toEqual([
      'Variant "blue": "b" → "c"',
      'Variant "constructor": 1',
    ]);
  });
});

test("identityDifferences tells name, tags and owner", () => {
  const before = { key: "a", name: "A", description: "", tags: [], owner: null, links: [], kind: "release", expectedDays: null } as const;
  expect(identityDifferences(before, { ...before, tags: ["x", "y"], owner: "web" }).map(differenceSentence)).toEqual([
    "Tags: x, y",
    "Owner: web",
  ]);
});

test("groupDifferences tells the conditions in words", () => {
  const group = { kind: "conditions", name: "Pro", description: "", by: "key" } as const;
  const when = (plan: string) => ({ op: "in", attribute: "plan", values: [plan] }) as const;
  expect(groupDifferences({ ...group, when: when("pro") }, { ...group, when: when("team") }).map(differenceSentence)).toEqual([
    "Who is in it: plan is pro → plan is team",
  ]);
});
