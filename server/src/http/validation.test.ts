import { describe, expect, it, test } from "vitest";
import type { ZodType } from "zod";
import { configurationPatch, createFlag, evaluateBody } from "../flags/schema.ts";
import { changeMembers, createGroup } from "../groups/schema.ts";
import { validationProblem } from "./validation.ts";

const ON = { kind: "variant", variant: "on" };

function issuesOf(schema: ZodType, input: unknown): string[] {
  const { error } = schema.safeParse(input);
  if (!error) expect.fail("it was taken");
  return (validationProblem(error, "json", input).extra.issues ?? []).map(({ path, message }) => `${path}: ${message}`);
}

const inRule = (more: object, name?: string) => ({ rules: [{ id: "r1", ...(name && { name }), serve: ON, ...more }] });
const when = (condition: object) => inRule({ when: condition }, "Beta");
const nested = (depth: number): object => (depth === 1 ? { op: "exists", attribute: "a" } : { op: "not", of: nested(depth - 1) });
const long = "x".repeat(1_001);
const cut = `${"x".repeat(58)}…`;

describe("every cap is named with the value, the rule and the next step", () => {
  test.each<[string, ZodType, unknown, string]>([
    [
      "rules",
      configurationPatch,
      { rules: Array.from({ length: 101 }, () => ({ serve: ON })) },
      'rules: "rules" has 101 entries, the most is 100; put people into groups, so that fewer rules do',
    ],
    [
      "values of a condition",
      configurationPatch,
      when({ op: "in", attribute: "plan", values: Array.from({ length: 10_001 }, (_, i) => i) }),
      'rules.0.when.values: "values" of the condition on "plan" in rule "Beta" has 10001 entries, the most is 10000; put the values into a group by list, or use a condition that says what they have in common',
    ],
    [
      "texts of a condition",
      configurationPatch,
      when({ op: "contains", attribute: "plan", values: Array.from({ length: 10_001 }, String) }),
      'rules.0.when.values: "values" of the condition on "plan" in rule "Beta" has 10001 entries, the most is 10000; put the values into a group by list, or use a condition that says what they have in common',
    ],
    [
      "the length of a text",
      configurationPatch,
      when({ op: "in", attribute: "plan", values: ["a", long] }),
      `rules.0.when.values.1: entry 2 of "values" of the condition on "plan" in rule "Beta" has 1001 characters ("${cut}"), the most is 1000; shorten it`,
    ],
    [
      "the length of an attribute's name",
      configurationPatch,
      inRule({ when: { op: "exists", attribute: "a".repeat(101) } }),
      `rules.0.when.attribute: "attribute" in rule "r1" has 101 characters ("${"a".repeat(58)}…"), the most is 100; shorten it`,
    ],
    [
      "parts of a condition",
      configurationPatch,
      when({ op: "all", of: Array(101).fill({ op: "exists", attribute: "a" }) }),
      'rules.0.when.of: "of" in rule "Beta" has 101 entries, the most is 100; put some of the conditions into a group',
    ],
    [
      "patterns",
      configurationPatch,
      when({ op: "matches", attribute: "email", values: Array(51).fill("a") }),
      'rules.0.when.values: "values" of the condition on "email" in rule "Beta" has 51 entries, the most is 50; put the values into a group by list, or use a condition that says what they have in common',
    ],
    [
      "the length of a pattern",
      configurationPatch,
      when({ op: "matches", attribute: "email", values: ["x".repeat(501)] }),
      `rules.0.when.values.0: entry 1 of "values" of the condition on "email" in rule "Beta" has 501 characters ("${cut}"), the most is 500; shorten it`,
    ],
    [
      "ranges of addresses",
      configurationPatch,
      when({ op: "cidr", attribute: "ip", values: Array(1_001).fill("10.0.0.1") }),
      'rules.0.when.values: "values" of the condition on "ip" in rule "Beta" has 1001 entries, the most is 1000; put the values into a group by list, or use a condition that says what they have in common',
    ],
    [
      "points of a schedule",
      configurationPatch,
      inRule({
        rollout: { percentage: 1, over: { kind: "steps", points: Array(51).fill({ at: "2026-12-01T00:00:00Z", percentage: 1 }) } },
      }),
      'rules.0.rollout.over.points: "points" in rule "r1" has 51 entries, the most is 50; use a line between fewer points',
    ],
    [
      "weights of a split",
      configurationPatch,
      { rules: [{ serve: { kind: "split", weights: Array(33).fill({ variant: "on", percentage: 1 }) } }] },
      'rules.0.serve.weights: "weights" in rule 1 has 33 entries, the most is 32; leave some variants out',
    ],
    [
      "requirements",
      configurationPatch,
      { requires: Array(21).fill({ flag: "a", variants: ["on"] }) },
      'requires: "requires" has 21 entries, the most is 20; require one flag that requires the others',
    ],
    [
      "members at once",
      changeMembers,
      { add: Array.from({ length: 10_001 }, String) },
      'add: "add" has 10001 entries, the most is 10000; send them in several requests',
    ],
    [
      "the length of a unit",
      changeMembers,
      { remove: ["x".repeat(201)] },
      `remove.0: entry 1 of "remove" has 201 characters ("${cut}"), the most is 200; shorten it`,
    ],
    ["tags", createFlag, { key: "a", tags: Array(51).fill("t") }, 'tags: "tags" has 51 entries, the most is 50; remove some'],
    [
      "the length of a description",
      createFlag,
      { key: "a", description: "x".repeat(5_001) },
      `description: "description" has 5001 characters ("${cut}"), the most is 5000; shorten it`,
    ],
    [
      "conditions of a group",
      createGroup,
      { key: "g", kind: "conditions", when: { op: "in", attribute: "a", values: [] } },
      'when.values: "values" of the condition on "a" is an empty list; name at least one',
    ],
  ])("%s", (_what, schema, input, issue) => {
    expect(issuesOf(schema, input)).toEqual([issue]);
  });
});

