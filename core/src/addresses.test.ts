import { BlockList, isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isInRanges } from "../test/references.ts";
import { isInRange, parseAddress, parseRange } from "./addresses.ts";

const byte = fc.oneof(fc.constantFrom(0, 10, 127, 255), fc.nat(255));
const v4 = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.join("."));
const part = fc.oneof(fc.constantFrom(0, 0xffff, 0x2001, 0xdb8), fc.nat(0xffff));
const parts = fc.oneof(
  { weight: 3, arbitrary: fc.array(part, { minLength: 8, maxLength: 8 }) },
  { weight: 1, arbitrary: fc.tuple(part, part).map((tail) => [0, 0, 0, 0, 0, 0xffff, ...tail]) },
);

/** One of the many ways to write an IPv6 address. */
function written(
  parts: readonly number[],
  { upper, full, gap, tail }: { upper: boolean; full: boolean; gap: number; tail: boolean },
): string {
  let texts = parts.map((one) => one.toString(16).padStart(full ? 4 : 1, "0"));
  if (tail)
    texts = [
      ...texts.slice(0, 6),
      parts
        .slice(6)
        .flatMap((one) => [one >> 8, one & 255])
        .join("."),
    ];
  // A run of zeros, from a place on, in two colons.
  const head = parts.slice(0, tail ? 6 : 8);
  let end = gap;
  while (end < head.length && head[end] === 0) end++;
  const text = end > gap ? `${texts.slice(0, gap).join(":")}::${texts.slice(end).join(":")}` : texts.join(":");
  return upper ? text.toUpperCase() : text;
}

const way = fc.record({ upper: fc.boolean(), full: fc.boolean(), gap: fc.nat(7), tail: fc.boolean() });
const v6 = fc.tuple(parts, way).map(([parts, way]) => written(parts, way));
const address = fc.oneof(v4, v6);
const nearly = fc.oneof(address, fc.stringMatching(/^[0-9a-f:.]{0,20}$/), fc.stringMatching(/^(\d{1,4}\.){2,4}\d{0,3}$/));

describe("parseAddress", () => {
  test("takes exactly the texts that node:net takes, but zones", () => {
    fc.assert(
      fc.property(nearly, (text) => {
        expect(parseAddress(text) !== undefined, text).toBe(isIP(text) !== 0);
      }),
      { numRuns: 5_000 },
    );
  });

  test("reads every way to write an address as the same", () => {
    fc.assert(
      fc.property(parts, way, (parts, way) => {
        expect(parseAddress(written(parts, way)), written(parts, way)).toEqual(parts);
      }),
      { numRuns: 2_000 },
    );
  });

  test("reads an IPv4 address as the IPv6 address that maps it", () => {
    fc.assert(
      fc.property(v4, (text) => {
        expect(parseAddress(text)).toEqual(parseAddress(`::ffff:${text}`));
      }),
    );
  });
});

describe("isInRange", () => {
  const range = fc.oneof(
    fc.tuple(v4, fc.nat(32)).map(([text, bits]) => `${text}/${bits}`),
    fc.tuple(v6, fc.nat(128)).map(([text, bits]) => `${text}/${bits}`),
    address,
  );
  // Most addresses are near some range: half the time the range is drawn from the address.
  const pair = fc.oneof(
    fc.tuple(address, range),
    fc.tuple(address, fc.nat(128)).map(([text, bits]): [string, string] => [text, `${text}/${isIP(text) === 4 ? bits % 33 : bits}`]),
    fc.tuple(parts, fc.nat(127), way, fc.nat(128)).map(([parts, flip, way, bits]): [string, string] => {
      const near = parts.map((one, index) => (index === flip >> 4 ? one ^ (0x8000 >> (flip & 15)) : one));
      return [written(near, way), `${written(parts, way)}/${bits}`];
    }),
  );

  test("agrees with a second implementation on numbers of 128 bits", () => {
    let inside = 0;
    fc.assert(
      fc.property(pair, ([text, range]) => {
        const [address, read] = [parseAddress(text), parseRange(range)];
        if (!address || !read) throw new Error(`${text} or ${range} was not read`);
        const is = isInRange(address, read);
        if (is) inside++;
        expect(is, `${text} in ${range}`).toBe(isInRanges(text, [range]));
      }),
      { numRuns: 5_000 },
    );
    expect(inside).toBeGreaterThan(500);
  });

  test("agrees with node:net within one family", () => {
    fc.assert(
      fc.property(pair, ([text, range]) => {
        const [start = "", bits] = range.split("/");
        const family = isIP(start) === 4 ? "ipv4" : "ipv6";
        const mapped = [text, start].some((one) => isIP(one) === 6 && parseAddress(one)?.slice(0, 6).join() === "0,0,0,0,0,65535");
        if (isIP(text) !== isIP(start) || mapped) return; // Node.js compares mapped addresses in a way of its own.
        const list = new BlockList();
        if (bits === undefined) list.addAddress(start, family);
        else list.addSubnet(start, Number(bits), family);
        const [address, read] = [parseAddress(text), parseRange(range)];
        expect(address && read && isInRange(address, read), `${text} in ${range}`).toBe(list.check(text, family));
      }),
      { numRuns: 3_000 },
    );
  });

  test("a shorter prefix holds whatever a longer one does", () => {
    fc.assert(
      fc.property(pair, fc.nat(32), ([text, range], shorter) => {
        const [start = "", bits] = range.split("/");
        if (bits === undefined || Number(bits) === 0) return;
        const [address, narrow, wide] = [
          parseAddress(text),
          parseRange(range),
          parseRange(`${start}/${Math.max(0, Number(bits) - shorter)}`),
        ];
        if (!address || !narrow || !wide) throw new Error("was not read");
        // But a range of IPv6 that is wider than all of IPv4 holds none of those.
        if (wide.bits < 96 && narrow.bits >= 96) return;
        expect(isInRange(address, narrow) && !isInRange(address, wide)).toBe(false);
      }),
    );
  });
});

test.each(["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8", "/8", "10.0.0.0/8 ", "10.0.0.0/1e1", ""])(
  "parseRange refuses %j",
  (text) => {
    expect(parseRange(text)).toBeUndefined();
  },
);

test("parseAddress is done with any text at once", () => {
  for (const text of [":".repeat(1_000_000), "1.".repeat(1_000_000), "0".repeat(1_000_000)]) expect(parseAddress(text)).toBeUndefined();
});
