import { and, asc, eq, gt } from "drizzle-orm";
import { environmentIn, problemOf, projectAt } from "../environments/located.ts";
import { problem } from "../errors.ts";
import type { EnvironmentModel, GroupRecord, Member } from "../store/model.ts";
import type { Author } from "../store/origin.ts";
import type { Database } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { Store } from "../store/store.ts";
import { createTurn, type Turn } from "../turns.ts";
import { hashedInTurns, type MemberMoves, movesOf, noList, saveMoves, tooMany } from "./decide.ts";

/** What a list of units does: its units come in, or it is afterwards the whole list, or its units go. */
export type ListMode = "add" | "replace" | "remove";

export interface ListRequest {
  readonly project: string;
  readonly environment: string;
  readonly group: string;
  readonly mode: ListMode;
  readonly units: readonly string[];
  /** Adds also those who have left early access by themselves. */
  readonly rejoin: boolean;
}

export interface ListChanged {
  readonly moves: MemberMoves;
  readonly environment: EnvironmentModel;
  readonly changed: boolean;
  /** Members afterwards. */
  readonly members: number;
}

/**
 * Lists of up to 100,000 units, for groups by list and of early access. All the work but the writing of rows is done outside of the write
 * and in turns; the write is one transaction and one revision, and gives way to kills.
 */
export interface Lists {
  /** What `change` would do. Throws a problem. */
  preview(request: ListRequest): Promise<ListChanged>;
  change(request: ListRequest, author: Author): Promise<ListChanged>;
  /** The members of a group, in the order of their units, at most so many of those behind `after`. */
  page(group: GroupRecord, after: string | undefined): Promise<readonly Member[]>;
}

/** Each holds a file and all rows of a group in memory. */
const AT_ONCE_MAX = 2;
/** Others change the group while a list is compared with it: then it is compared once more. */
const ATTEMPTS_MAX = 5;
const ROWS_PER_QUERY = 1_000;

export function createLists(store: Pick<Store, "db" | "project" | "projects" | "write">): Lists {
  let running = 0;

  async function alone<T>(work: () => Promise<T>): Promise<T> {
    if (running >= AT_ONCE_MAX) {
      throw problem("OVERLOADED", `${AT_ONCE_MAX} lists are being read already, the most that may at once; try again in a few seconds.`, {
        headers: { "retry-after": "5" },
      });
    }
    running += 1;
    try {
      return await work();
    } finally {
      running -= 1;
    }
  }

  async function compared({ group: key, mode, units, rejoin, ...place }: ListRequest, turn: Turn) {
    const environment = environmentIn(projectAt(store, place.project), place.environment);
    const group = groupIn(environment, key);
    if (group.kind === "conditions") throw problemOf(noList(group));
    const known = await rowsOf(store.db, group, turn);
    const listed = mode === "replace" ? new Set(units) : undefined;
    const remove = listed ? [...known.keys()].filter((unit) => !listed.has(unit)) : units;
    const change = mode === "remove" ? { add: [], remove } : { add: units, remove: listed ? remove : [], rejoin };
    const moves = movesOf(group, change, known, "group.members");
    const full = tooMany(group, moves.coming, moves.going);
    if (full) throw problemOf(full);
    await turn();
    return { environment, group, moves, members: group.list.length + moves.coming.length - moves.going.length };
  }

  return {
    preview: (request) =>
      alone(async () => {
        const { environment, moves, members } = await compared(request, createTurn());
        return { moves, environment, members, changed: moves.coming.length + moves.going.length > 0 };
      }),
    change: (request, author) =>
      alone(async () => {
        const turn = createTurn();
        for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
          const { environment, group, moves, members } = await compared(request, turn);
          if (moves.coming.length + moves.going.length === 0) return { moves, environment, members, changed: false };
          const hashes = await hashedInTurns(group, moves.coming, moves.going, turn);
          const { outcome, project } = await store.write({ ...author, project: request.project }, (current) => {
            const now = current.project.environments.find(({ info }) => info.id === environment.info.id);
            // The record is made anew with each change of the group or of who is in it.
            if (!now || now.groups.get(group.key) !== group) return { kind: "conflict" };
            return saveMoves(current, now, group, { ...moves, declined: [] }, hashes, "group.members");
          });
          if (outcome.kind === "conflict") continue;
          if (outcome.kind === "missing" || outcome.kind === "invalid") throw problemOf(outcome);
          return { moves, environment: environmentIn(project, request.environment), members, changed: true };
        }
        throw problem(
          "CONFLICT",
          `The group "${request.group}" was changed by others each time that the list was compared with it, so nothing was changed; try again in a moment.`,
        );
      }),
    async page(group, after) {
      const { groupId, unit, state } = tables.groupMember;
      return await store.db
        .select({ unit, state, at: tables.groupMember.at, by: tables.groupMember.by })
        .from(tables.groupMember)
        .where(and(eq(groupId, group.id), eq(state, "member"), after === undefined ? undefined : gt(unit, after)))
        .orderBy(asc(unit))
        .limit(ROWS_PER_QUERY);
    },
  };
}

function groupIn(environment: EnvironmentModel, key: string): GroupRecord {
  const group = environment.groups.get(key);
  if (group) return group;
  throw problem("GROUP_NOT_FOUND", `There is no group with the key "${key}" in ${environment.info.key}; the list of groups has the keys.`);
}

/** All rows of a group, those who have left included. Who comes or goes meanwhile changes the group's record, which the write compares. */
export async function rowsOf(db: Database, group: GroupRecord, turn: Turn): Promise<Map<string, Member>> {
  const { groupId, unit } = tables.groupMember;
  const known = new Map<string, Member>();
  for (let after: string | undefined; ; ) {
    const rows = await db
      .select()
      .from(tables.groupMember)
      .where(and(eq(groupId, group.id), after === undefined ? undefined : gt(unit, after)))
      .orderBy(asc(unit))
      .limit(ROWS_PER_QUERY);
    for (const { groupId: _group, ...member } of rows) known.set(member.unit, member);
    after = rows.at(-1)?.unit;
    if (rows.length < ROWS_PER_QUERY) return known;
    await turn();
  }
}