describe("values of a wrong type or form name the value and what is expected", () => {
  test.each<[ZodType, unknown, string]>([
    [configurationPatch, { browser: "yes" }, 'browser: "browser" is "yes", expected true or false'],
    [configurationPatch, { mode: "maybe" }, 'mode: "mode" is "maybe", expected "off", "targeted", "on" or "inherit"'],
    [configurationPatch, { salt: "x" }, 'salt: "salt" is not a field here'],
    [configurationPatch, { rules: {} }, 'rules: "rules" is an object, expected a list'],
    [configurationPatch, { rules: ["x"] }, 'rules.0: entry 1 of "rules" is "x", expected an object'],
    [
      configurationPatch,
      inRule({ rollout: { percentage: 100.5 } }),
      'rules.0.rollout.percentage: "percentage" in rule "r1" is 100.5, the most is 100; choose a smaller number',
    ],
    [
      configurationPatch,
      inRule({ rollout: { percentage: -1 } }),
      'rules.0.rollout.percentage: "percentage" in rule "r1" is -1, the least is 0; choose a larger number',
    ],
    [
      configurationPatch,
      inRule({ rollout: { percentage: 0.1234 } }),
      'rules.0.rollout.percentage: "percentage" in rule "r1" is 0.1234, which is not in steps of 0.001; round it',
    ],
    [
      configurationPatch,
      inRule({ rollout: { percentage: "5" } }),
      'rules.0.rollout.percentage: "percentage" in rule "r1" is "5", expected a number',
    ],
    [configurationPatch, inRule({ rollout: {} }), 'rules.0.rollout.percentage: "percentage" in rule "r1" is missing; give a number'],
    [
      configurationPatch,
      inRule({ rollout: { percentage: 1, over: { kind: "steps", points: [{ at: "tomorrow", percentage: 1 }] } } }),
      'rules.0.rollout.over.points.0.at: "at" in rule "r1" is "tomorrow", expected a time with its offset, such as 2026-12-01T09:00:00+01:00',
    ],
    [
      configurationPatch,
      { rules: [{ serve: { kind: "both" } }] },
      'rules.0.serve.kind: "kind" in rule 1 is "both", expected "variant" or "split"',
    ],
    [
      configurationPatch,
      when({ op: "sounds-like", attribute: "a" }),
      'rules.0.when: "op" in "when" in rule "Beta" is "sounds-like", expected "in", "contains", "startsWith", "endsWith", "number", "matches", "semver", "date", "cidr", "exists", "group", "all", "any" or "not"',
    ],
    [configurationPatch, inRule({ when: "x" }), 'rules.0.when: "when" in rule "r1" is "x", expected an object'],
    [
      configurationPatch,
      when({ op: "in", attribute: "plan", values: [null] }),
      'rules.0.when.values.0: entry 1 of "values" of the condition on "plan" in rule "Beta" is null, expected a text, a number or true or false',
    ],
    [
      configurationPatch,
      when({ op: "number", attribute: "age", is: ">", value: "18" }),
      'rules.0.when.value: "value" of the condition on "age" in rule "Beta" is "18", expected a number',
    ],
    [
      configurationPatch,
      when({ op: "number", attribute: "age", is: "~", value: 1 }),
      'rules.0.when.is: "is" of the condition on "age" in rule "Beta" is "~", expected "<", "<=", ">", ">=", "=" or "!="',
    ],
    [
      configurationPatch,
      when({ op: "all", of: [{ op: "not", of: { op: "in", attribute: "", values: ["x"] } }] }),
      'rules.0.when.of.0.of.attribute: "attribute" in rule "Beta" is empty; write something there',
    ],
    [createFlag, {}, 'key: "key" is missing; give a text'],
    [createFlag, [], ": it is a list, expected an object"],
    [evaluateBody, { flag: "a", context: "ann" }, 'context: "context" is "ann", expected an object'],
  ])("%#", (schema, input, issue) => {
    expect(issuesOf(schema, input)).toEqual([issue]);
  });

  it("keeps the sentences that schemas give themselves", () => {
    expect(issuesOf(createFlag, { key: "no spaces" })).toEqual([expect.stringMatching(/^key: a flag key is 1 to 100 letters/)]);
    expect(issuesOf(configurationPatch, { values: { "no spaces": 1 } })).toEqual([
      expect.stringContaining("the name of a variant is 1 to 50 letters"),
    ]);
  });

  it("is one sentence whatever is sent, and never one of the library", () => {
    for (const input of [
      nested(40),
      null,
      5,
      "x",
      [[]],
      { rules: [[], null, { when: nested(3), serve: null }] },
      { values: [] },
      { off: {} },
    ]) {
      for (const line of issuesOf(configurationPatch, { mode: "?", ...(Array.isArray(input) ? { rules: input } : (input as object)) })) {
        expect(line).not.toMatch(/Invalid|Too (big|small)|Unrecognized|undefined/);
      }
    }
  });
});
