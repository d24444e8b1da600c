import { type Projection, sipHash } from "@signalbox/core";
import { and, asc, desc, eq, getTableColumns, lt, sql } from "drizzle-orm";
import type { Commit, EnvironmentInfo, ProjectedState } from "../delivery/feed.ts";
import type { Turn } from "../turns.ts";
import type { SqliteHandle } from "./driver.ts";
import { type Edit, entryBytes, projectAll } from "./edit.ts";
import type { FactRows, NewFact } from "./facts.ts";
import type { EnvironmentModel, EnvironmentSettings, FlagIdentity, FlagRecord, GroupRecord, Member, ProjectModel } from "./model.ts";
import { tables } from "./schema.sqlite.ts";

/** The database as drizzle sees it, and a transaction on it. Both are synchronous. */
export type Database = SqliteHandle["db"];
export type Tx = Database;

/** The data folder cannot be used as it is. The message is one sentence or two: what is wrong, and what to do. */
export class StoreUnusable extends Error {}

/** Reads every row of every project, rebuilds both projections and compares them with the digests of the head rows. */
export function loadProjects(db: Database): ProjectModel[] {
  const projects = db.select().from(tables.project).orderBy(asc(tables.project.id)).all();
  return projects.map(({ id, key, name, hidden }) => {
    const environments = readEnvironments(db, { id, key }).map(({ model, head }) => {
      for (const projection of ["server", "browser"] as const) compareDigest(model, projection, head);
      return model;
    });
    return { id, key, name, environments, ...(hidden && { hidden }) };
  });
}

export type Head = typeof tables.environment.$inferSelect;

export interface ReadEnvironment {
  readonly model: EnvironmentModel;
  readonly head: Head;
  /** Facts that have no number in the rows. */
  readonly newFacts: readonly NewFact[];
}

/** The environments of a project as their rows give them, whatever their heads say. */
export function readEnvironments(db: Database | Tx, project: { readonly id: number; readonly key: string }): ReadEnvironment[] {
  const identities = loadIdentities(db, project.id);
  const heads = db
    .select()
    .from(tables.environment)
    .where(eq(tables.environment.projectId, project.id))
    .orderBy(asc(tables.environment.id))
    .all();
  return heads.map((head) => {
    const { id, key, name, production } = head;
    return readEnvironment(db, { id, key, name, production, projectId: project.id, projectKey: project.key }, head, identities);
  });
}

function loadIdentities(db: Database | Tx, projectId: number): Map<number, FlagIdentity> {
  const aliases = new Map<number, string[]>();
  for (const { flagId, key } of db.select().from(tables.flagAlias).where(eq(tables.flagAlias.projectId, projectId)).all()) {
    aliases.set(flagId, [...(aliases.get(flagId) ?? []), key]);
  }
  const rows = db.select().from(tables.flag).where(eq(tables.flag.projectId, projectId)).all();
  return new Map(rows.map(({ projectId: _project, ...row }) => [row.id, { ...row, aliases: aliases.get(row.id) ?? [] }]));
}

function readEnvironment(db: Database | Tx, info: EnvironmentInfo, head: Head, identities: Map<number, FlagIdentity>): ReadEnvironment {
  const flags = new Map<string, FlagRecord>();
  for (const row of db.select().from(tables.flagConfiguration).where(eq(tables.flagConfiguration.environmentId, info.id)).all()) {
    const identity = identities.get(row.flagId);
    if (!identity) continue; // of another project: foreign keys do not let it happen
    const { body, killed, version, updatedAt, updatedBy } = row;
    flags.set(identity.key, { identity, body, killed, version, updatedAt, updatedBy });
  }
  const groups = new Map<string, GroupRecord>();
  for (const { environmentId: _environment, ...row } of db
    .select()
    .from(tables.group)
    .where(eq(tables.group.environmentId, info.id))
    .all()) {
    groups.set(row.key, { ...row, list: loadList(db, row.id, row.hashKey) });
  }
  const facts = db.select().from(tables.fact).where(eq(tables.fact.environmentId, info.id)).orderBy(asc(tables.fact.number)).all();
  const position = { generation: head.generation, revision: head.revision, factsAt: head.factsAt };
  const rows = { flags, groups, settings: settingsOf(head), factNumbers: new Map(facts.map(({ hash, number }) => [hash, number])) };
  const { states, flagFacts, newFacts } = projectAll(rows, position);
  const model: EnvironmentModel = {
    info,
    color: head.color,
    position: head.position,
    ...position,
    ...rows,
    flagFacts,
    states,
    bytes: { server: stateBytes(states.server), browser: stateBytes(states.browser) },
  };
  return { model, head, newFacts };
}

