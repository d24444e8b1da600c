import type { Condition } from "@signalbox/core";
import { describe, expect, test } from "vitest";
import type { StoredConfiguration } from "./define.ts";
import { bothChanges, FactBook, factsChange, UNUSED_FACTS_MAX } from "./facts.ts";
import { fingerprint, fingerprintAfter } from "./fingerprint.ts";
import type { FlagRecord, GroupRecord } from "./model.ts";
import { type BrowserView, browserFlag, serverFlag } from "./project.ts";

const ON = { kind: "variant", variant: "on" } as const;
const PLAN: Condition = { op: "in", attribute: "plan", values: ["pro"] };

function flag(body: Partial<StoredConfiguration>): FlagRecord {
  return {
    identity: {
      id: 1,
      key: "a",
      name: "A",
      description: "",
      type: "boolean",
      tags: [],
      owner: null,
      links: [],
      kind: "release",
      expectedDays: null,
      version: 1,
      createdAt: 0,
      createdBy: "x",
      aliases: [],
    },
    body: {
      mode: "off",
      off: "off",
      on: "on",
      values: { on: true, off: false },
      rules: [],
      requires: [],
      parent: null,
      detached: false,
      browser: true,
      archived: false,
      salt: "a",
      ...body,
    },
    killed: null,
    version: 1,
    updatedAt: 0,
    updatedBy: "x",
  };
}

function group(key: string, when: Condition | null, list: string[] = []): [string, GroupRecord] {
  const kind = when ? "conditions" : "list";
  return [
    key,
    {
      id: 1,
      key,
      kind,
      name: key,
      description: "",
      by: "key",
      when,
      hashKey: "0".repeat(32),
      version: 1,
      updatedAt: 0,
      updatedBy: "x",
      list,
    },
  ];
}

const viewOf = (groups: [string, GroupRecord][] = [], privateAttributes: string[] = []) => {
  return { groups: new Map(groups), privateAttributes: new Set(privateAttributes), facts: new FactBook(new Map()) };
};
const seenBy = (when: Condition, ...groups: [string, GroupRecord][]) => seenWith(when, viewOf(groups));
const seenWith = (when: Condition, view: BrowserView) =>
  browserFlag(flag({ rules: [{ id: "r", name: "secret customer", when, serve: ON }] }), view)?.body.rules;

