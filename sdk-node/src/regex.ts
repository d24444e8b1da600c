import { createRequire } from "node:module";
import { createRegexEngine, type Re2 } from "@signalbox/core";

/** For `matches` conditions: the engine lies beside this file, in the same package, and is loaded when the first pattern is compiled. */
export const regex = createRegexEngine(() => createRequire(import.meta.url)("./re2.cjs") as Re2);
