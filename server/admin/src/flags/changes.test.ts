import { describe, expect, test } from "vitest";
import { denialsLost, describeChanges, percent, rolloutWords } from "./changes.ts";
import { allow, configuration, deny, everyone, flag } from "./configuration.test-support.ts";
import { fieldsOf } from "./draft.ts";
import { momentWords } from "./schedule.ts";

const name = (key: string) => key[0]?.toUpperCase() + key.slice(1);
const base = fieldsOf(flag({ configuration: configuration({ rules: [deny("blocked"), allow("staff"), everyone(10)] }) }));

describe("describeChanges", () => {
  test("a percentage of everyone else is one line", () => {
    expect(describeChanges(base, { rules: [deny("blocked"), allow("staff"), everyone(25)] }, name)).toEqual([
      { what: "Everyone else", from: "10 %", to: "25 %" },
    ]);
  });

  test("rules added, changed and removed are told by what they say", () => {
    const rules = [allow("staff", { rollout: { percentage: 50 } }), allow("beta"), everyone(10)];
    expect(describeChanges(base, { rules }, name)).toEqual([
      { what: "Rule removed", from: "Blocked: Off", to: null },
      { what: "Rule 1", from: "Staff: On", to: "50 % of Staff: On" },
      { what: "Rule 2 added", from: null, to: "Beta: On" },
    ]);
  });

  test("a new order is told", () => {
    expect(describeChanges(base, { rules: [allow("staff"), deny("blocked"), everyone(10)] }, name)).toEqual([
      { what: "Order of the rules", from: "as it was", to: "changed" },
    ]);
  });

  test("mode, requirements and identity are told in words", () => {
    const edits = { mode: "on" as const, requires: [{ flag: "checkout", variants: ["on"] }], owner: "Ana", browser: true };
    expect(describeChanges(base, edits, name)).toEqual([
      { what: "Who gets it", from: "Some", to: "Everybody" },
      { what: "Requires", from: null, to: "checkout is on" },
      { what: "Visible in browsers", from: "no", to: "yes" },
      { what: "Owner", from: null, to: "Ana" },
    ]);
  });
});

describe("of a flag with several variants", () => {
  const values = { red: "#f00", green: "#0f0", blue: "#00f" };
  const weights = [
    { variant: "blue", percentage: 50 },
    { variant: "green", percentage: 50 },
  ];
  const colors = fieldsOf(flag({ type: "string", configuration: configuration({ values, off: "red", on: "blue" }) }));
  const toBlue = { kind: "variant" as const, variant: "blue" };

  test("variants are named, and a split tells its shares", () => {
    const rules = [
      allow("staff", { serve: { kind: "split", weights, salt: "winter" } }),
      { id: "e", rollout: { percentage: 10 }, serve: toBlue },
    ];
    expect(describeChanges(colors, { rules }, name)).toEqual([
      { what: "Rule 1 added", from: null, to: "Staff: 50 % “blue”, 50 % “green” (salt “winter”)" },
      { what: "Everyone else", from: "0 %", to: "10 %" },
    ]);
    expect(describeChanges({ ...colors, rules }, { rules: [{ id: "e", serve: { kind: "split", weights } }] }, name)).toEqual([
      { what: "Rule removed", from: "Staff: 50 % “blue”, 50 % “green” (salt “winter”)", to: null },
      { what: "Everyone else", from: "10 %: “blue”", to: "100 %: 50 % “blue”, 50 % “green”" },
    ]);
  });

  test("values, on and off are told one by one", () => {
    const edits = { values: { red: "#f00", blue: "#00e", black: "" }, on: "black" };
    expect(describeChanges(colors, edits, name)).toEqual([
      { what: "Variant “green”", from: '"#0f0"', to: null },
      { what: "Variant “blue”", from: '"#00f"', to: '"#00e"' },
      { what: "Variant “black”", from: null, to: '""' },
      { what: "On variant", from: "blue", to: "black" },
    ]);
  });
});

test("a percentage tells its slice, unit, salt, plan and draw", () => {
  expect(rolloutWords({ percentage: 10, from: 20, by: "account.key", salt: "winter" })).toBe(
    "10 % (the slice from 20 % to 30 %, by account.key, salt “winter”)",
  );
  expect(rolloutWords({ percentage: 0.5, random: true })).toBe("a random 0.5 % of the checks");
  const at = "2026-12-01T09:00:00.000Z";
  const later = "2026-12-08T09:00:00.000Z";
  const points = [
    { at, percentage: 1 },
    { at: later, percentage: 100 },
  ];
  expect(rolloutWords({ percentage: 0, over: { kind: "line", points } })).toBe(
    `0 %; from ${momentWords(at)} 1 %; in a straight line to 100 % at ${momentWords(later)}`,
  );
});

test("a rule that cannot be read is told as one, and is not an obstacle to telling others", () => {
  const newer = allow("newer", { serve: { kind: "of a newer server" } as never });
  const rules = [newer, everyone(25)];
  const fields = { ...base, rules: [newer, everyone(10)] };
  expect(describeChanges(fields, { rules }, name)).toEqual([{ what: "Everyone else", from: "10 %", to: "25 %" }]);
  expect(describeChanges(fields, { rules: [everyone(10)] }, name)).toEqual([
    { what: "Rule removed", from: "a rule that is edited as JSON", to: null },
  ]);
});

test("denialsLost names the denials that stop working when everybody gets the flag", () => {
  expect(denialsLost(base, { ...base, mode: "on" }, name)).toEqual(["Blocked: Off"]);
  expect(denialsLost(base, base, name)).toEqual([]);
  expect(denialsLost({ ...base, mode: "on" }, { ...base, mode: "on" }, name)).toEqual([]);
});

test("percent has at most three decimals", () => {
  expect([percent(12), percent(0.1 + 0.2), percent(0.001)]).toEqual(["12 %", "0.3 %", "0.001 %"]);
});