function settingsOf({ secureMode, signingVersion, signingRetired, privateAttributes, sampleContexts }: Head): EnvironmentSettings {
  return { secureMode, signingVersion, signingRetired, privateAttributes, sampleContexts };
}

function loadList(db: Database | Tx, groupId: number, hashKey: string): string[] {
  return db
    .select({ unit: tables.groupMember.unit })
    .from(tables.groupMember)
    .where(and(eq(tables.groupMember.groupId, groupId), eq(tables.groupMember.state, "member")))
    .all()
    .map(({ unit }) => sipHash(hashKey, unit))
    .sort();
}

/** Programs hold this digest: serving rows that differ from it would be a change that nobody committed. Throws StoreUnusable. */
export function compareDigest({ info, states }: EnvironmentModel, projection: Projection, head: Head): void {
  const { digest } = states[projection];
  const stored = projection === "server" ? head.serverDigest : head.browserDigest;
  if (digest === stored) return;
  throw new StoreUnusable(
    `The flags of ${info.projectKey}/${info.key} do not fit their digest (${projection} projection: the rows give ${digest}, the head says ${stored}): the database file was changed by something other than Signalbox; put a backup of the data folder in its place.`,
  );
}

function stateBytes(state: ProjectedState): number {
  let bytes = 0;
  for (const entry of state.entries.values()) bytes += entryBytes(entry);
  return bytes;
}

const COMMITS_PER_QUERY = 50;

const { record: _record, writeId: _writeId, ...COMMIT } = getTableColumns(tables.changeSet);

/**
 * The newest commits of an environment, oldest first: at most `limit`, and none older than what makes them `bytesMax` long, since a
 * group that is put whole holds its list. How long they took is not kept.
 */
export function loadCommits(db: Database, environmentId: number, limit: number, bytesMax: number): Commit[] {
  const commits: Commit[] = [];
  const { changeSet } = tables;
  for (let bytes = 0, last = false; !last && commits.length < limit && bytes <= bytesMax; ) {
    const before = commits.at(-1)?.to;
    const rows = db
      .select(COMMIT)
      .from(changeSet)
      .where(and(eq(changeSet.environmentId, environmentId), before === undefined ? undefined : lt(changeSet.revision, before)))
      .orderBy(desc(changeSet.revision))
      .limit(Math.min(COMMITS_PER_QUERY, limit - commits.length))
      .all();
    last = rows.length === 0;
    for (const { revision, server, browser, ...row } of rows) {
      const projections = { server, browser };
      commits.push({ ...row, from: revision - 1, to: revision, storedMs: 0, projections });
      bytes += Buffer.byteLength(JSON.stringify(projections));
    }
  }
  return commits.reverse();
}

export function writeFacts(tx: Tx, environmentId: number, { added, forgotten }: FactRows): void {
  const { fact } = tables;
  for (const one of added)
    tx.insert(fact)
      .values({ environmentId, ...one })
      .run();
  for (const number of forgotten)
    tx.delete(fact)
      .where(and(eq(fact.environmentId, environmentId), eq(fact.number, number)))
      .run();
}

