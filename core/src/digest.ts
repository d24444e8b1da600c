import { isObject } from "./attribute.ts";
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

/** The XOR of all of them: of a hundred thousand in a tenth of the time that one `xor64` after the other takes. */
export function xorAll(values: Iterable<Hex64>): Hex64 {
  let high = 0;
  let low = 0;
  for (const value of values) {
    high ^= Number.parseInt(value.slice(0, 8), 16);
    low ^= Number.parseInt(value.slice(8), 16);
  }
  return hex32(high) + hex32(low);
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

/** The same of entries as they came, checked on the way; undefined if one of them is no entry. */
export function digestOfWire(entries: readonly unknown[]): Hex64 | undefined {
  let high = 0;
  let low = 0;
  for (const entry of entries) {
    if (!isObject(entry) || typeof entry.kind !== "string" || typeof entry.key !== "string") return undefined;
    const { fp } = entry;
    if (typeof fp !== "string" || fp.length !== 16) return undefined;
    for (let i = 0; i < 16; i++) {
      const code = fp.charCodeAt(i);
      const digit = code >= 48 && code <= 57 ? code - 48 : code >= 97 && code <= 102 ? code - 87 : -1;
      if (digit < 0) return undefined;
      if (i < 8) high ^= digit << (28 - 4 * i);
      else low ^= digit << (60 - 4 * i);
    }
  }
  return hex32(high) + hex32(low);
}

function half(a: Hex64, b: Hex64, at: number): string {
  return hex32(Number.parseInt(a.slice(at, at + 8), 16) ^ Number.parseInt(b.slice(at, at + 8), 16));
}

export function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