describe("the projection for browsers", () => {
  test("leaves out defaults, and the names of rules", () => {
    expect(browserFlag(flag({}), viewOf())?.body).toEqual({
      kind: "flag",
      key: "a",
      type: "boolean",
      off: "off",
      on: "on",
      mode: "off",
      salt: "a",
    });
    expect(seenBy(PLAN)).toEqual([{ id: "r", when: PLAN, serve: ON }]);
    expect(serverFlag(flag({ rules: [{ id: "r", name: "n", serve: ON }] })).rules).toEqual([{ id: "r", name: "n", serve: ON }]);
  });

  test("writes groups out, through groups in groups", () => {
    const when: Condition = {
      op: "any",
      of: [
        { op: "not", of: { op: "group", group: "outer" } },
        { op: "exists", attribute: "key" },
      ],
    };
    expect(seenBy(when, group("outer", { op: "group", group: "inner" }), group("inner", PLAN))).toEqual([
      {
        id: "r",
        when: {
          op: "any",
          of: [
            { op: "not", of: PLAN },
            { op: "exists", attribute: "key" },
          ],
        },
        serve: ON,
      },
    ]);
  });

  test.each<[string, Condition, [string, GroupRecord][]]>([
    ["a group that is not there", { op: "group", group: "g" }, []],
    ["groups in a circle", { op: "group", group: "g" }, [group("g", { op: "all", of: [PLAN, { op: "group", group: "g" }] })]],
    ["a fact", { op: "fact", fact: 1 }, []],
  ])("does not hold a flag with %s", (_what, when, groups) => {
    expect(seenBy(when, ...groups)).toBeUndefined();
  });

  const ANN = { op: "in", attribute: "key", values: ["ann"] } as const;
  const fact = (number: number) => ({ op: "fact", fact: number });

  test.each<[string, Condition]>([
    ["the context key", ANN],
    ["the key of a customer", { op: "startsWith", attribute: "account.key", values: ["acme"] }],
    ["a list", { op: "group", group: "g" }],
    ["a pattern", { op: "matches", attribute: "email", values: ["@acme"], textLengthMax: 100 }],
    ["an address", { op: "cidr", attribute: "ip", values: ["10.0.0.0/8"] }],
    ["a private attribute", { op: "number", attribute: "salary", is: ">", value: 5 }],
    ["whether there is a private attribute", { op: "exists", attribute: "salary" }],
    ["a part of a private attribute", { op: "in", attribute: "health.blood", values: ["A"] }],
    ["a part of a part that is private", { op: "in", attribute: "account.billing.plan", values: ["A"] }],
    ["what is deeper in one", { op: "in", attribute: "account.billing.card.bank", values: ["A"] }],
  ])("holds a fact instead of %s, in the smallest part", (_what, secret) => {
    const view = viewOf([group("g", null, ["0123456789abcdef"])], ["salary", "health", "account.billing"]);
    const when: Condition = { op: "any", of: [{ op: "not", of: { op: "all", of: [PLAN, secret] } }, PLAN, secret] };
    expect(seenWith(when, view)?.[0]?.when).toEqual({
      op: "any",
      of: [{ op: "not", of: { op: "all", of: [PLAN, fact(1)] } }, PLAN, fact(1)],
    });
    const seen = browserFlag(flag({ rules: [{ id: "r", when, serve: ON }] }), view);
    expect([...(seen?.facts ?? [])]).toEqual([[1, secret]]);
  });

  test.each(["account.plan", "account.billings.plan", "billing.plan"])("keeps %s, which no private attribute covers", (attribute) => {
    const when: Condition = { op: "in", attribute, values: ["A"] };
    expect(seenWith(when, viewOf([], ["account.billing"]))?.[0]?.when).toEqual(when);
  });

  test("holds facts of groups by conditions, which are written out", () => {
    const inner: Condition = { op: "all", of: [PLAN, { op: "not", of: ANN }] };
    expect(
      seenBy({ op: "group", group: "outer" }, group("outer", { op: "group", group: "inner" }), group("inner", inner))?.[0]?.when,
    ).toEqual({
      op: "all",
      of: [PLAN, { op: "not", of: fact(1) }],
    });
  });

  test("gives one condition one number, another one another, and a group the same whoever is in it", () => {
    const book = new FactBook(new Map());
    const [ann, bob] = [ANN, { ...ANN, values: ["bob"] }];
    expect([ann, bob, { values: ["ann"], attribute: "key", op: "in" } as const, bob].map((one) => book.ofCondition(one))).toEqual([
      1, 2, 1, 2,
    ]);
    expect([7, 8, 7].map((id) => book.ofGroup({ id }))).toEqual([3, 4, 3]);
    // After a restart the numbers are those of the rows, and a condition that is gone keeps its own.
    const again = new FactBook(book.numbers);
    expect([again.ofCondition({ ...ANN, values: ["cy"] }), again.ofCondition(bob), again.added.length]).toEqual([5, 2, 1]);
  });

  test("forgets the oldest facts that no flag needs past ten thousand, and gives no number twice", () => {
    const numbers = new Map(Array.from({ length: UNUSED_FACTS_MAX + 5 }, (_, i) => [`h${i + 1}`, i + 1]));
    const needed = new Map([["a", new Map([[2, ANN]])]]);
    const untouched = new FactBook(numbers);
    expect(untouched.forget(needed)).toEqual([]);

    const book = new FactBook(numbers);
    const number = book.ofCondition(ANN);
    expect(number).toBe(UNUSED_FACTS_MAX + 6);
    // One of them is needed, so five of those that are not are too many; the new one counts as such until a flag needs it.
    expect(book.forget(needed)).toEqual([1, 3, 4, 5, 6]);
    expect([book.numbers.get("h1"), book.numbers.get("h2"), book.numbers.size]).toEqual([undefined, 2, UNUSED_FACTS_MAX + 1]);
    expect([numbers.get("h1"), numbers.size]).toEqual([1, UNUSED_FACTS_MAX + 5]);
    const next = new FactBook(book.numbers);
    expect([next.ofCondition(ANN), next.ofCondition({ ...ANN, values: ["bob"] })]).toEqual([number, number + 1]);
  });

  test("tells whom a change of facts concerns, or everybody when they are many", () => {
    expect(factsChange([7, 3, 7])).toEqual({ units: [3, 7] });
    expect(factsChange(Array.from({ length: 65 }, (_, i) => i))).toEqual({ all: true });
    expect(bothChanges({ units: [1] }, { units: [2, 1] })).toEqual({ units: [1, 2] });
    expect(bothChanges({ units: [1] }, { all: true })).toEqual({ all: true });
  });

  test("does not hold a flag whose groups in groups multiply beyond measure", () => {
    const wide = (inner: string): Condition => ({
      op: "any",
      of: Array.from({ length: 50 }, () => ({ op: "group", group: inner }) as const),
    });
    expect(seenBy({ op: "group", group: "g3" }, group("g1", PLAN), group("g2", wide("g1")), group("g3", wide("g2")))).toBeUndefined();
    expect(seenBy({ op: "group", group: "g2" }, group("g1", PLAN), group("g2", wide("g1")))).toHaveLength(1);
  });
});

describe("fingerprint", () => {
  const list = (members: string[], hashKey = "0".repeat(32)) => fingerprint({ kind: "group", key: "g", list: { hashKey, members } });

  test("does not depend on the order of fields or members, and on everything else", () => {
    expect(fingerprint({ kind: "alias", key: "a", flag: "b" })).toBe(fingerprint({ flag: "b", key: "a", kind: "alias" }));
    expect(list(["0000000000000001", "0000000000000002"])).toBe(list(["0000000000000002", "0000000000000001"]));
    const all = [
      list([]),
      list(["0000000000000001"]),
      list([], "1".repeat(32)),
      fingerprint({ kind: "alias", key: "g", flag: "b" }),
      fingerprint({ kind: "group", key: "g" }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  test("of a list follows one member by one XOR", () => {
    expect(fingerprintAfter(list(["0000000000000001"]), ["00000000000000ff"])).toBe(list(["0000000000000001", "00000000000000ff"]));
    expect(fingerprintAfter(list(["0000000000000001"]), ["0000000000000001"])).toBe(list([]));
  });

  // Programs hold these digests over restarts and upgrades: another fingerprint for the same entry means a snapshot for everybody.
  test("stays what it was", () => {
    expect(fingerprint({ kind: "alias", key: "a", flag: "b" })).toBe("c0af88c3b373b919");
  });
});
