import fc from "fast-check";
import { expect, test } from "vitest";
import { cursorBefore, pagesOf, UNITS_MAX, unitsOf } from "./units.ts";

test("unitsOf takes lines, commas, semicolons and tabs, leaves out doubles and takes quotes off", () => {
  expect(unitsOf('4711\n 4712 ,"shop 9";4711\t\r\nx').units).toEqual(["4711", "4712", "shop 9", "x"]);
  expect(unitsOf(" \n,").units).toEqual([]);
});

test("unitsOf refuses what the server would refuse, with the value and the rule", () => {
  expect(unitsOf("x".repeat(201)).problem).toBe(`"${"x".repeat(30)}…" has 201 characters; a key has at most 200.`);
  const many = Array.from({ length: UNITS_MAX + 1 }, (_, index) => `u${index}`).join("\n");
  expect(unitsOf(many).problem).toBe("These are 100001 keys; a group has at most 100000.");
});

test("pagesOf makes parts that the server takes, and loses nothing", () => {
  const units = Array.from({ length: 25_001 }, (_, index) => `u${index}`);
  const pages = pagesOf(units);
  expect(pages.map(({ length }) => length)).toEqual([10_000, 10_000, 5_001]);
  expect(pages.flat()).toEqual(units);
  const wide = pagesOf(Array.from({ length: 10_000 }, (_, index) => "ü".repeat(190) + index));
  expect(wide.flat()).toHaveLength(10_000);
  for (const page of wide) expect(new TextEncoder().encode(JSON.stringify({ add: page })).length).toBeLessThan(1_000_000);
  expect(pagesOf([])).toEqual([]);
});

test("cursorBefore stands before every unit with the prefix, and after those that sort before them", () => {
  const text = fc.string({ minLength: 1, maxLength: 6 }).filter((value) => value.charCodeAt(value.length - 1) > 0);
  fc.assert(
    fc.property(text, fc.string({ maxLength: 4 }), (prefix, rest) => {
      const cursor = cursorBefore(prefix) ?? "";
      expect(cursor < prefix + rest).toBe(true);
      expect(cursor.startsWith(prefix)).toBe(false);
    }),
  );
  expect(cursorBefore("")).toBeUndefined();
});
