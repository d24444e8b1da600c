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
  #places = new Int32Array(0);
  #mask = 0;
  /** Of the places that are taken. */
  #taken = 0;
  #hasZero = false;

  /** What has not the form of a hash is left out: nothing has it. */
  constructor(key: SipKey, members: readonly unknown[]) {
    this.#key = key;
    this.#makeRoom(members.length);
    for (const member of members) if (isHex64(member)) this.#put(hexWord(member, 8), hexWord(member, 0));
  }

  has(text: string): boolean {
    hashText(this.#key, text);
    return this.#find(hashed.low, hashed.high) >= 0;
  }

  hasHash(member: Hex64): boolean {
    return this.#find(hexWord(member, 8), hexWord(member, 0)) >= 0;
  }

  add(member: Hex64): void {
    if ((this.#taken + 1) * 2 > this.#mask + 1) {
      const before = this.#places;
      this.#makeRoom(this.#taken * 2);
      this.#taken = 0;
      for (let at = 0; at < before.length; at += 2) {
        if (before[at] !== 0 || before[at + 1] !== 0) this.#put(before[at] as number, before[at + 1] as number);
      }
    }
    this.#put(hexWord(member, 8), hexWord(member, 0));
  }

  remove(member: Hex64): void {
    const low = hexWord(member, 8);
    const high = hexWord(member, 0);
    let gap = this.#find(low, high);
    if (gap < 0) return;
    if (low === 0 && high === 0) {
      this.#hasZero = false;
      return;
    }
    const places = this.#places;
    const last = places.length - 1;
    this.#taken--;
    // Those behind move up, unless that would put one before its own place: a search ends at a gap.
    for (let at = (gap + 2) & last; places[at] !== 0 || places[at + 1] !== 0; at = (at + 2) & last) {
      const home = ((places[at] as number) & this.#mask) * 2;
      if (((at - home) & last) < ((at - gap) & last)) continue;
      places[gap] = places[at] as number;
      places[gap + 1] = places[at + 1] as number;
      gap = at;
    }
    places[gap] = 0;
    places[gap + 1] = 0;
  }

  /** All of them, in no order. */
  hashes(): Hex64[] {
    const found = this.#hasZero ? [hex32(0) + hex32(0)] : [];
    const places = this.#places;
    for (let at = 0; at < places.length; at += 2) {
      const low = places[at] as number;
      const high = places[at + 1] as number;
      if (low !== 0 || high !== 0) found.push(hex32(high) + hex32(low));
    }
    return found;
  }

  #makeRoom(members: number): void {
    let room = 16;
    while (room < members * 2) room *= 2;
    this.#mask = room - 1;
    this.#places = new Int32Array(room * 2);
  }

  /** Where it is; below 0 if it is not there. */
  #find(low: number, high: number): number {
    if (low === 0 && high === 0) return this.#hasZero ? 0 : -1;
    const places = this.#places;
    for (let at = (low & this.#mask) * 2; ; at = (at + 2) & (places.length - 1)) {
      const one = places[at];
      const two = places[at + 1];
      if (one === low && two === high) return at;
      if (one === 0 && two === 0) return -1;
    }
  }

  #put(low: number, high: number): void {
    if (low === 0 && high === 0) {
      this.#hasZero = true; // a place that holds two zeros is free
      return;
    }
    const places = this.#places;
    let at = (low & this.#mask) * 2;
    while (places[at] !== 0 || places[at + 1] !== 0) {
      if (places[at] === low && places[at + 1] === high) return;
      at = (at + 2) & (places.length - 1);
    }
    places[at] = low;
    places[at + 1] = high;
    this.#taken++;
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
