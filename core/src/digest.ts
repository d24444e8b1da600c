import type { Hex64 } from "./model.ts";

export const ZERO64: Hex64 = "0000000000000000";

const HEX64 = /^[0-9a-f]{16}$/;

export function isHex64(value: unknown): value is Hex64 {
  return typeof value === "string" && HEX64.test(value);
}

/** Both arguments have 16 lower-case hexadecimal digits, as the result has. */
export function xor64(a: Hex64, b: Hex64): Hex64 {
  return half(a, b, 0) + half(a, b, 8);
}

/** The digest of a state: the XOR of the fingerprints of all its entries, in any order; zero for none. */
export function digestOf(entries: Iterable<{ readonly fp: Hex64 }>): Hex64 {
  let high = 0;
  let low = 0;
  for (const { fp } of entries) {
    high ^= Number.parseInt(fp.slice(0, 8), 16);
    low ^= Number.parseInt(fp.slice(8), 16);
  }
  return hex32(high) + hex32(low);
}

function half(a: Hex64, b: Hex64, at: number): string {
  return hex32(Number.parseInt(a.slice(at, at + 8), 16) ^ Number.parseInt(b.slice(at, at + 8), 16));
}

export function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
