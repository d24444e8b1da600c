import fc from "fast-check";
import { expect, test } from "vitest";
import { digestOf, xor64, ZERO64 } from "./index.ts";

const hex64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => value.toString(16).padStart(16, "0"));

test("xor64 is the exclusive or of 64 bits", () => {
  fc.assert(
    fc.property(hex64, hex64, (a, b) => {
      expect(xor64(a, b)).toBe((BigInt(`0x${a}`) ^ BigInt(`0x${b}`)).toString(16).padStart(16, "0"));
    }),
  );
});

test("digestOf is the XOR of all fingerprints in any order, zero for none", () => {
  expect(digestOf([])).toBe(ZERO64);
  fc.assert(
    fc.property(fc.array(hex64), (fps) => {
      const entries = fps.map((fp) => ({ fp }));
      expect(digestOf(entries)).toBe(fps.reduce(xor64, ZERO64));
      expect(digestOf(entries.toReversed())).toBe(digestOf(entries));
    }),
  );
});
