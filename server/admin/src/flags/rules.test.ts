import { describe, expect, test } from "vitest";
import { allow, configuration, deny, everyone } from "./configuration.test-support.ts";
import {
  everyoneElse,
  firstIncomplete,
  moveRule,
  withEveryoneElse,
  withEveryoneElseRule,
  withRollout,
  withRule,
  withRuleNumbers,
} from "./rules.ts";

describe("everyone else", () => {
  test("is the last rule without conditions that is no denial", () => {
    expect(everyoneElse(configuration({ rules: [allow("staff"), everyone(10)] }))).toMatchObject({ index: 1, percentage: 10 });
    expect(everyoneElse(configuration({ rules: [{ id: "a", serve: { kind: "variant", variant: "on" } }] }))).toMatchObject({
      index: 0,
      percentage: 100,
    });
  });

  test("is 0 % when the last rule has conditions, denies, draws at random or takes a slice", () => {
    const none = { index: -1, percentage: 0, rule: undefined };
    expect(everyoneElse(configuration({ rules: [everyone(10), allow("staff")] }))).toEqual(none);
    expect(everyoneElse(configuration({ rules: [{ id: "a", serve: { kind: "variant", variant: "off" } }] }))).toEqual(none);
    expect(everyoneElse(configuration({ rules: [{ ...everyone(10), rollout: { percentage: 10, random: true } }] }))).toEqual(none);
    expect(everyoneElse(configuration({ rules: [{ ...everyone(10), rollout: { percentage: 10, from: 5 } }] }))).toEqual(none);
  });

  test("withEveryoneElse keeps id, unit and salt, so that the same people stay inside", () => {
    const row = { ...everyone(10), rollout: { percentage: 10, by: "account.key", salt: "old" } };
    expect(withEveryoneElse(configuration({ rules: [deny("blocked"), row] }), 25)).toEqual([
      deny("blocked"),
      { ...row, rollout: { percentage: 25, by: "account.key", salt: "old" } },
    ]);
  });

  test("withEveryoneElse adds the row when there is none, and nothing for 0 %", () => {
    const some = configuration({ rules: [allow("staff")] });
    expect(withEveryoneElse(some, 0)).toEqual([allow("staff")]);
    expect(withEveryoneElse(some, 5).at(-1)).toMatchObject({ rollout: { percentage: 5 }, serve: { kind: "variant", variant: "on" } });
  });

  test("withEveryoneElse keeps within 0 to 100 and to three decimals", () => {
    const at = (percentage: number) => withEveryoneElse(configuration({ rules: [everyone(10)] }), percentage)[0]?.rollout?.percentage;
    expect([at(-1), at(250), at(0.1 + 0.2), at(12.34567)]).toEqual([0, 100, 0.3, 12.346]);
  });
});

test("withRule inserts before everyone else", () => {
  const rules = withRule(configuration({ rules: [allow("staff"), everyone(10)] }), allow("beta"));
  expect(rules.map(({ id }) => id)).toEqual(["staff", "beta", "everyone"]);
});

test("moveRule swaps neighbors and leaves the list as it is at its ends", () => {
  const rules = [allow("a"), allow("b")];
  expect(moveRule(rules, 1, -1).map(({ id }) => id)).toEqual(["b", "a"]);
  expect(moveRule(rules, 0, -1)).toBe(rules);
  expect(moveRule(rules, 1, 1)).toBe(rules);
});

test("withRuleNumbers says the number of a rule instead of its id", () => {
  expect(withRuleNumbers('rule "b" names group "beta"', [allow("a"), allow("b")])).toBe('rule 2 names group "beta"');
});

test("withRule inserts before whatever is last and for everyone", () => {
  const split = { id: "split", serve: { kind: "split" as const, weights: [{ variant: "on", percentage: 100 }] } };
  expect(withRule(configuration({ rules: [split] }), allow("beta")).map(({ id }) => id)).toEqual(["beta", "split"]);
  expect(withRule(configuration({ rules: [allow("staff")] }), allow("beta")).map(({ id }) => id)).toEqual(["staff", "beta"]);
});

test("withEveryoneElseRule changes the row, or makes it of the on variant", () => {
  const serve = { kind: "split" as const, weights: [{ variant: "on", percentage: 100 }] };
  expect(withEveryoneElseRule(configuration({ rules: [everyone(10)] }), { serve })).toEqual([{ ...everyone(10), serve }]);
  expect(withEveryoneElseRule(configuration(), { rollout: { percentage: 5 } })).toMatchObject([
    { rollout: { percentage: 5 }, serve: { kind: "variant", variant: "on" } },
  ]);
});

test("withRollout leaves out 100 % of all, and nothing else", () => {
  expect(withRollout(allow("staff", { rollout: { percentage: 5 } }), { percentage: 100 })).toEqual(allow("staff"));
  expect(withRollout(allow("staff"), { percentage: 100, salt: "x" }).rollout).toEqual({ percentage: 100, salt: "x" });
});

test("what was saved incomplete does not keep other edits from being saved", () => {
  const odd = allow("odd", { when: { op: "all", of: [] } });
  expect(firstIncomplete([odd, everyone(25)], [odd, everyone(10)])).toBeUndefined();
  expect(firstIncomplete([allow("new", { when: { op: "group", group: "" } })], [odd])).toBe("Rule 1: Choose a group.");
});
