import { and, asc, count, eq, gt, inArray } from "drizzle-orm";
import { type Clock, systemClock } from "../delivery/clock.ts";
import { problemOf } from "../environments/located.ts";
import type { Problem } from "../errors.ts";
import type { EnvironmentModel, GroupRecord, Member } from "../store/model.ts";
import type { Author } from "../store/origin.ts";
import type { Outcome } from "../store/outcome.ts";
import type { Database, Tx } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { Store } from "../store/store.ts";
import { BY_THEMSELVES, changeMembers, type MemberChange, type MemberMoves, type MembersAction, movesOf } from "./decide.ts";
import { type Batch, createJoinLane, type JoinLane, type Settled } from "./join-lane.ts";
import { type MemberRows, noSuchGroup, type Participation, participate } from "./participate.ts";

export interface Participant extends Participation {
  readonly environmentId: number;
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
  /**
   * Joins or leaves. All who do so within a second are committed together, behind kills and edits; resolves after that commit. Rejects
   * with a problem: GROUP_NOT_FOUND, GROUP_FULL, SIGNED_CONTEXT_NEEDED, OVERLOADED, RATE_LIMITED, UNAVAILABLE.
   */
  participate(who: Participant): Promise<Joined>;
  /** An early-access group. Throws GROUP_NOT_FOUND. */
  program(environmentId: number, group: string): GroupRecord;
  /** The early-access groups of an environment, and whether the unit is in: one for all of them, or what each goes by. */
  programs(environmentId: number, unit: string | ((by: string) => string | undefined)): Promise<readonly Program[]>;
  /** Staff adds and removes, in groups by list and of early access. */
  change(request: MembersRequest): Promise<Changed>;
  /** Rows in the order of their units, those who have left included. */
  page(group: GroupRecord, after: string | undefined, limit: number): Promise<readonly Member[]>;
}

export interface Changed {
  readonly outcome: Outcome;
  readonly environment: EnvironmentModel;
  readonly moves: MemberMoves;
}

export interface MembersRequest {
  readonly environmentId: number;
  readonly group: string;
  readonly author: Author;
  readonly change: MemberChange;
  readonly action: MembersAction;
}

export function createMembers({ db, projects, write }: Pick<Store, "db" | "projects" | "write">, clock: Clock = systemClock): Members {
  function environment(id: number): EnvironmentModel {
    const found = projects()
      .flatMap(({ environments }) => environments)
      .find(({ info }) => info.id === id);
    if (!found) throw new RangeError(`there is no environment with the id ${id}`);
    return found;
  }

  const change: Members["change"] = async ({ environmentId, group, author, change, action }) => {
    const { info } = environment(environmentId);
    let moves: MemberMoves = { coming: [], going: [], keptOut: [] };
    const { outcome } = await write({ ...author, project: info.projectKey }, async (current, tx) => {
      const record = current.project.environments.find((each) => each.info.id === environmentId)?.groups.get(group);
      const known = record === undefined ? new Map<string, Member>() : await readMembers(tx, record.id, [...change.add, ...change.remove]);
      if (record) moves = movesOf(record, change, known, action);
      return changeMembers(current, info.key, group, change, known, action);
    });
    // Read from the outcome: another write may have gone on since.
    const after =
      outcome.kind === "changed" ? outcome.applied.project.environments.find((each) => each.info.id === environmentId) : undefined;
    return { outcome, environment: after ?? environment(environmentId), moves };
  };

  const lanes = new Map<number, JoinLane<Joined>>();

  function laneOf(environmentId: number): JoinLane<Joined> {
    const lane = lanes.get(environmentId) ?? createJoinLane<Joined>(clock, (batch) => commit(environmentId, batch));
    lanes.set(environmentId, lane);
    return lane;
  }

  async function commit(environmentId: number, batch: readonly Participation[]): Promise<Batch<Joined>> {
    const { info } = environment(environmentId);
    let refused: ReadonlyMap<Participation, Problem> = new Map();
    const request = { project: info.projectKey, by: BY_THEMSELVES, lane: "join" } as const;
    const { outcome, project } = await write(request, async (current, tx) => {
      const participated = await participate(current, environmentId, batch, rowsOf(tx));
      ({ refused } = participated);
      return participated.outcome;
    });
    if (outcome.kind === "missing" || outcome.kind === "invalid") throw problemOf(outcome);
    const after = project.environments.find((each) => each.info.id === environmentId) ?? environment(environmentId);
    const settled = batch.map((one): Settled<Joined> => {
      const error = refused.get(one);
      if (error) return { kind: "refused", error };
      return { kind: "done", value: { group: one.group, joined: one.joining, generation: after.generation, revision: after.revision } };
    });
    return { changed: outcome.kind === "changed", settled };
  }

  function program(environmentId: number, key: string): GroupRecord {
    const found = environment(environmentId).groups.get(key);
    if (found?.kind !== "early-access") throw noSuchGroup(key, environment(environmentId));
    return found;
  }

  return {
    async participate({ environmentId, ...one }) {
      program(environmentId, one.group); // so that what cannot be done is said at once
      return laneOf(environmentId).add(one);
    },
    program,
    async programs(environmentId, unit) {
      const programs: Program[] = [];
      for (const { id, kind, key, name, description, by } of environment(environmentId).groups.values()) {
        if (kind !== "early-access") continue;
        const own = typeof unit === "string" ? unit : unit(by);
        const joined = own !== undefined && (await readMembers(db, id, [own])).get(own)?.state === "member";
        programs.push({ group: key, name, description, by, joined });
      }
      return programs;
    },
    change,
    async page(group, after, limit) {
      const { groupId, unit } = tables.groupMember;
      return db
        .select({ unit, state: tables.groupMember.state, at: tables.groupMember.at, by: tables.groupMember.by })
        .from(tables.groupMember)
        .where(and(eq(groupId, group.id), after === undefined ? undefined : gt(unit, after)))
        .orderBy(asc(unit))
        .limit(limit);
    },
  };
}

function rowsOf(tx: Tx): MemberRows {
  return {
    read: (group, units) => readMembers(tx, group.id, units),
    async count(group) {
      const [row] = await tx.select({ rows: count() }).from(tables.groupMember).where(eq(tables.groupMember.groupId, group.id));
      return row?.rows ?? 0;
    },
  };
}

/** Every database takes only so many values in one statement. */
const UNITS_PER_QUERY = 500;

async function readMembers(db: Database, groupId: number, units: readonly string[]): Promise<Map<string, Member>> {
  const known = new Map<string, Member>();
  for (let i = 0; i < units.length; i += UNITS_PER_QUERY) {
    const rows = await db
      .select()
      .from(tables.groupMember)
      .where(and(eq(tables.groupMember.groupId, groupId), inArray(tables.groupMember.unit, units.slice(i, i + UNITS_PER_QUERY))));
    for (const { groupId: _group, ...member } of rows) known.set(member.unit, member);
  }
  return known;
}
