import { evaluate, loadEntries, sipHash } from "@signalbox/core";
import { describe, expect, test } from "vitest";
import { configure, createFlag } from "../flags/decide.ts";
import type { Member, ProjectModel } from "../store/model.ts";
import type { Current, Outcome } from "../store/outcome.ts";
import { after, currentOf, development, emptyProject } from "../store/test-project.ts";
import {
  BY_THEMSELVES,
  changeMembers,
  createGroup,
  deleteGroup,
  groupEtag,
  MEMBERS_MAX,
  movesOf,
  type NewGroup,
  patchGroup,
} from "./decide.ts";

const HASH_KEY = "000102030405060708090a0b0c0d0e0f";
const PRO = { op: "in", attribute: "plan", values: ["pro"] } as const;

const create = (input: NewGroup) => (current: Current) => createGroup(current, "development", input, HASH_KEY);
const patch = (key: string, change: object, ifMatch?: string) => (current: Current) =>
  patchGroup(current, "development", key, change, ifMatch);
const remove = (key: string) => (current: Current) => deleteGroup(current, "development", key, undefined);
const members =
  (key: string, add: string[], gone: string[], known: Member[] = []) =>
  (current: Current) =>
    changeMembers(
      current,
      "development",
      key,
      { add, remove: gone },
      new Map(known.map((member) => [member.unit, member])),
      "group.members",
    );
const flagUsing = (group: string, browser = false) => [
  (current: Current) => createFlag(current, { key: `uses-${group}` }),
  (current: Current) =>
    configure(
      current,
      "development",
      `uses-${group}`,
      { browser, rules: [{ id: "r", when: { op: "group", group }, serve: { kind: "variant", variant: "on" } }] },
      undefined,
    ),
];
const issuesOf = (outcome: Outcome) =>
  outcome.kind === "invalid" ? (outcome.issues ?? []).map(({ path, message }) => `${path}: ${message}`).join("\n") : "";
const decided = (project: ProjectModel, decide: (current: Current) => Outcome) => decide(currentOf(project));
const groupIn = (project: ProjectModel, key: string) => development(project).groups.get(key) ?? expect.fail(`no group ${key}`);

describe("createGroup", () => {
  test.each<[string, NewGroup, RegExp]>([
    ["conditions without when", { key: "g", kind: "conditions" }, /^when: .*needs "when"/],
    ["a list with when", { key: "g", kind: "list", when: PRO }, /^when: .*"list"/],
    ["conditions with by", { key: "g", kind: "conditions", when: PRO, by: "account.key" }, /^by: .*"account.key"/],
    ["an unknown group inside", { key: "g", kind: "conditions", when: { op: "group", group: "nope" } }, /^when: .*"nope"/],
    ["itself inside", { key: "g", kind: "conditions", when: { op: "group", group: "g" } }, /^when: groups go in a circle: "g" → "g"/],
  ])("refuses %s", (_what, input, message) => {
    const outcome = decided(emptyProject(), create(input));
    expect(outcome).toMatchObject({ kind: "invalid", code: "GROUP_REFUSED" });
    expect(issuesOf(outcome)).toMatch(message);
  });

  test("refuses a key that is taken in this environment", () => {
    const project = after(emptyProject(), create({ key: "g", kind: "list" }));
    expect(decided(project, create({ key: "g", kind: "list" }))).toMatchObject({ code: "GROUP_EXISTS" });
    expect(createGroup(currentOf(project), "production", { key: "g", kind: "list" }, HASH_KEY).kind).toBe("changed");
  });

  test("belongs to one environment only, and browsers see nothing of it", () => {
    const project = after(emptyProject(), create({ key: "g", kind: "conditions", when: PRO }));
    expect(project.environments.map(({ revision }) => revision)).toEqual([1, 0]);
    expect(development(project).states.browser.entries.size).toBe(0);
  });
});

