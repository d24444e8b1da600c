/** A file of its own in the package (`re2.cjs`), so that programs without regular expressions never read it. */
export { RE2JS } from "re2js";
