import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { configuration, everyone, flag } from "./configuration.test-support.ts";
import { edit, fieldsOf, keepMine, pick, rebase, same, shown, splitEdits, startDraft, takeTheirs } from "./draft.ts";

const saved = flag({ configuration: configuration({ rules: [everyone(10)] }) });
const mine = edit(startDraft(saved), { rules: [everyone(25)] });

describe("edit", () => {
  test("shows the edit on top of what is saved", () => {
    expect(shown(mine).rules).toEqual([everyone(25)]);
    expect(shown(mine).mode).toBe("targeted");
  });

  test("an edit that is taken back is none", () => {
    expect(edit(mine, { rules: [everyone(10)] }).edits).toEqual({});
  });
});

describe("rebase", () => {
  const newer = (change: Parameters<typeof configuration>[0], identity = {}) =>
    fieldsOf({ ...saved, ...identity, configuration: configuration({ rules: [everyone(10)], ...change }) });

  test("fields without an edit follow the newer state, and the edit stays", () => {
    const draft = rebase(mine, newer({ browser: true }, { description: "by somebody else" }));
    expect(draft.theirs).toEqual([]);
    expect(shown(draft)).toMatchObject({ browser: true, description: "by somebody else", rules: [everyone(25)] });
  });

  test("an edit that somebody else has saved too is settled", () => {
    expect(rebase(mine, newer({ rules: [everyone(25)] }))).toMatchObject({ edits: {}, theirs: [] });
  });

  test("a field that both changed is a conflict until the person has chosen", () => {
    const draft = rebase(mine, newer({ rules: [everyone(50)] }));
    expect(draft.theirs).toEqual(["rules"]);
    expect(shown(draft).rules).toEqual([everyone(25)]);
    expect(keepMine(draft, "rules")).toMatchObject({ theirs: [], edits: { rules: [everyone(25)] } });
    expect(takeTheirs(draft, "rules")).toMatchObject({ theirs: [], edits: {} });
    expect(shown(takeTheirs(draft, "rules")).rules).toEqual([everyone(50)]);
  });

  test("a conflict stays one when a later state changes something else", () => {
    const draft = rebase(rebase(mine, newer({ rules: [everyone(50)] })), newer({ rules: [everyone(50)], browser: true }));
    expect(draft.theirs).toEqual(["rules"]);
  });

  test("never drops an edit that differs from the newer state", () => {
    const percentage = fc.integer({ min: 0, max: 100 });
    fc.assert(
      fc.property(percentage, percentage, fc.array(percentage, { maxLength: 4 }), (start, wanted, others) => {
        const base = flag({ configuration: configuration({ rules: [everyone(start)] }) });
        let draft = edit(startDraft(base), { rules: [everyone(wanted)] });
        for (const other of others) draft = rebase(draft, newer({ rules: [everyone(other)] }));
        const last = others.at(-1) ?? start;
        if (others.some((other) => other === wanted) || wanted === start) return;
        expect(shown(draft).rules).toEqual([everyone(wanted)]);
        expect(draft.theirs).toEqual(others.length > 0 && others.some((other) => other !== start) ? ["rules"] : []);
        expect(draft.base.rules).toEqual([everyone(last)]);
      }),
    );
  });
});

test("splitEdits gives each resource its own fields", () => {
  expect(splitEdits({ name: "New", mode: "on" })).toEqual({ identity: { name: "New" }, configuration: { mode: "on" } });
});

test("pick gives the values that Undo writes back", () => {
  expect(pick(fieldsOf(saved), ["mode", "owner"])).toEqual({ mode: "targeted", owner: null });
});

test("same compares JSON by content; a field that is undefined is not there", () => {
  expect(same({ a: [1, { b: "x" }], c: undefined }, { a: [1, { b: "x" }] })).toBe(true);
  expect(same({ a: 1 }, { b: 1 })).toBe(false);
  expect(same([], {})).toBe(false);
  expect(same([1, 2], [2, 1])).toBe(false);
  expect(same(null, {})).toBe(false);
});
