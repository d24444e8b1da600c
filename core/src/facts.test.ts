import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contextHash, sipHash, unitTag } from "./index.ts";

describe("contextHash", () => {
  test("is SipHash-2-4 with the zero key over the JSON with sorted keys", () => {
    const written = '{"10":1,"2":[{"a":null,"b":"é"}],"key":"ada"}';
    expect(contextHash({ key: "ada", 2: [{ b: "é", a: null }], gone: undefined, 10: 1 })).toBe(sipHash("00".repeat(16), written));
    expect(contextHash({})).toBe(sipHash("00".repeat(16), "{}"));
  });

  test("is the same for the context that a server reads, in whatever order its keys come", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.anything({ withDate: true })), (context) => {
        const text = JSON.stringify(context);
        const hash = contextHash(context);
        expect(hash).toMatch(/^[0-9a-f]{16}$/);
        expect(contextHash(JSON.parse(text))).toBe(hash);
        expect(contextHash(Object.fromEntries(Object.entries(context).reverse()))).toBe(hash);
      }),
    );
  });

  test("tells contexts apart", () => {
    const hashes = [{}, { key: "a" }, { key: 1 }, { key: "1" }, { plan: "a" }, { key: "a", plan: "a" }, { a: { b: 1 } }, { "a.b": 1 }].map(
      contextHash,
    );
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

test("unitTag gives eight bits of murmur3", () => {
  expect(["", "ada", "é", "aaaa"].map(unitTag)).toEqual([0, 238, 135, 135]);
  const tags = new Set(Array.from({ length: 5_000 }, (_, i) => unitTag(`u${i}`)));
  expect([Math.min(...tags), Math.max(...tags), tags.size]).toEqual([0, 255, 256]);
});
