import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluate, type FlagEntry, loadEntries, type RegexEngine, unreadableBecause, ZERO64 } from "./index.ts";
import { createRegexEngine, PATTERN_LENGTH_MAX, PATTERNS_SIZE_MAX, patternsLimit, type Re2 } from "./regex.ts";

const re2 = createRequire(import.meta.url)("re2js") as Re2;
const engine = createRegexEngine(() => re2);

function flag(values: readonly unknown[], textLengthMax = 1_000): FlagEntry {
  const when = { op: "matches", attribute: "x", values, textLengthMax };
  const rules = [{ id: "r", when, serve: { kind: "variant", variant: "on" } }] as FlagEntry["rules"];
  return {
    kind: "flag",
    key: "f",
    fp: ZERO64,
    type: "boolean",
    off: "off",
    on: "on",
    mode: "targeted",
    salt: "f",
    ...(rules && { rules }),
  };
}

describe("createRegexEngine", () => {
  test("loads the library with the first pattern and only once", () => {
    let loads = 0;
    const lazy = createRegexEngine(() => {
      loads++;
      return re2;
    });
    const state = loadEntries([flag(["a"]), { ...flag(["b"]), key: "g" }], { regex: lazy });
    expect(loads).toBe(0);
    for (const key of ["f", "g", "f"]) evaluate(state, key, { x: "a" });
    expect(loads).toBe(1);
  });

  test("agrees with JavaScript on patterns that mean the same in both", () => {
    const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "(a|b)", "(?:ab)", "\\.", "^", "$");
    const pattern = fc.array(fc.tuple(atom, fc.constantFrom("", "", "*", "+", "?", "{1,2}")), { minLength: 1, maxLength: 4 }).map((parts) =>
      // A repeated "^" is refused by one of the two.
      parts.map(([one, times]) => one + (one === "^" || one === "$" ? "" : times)).join(""),
    );
    const text = fc.array(fc.constantFrom("a", "b", "A", ".", "\u{1f682}"), { maxLength: 6 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(pattern, text, fc.boolean(), (pattern, text, ignoreCase) => {
        expect(engine(pattern, ignoreCase)(text)).toBe(new RegExp(pattern, ignoreCase ? "iu" : "u").test(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each(["(", "[", "*", "a**", "\\", "(?=a)", "(?<=a)", "(a)\\1", "a{1001}", "\\p{Nothing}", "(?P<n>a)(?P<n>b)"])(
    "throws for %s, and the flag says why",
    (pattern) => {
      expect(() => engine(pattern, false)).toThrow();
      const state = loadEntries([flag([pattern])], { regex: engine });
      expect(evaluate(state, "f", { x: "a" }).reason).toEqual({ kind: "ERROR", code: "PARSE_ERROR" });
      expect(unreadableBecause(state, "f")).toContain("is no regular expression");
    },
  );
});

describe("an engine that misbehaves", () => {
  const fails: [string, RegexEngine, boolean][] = [
    [
      "that cannot be loaded makes the flag unreadable",
      createRegexEngine(() => {
        throw new Error("no such module");
      }),
      true,
    ],
    [
      "whose search throws makes the condition unknown",
      () => () => {
        throw new Error("no");
      },
      false,
    ],
  ];
  test.each(fails)("%s", (_name, regex, isUnreadable) => {
    const state = loadEntries([flag(["a"])], { regex });
    expect(evaluate(state, "f", { x: "a" })).toMatchObject({
      variant: "off",
      reason: isUnreadable ? { kind: "ERROR" } : { kind: "DEFAULT" },
    });
  });
});

describe("patternsLimit", () => {
  test("allows the shorter texts the larger the patterns are, and names what it refuses", () => {
    const limit = (...patterns: string[]) => patternsLimit(re2, patterns);
    const small = limit("a") as { textLengthMax: number };
    const large = limit("a", "(foo|bar){10}") as { textLengthMax: number };
    expect(small.textLengthMax).toBeGreaterThan(large.textLengthMax);
    expect(large.textLengthMax).toBeGreaterThan(100);
    expect(limit("a".repeat(PATTERN_LENGTH_MAX + 1))).toEqual({
      problem: "a pattern has 501 characters, the most is 500; split it into several",
    });
    expect(limit("(")).toMatchObject({ problem: expect.stringContaining('"(" is no regular expression in RE2 syntax: ') });
    expect(limit("((a{1,100}){1,10})")).toMatchObject({ problem: expect.stringContaining(`the most is ${PATTERNS_SIZE_MAX}`) });
  });
});
