import { describe, expect, test } from "vitest";
import { contextOfJson, contextOfRows, contextsOf, kindOf, rowsOf, typedValue } from "./try-context.ts";

const row = (name: string, text: string) => ({ id: 0, name, text });

test.each<[string, unknown, string]>([
  ["5", 5, "number"],
  ['"5"', "5", "text"],
  ["true", true, "yes or no"],
  ["pro", "pro", "text"],
  [' ["a", "b"] ', ["a", "b"], "list"],
  ['{"a":1}', { a: 1 }, "object"],
  ["null", null, "nothing"],
  ["2026-12-01", "2026-12-01", "text"],
  ["1.2.3", "1.2.3", "text"],
])("typedValue %s", (text, value, kind) => {
  expect(typedValue(text)).toEqual(value);
  expect(kindOf(typedValue(text))).toBe(kind);
});

describe("contextOfRows", () => {
  test("leaves out what is empty, and keeps the key a text", () => {
    expect(contextOfRows(" 4711 ", [row("plan", "pro"), row("", ""), row("seats", "5"), row("country", "")])).toEqual({
      value: { key: "4711", plan: "pro", seats: 5 },
    });
    expect(contextOfRows("", [row("account.key", "a1")])).toEqual({ value: { "account.key": "a1" } });
  });
  test("names a row without a name and one that is there twice", () => {
    expect(contextOfRows("", [row("", "pro")])).toEqual({ problem: expect.stringContaining("“pro”") });
    expect(contextOfRows("", [row("plan", "a"), row("plan", "b")])).toEqual({ problem: expect.stringContaining("“plan”") });
    expect(contextOfRows("u", [row("key", "a")])).toEqual({ problem: expect.stringContaining("“key”") });
  });
});

test("contextOfJson takes one object, and rows hold the same", () => {
  expect(contextOfJson("")).toEqual({ value: {} });
  expect(contextOfJson("{")).toHaveProperty("problem");
  expect(contextOfJson("[]")).toHaveProperty("problem");
  const context = { key: "4711", plan: "pro", seats: 5, zip: "8001", account: { key: "a" }, tags: ["x"] };
  const { key, rows } = rowsOf(context);
  expect(rows).toContainEqual({ name: "zip", text: '"8001"' });
  expect(
    contextOfRows(
      key,
      rows.map((each, id) => ({ id, ...each })),
    ),
  ).toEqual({ value: context });
});

describe("contextsOf", () => {
  test.each([
    ['[{"key":"a"},{}]', 2],
    ['{"key":"a"}\n\n {"key":"b"} \n', 2],
    ['{\n  "key": "a"\n}', 1],
  ])("reads %j", (text, count) => {
    expect(contextsOf(text)).toEqual({ value: expect.objectContaining({ length: count }) });
  });
  test.each([
    ["", "at least one"],
    ["[]", "empty"],
    ["[1]", "Context 1"],
    ['{"key":"a"}\n\nana', "Line 3"],
    [JSON.stringify(Array(10_001).fill({})), "10,001 contexts, the most is 10,000"],
  ])("says what is wrong with %.30s", (text, problem) => {
    expect(contextsOf(text)).toEqual({ problem: expect.stringContaining(problem) });
  });
});
