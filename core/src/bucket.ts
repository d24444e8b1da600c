import { utf8 } from "./utf8.ts";

/**
 * A percentage is decided in hundred-thousandths: 1,000 buckets are one percent. Where a hash is divided by it, the number is written out:
 * once bundled, a module's constant is a variable to the engine, and the division one of floats that takes 30 ns.
 */
export const BUCKETS = 100_000;

const ROLLOUT_SEED = 0;
/** Unleash's seed for variants: a different one, so that a split inside a rollout is independent of the rollout. */
const SPLIT_SEED = 86_028_157;

/** The state of the hash after the salt: made once per rule, so that an evaluation hashes only the unit. */
export interface HashPrefix {
  readonly hash: number;
  /** The last, incomplete block of four bytes, and how many bits of it are filled. */
  readonly block: number;
  readonly bits: number;
  readonly bytes: number;
}

/** The unit that a context's attribute stands for: a text as it is, a safe integer in decimal form; nothing else, and not the empty text. */
export function unitOf(value: unknown): string | undefined {
  if (typeof value === "string") return value === "" ? undefined : value;
  return Number.isSafeInteger(value) ? String(value) : undefined;
}

/** Whether a value is a threshold or a weight: a whole number of 0 to 100,000. */
export function isBucketCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= BUCKETS;
}

/** The bucket, 0 to 99,999, of a unit for percentages. Inside a slice when `from <= bucket < to`. */
export function rolloutBucket(salt: string, unit: string): number {
  return rolloutBucketAfter(rolloutPrefix(salt), unit);
}

/** The bucket, 0 to 99,999, of a unit for splits, to be looked up in the cumulative weights. */
export function splitBucket(salt: string, unit: string): number {
  return splitBucketAfter(splitPrefix(salt), unit);
}

export function rolloutPrefix(salt: string): HashPrefix {
  return prefix(`${salt}:`, ROLLOUT_SEED);
}

export function splitPrefix(salt: string): HashPrefix {
  return prefix(`${salt}:`, SPLIT_SEED);
}

export function rolloutBucketAfter(salt: HashPrefix, unit: string): number {
  // The order of digits: a whole percentage admits the units that the Unleash SDKs admit (they use the hash modulo 100),
  // while the digits below give steps of 0.001 %. Integers only: ratios of hashes as floats differ between languages.
  const x = (hashAfter(salt, unit) >>> 0) % 100_000;
  return (x % 100) * 1_000 + ((x / 100) | 0);
}

/** A bucket to compare others with, as the digits of the order above. */
export interface Threshold {
  readonly percent: number;
  readonly thousandths: number;
}

export function threshold(bucket: number): Threshold {
  return { percent: Math.floor(bucket / 1_000), thousandths: bucket % 1_000 };
}

/**
 * Whether the bucket of a unit lies in `from <= bucket < to`; the same as comparing `rolloutBucketAfter`, for less: the two digits in front
 * decide nearly always, and they are one remainder of the hash away.
 */
export function isInside(salt: HashPrefix, unit: string, from: Threshold, to: Threshold): boolean {
  const hash = hashAfter(salt, unit);
  return isBelow(hash, to) && !isBelow(hash, from);
}

function isBelow(hash: number, { percent, thousandths }: Threshold): boolean {
  const front = (hash >>> 0) % 100; // 100 divides 100,000
  if (front !== percent) return front < percent;
  return thousandths !== 0 && ((((hash >>> 0) % 100_000) / 100) | 0) < thousandths;
}

export function splitBucketAfter(salt: HashPrefix, unit: string): number {
  // As above, for tenths of a percent: Unleash uses the hash modulo 1000 for variants.
  const x = (hashAfter(salt, unit) >>> 0) % 100_000;
  return (x % 1_000) * 100 + ((x / 1_000) | 0);
}

/**
 * MurmurHash3_x86_32 of the text's UTF-8 bytes, as an unsigned number.
 * Austin Appleby, public domain: https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp
 */
export function murmur3(text: string, seed: number): number {
  return hashAfter(emptyPrefix(seed), text) >>> 0;
}

function prefix(text: string, seed: number): HashPrefix {
  return absorb(emptyPrefix(seed), utf8(text));
}

function emptyPrefix(seed: number): HashPrefix {
  return { hash: seed | 0, block: 0, bits: 0, bytes: 0 };
}

function absorb(start: HashPrefix, bytes: Uint8Array): HashPrefix {
  let { hash, block, bits } = start;
  for (const byte of bytes) {
    block |= byte << bits;
    bits += 8;
    if (bits === 32) {
      hash = mix(hash, block);
      block = 0;
      bits = 0;
    }
  }
  return { hash, block, bits, bytes: start.bytes + bytes.length };
}

/** Signed 32 bits: an unsigned result would be boxed by the engine wherever this is not inlined. */
function hashAfter(start: HashPrefix, text: string): number {
  const length = text.length;
  // The engine keeps a number in a machine word as long as every value that it may take is seen to be of 32 signed bits: hence `| 0`.
  let hash = start.hash | 0;
  let block = start.block | 0;
  let bits = start.bits | 0;
  let seen = 0;
  let i = 0;
  // The block that the salt left incomplete; then four characters at a time, taken for ASCII until one is not.
  if (bits !== 0) {
    for (; i < length && bits < 32; i++, bits += 8) {
      const code = text.charCodeAt(i);
      seen |= code;
      block |= code << bits;
    }
    if (bits === 32) {
      hash = mix(hash, block);
      block = 0;
      bits = 0;
    }
  }
  for (; i + 4 <= length; i += 4) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    seen |= a | b | c | d;
    hash = mix(hash, a | (b << 8) | (c << 16) | (d << 24));
  }
  for (; i < length; i++, bits += 8) {
    const code = text.charCodeAt(i);
    seen |= code;
    block |= code << bits;
  }
  return seen > 127 ? hashBytesAfter(start, text) : finish(hash, block, start.bytes + length);
}

function hashBytesAfter(start: HashPrefix, text: string): number {
  const { hash, block, bytes } = absorb(start, utf8(text));
  return finish(hash, block, bytes);
}

function scramble(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

function mix(hash: number, block: number): number {
  const h = hash ^ scramble(block);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number, block: number, bytes: number): number {
  // An empty last block scrambles to 0 and changes nothing.
  let h = hash ^ scramble(block) ^ bytes;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
