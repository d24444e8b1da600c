import { and, eq } from "drizzle-orm";
import type { Tx } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";

/** That a deleted flag had this key. */
export interface Tombstone {
  readonly key: string;
  readonly deletedAt: number;
  readonly deletedBy: string;
}

/** What is known of a deleted flag that had this key; undefined if none had. */
export async function tombstoneOf(tx: Tx, projectId: number, flagKey: string): Promise<Tombstone | undefined> {
  const { key, deletedAt, deletedBy, projectId: ofProject } = tables.flagTombstone;
  const [row] = await tx
    .select({ key, deletedAt, deletedBy })
    .from(tables.flagTombstone)
    .where(and(eq(ofProject, projectId), eq(key, flagKey)))
    .limit(1);
  return row;
}

/** All of a project, by key. */
export async function tombstonesOf(db: Tx, projectId: number): Promise<ReadonlyMap<string, Tombstone>> {
  const { key, deletedAt, deletedBy, projectId: ofProject } = tables.flagTombstone;
  const rows = await db.select({ key, deletedAt, deletedBy }).from(tables.flagTombstone).where(eq(ofProject, projectId));
  return new Map(rows.map((row) => [row.key, row]));
}
