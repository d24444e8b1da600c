import { expect, test } from "vitest";
import { flag } from "./configuration.test-support.ts";
import { searchFlags } from "./search.ts";

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

test("state:, tag: and owner: look at that field only; a colon inside a key is a part of it", () => {
  expect(found("state:off")).toEqual(["checkout"]);
  expect(found("tag:shop")).toEqual(["checkout:applepay"]);
  expect(found("owner:ana")).toEqual(["new-checkout"]);
  expect(found("checkout:apple")).toEqual(["checkout:applepay"]);
});
