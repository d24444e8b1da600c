import { describe, expect, test } from "vitest";
import { allow, configuration, deny, everyone } from "./configuration.test-support.ts";
import { everyoneElse, moveRule, withEveryoneElse, withRule, withRuleNumbers } from "./rules.ts";

describe("everyone else", () => {
  test("is the last rule without conditions that serves the on variant", () => {
    expect(everyoneElse(configuration({ rules: [allow("staff"), everyone(10)] }))).toEqual({ index: 1, percentage: 10 });
    expect(everyoneElse(configuration({ rules: [{ id: "a", serve: { kind: "variant", variant: "on" } }] }))).toEqual({
      index: 0,
      percentage: 100,
    });
  });

  test("is 0 % when the last rule has conditions, denies, draws at random, takes a slice or splits", () => {
    const none = { index: -1, percentage: 0 };
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
