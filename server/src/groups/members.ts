import { and, asc, eq, gt, inArray } from "drizzle-orm";
import { problemOf } from "../environments/located.ts";
import { problem } from "../errors.ts";
import type { EnvironmentModel, GroupRecord, Member } from "../store/model.ts";
import type { Outcome } from "../store/outcome.ts";
import type { Database, Tx } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { Store } from "../store/store.ts";
import { changeMembers, type MemberChange, type MemberMoves, type MembersAction, movesOf } from "./decide.ts";

export interface Participation {
  readonly environmentId: number;
  readonly group: string;
  readonly unit: string;
  readonly by: string;
}

/** `revision` is the one that the change made, or the head if the unit was where it wanted to be already. */
export interface Joined {
  readonly group: string;
  readonly joined: boolean;
  readonly generation: number;
  readonly revision: number;
}

export interface Program {
  readonly group: string;
  readonly name: string;
  readonly description: string;
  /** The attribute whose value joins: `key`, `account.key`. */
  readonly by: string;
  readonly joined: boolean;
}

/** Early access as people and programs use it. Groups of another kind are GROUP_NOT_FOUND here. */
export interface Members {
  join(who: Participation): Promise<Joined>;
  leave(who: Participation): Promise<Joined>;
  /** The early-access groups of an environment, and whether the unit is in. */
  programs(environmentId: number, unit: string): readonly Program[];
  /** Staff adds and removes, in groups by list and of early access. */
  change(request: MembersRequest): Promise<Changed>;
  /** Rows in the order of their units, those who have left included. */
  page(group: GroupRecord, after: string | undefined, limit: number): readonly Member[];
}

export interface Changed {
  readonly outcome: Outcome;
  readonly environment: EnvironmentModel;
  readonly moves: MemberMoves;
}

export interface MembersRequest {
  readonly environmentId: number;
  readonly group: string;
  readonly by: string;
  readonly change: MemberChange;
  readonly action: MembersAction;
}

export function createMembers({ db, projects, write }: Pick<Store, "db" | "projects" | "write">): Members {
  function environment(id: number): EnvironmentModel {
    const found = projects()
      .flatMap(({ environments }) => environments)
      .find(({ info }) => info.id === id);
    if (!found) throw new RangeError(`there is no environment with the id ${id}`);
    return found;
  }

  const change: Members["change"] = async ({ environmentId, group, by, change, action }) => {
    const { info } = environment(environmentId);
    let moves: MemberMoves = { coming: [], going: [], keptOut: [] };
    const { outcome } = await write({ project: info.projectKey, by }, (current, tx) => {
      const record = current.project.environments.find((each) => each.info.id === environmentId)?.groups.get(group);
      const known = record === undefined ? new Map<string, Member>() : readMembers(tx, record.id, [...change.add, ...change.remove]);
      if (record) moves = movesOf(record, change, known, action);
      return changeMembers(current, info.key, group, change, known, action);
    });
    // Read from the outcome: another write may have gone on since.
    const after =
      outcome.kind === "changed" ? outcome.applied.project.environments.find((each) => each.info.id === environmentId) : undefined;
    return { outcome, environment: after ?? environment(environmentId), moves };
  };

  async function participate(who: Participation, joining: boolean): Promise<Joined> {
    const { environmentId, group, unit, by } = who;
    const { info, groups } = environment(environmentId);
    if (groups.get(group)?.kind !== "early-access") {
      throw problem(
        "GROUP_NOT_FOUND",
        `There is no early-access group with the key "${group}" in ${info.key}; staff make one under Groups.`,
      );
    }
    const result = await change({
      environmentId,
      group,
      by,
      change: joining ? { add: [unit], remove: [] } : { add: [], remove: [unit] },
      action: joining ? "early-access.join" : "early-access.leave",
    });
    const { outcome } = result;
    if (outcome.kind === "missing" || outcome.kind === "invalid") throw problemOf(outcome);
    const { generation, revision } = result.environment;
    return { group, joined: joining, generation, revision };
  }

  return {
    join: (who) => participate(who, true),
    leave: (who) => participate(who, false),
    programs(environmentId, unit) {
      return [...environment(environmentId).groups.values()]
        .filter(({ kind }) => kind === "early-access")
        .map(({ id, key, name, description, by }) => {
          const joined = readMembers(db, id, [unit]).get(unit)?.state === "member";
          return { group: key, name, description, by, joined };
        });
    },
    change,
    page(group, after, limit) {
      const { groupId, unit } = tables.groupMember;
      return db
        .select({ unit, state: tables.groupMember.state, at: tables.groupMember.at, by: tables.groupMember.by })
        .from(tables.groupMember)
        .where(and(eq(groupId, group.id), after === undefined ? undefined : gt(unit, after)))
        .orderBy(asc(unit))
        .limit(limit)
        .all();
    },
  };
}

/** SQLite takes only so many values in one statement. */
const UNITS_PER_QUERY = 500;

function readMembers(db: Database | Tx, groupId: number, units: readonly string[]): Map<string, Member> {
  const known = new Map<string, Member>();
  for (let i = 0; i < units.length; i += UNITS_PER_QUERY) {
    const rows = db
      .select()
      .from(tables.groupMember)
      .where(and(eq(tables.groupMember.groupId, groupId), inArray(tables.groupMember.unit, units.slice(i, i + UNITS_PER_QUERY))))
      .all();
    for (const { groupId: _group, ...member } of rows) known.set(member.unit, member);
  }
  return known;
}
