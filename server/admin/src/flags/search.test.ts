import { expect, test } from "vitest";
import { flag } from "./configuration.test-support.ts";
import { searchFlags, toggleWord } from "./search.ts";

const flags = [
  flag({ key: "checkout:applepay", tags: ["shop"] }),
  flag({ key: "new-checkout", description: "The new one", owner: "ana" }),
  flag({ key: "checkout", state: { word: "OFF", percentage: null, text: "OFF" } }),
  flag({ key: "old", archived: true, description: "checkout of 2019" }),
];
const found = (search: string, archived = false) => searchFlags(flags, search, archived).map(({ key }) => key);

test("without a search all flags are there, in their order, and archived ones apart", () => {
  expect(found("")).toEqual(["checkout:applepay", "new-checkout", "checkout"]);
  expect(found("", true)).toEqual(["old"]);
});

test("the key itself comes first, then keys that start so", () => {
  expect(found("checkout")).toEqual(["checkout", "checkout:applepay", "new-checkout"]);
});

test("every word must fit somewhere", () => {
  expect(found("NEW one")).toEqual(["new-checkout"]);
  expect(found("new shop")).toEqual([]);
});

test("is: and kind: look at the life of a flag, and a word is written into a search or taken out of it", () => {
  const some = [flag({ key: "a", stale: true, kind: "ops" }), flag({ key: "b", seen: { at: Date.now(), app: "shop", variant: "on" } })];
  const keys = (search: string) => searchFlags(some, search, false).map(({ key }) => key);
  expect(keys("is:stale")).toEqual(["a"]);
  expect(keys("is:unused")).toEqual(["a"]);
  expect(keys("is:killed")).toEqual([]);
  expect(keys("kind:ops")).toEqual(["a"]);
  expect(toggleWord("new  shop", "is:stale")).toBe("new shop is:stale");
  expect(toggleWord("new is:stale shop", "is:stale")).toBe("new shop");
});

test("state:, tag: and owner: look at that field only; a colon inside a key is a part of it", () => {
  expect(found("state:off")).toEqual(["checkout"]);
  expect(found("tag:shop")).toEqual(["checkout:applepay"]);
  expect(found("owner:ana")).toEqual(["new-checkout"]);
  expect(found("checkout:apple")).toEqual(["checkout:applepay"]);
});
