import { hex32, isHex64 } from "./digest.ts";
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
  hashText(key, text);
  return hex32(hashed.high) + hex32(hashed.low);
}

/** Members of a list, by their hashes: one look-up hashes the text once and allocates nothing. */
export class SipSet {
  readonly #key: SipKey;
  /** Halves of the hashes, low and high in turns; hashes are evenly spread, so a place is their last bits, or the next free one after it. */
  readonly #places: Int32Array;
  readonly #mask: number;
  #hasZero = false;

  /** What has not the form of a hash is left out: nothing has it. */
  constructor(key: SipKey, members: readonly unknown[]) {
    this.#key = key;
    let room = 16;
    while (room < members.length * 2) room *= 2;
    this.#mask = room - 1;
    this.#places = new Int32Array(room * 2);
    for (const member of members) if (isHex64(member)) this.#add(hexWord(member, 8), hexWord(member, 0));
  }

  has(text: string): boolean {
    hashText(this.#key, text);
    const { low, high } = hashed;
    if (low === 0 && high === 0) return this.#hasZero;
    const places = this.#places;
    for (let at = (low & this.#mask) * 2; ; at = (at + 2) & (places.length - 1)) {
      const one = places[at];
      const two = places[at + 1];
      if (one === low && two === high) return true;
      if (one === 0 && two === 0) return false;
    }
  }

  #add(low: number, high: number): void {
    if (low === 0 && high === 0) this.#hasZero = true;
    const places = this.#places;
    let at = (low & this.#mask) * 2;
    while (places[at] !== 0 || places[at + 1] !== 0) {
      if (places[at] === low && places[at + 1] === high) return;
      at = (at + 2) & (places.length - 1);
    }
    places[at] = low;
    places[at + 1] = high;
  }
}

function hexWord(hex: Hex64, at: number): number {
  let value = 0;
  for (let i = at; i < at + 8; i++) {
    const code = hex.charCodeAt(i);
    value = (value << 4) | (code < 58 ? code - 48 : code - 87);
  }
  return value;
}

// What the last text was hashed to, and where its bytes are: hashing is synchronous, and an object for each text would be garbage.
const hashed = { high: 0, low: 0 };
let scratch = new Uint8Array(256);

function hashText(key: SipKey, text: string): void {
  const { length } = text;
  if (length > scratch.length) scratch = new Uint8Array(length * 2);
  const bytes = scratch;
  let seen = 0;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    seen |= code;
    bytes[i] = code;
  }
  if (seen < 128) hashBytes(key, bytes, length);
  else {
    const encoded = utf8(text);
    hashBytes(key, encoded, encoded.length);
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
}

function rest(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let i = at, shift = 0; i < end; i++, shift += 8) value |= (bytes[i] as number) << shift;
  return value;
}

/** Each 64-bit word is held as two signed 32-bit halves in local variables: BigInt would allocate at every step. */
function hashBytes(key: SipKey, bytes: Uint8Array, size: number): void {
  let l0 = key[0] ^ 0x70736575;
  let h0 = key[1] ^ 0x736f6d65;
  let l1 = key[2] ^ 0x6e646f6d;
  let h1 = key[3] ^ 0x646f7261;
  let l2 = key[0] ^ 0x6e657261;
  let h2 = key[1] ^ 0x6c796765;
  let l3 = key[2] ^ 0x79746573;
  let h3 = key[3] ^ 0x74656462;
  let t = 0;
  const whole = size & ~7;
  let at = 0;
  let rounds = 2;
  let low = 0;
  let high = 0;
  for (;;) {
    if (rounds === 2) {
      if (at < whole) {
        low = word(bytes, at);
        high = word(bytes, at + 4);
      } else {
        low = rest(bytes, whole, Math.min(size, whole + 4));
        high = rest(bytes, whole + 4, size) | (size << 24);
      }
      l3 ^= low;
      h3 ^= high;
    }
    for (let i = 0; i < rounds; i++) {
      // v0 += v1; v1 <<<= 13; v1 ^= v0; v0 <<<= 32
      l0 = (l0 + l1) | 0;
      h0 = (h0 + h1 + (l0 >>> 0 < l1 >>> 0 ? 1 : 0)) | 0;
      t = (l1 << 13) | (h1 >>> 19);
      h1 = ((h1 << 13) | (l1 >>> 19)) ^ h0;
      l1 = t ^ l0;
      t = l0;
      l0 = h0;
      h0 = t;
      // v2 += v3; v3 <<<= 16; v3 ^= v2
      l2 = (l2 + l3) | 0;
      h2 = (h2 + h3 + (l2 >>> 0 < l3 >>> 0 ? 1 : 0)) | 0;
      t = (l3 << 16) | (h3 >>> 16);
      h3 = ((h3 << 16) | (l3 >>> 16)) ^ h2;
      l3 = t ^ l2;
      // v0 += v3; v3 <<<= 21; v3 ^= v0
      l0 = (l0 + l3) | 0;
      h0 = (h0 + h3 + (l0 >>> 0 < l3 >>> 0 ? 1 : 0)) | 0;
      t = (l3 << 21) | (h3 >>> 11);
      h3 = ((h3 << 21) | (l3 >>> 11)) ^ h0;
      l3 = t ^ l0;
      // v2 += v1; v1 <<<= 17; v1 ^= v2; v2 <<<= 32
      l2 = (l2 + l1) | 0;
      h2 = (h2 + h1 + (l2 >>> 0 < l1 >>> 0 ? 1 : 0)) | 0;
      t = (l1 << 17) | (h1 >>> 15);
      h1 = ((h1 << 17) | (l1 >>> 15)) ^ h2;
      l1 = t ^ l2;
      t = l2;
      l2 = h2;
      h2 = t;
    }
    if (rounds === 4) break;
    l0 ^= low;
    h0 ^= high;
    if (at === whole) {
      l2 ^= 255;
      rounds = 4;
    }
    at += 8;
  }
  hashed.high = h0 ^ h1 ^ h2 ^ h3;
  hashed.low = l0 ^ l1 ^ l2 ^ l3;
}
