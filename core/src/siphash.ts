import { hex32 } from "./digest.ts";
import type { Hex64 } from "./model.ts";
import { utf8 } from "./utf8.ts";

/** The four halves of a key, low half first, as signed 32-bit numbers. */
export type SipKey = readonly [number, number, number, number];

/** Reads a key of 32 hexadecimal digits, two for each of its 16 bytes; undefined for anything else. */
export function sipKey(text: unknown): SipKey | undefined {
  if (typeof text !== "string" || !/^[0-9a-fA-F]{32}$/.test(text)) return undefined;
  const word = (at: number): number => {
    let value = 0;
    for (let i = 3; i >= 0; i--) value = (value << 8) | Number.parseInt(text.slice(at + i * 2, at + i * 2 + 2), 16);
    return value;
  };
  return [word(0), word(8), word(16), word(24)];
}

/**
 * SipHash-2-4 of the text's UTF-8 bytes as a number of 64 bits in hexadecimal, most significant digit first
 * (the paper's form: `a129ca6149be45e5`). Group lists travel in this form: who does not hold the key cannot look for
 * names in a list, nor choose keys that collide in it. Throws RangeError if the key is not 32 hexadecimal digits.
 * Aumasson and Bernstein, https://www.aumasson.jp/siphash/siphash.pdf
 */
export function sipHash(hashKey: string, text: string): Hex64 {
  const key = sipKey(hashKey);
  if (!key) throw new RangeError(`the hash key must have 32 hexadecimal digits, not ${JSON.stringify(hashKey)}`);
  return sipHashWith(key, text);
}

export function sipHashWith(key: SipKey, text: string): Hex64 {
  const bytes = utf8(text);
  const size = bytes.length;
  // Each 64-bit word is held as two signed 32-bit halves: BigInt would allocate at every step.
  const v: Words = {
    l0: key[0] ^ 0x70736575,
    h0: key[1] ^ 0x736f6d65,
    l1: key[2] ^ 0x6e646f6d,
    h1: key[3] ^ 0x646f7261,
    l2: key[0] ^ 0x6e657261,
    h2: key[1] ^ 0x6c796765,
    l3: key[2] ^ 0x79746573,
    h3: key[3] ^ 0x74656462,
  };
  const whole = size - (size % 8);
  for (let at = 0; at < whole; at += 8) absorb(v, word(bytes, at, 4), word(bytes, at + 4, 4));
  const rest = size - whole;
  absorb(v, word(bytes, whole, Math.min(rest, 4)), word(bytes, whole + 4, rest - 4) | ((size & 255) << 24));
  v.l2 ^= 255;
  for (let i = 0; i < 4; i++) round(v);
  return hex32(v.h0 ^ v.h1 ^ v.h2 ^ v.h3) + hex32(v.l0 ^ v.l1 ^ v.l2 ^ v.l3);
}

interface Words {
  l0: number;
  h0: number;
  l1: number;
  h1: number;
  l2: number;
  h2: number;
  l3: number;
  h3: number;
}

function word(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value |= (bytes[at + i] ?? 0) << (i * 8);
  return value;
}

function absorb(v: Words, low: number, high: number): void {
  v.l3 ^= low;
  v.h3 ^= high;
  round(v);
  round(v);
  v.l0 ^= low;
  v.h0 ^= high;
}

/** One SipRound, on copies in local variables. */
function round(v: Words): void {
  let { l0, h0, l1, h1, l2, h2, l3, h3 } = v;
  let t: number;
  // v0 += v1; v1 <<<= 13; v1 ^= v0; v0 <<<= 32
  t = (l0 >>> 0) + (l1 >>> 0);
  h0 = (h0 + h1 + (t > 0xffffffff ? 1 : 0)) | 0;
  l0 = t | 0;
  t = (l1 << 13) | (h1 >>> 19);
  h1 = ((h1 << 13) | (l1 >>> 19)) ^ h0;
  l1 = t ^ l0;
  t = l0;
  l0 = h0;
  h0 = t;
  // v2 += v3; v3 <<<= 16; v3 ^= v2
  t = (l2 >>> 0) + (l3 >>> 0);
  h2 = (h2 + h3 + (t > 0xffffffff ? 1 : 0)) | 0;
  l2 = t | 0;
  t = (l3 << 16) | (h3 >>> 16);
  h3 = ((h3 << 16) | (l3 >>> 16)) ^ h2;
  l3 = t ^ l2;
  // v0 += v3; v3 <<<= 21; v3 ^= v0
  t = (l0 >>> 0) + (l3 >>> 0);
  h0 = (h0 + h3 + (t > 0xffffffff ? 1 : 0)) | 0;
  l0 = t | 0;
  t = (l3 << 21) | (h3 >>> 11);
  h3 = ((h3 << 21) | (l3 >>> 11)) ^ h0;
  l3 = t ^ l0;
  // v2 += v1; v1 <<<= 17; v1 ^= v2; v2 <<<= 32
  t = (l2 >>> 0) + (l1 >>> 0);
  h2 = (h2 + h1 + (t > 0xffffffff ? 1 : 0)) | 0;
  l2 = t | 0;
  t = (l1 << 17) | (h1 >>> 15);
  h1 = ((h1 << 17) | (l1 >>> 15)) ^ h2;
  l1 = t ^ l2;
  v.l0 = l0;
  v.h0 = h0;
  v.l1 = l1;
  v.h1 = h1;
  v.l2 = h2;
  v.h2 = l2;
  v.l3 = l3;
  v.h3 = h3;
}
