import { describe, expect, test } from "vitest";
import type { EnvironmentModel, FlagRecord } from "../store/model.ts";
import { after, development, emptyProject, NO_USAGE } from "../store/test-project.ts";
import { configure, createFlag } from "./decide.ts";
import { setKilled } from "./kills.ts";
import { setArchived } from "./life.ts";
import { type ListQuery, listFlags } from "./list.ts";

const DAY = 86_400_000;
const project = after(
  emptyProject(),
  (current) => createFlag(current, { key: "pay", name: "New Payments", tags: ["money"], owner: "ann", kind: "ops" }),
  (current) => createFlag(current, { key: "search", description: "the quick one", expectedDays: 1, tags: ["money", "x"] }),
  (current) => createFlag(current, { key: "old" }),
  (current) => createFlag(current, { key: "menu", expectedDays: 100 }),
  (current) => configure(current, "development", "menu", { mode: "on" }, undefined),
  (current) => setArchived(current, "development", "old", true, undefined),
  (current) => setKilled(current, "development", "pay", { at: current.now, by: "ann", reason: null }),
);
const environment = development(project);
const NOW = 1_000 + 2 * DAY;
const seen = { ...NO_USAGE, seen: (_: number, key: string) => (key === "menu" ? { at: NOW - DAY, app: "shop", variant: "on" } : null) };
const list = (query: ListQuery, of = environment) => listFlags(of, query, seen, NOW);
const keys = (query: ListQuery) => list(query).flags.map(({ key }) => key);

describe("the list of flags", () => {
  test.each<[ListQuery, string[]]>([
    [{}, ["menu", "pay", "search"]],
    [{ archived: "with" }, ["menu", "old", "pay", "search"]],
    [{ archived: "only" }, ["old"]],
    [{ search: "PAYM" }, ["pay"]],
    [{ search: "quick money" }, ["search"]],
    [{ search: "quick ann" }, []],
    [{ tag: "money" }, ["pay", "search"]],
    [{ tag: "mon" }, []],
    [{ owner: "ann" }, ["pay"]],
    [{ owner: "" }, ["menu", "search"]],
    [{ kind: "ops" }, ["pay"]],
    [{ state: "KILLED" }, ["pay"]],
    [{ state: "ON" }, ["menu"]],
    [{ mode: "off", killed: false }, ["search"]],
    [{ stale: true }, ["search"]],
    [{ stale: false, unused: true }, ["pay"]],
    [{ unused: false }, ["menu"]],
    [{ sort: "updated" }, ["pay", "menu", "search"]],
  ])("answers %j with %j", (query, expected) => {
    expect(keys(query)).toEqual(expected);
  });

  test("counts what there is, and what fits, whatever page is asked for", () => {
    expect(list({ limit: 1, tag: "money" })).toMatchObject({
      matching: 2,
      totals: { live: 3, archived: 1, killed: 1, stale: 1 },
      flags: [{ key: "pay" }],
    });
  });

  test("tells a percentage that moves with time as it is now", () => {
    const over = {
      kind: "line" as const,
      points: [
        { at: 0, to: 0 },
        { at: 100 * DAY, to: 100_000 },
      ],
    };
    const rules = [{ id: "r", rollout: { to: 0, over }, serve: { kind: "variant" as const, variant: "on" } }];
    const moving = development(
      after(project, (current) => configure(current, "development", "search", { mode: "targeted", rules }, undefined)),
    );
    const textAt = (at: number) => listFlags(moving, { search: "search" }, NO_USAGE, at).flags[0]?.state.text;
    expect([textAt(10 * DAY), textAt(20 * DAY)]).toEqual(["SOME 10 %", "SOME 20 %"]);
  });
});

describe("pages", () => {
  const many = withFlags(250);

  test.each(["key", "updated"] as const)("in the order by %s hold each flag once, and the last says that it is", (sort) => {
    const got: string[] = [];
    let next: string | null | undefined;
    do {
      const page = list({ sort, limit: 40, ...(next && { after: next }) }, many);
      got.push(...page.flags.map(({ key }) => key));
      next = page.next;
    } while (next !== null);
    expect(new Set(got).size).toBe(250);
    expect(got).toHaveLength(250);
    expect(list({ sort }, many).flags).toHaveLength(100);
  });

  test("go on after a flag that is gone", () => {
    const { next } = list({ limit: 10 }, many);
    const [gone] = list({ limit: 10 }, many).flags.slice(-1);
    const flags = new Map(many.flags);
    flags.delete(gone?.key ?? "");
    const page = list({ limit: 5, after: next ?? "" }, { ...many, flags });
    expect(page.flags.map(({ key }) => key)).toEqual(
      list({ limit: 15 }, many)
        .flags.slice(10)
        .map(({ key }) => key),
    );
  });

  test("refuse a cursor of another order", () => {
    const { next } = list({ limit: 10 }, many);
    expect(() => list({ sort: "updated", after: next ?? "" }, many)).toThrow(/"next" of the page before/);
  });
});

function withFlags(count: number): EnvironmentModel {
  const [some] = environment.flags.values();
  if (!some) return expect.fail("no flag");
  const flags = Array.from({ length: count }, (_, i): FlagRecord => {
    const key = `flag-${String((i * 7) % count).padStart(5, "0")}`;
    return { ...some, killed: null, updatedAt: i % 10, identity: { ...some.identity, id: i, key, aliases: [] } };
  });
  return { ...environment, flags: new Map(flags.map((flag) => [flag.identity.key, flag])) };
}
