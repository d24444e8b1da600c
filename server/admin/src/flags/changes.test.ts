import { describe, expect, test } from "vitest";
import { denialsLost, describeChanges, percent } from "./changes.ts";
import { allow, configuration, deny, everyone, flag } from "./configuration.test-support.ts";
import { fieldsOf } from "./draft.ts";

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

test("denialsLost names the denials that stop working when everybody gets the flag", () => {
  expect(denialsLost(base, { ...base, mode: "on" }, name)).toEqual(["Blocked: Off"]);
  expect(denialsLost(base, base, name)).toEqual([]);
  expect(denialsLost({ ...base, mode: "on" }, { ...base, mode: "on" }, name)).toEqual([]);
});

test("percent has at most three decimals", () => {
  expect([percent(12), percent(0.1 + 0.2), percent(0.001)]).toEqual(["12 %", "0.3 %", "0.001 %"]);
});