describe("patchGroup", () => {
  test("changes what browsers see of a flag, and says nothing of people", () => {
    const project = after(emptyProject(), create({ key: "pro", kind: "conditions", when: PRO }), ...flagUsing("pro", true));
    const named = after(project, patch("pro", { when: { op: "in", attribute: "key", values: ["ann"] } }));
    expect(development(named).states.browser.entries.get("flag:uses-pro")).toMatchObject({ rules: [{ when: { op: "fact", fact: 1 } }] });
    const edited = after(project, patch("pro", { when: { op: "in", attribute: "plan", values: ["team"] } }));
    expect(development(edited).states.browser.entries.get("flag:uses-pro")).toMatchObject({
      rules: [{ id: "r", when: { op: "in", attribute: "plan", values: ["team"] } }],
    });
  });

  test("takes effect in every flag that uses it, in one revision", () => {
    const using = ["a", "b"].flatMap((key) => [
      (current: Current) => createFlag(current, { key }),
      (current: Current) => {
        const rules = [{ id: "r", when: { op: "group", group: "pro" }, serve: { kind: "variant", variant: "on" } }] as const;
        return configure(current, "development", key, { mode: "targeted", rules }, undefined);
      },
    ]);
    const project = after(emptyProject(), create({ key: "pro", kind: "conditions", when: PRO }), ...using);
    const edited = after(project, patch("pro", { when: { op: "in", attribute: "plan", values: ["team"] } }));
    expect(development(edited).revision).toBe(development(project).revision + 1);
    const served = (of: ProjectModel, key: string) => {
      const answer = evaluate(loadEntries(development(of).states.server.entries.values()), key, { plan: "team" });
      return answer.served ? answer.variant : undefined;
    };
    expect(["a", "b"].map((key) => [served(project, key), served(edited, key)])).toEqual([
      ["off", "on"],
      ["off", "on"],
    ]);
  });

  test("reaches flags through groups in groups", () => {
    const project = after(
      emptyProject(),
      create({ key: "inner", kind: "conditions", when: PRO }),
      create({ key: "outer", kind: "conditions", when: { op: "not", of: { op: "group", group: "inner" } } }),
      ...flagUsing("outer", true),
    );
    const edited = after(project, patch("inner", { when: { op: "exists", attribute: "plan" } }));
    expect(development(edited).states.browser.entries.get("flag:uses-outer")).toMatchObject({
      rules: [{ when: { op: "not", of: { op: "exists", attribute: "plan" } } }],
    });
    expect(issuesOf(decided(project, patch("inner", { when: { op: "group", group: "outer" } })))).toContain("circle");
  });

  test("conflicts on another ETag and makes no version when nothing changes", () => {
    const project = after(emptyProject(), create({ key: "g", kind: "list" }));
    const etag = groupEtag(groupIn(project, "g"));
    const named = after(project, patch("g", { name: "G" }, etag));
    expect(decided(named, patch("g", { name: "H" }, etag)).kind).toBe("conflict");
    expect(decided(named, patch("g", { name: "G" })).kind).toBe("unchanged");
    expect(patchGroup(currentOf(project), "production", "g", {}, undefined)).toMatchObject({ kind: "missing", code: "GROUP_NOT_FOUND" });
  });
});

describe("deleteGroup", () => {
  test("refuses a group in use and names flags and groups", () => {
    const project = after(
      emptyProject(),
      create({ key: "g", kind: "list" }),
      create({ key: "other", kind: "conditions", when: { op: "group", group: "g" } }),
      ...flagUsing("g"),
    );
    expect(decided(project, remove("g"))).toMatchObject({
      code: "GROUP_IN_USE",
      detail: expect.stringContaining('flag "uses-g", group "other"'),
    });
  });

  test("takes the entry out of the projection", () => {
    const project = after(emptyProject(), create({ key: "g", kind: "list" }), remove("g"));
    expect(development(project).states.server.entries.size).toBe(0);
    expect(development(project).states.server.digest).toBe("0000000000000000");
  });
});

