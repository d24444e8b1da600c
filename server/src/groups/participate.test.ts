import { STATE_BYTES_MAX } from "@signalbox/core";
import { describe, expect, test } from "vitest";
import type { EnvironmentModel, GroupRecord, Member, ProjectModel } from "../store/model.ts";
import { after, currentOf, development, emptyProject } from "../store/test-project.ts";
import { BY_A_PAGE, BY_THEMSELVES, createGroup, MEMBERS_MAX } from "./decide.ts";
import { type MemberRows, type Participated, type Participation, participate } from "./participate.ts";

const FULL = Array.from({ length: MEMBERS_MAX }, (_, i) => i.toString(16).padStart(16, "0"));

/** Two groups of early access, `full` with as many as it may have. */
function project(bytes = 0): ProjectModel {
  const made = after(
    emptyProject(),
    ...["full", "beta"].map(
      (key) => (current: Parameters<typeof createGroup>[0]) =>
        createGroup(current, "development", { key, kind: "early-access" }, "0".repeat(32)),
    ),
  );
  const environment = development(made);
  const groups = new Map(environment.groups);
  groups.set("full", { ...(groups.get("full") as GroupRecord), list: FULL });
  const filled: EnvironmentModel = { ...environment, groups, bytes: { ...environment.bytes, server: bytes } };
  return { ...made, environments: made.environments.map((one) => (one === environment ? filled : one)) };
}

/** In every group the same rows. */
function rows(...members: Member[]): MemberRows {
  const byUnit = new Map(members.map((member) => [member.unit, member]));
  return {
    read: async (_group, units) => new Map(units.flatMap((unit) => [byUnit.get(unit) ?? []].flat().map((row) => [unit, row]))),
    count: async () => byUnit.size,
  };
}

const member = (unit: string, by: string): Member => ({ unit, state: "member", at: 1, by });
const step = (unit: string, joining: boolean, vouched: boolean, group = "full"): Participation => ({ group, unit, joining, vouched });
const refusals = ({ refused }: Participated) => [...refused].map(([{ unit }, { code }]) => [unit, code]);

describe("several who join and leave together", () => {
  test("whose leaving is refused makes no room for others in a full group", async () => {
    const all = [step("staffs", false, false), step("new", true, true), step("ann", true, true, "beta")];
    const done = await participate(currentOf(project()), 1, all, rows(member("staffs", "ada")));
    expect(refusals(done)).toEqual([
      ["staffs", "SIGNED_CONTEXT_NEEDED"],
      ["new", "GROUP_FULL"],
    ]);
    expect(done.outcome).toMatchObject({ kind: "changed", target: "beta", after: { added: [expect.any(String)] } });
  });

  test("a step of one group that cannot be is refused to those of that step alone", async () => {
    // The row says that `ghost` is in the list, which does not hold it: its leaving makes no room.
    const all = [step("ghost", false, true), step("new", true, true), step("ann", true, true, "beta")];
    const done = await participate(currentOf(project()), 1, all, rows(member("ghost", BY_THEMSELVES)));
    expect(refusals(done)).toEqual([["new", "GROUP_REFUSED"]]);
    expect(done.outcome).toMatchObject({ kind: "changed", action: "early-access.change", after: [{ group: "full" }, { group: "beta" }] });
    const applied = done.outcome.kind === "changed" ? development(done.outcome.applied.project) : expect.fail("no change");
    expect(applied.groups.get("beta")?.list).toHaveLength(1);
  });

  test("pages fill half of what an environment may take; staff, the app's server and those who leave go on", async () => {
    const all = [
      step("page", true, false, "beta"),
      step("signed", true, true, "beta"),
      step("gone", false, false, "beta"),
      step("in", true, false, "beta"),
    ];
    const known = rows(member("gone", BY_A_PAGE), member("in", BY_A_PAGE));
    const half = await participate(currentOf(project(STATE_BYTES_MAX / 2)), 1, all, known);
    expect(refusals(half)).toEqual([]);
    const over = await participate(currentOf(project(STATE_BYTES_MAX / 2 + 1)), 1, all, known);
    expect(refusals(over)).toEqual([["page", "GROUP_FULL"]]);
    expect([...over.refused.values()][0]?.message).toContain("more than half of what they may");
    expect(over.outcome).toMatchObject({ kind: "changed", action: "early-access.change", target: "beta" });
  });
});
