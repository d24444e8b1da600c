import type { Json } from "@signalbox/core";
import { and, desc, eq, gt, inArray, isNull, max, type SQL, sql } from "drizzle-orm";
import type { Turn } from "../turns.ts";
import type { Actors, NameOf } from "./actors.ts";
import { insertion } from "./database.ts";
import type { Edit } from "./edit.ts";
import type { EnvironmentModel } from "./model.ts";
import { type ChangeRecord, checkpointOf, itemsOf, namesOf, renamed } from "./record.ts";
import type { Database, Tx } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";

/** So many records are read at most to know a past state. */
export const CHECKPOINT_EVERY = 1_000;
/** A statement takes only so many values. */
const ITEMS_PER_INSERT = 1_000;

const UNITS_PER_INSERT = 500;

const { changeItem, changeSet, checkpoint, formerMember, groupMember } = tables;

const insertItem = insertion(changeItem, ["environmentId", "kind", "itemId", "revision"]);

/** What is kept of changes besides what programs get of them: records, their index by flag and group, and checkpoints. */
export interface ChangeLog {
  /** The record as it is stored: with keys in the place of names. */
  stored(tx: Tx, record: ChangeRecord): Promise<Json>;
  index(tx: Tx, environmentId: number, revision: number, record: ChangeRecord): Promise<void>;
  /** Before the rows of an edit are written: keeps the clear units that will not be in `group_member` any more. */
  keepUnits(tx: Tx, edit: Edit, turn: Turn): Promise<void>;
  /** Whether an environment that stands at this revision should get a checkpoint. */
  isDue(environmentId: number, revision: number): boolean;
  /** Keeps one in a transaction of `transact`; the next is due after it only if that was committed. */
  checkpoint(transact: (run: (tx: Tx) => Promise<void>) => Promise<void>, environment: EnvironmentModel, at: number): Promise<void>;
}

export async function openChangeLog(db: Database, actors: Actors): Promise<ChangeLog> {
  const rows = await db
    .select({ environmentId: checkpoint.environmentId, revision: max(checkpoint.revision) })
    .from(checkpoint)
    .groupBy(checkpoint.environmentId);
  const newest = new Map(rows.map(({ environmentId, revision }) => [environmentId, revision ?? 0]));

  async function keysIn(tx: Tx, names: Iterable<string>): Promise<NameOf> {
    const keys = new Map<string, string>();
    for (const name of names) keys.set(name, await actors.keyOf(tx, name));
    return (name) => keys.get(name) ?? name;
  }

  return {
    // What is stored is plain JSON; the types only do not say so.
    stored: async (tx, record) => renamed(record, await keysIn(tx, namesOf(record))) as Json,
    async index(tx, environmentId, revision, record) {
      const rows = itemsOf(record).map(({ kind, id }) => ({ environmentId, kind, itemId: id, revision }));
      const [only, ...more] = rows;
      if (only && more.length === 0) await insertItem(tx, only);
      else for (let i = 0; i < rows.length; i += ITEMS_PER_INSERT) await tx.insert(changeItem).values(rows.slice(i, i + ITEMS_PER_INSERT));
    },
    async keepUnits(tx, edit, turn) {
      if (edit.kind === "group-gone") await keep(tx, eq(groupMember.groupId, edit.group.id));
      if (edit.kind !== "members") return;
      for (let i = 0; i < edit.drop.length; i += UNITS_PER_INSERT) {
        await turn();
        const units = edit.drop.slice(i, i + UNITS_PER_INSERT);
        await keep(tx, and(eq(groupMember.groupId, edit.group.id), inArray(groupMember.unit, units)));
      }
    },
    isDue: (environmentId, revision) => revision - (newest.get(environmentId) ?? 0) >= CHECKPOINT_EVERY,
    async checkpoint(transact, environment, at) {
      const { generation, revision } = environment;
      const whole = checkpointOf(environment);
      await transact(async (tx) => {
        const body = renamed(whole, await keysIn(tx, namesOf(whole))) as unknown as Json;
        await tx.insert(checkpoint).values({ environmentId: environment.info.id, revision, generation, at, body }).onConflictDoNothing();
      });
      newest.set(environment.info.id, revision);
    },
  };
}

async function keep(tx: Tx, which: SQL | undefined): Promise<void> {
  const { groupId, unit, state, at, by } = groupMember;
  await tx
    .insert(formerMember)
    .select(tx.select({ groupId, unit, state, at, by }).from(groupMember).where(which))
    .onConflictDoUpdate({
      target: [formerMember.groupId, formerMember.unit],
      set: { state: sql`excluded.state`, at: sql`excluded.at`, by: sql`excluded.by` },
    });
}

/** Whether changes after the newest checkpoint have no record: an older version wrote them, and history begins anew after them. */
export async function needsCheckpoint(db: Database, environmentId: number): Promise<boolean> {
  const [newest] = await db
    .select({ revision: checkpoint.revision })
    .from(checkpoint)
    .where(eq(checkpoint.environmentId, environmentId))
    .orderBy(desc(checkpoint.revision))
    .limit(1);
  const rows = await db
    .select({ revision: changeSet.revision })
    .from(changeSet)
    .where(and(eq(changeSet.environmentId, environmentId), gt(changeSet.revision, newest?.revision ?? 0), isNull(changeSet.record)))
    .limit(1);
  return rows.length > 0;
}
