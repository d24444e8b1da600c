import type { RegexEngine } from "./conditions.ts";

/** What is used of re2js: regular expressions in RE2 syntax, which has no backtracking and so no search that takes exponential time. */
export interface Re2 {
  readonly RE2JS: {
    readonly CASE_INSENSITIVE: number;
    compile(pattern: string, flags?: number): { test(text: string): boolean; programSize(): number };
  };
}

/** Characters of one pattern. */
export const PATTERN_LENGTH_MAX = 500;
/** Instructions of all patterns of one condition, as compiled. */
export const PATTERNS_SIZE_MAX = 400;
/** Instructions times characters of the text: the worst patterns need a quarter of a microsecond for each, so 5 ms in all. */
const SEARCH_STEPS_MAX = 20_000;

/** Loads the library when the first pattern is compiled: most programs never have one. */
export function createRegexEngine(load: () => Re2): RegexEngine {
  let loaded: Re2 | undefined;
  return (pattern, ignoreCase) => {
    loaded ??= load();
    const { RE2JS } = loaded;
    const compiled = RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
    return (text) => compiled.test(text);
  };
}

/** The longest text that these patterns may be searched in; or, as a sentence, why they cannot be saved. */
export function patternsLimit(
  { RE2JS }: Re2,
  patterns: readonly string[],
): { readonly textLengthMax: number } | { readonly problem: string } {
  let size = 0;
  for (const pattern of patterns) {
    if (pattern.length > PATTERN_LENGTH_MAX) {
      return { problem: `a pattern has ${pattern.length} characters, the most is ${PATTERN_LENGTH_MAX}; split it into several` };
    }
    try {
      size += RE2JS.compile(pattern).programSize();
    } catch (error) {
      const why = error instanceof Error ? error.message.replace("error parsing regexp: ", "") : "it cannot be read";
      return { problem: `${JSON.stringify(pattern)} is no regular expression in RE2 syntax: ${why}` };
    }
  }
  if (size > PATTERNS_SIZE_MAX) {
    return {
      problem: `the patterns of a condition have a size of ${size}, the most is ${PATTERNS_SIZE_MAX}; use fewer repetitions, or "starts with" and "is one of"`,
    };
  }
  return { textLengthMax: Math.floor(SEARCH_STEPS_MAX / Math.max(1, size)) };
}
