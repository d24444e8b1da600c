import { type Entry, type EntryId, entryId, ZERO64 } from "@signalbox/core";
import { and, asc, desc, eq, gt, lte, max } from "drizzle-orm";
import { readNames } from "./actors.ts";
import { Fold, type PastRows } from "./fold.ts";
import type { EnvironmentModel } from "./model.ts";
import { serverFlag, serverGroup } from "./project.ts";
import type { ChangeRecord, CheckpointBody } from "./record.ts";
import type { Database, Tx } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";

const { changeSet, checkpoint } = tables;

/** Records are read in such pieces, and others get their turn in between. */
const RECORDS_PER_QUERY = 100;

/** What history is read from at a revision: the newest checkpoint up to it, or the empty environment where everything since is recorded. */
interface Base {
  readonly revision: number;
  readonly body: CheckpointBody | undefined;
}

/** The rows of an environment as they were at a revision; undefined where history does not reach back that far. */
export async function rowsAt(db: Database | Tx, environmentId: number, revision: number): Promise<PastRows | undefined> {
  const base = await baseOf(db, environmentId, revision);
  if (!base) return undefined;
  const fold = new Fold(base.body);
  for (let at = base.revision; at < revision; ) {
    const rows = await db
      .select({ revision: changeSet.revision, record: changeSet.record })
      .from(changeSet)
      .where(and(eq(changeSet.environmentId, environmentId), gt(changeSet.revision, at), lte(changeSet.revision, revision)))
      .orderBy(asc(changeSet.revision))
      .limit(RECORDS_PER_QUERY);
    // A hole is no past state: an older version wrote there, and what it wrote is in the next checkpoint.
    if (rows.length === 0 || rows.some(({ record }) => record === null)) return undefined;
    for (const { record } of rows) fold.push(record as ChangeRecord);
    at = rows.at(-1)?.revision ?? revision;
    await new Promise(setImmediate);
  }
  return fold.rows(await readNames(db));
}

/**
 * The environment as it was, for evaluating in it as a program with a server key did. `now` is the environment as it is. Nobody is sent its
 * entries, so they are not signed: hashing 5,000 of them would hold up everything else.
 */
export function modelOf(now: EnvironmentModel, rows: PastRows, revision: number): EnvironmentModel {
  const entries = new Map<EntryId, Entry>();
  const add = (entry: Entry) => entries.set(entryId(entry), entry);
  for (const flag of rows.flags.values()) {
    add({ ...serverFlag(flag), fp: ZERO64 });
    for (const key of flag.identity.aliases) add({ kind: "alias", key, flag: flag.identity.key, fp: ZERO64 });
  }
  for (const group of rows.groups.values()) add({ ...serverGroup(group), fp: ZERO64 });
  const position = { generation: now.generation, revision, factsAt: now.factsAt, digest: ZERO64 };
  const states = { server: { ...position, entries }, browser: { ...position, entries: new Map<EntryId, Entry>() } };
  return { ...now, ...rows, revision, states, flagFacts: new Map() };
}

/** The first revision that can be looked at: older changes were made by a version that kept no records. */
export async function beginningOf(db: Database | Tx, environmentId: number): Promise<number> {
  const [first] = await db
    .select({ record: changeSet.record })
    .from(changeSet)
    .where(and(eq(changeSet.environmentId, environmentId), eq(changeSet.revision, 1)));
  if (!first || first.record !== null) return 0;
  const [oldest] = await db
    .select({ revision: checkpoint.revision })
    .from(checkpoint)
    .where(eq(checkpoint.environmentId, environmentId))
    .orderBy(asc(checkpoint.revision))
    .limit(1);
  return oldest?.revision ?? 0;
}

/** The last revision that was committed by then; 0 before the first. Found by halves: a long log is not read through. */
export async function revisionBy(db: Database | Tx, environmentId: number, at: number): Promise<number> {
  const [newest] = await db
    .select({ revision: max(changeSet.revision) })
    .from(changeSet)
    .where(eq(changeSet.environmentId, environmentId));
  let low = 0;
  for (let high = newest?.revision ?? 0; low < high; ) {
    const middle = Math.ceil((low + high) / 2);
    const [row] = await db
      .select({ at: changeSet.at })
      .from(changeSet)
      .where(and(eq(changeSet.environmentId, environmentId), eq(changeSet.revision, middle)));
    if (row && row.at <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

async function baseOf(db: Database | Tx, environmentId: number, revision: number): Promise<Base | undefined> {
  const [row] = await db
    .select({ revision: checkpoint.revision, body: checkpoint.body })
    .from(checkpoint)
    .where(and(eq(checkpoint.environmentId, environmentId), lte(checkpoint.revision, revision)))
    .orderBy(desc(checkpoint.revision))
    .limit(1);
  // What the columns hold was written by `change-log.ts`.
  if (row) return { revision: row.revision, body: row.body as unknown as CheckpointBody };
  return (await beginningOf(db, environmentId)) === 0 ? { revision: 0, body: undefined } : undefined;
}
