import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { BUCKETS, isInside, murmur3, rolloutBucket, rolloutPrefix, splitBucket, threshold, unitOf } from "./bucket.ts";

// Properties take seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

/** MurmurHash3_x86_32 once more, in BigInt and word by word, so that the two can only agree by being right. */
function murmurReference(text: string, seed: number): number {
  const mask = 0xffffffffn;
  const bytes = new TextEncoder().encode(text);
  const rotate = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (32n - by))) & mask;
  const scramble = (k: bigint): bigint => (rotate((k * 0xcc9e2d51n) & mask, 15n) * 0x1b873593n) & mask;
  let hash = BigInt(seed);
  for (let at = 0; at < bytes.length; at += 4) {
    let k = 0n;
    for (let i = 0; i < 4 && at + i < bytes.length; i++) k |= BigInt(bytes[at + i] ?? 0) << BigInt(8 * i);
    hash ^= scramble(k);
    if (at + 4 <= bytes.length) hash = (rotate(hash, 13n) * 5n + 0xe6546b64n) & mask;
  }
  hash ^= BigInt(bytes.length);
  hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & mask;
  hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) & mask;
  return Number(hash ^ (hash >> 16n));
}

/** How the Unleash SDKs decide: `normalizedStrategyValue` and `normalizedVariantValue`. */
const unleashPercentage = (groupId: string, id: string): number => (murmurReference(`${groupId}:${id}`, 0) % 100) + 1;
const unleashVariant = (groupId: string, id: string): number => (murmurReference(`${groupId}:${id}`, 86_028_157) % 1_000) + 1;

/** Any text, lone surrogates included. */
const text = fc.string({
  unit: fc.oneof(
    fc.string({ unit: "binary" }),
    fc.integer({ min: 0xd800, max: 0xdfff }).map((code) => String.fromCharCode(code)),
  ),
  maxLength: 12,
});
const ascii = fc.string({ minLength: 1, maxLength: 40 });

test("murmur3 gives the published values", () => {
  expect(murmur3("", 0)).toBe(0);
  expect(murmur3("", 1)).toBe(0x514e28b7);
  expect(murmur3("aaaa", 0x9747b28c)).toBe(0x5a97808a);
  expect(murmur3("ππππππππ", 0x9747b28c)).toBe(0xd58063c1);
  expect(murmur3("The quick brown fox jumps over the lazy dog", 0)).toBe(0x2e4ff723);
});

test("murmur3 agrees with a second implementation for any text and seed", () => {
  fc.assert(
    fc.property(text, fc.nat(0xffffffff), (any, seed) => murmur3(any, seed) === murmurReference(any, seed)),
    { numRuns: 2_000 },
  );
});

test("a bucket follows the formula of the design for any salt and unit", () => {
  const formula = (salt: string, unit: string, seed: number, base: number): number => {
    const x = murmurReference(`${salt}:${unit}`, seed) % BUCKETS;
    return (x % base) * (BUCKETS / base) + Math.floor(x / base);
  };
  fc.assert(
    fc.property(text, text, (salt, unit) => {
      expect(rolloutBucket(salt, unit)).toBe(formula(salt, unit, 0, 100));
      expect(splitBucket(salt, unit)).toBe(formula(salt, unit, 86_028_157, 1_000));
    }),
    { numRuns: 1_000 },
  );
});

test("whole percentages admit exactly the units that Unleash admits", () => {
  fc.assert(
    fc.property(ascii, ascii, (salt, unit) => {
      const bucket = rolloutBucket(salt, unit);
      for (let percentage = 0; percentage <= 100; percentage++) {
        expect(bucket < percentage * 1_000).toBe(unleashPercentage(salt, unit) <= percentage);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("tenths of a percent split units exactly as Unleash variants do", () => {
  fc.assert(
    fc.property(ascii, ascii, fc.nat(1_000), (salt, unit, tenths) => {
      expect(splitBucket(salt, unit) < tenths * 100).toBe(unleashVariant(salt, unit) <= tenths);
    }),
    { numRuns: 2_000 },
  );
});

describe.each([
  ["rolloutBucket", rolloutBucket],
  ["splitBucket", splitBucket],
])("%s", (_name, bucketOf) => {
  // 99 degrees of freedom: chi-square exceeds 180 once in a million. The input is fixed, so this passes always or never.
  test.each(["checkout", "a", "new-search", "été"])("spreads units evenly for the salt %s", (salt) => {
    const counts = new Array<number>(100).fill(0);
    const samples = 50_000;
    for (let i = 0; i < samples; i++) {
      const at = Math.floor(bucketOf(salt, `user-${i}`) / 1_000);
      counts[at] = (counts[at] ?? 0) + 1;
    }
    const expected = samples / 100;
    expect(counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)).toBeLessThan(180);
  });

  test("reaches the last digits too: thousandths of a percent are used evenly", () => {
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 50_000; i++) {
      const at = bucketOf("checkout", `user-${i}`) % 10;
      counts[at] = (counts[at] ?? 0) + 1;
    }
    expect(counts.reduce((sum, count) => sum + (count - 5_000) ** 2 / 5_000, 0)).toBeLessThan(40);
  });

  test("stays within 0 and 99,999", () => {
    fc.assert(fc.property(text, text, (salt, unit) => bucketOf(salt, unit) >= 0 && bucketOf(salt, unit) < BUCKETS));
  });
});

test("two flags at 10 % overlap about 1 %: salts are independent, and so are rollout and split", () => {
  let both = 0;
  let mixed = 0;
  for (let i = 0; i < 50_000; i++) {
    const inOne = rolloutBucket("one", `user-${i}`) < 10_000;
    if (inOne && rolloutBucket("two", `user-${i}`) < 10_000) both++;
    if (inOne && splitBucket("one", `user-${i}`) < 10_000) mixed++;
  }
  expect(both).toBeGreaterThan(350);
  expect(both).toBeLessThan(650);
  expect(mixed).toBeGreaterThan(350);
  expect(mixed).toBeLessThan(650);
});

test("unitOf takes texts and safe integers only", () => {
  expect(["a", "42", " ", 42, 0, -7].map(unitOf)).toEqual(["a", "42", " ", "42", "0", "-7"]);
  for (const refused of ["", 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, true, null, undefined, 5n, {}, ["a"], Symbol("a")]) {
    expect(unitOf(refused)).toBeUndefined();
  }
});

test("isInside says what comparing the bucket says, at every kind of threshold", () => {
  const edge = fc.oneof(
    fc.nat(BUCKETS),
    fc.integer({ min: 0, max: 100 }).map((percent) => percent * 1_000),
  );
  fc.assert(
    fc.property(edge, edge, fc.string(), fc.string({ unit: "grapheme" }), (from, to, salt, unit) => {
      const bucket = rolloutBucket(salt, unit);
      for (const [low, high] of [
        [from, to],
        [bucket, bucket + 1],
        [bucket + 1, BUCKETS],
        [0, bucket],
      ] as const) {
        expect(isInside(rolloutPrefix(salt), unit, threshold(low), threshold(high))).toBe(bucket >= low && bucket < high);
      }
    }),
    { numRuns: 5_000 },
  );
});
