import { murmur3 } from "./bucket.ts";
import type { Hex64 } from "./model.ts";
import { sipHashWith } from "./siphash.ts";

/**
 * Names a context without saying who it is: SipHash-2-4 with the all-zero key over its canonical JSON, 16 hexadecimal digits. What is
 * not JSON counts as `JSON.stringify` has it, so that page and server agree. Throws TypeError for what has no JSON: a circle, a bigint.
 */
export function contextHash(context: unknown): Hex64 {
  return sipHashWith([0, 0, 0, 0], canonicalJson(JSON.parse(JSON.stringify(context) ?? "null")));
}

/** Eight bits of a unit: enough to let most pages pass over a change that is not about them, too few to name anybody. */
export function unitTag(unit: string): number {
  return murmur3(unit, 0) & 255;
}

/** JSON without spaces, its keys sorted by UTF-16 units. */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`).join()}}`;
}