/** Writes the rows of one edit. Everything is inside the caller's transaction; `turn` may end it, to be begun anew. */
export async function writeEdit(tx: Tx, projectId: number, edit: Edit, turn: Turn): Promise<void> {
  await turn();
  switch (edit.kind) {
    case "identity": {
      const { aliases, ...row } = edit.identity;
      tx.insert(tables.flag)
        .values({ ...row, projectId })
        .onConflictDoUpdate({ target: tables.flag.id, set: row })
        .run();
      tx.delete(tables.flagAlias).where(eq(tables.flagAlias.flagId, row.id)).run();
      for (const key of aliases) tx.insert(tables.flagAlias).values({ projectId, key, flagId: row.id }).run();
      return;
    }
    case "flag": {
      const { identity, ...row } = edit.flag;
      tx.insert(tables.flagConfiguration)
        .values({ ...row, flagId: identity.id, environmentId: edit.environmentId })
        .onConflictDoUpdate({ target: [tables.flagConfiguration.flagId, tables.flagConfiguration.environmentId], set: row })
        .run();
      return;
    }
    case "flag-gone": {
      const { flag, flagAlias, flagConfiguration, flagTombstone } = tables;
      const { identity, keys, at, by } = edit;
      tx.delete(flagConfiguration).where(eq(flagConfiguration.flagId, identity.id)).run();
      tx.delete(flagAlias).where(eq(flagAlias.flagId, identity.id)).run();
      tx.delete(flag).where(eq(flag.id, identity.id)).run();
      const stone = { deletedAt: at, deletedBy: by };
      for (const key of keys)
        tx.insert(flagTombstone)
          .values({ projectId, key, ...stone })
          .onConflictDoUpdate({ target: [flagTombstone.projectId, flagTombstone.key], set: stone })
          .run();
      return;
    }
    case "group":
      writeGroup(tx, edit.environmentId, edit.group);
      return;
    case "group-gone":
      tx.delete(tables.groupMember).where(eq(tables.groupMember.groupId, edit.group.id)).run();
      tx.delete(tables.group).where(eq(tables.group.id, edit.group.id)).run();
      return;
    case "settings":
      tx.update(tables.environment).set(edit.settings).where(eq(tables.environment.id, edit.environmentId)).run();
      return;
    case "members": {
      writeGroup(tx, edit.environmentId, edit.group);
      await writeMembers(tx, edit.group.id, edit.put, edit.drop, turn);
      return;
    }
  }
}

/** Prepared once for all rows: building ten thousand statements would hold up a kill for half a second. */
async function writeMembers(tx: Tx, group: number, put: readonly Member[], drop: readonly string[], turn: Turn): Promise<void> {
  const { groupId, unit, state, at, by } = tables.groupMember;
  const upsert = tx
    .insert(tables.groupMember)
    .values({
      groupId: group,
      unit: sql.placeholder("unit"),
      state: sql.placeholder("state"),
      at: sql.placeholder("at"),
      by: sql.placeholder("by"),
    })
    .onConflictDoUpdate({
      target: [groupId, unit],
      set: {
        state: sql`excluded.${sql.identifier(state.name)}`,
        at: sql`excluded.${sql.identifier(at.name)}`,
        by: sql`excluded.${sql.identifier(by.name)}`,
      },
    })
    .prepare();
  for (const member of put) {
    await turn();
    upsert.run({ ...member });
  }
  const remove = tx
    .delete(tables.groupMember)
    .where(and(eq(groupId, group), eq(unit, sql.placeholder("unit"))))
    .prepare();
  for (const gone of drop) {
    await turn();
    remove.run({ unit: gone });
  }
}

function writeGroup(tx: Tx, environmentId: number, group: GroupRecord): void {
  const { list: _inItsOwnTable, ...row } = group;
  tx.insert(tables.group)
    .values({ ...row, environmentId })
    .onConflictDoUpdate({ target: tables.group.id, set: row })
    .run();
}
