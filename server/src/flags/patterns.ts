import { createRequire } from "node:module";
import { createRegexEngine, patternsLimit, type Re2 } from "@signalbox/core";

let loaded: Re2 | undefined;

/** The library, loaded when the first pattern comes: most installations have none. */
function re2(): Re2 {
  loaded ??= createRequire(import.meta.url)("re2js") as Re2;
  return loaded;
}

/** The engine for `matches` conditions wherever the server evaluates. */
export const regex = createRegexEngine(re2);

/** The longest text that these patterns may be searched in; or, as a sentence, why they cannot be saved. */
export function limitOf(patterns: readonly string[]): ReturnType<typeof patternsLimit> {
  return patternsLimit(re2(), patterns);
}