describe("changeMembers", () => {
  const hash = (unit: string) => sipHash(HASH_KEY, unit);

  test("keeps hashes on the wire and in the audit, never units", () => {
    const project = after(emptyProject(), create({ key: "g", kind: "list" }));
    const outcome = decided(project, members("g", ["ann", "bob", "ann"], []));
    if (outcome.kind !== "changed") expect.fail(outcome.kind);
    expect(outcome.after).toEqual({ added: [hash("ann"), hash("bob")], removed: [], members: 2 });
    const entry = development(outcome.applied.project).states.server.entries.get("group:g");
    expect(entry).toMatchObject({ list: { hashKey: HASH_KEY, members: [hash("ann"), hash("bob")].sort() } });
    expect(JSON.stringify([outcome.before, outcome.after, [...outcome.applied.changes.values()]])).not.toMatch(/ann|bob/);
  });

  test("gives the fingerprint that the whole list has", () => {
    const added = after(emptyProject(), create({ key: "g", kind: "list" }), members("g", ["ann"], []), members("g", ["bob", "cy"], []));
    const known: Member[] = [{ unit: "ann", state: "member", at: 1, by: "x" }];
    const project = after(added, members("g", [], ["ann"], known), patch("g", { name: "G" }));
    const again = after(emptyProject(), create({ key: "g", kind: "list" }), members("g", ["cy", "bob"], []));
    expect(development(project).states.server.digest).toBe(development(again).states.server.digest);
  });

  test("remembers who left early access, and lets staff add them again", () => {
    const project = after(emptyProject(), create({ key: "beta", kind: "early-access" }), members("beta", ["ann"], []));
    const outcome = decided(project, members("beta", [], ["ann"], [{ unit: "ann", state: "member", at: 1, by: "x" }]));
    if (outcome.kind !== "changed") expect.fail(outcome.kind);
    expect(outcome.edits).toMatchObject([{ kind: "members", put: [{ unit: "ann", state: "left" }], drop: [] }]);
    const left: Member[] = [{ unit: "ann", state: "left", at: 1, by: "x" }];
    const again = after(outcome.applied.project, members("beta", ["ann"], [], left));
    expect(groupIn(again, "beta").list).toEqual([hash("ann")]);
  });

  test("keeps out who has left by themselves, unless staff say so; who was taken out by staff comes back as any other", () => {
    const project = after(emptyProject(), create({ key: "beta", kind: "early-access" }));
    const left: Member[] = [
      { unit: "ann", state: "left", at: 1, by: BY_THEMSELVES },
      { unit: "bob", state: "left", at: 1, by: "staff" },
    ];
    const known = new Map(left.map((member) => [member.unit, member]));
    const change = { add: ["ann", "bob", "cy"], remove: [] };
    expect(movesOf({ kind: "early-access" }, change, known, "group.members")).toEqual({
      coming: ["bob", "cy"],
      going: [],
      keptOut: ["ann"],
    });
    expect(movesOf({ kind: "early-access" }, { ...change, rejoin: true }, known, "group.members").coming).toEqual(["ann", "bob", "cy"]);
    expect(movesOf({ kind: "early-access" }, change, known, "early-access.join").coming).toEqual(["ann", "bob", "cy"]);
    expect(groupIn(after(project, members("beta", ["ann", "bob"], [], left)), "beta").list).toEqual([hash("bob")]);
    expect(decided(project, members("beta", ["ann"], [], left)).kind).toBe("unchanged");
  });

  test("remembers that somebody left whom staff had taken out before", () => {
    const project = after(emptyProject(), create({ key: "beta", kind: "early-access" }));
    const known = new Map<string, Member>([["bob", { unit: "bob", state: "left", at: 1, by: "staff" }]]);
    const leave = (current: Current) =>
      changeMembers({ ...current, by: BY_THEMSELVES }, "development", "beta", { add: [], remove: ["bob"] }, known, "early-access.leave");
    const outcome = decided(project, leave);
    if (outcome.kind !== "changed") expect.fail(outcome.kind);
    expect(outcome.edits).toMatchObject([{ put: [{ unit: "bob", state: "left", by: BY_THEMSELVES }] }]);
  });

  test("holds 100,000 members, and tells each of them from everybody else", () => {
    const units = Array.from({ length: MEMBERS_MAX }, (_, i) => `customer-${i}`);
    const full = after(emptyProject(), create({ key: "g", kind: "list" }), ...flagUsing("g"), members("g", units, []));
    const on = after(full, (current) => configure(current, "development", "uses-g", { mode: "targeted" }, undefined));
    const environment = development(on);
    expect(environment.bytes.server).toBeLessThan(2 * 1024 * 1024);
    const state = loadEntries(environment.states.server.entries.values());
    const isOn = (key: string) => {
      const answer = evaluate(state, "uses-g", { key });
      return answer.served && answer.variant === "on";
    };
    expect(units.filter((unit) => !isOn(unit))).toEqual([]);
    for (let i = 0; i < 10_000; i++) expect(isOn(`stranger-${i}`)).toBe(false);
    expect(issuesOf(decided(full, members("g", ["one-more"], [])))).toContain("would have 100001 members, the most is 100000");
  }, 30_000);

  test("is unchanged when everybody is where they should be", () => {
    const project = after(emptyProject(), create({ key: "g", kind: "list" }));
    expect(decided(project, members("g", [], ["ann"])).kind).toBe("unchanged");
    expect(decided(project, members("g", ["ann"], [], [{ unit: "ann", state: "member", at: 1, by: "x" }])).kind).toBe("unchanged");
  });

  test("refuses groups by conditions, a unit in both lists, and too many", () => {
    const project = after(emptyProject(), create({ key: "g", kind: "list" }), create({ key: "c", kind: "conditions", when: PRO }));
    expect(issuesOf(decided(project, members("c", ["ann"], [])))).toContain("has conditions and no list");
    expect(issuesOf(decided(project, members("g", ["ann"], ["ann"])))).toContain('"ann"');
    const many = Array.from({ length: MEMBERS_MAX + 1 }, (_, i) => `u${i}`);
    expect(issuesOf(decided(project, members("g", many, [])))).toContain(`the most is ${MEMBERS_MAX}`);
  });
});
