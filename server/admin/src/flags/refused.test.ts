import { expect, test } from "vitest";
import { allow, configuration, flag } from "./configuration.test-support.ts";
import { fieldsOf } from "./draft.ts";
import { standing } from "./refused.ts";

test("what the server said stands until the rule, variant or field that it said it of is edited", () => {
  const fields = fieldsOf(flag({ configuration: configuration({ rules: [allow("a"), allow("b")] }) }));
  const issues = [
    { path: "rules.0.when.values", message: "of rule 1" },
    { path: "rules.1.rollout", message: "of rule 2" },
    { path: "on", message: "of on" },
  ];
  const messages = (now: typeof fields) => standing({ issues, fields }, now).map(({ message }) => message);
  expect(messages(fields)).toEqual(["of rule 1", "of rule 2", "of on"]);
  expect(messages({ ...fields, name: "Other" })).toEqual(["of rule 1", "of rule 2", "of on"]);
  expect(messages({ ...fields, rules: [allow("a", { name: "edited" }), allow("b")], on: "off" })).toEqual(["of rule 2"]);
  expect(standing(undefined, fields)).toEqual([]);
});
