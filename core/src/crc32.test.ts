import { crc32 as zlibCrc32 } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32 } from "./crc32.ts";

test("is the checksum that gzip has, of the UTF-8 bytes", () => {
  expect(crc32("123456789")).toBe("cbf43926");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(Number.parseInt(crc32(text), 16)).toBe(zlibCrc32(text));
      expect(crc32(text)).toHaveLength(8);
    }),
  );
});
