import { type Projection, sipHash, ZERO64 } from "@signalbox/core";
import { and, asc, desc, eq, getTableColumns, inArray, isNull, lt } from "drizzle-orm";
import type { Commit, EnvironmentInfo, ProjectedState } from "../delivery/feed.ts";
import type { Turn } from "../turns.ts";
import { type Database, insertMany, type Tx } from "./database.ts";
import { type Edit, entryBytes, projectAll } from "./edit.ts";
import type { FactRows, NewFact } from "./facts.ts";
import type { EnvironmentModel, EnvironmentSettings, FlagIdentity, FlagRecord, GroupRecord, Member, ProjectModel } from "./model.ts";
import { tables } from "./schema.sqlite.ts";

export type { Database, Tx };

/** The data folder cannot be used as it is. The message is one sentence or two: what is wrong, and what to do. */
export class StoreUnusable extends Error {}

/** Reads every row of all projects or of these, rebuilds both projections and compares them with the digests of the head rows. */
export async function loadProjects(db: Database, ids?: readonly number[]): Promise<ProjectModel[]> {
  const projects: ProjectModel[] = [];
  const rows = await db.select().from(tables.project).where(isNull(tables.project.deletedAt)).orderBy(asc(tables.project.id));
  for (const row of rows) if (!ids || ids.includes(row.id)) projects.push(await loadProject(db, row));
  return projects;
}

async function loadProject(
  db: Database,
  { id, key, name, description, version, createdAt, hidden }: typeof tables.project.$inferSelect,
): Promise<ProjectModel> {
  const environments = (await readEnvironments(db, { id, key })).map(({ model, head }) => {
    for (const projection of ["server", "browser"] as const) compareDigest(model, projection, head);
    return model;
  });
  return { id, key, name, description, version, createdAt, environments, ...(hidden && { hidden }) };
}

export type Head = typeof tables.environment.$inferSelect;

export interface ReadEnvironment {
  readonly model: EnvironmentModel;
  readonly head: Head;
  /** Facts that have no number in the rows. */
  readonly newFacts: readonly NewFact[];
}

/** The environments of a project as their rows give them, whatever their heads say. */
export async function readEnvironments(db: Database, project: { readonly id: number; readonly key: string }): Promise<ReadEnvironment[]> {
  const identities = await loadIdentities(db, project.id);
  const heads = await db
    .select()
    .from(tables.environment)
    .where(and(eq(tables.environment.projectId, project.id), isNull(tables.environment.deletedAt)))
    .orderBy(asc(tables.environment.id));
  const environments: ReadEnvironment[] = [];
  for (const head of heads) {
    const { id, key, name, production } = head;
    const info = { id, key, name, production, projectId: project.id, projectKey: project.key };
    environments.push(await readEnvironment(db, info, head, identities));
  }
  return environments;
}

async function loadIdentities(db: Database, projectId: number): Promise<Map<number, FlagIdentity>> {
  const aliases = new Map<number, string[]>();
  for (const { flagId, key } of await db.select().from(tables.flagAlias).where(eq(tables.flagAlias.projectId, projectId))) {
    aliases.set(flagId, [...(aliases.get(flagId) ?? []), key]);
  }
  const rows = await db.select().from(tables.flag).where(eq(tables.flag.projectId, projectId));
  return new Map(rows.map(({ projectId: _project, ...row }) => [row.id, { ...row, aliases: aliases.get(row.id) ?? [] }]));
}

async function readEnvironment(
  db: Database,
  info: EnvironmentInfo,
  head: Head,
  identities: ReadonlyMap<number, FlagIdentity>,
): Promise<ReadEnvironment> {
  const flags = new Map<string, FlagRecord>();
  for (const row of await db.select().from(tables.flagConfiguration).where(eq(tables.flagConfiguration.environmentId, info.id))) {
    const identity = identities.get(row.flagId);
    if (!identity) continue; // of another project: foreign keys do not let it happen
    const { body, killed, version, updatedAt, updatedBy } = row;
    flags.set(identity.key, { identity, body, killed, version, updatedAt, updatedBy });
  }
  const groups = new Map<string, GroupRecord>();
  for (const { environmentId: _environment, ...row } of await db
    .select()
    .from(tables.group)
    .where(eq(tables.group.environmentId, info.id))) {
    groups.set(row.key, { ...row, list: await loadList(db, row.id, row.hashKey) });
  }
  const facts = await db.select().from(tables.fact).where(eq(tables.fact.environmentId, info.id)).orderBy(asc(tables.fact.number));
  const position = { generation: head.generation, revision: head.revision, factsAt: head.factsAt };
  const rows = { flags, groups, settings: settingsOf(head), factNumbers: new Map(facts.map(({ hash, number }) => [hash, number])) };
  const { states, flagFacts, newFacts } = projectAll(rows, position);
  const model: EnvironmentModel = {
    info,
    color: head.color,
    position: head.position,
    version: head.version,
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

async function loadList(db: Database, groupId: number, hashKey: string): Promise<string[]> {
  const members = await db
    .select({ unit: tables.groupMember.unit })
    .from(tables.groupMember)
    .where(and(eq(tables.groupMember.groupId, groupId), eq(tables.groupMember.state, "member")));
  return members.map(({ unit }) => sipHash(hashKey, unit)).sort();
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
export async function loadCommits(db: Database, environmentId: number, limit: number, bytesMax: number): Promise<Commit[]> {
  const commits: Commit[] = [];
  const { changeSet } = tables;
  for (let bytes = 0, last = false; !last && commits.length < limit && bytes <= bytesMax; ) {
    const before = commits.at(-1)?.to;
    const rows = await db
      .select(COMMIT)
      .from(changeSet)
      .where(and(eq(changeSet.environmentId, environmentId), before === undefined ? undefined : lt(changeSet.revision, before)))
      .orderBy(desc(changeSet.revision))
      .limit(Math.min(COMMITS_PER_QUERY, limit - commits.length));
    last = rows.length === 0;
    for (const { revision, server, browser, ...row } of rows) {
      const projections = { server, browser };
      commits.push({ ...row, from: revision - 1, to: revision, storedMs: 0, projections });
      bytes += Buffer.byteLength(JSON.stringify(projections));
    }
  }
  return commits.reverse();
}

/** Values of one statement: every database takes only so many. */
const VALUES_PER_QUERY = 500;

export async function writeFacts(tx: Tx, environmentId: number, { added, forgotten }: FactRows): Promise<void> {
  const { fact } = tables;
  for (const one of added) await tx.insert(fact).values({ environmentId, ...one });
  for (let i = 0; i < forgotten.length; i += VALUES_PER_QUERY) {
    const numbers = forgotten.slice(i, i + VALUES_PER_QUERY);
    await tx.delete(fact).where(and(eq(fact.environmentId, environmentId), inArray(fact.number, numbers)));
  }
}

/**
 * Writes the rows of edits, in their order. Neighbors that write to one table share a statement: to put one together takes longer than to run it.
 * Everything is inside the caller's transaction; `turn` may end it, to be begun anew. `before` runs ahead of each edit.
 */
export async function writeEdits(
  tx: Tx,
  projectId: number,
  edits: readonly Edit[],
  turn: Turn,
  before?: (edit: Edit) => Promise<void>,
): Promise<void> {
  let identities: FlagIdentity[] = [];
  let flags: (FlagRecord & { environmentId: number })[] = [];
  async function flush(): Promise<void> {
    await writeIdentities(tx, projectId, identities, turn);
    await writeFlags(tx, flags, turn);
    [identities, flags] = [[], []];
  }
  for (const edit of edits) {
    // An identity after configurations may be of a flag that they belong to.
    if ((edit.kind !== "identity" && edit.kind !== "flag") || (edit.kind === "identity" && flags.length > 0)) await flush();
    if (edit.kind === "identity") identities.push(edit.identity);
    else if (edit.kind === "flag") flags.push({ ...edit.flag, environmentId: edit.environmentId });
    else {
      await before?.(edit);
      await writeEdit(tx, projectId, edit, turn);
    }
  }
  await flush();
}

async function writeIdentities(tx: Tx, projectId: number, identities: readonly FlagIdentity[], turn: Turn): Promise<void> {
  const rows = identities.map(({ aliases: _inTheirOwnTable, ...row }) => ({ ...row, projectId }));
  const [first] = rows;
  if (!first) return;
  const { id: _key, projectId: _place, ...columns } = first;
  await insertMany(tx, tables.flag, rows, { target: [tables.flag.id], update: Object.keys(columns), turn });
  const { flagAlias } = tables;
  for (let i = 0; i < identities.length; i += VALUES_PER_QUERY) {
    await turn();
    const some = identities.slice(i, i + VALUES_PER_QUERY);
    await tx.delete(flagAlias).where(
      inArray(
        flagAlias.flagId,
        some.map(({ id }) => id),
      ),
    );
  }
  for (const { id, aliases } of identities) for (const key of aliases) await tx.insert(flagAlias).values({ projectId, key, flagId: id });
}

async function writeFlags(tx: Tx, flags: readonly (FlagRecord & { environmentId: number })[], turn: Turn): Promise<void> {
  const { flagId, environmentId } = tables.flagConfiguration;
  const update = ["body", "killed", "version", "updatedAt", "updatedBy"];
  const rowOf = ({ identity, ...row }: (typeof flags)[number]) => ({ ...row, flagId: identity.id });
  // The last one of a flag stands.
  const last = [...new Map(flags.map((flag) => [`${flag.environmentId} ${flag.identity.id}`, flag])).values()];
  await insertMany(tx, tables.flagConfiguration, last.map(rowOf), { target: [flagId, environmentId], update, turn });
}

async function writeEdit(tx: Tx, projectId: number, edit: Exclude<Edit, { kind: "identity" | "flag" }>, turn: Turn): Promise<void> {
  await turn();
  switch (edit.kind) {
    case "flag-gone": {
      const { flag, flagAlias, flagConfiguration, flagTombstone } = tables;
      const { identity, keys, at, by } = edit;
      await tx.delete(flagConfiguration).where(eq(flagConfiguration.flagId, identity.id));
      await tx.delete(flagAlias).where(eq(flagAlias.flagId, identity.id));
      await tx.delete(flag).where(eq(flag.id, identity.id));
      const stone = { deletedAt: at, deletedBy: by };
      for (const key of keys) {
        await tx
          .insert(flagTombstone)
          .values({ projectId, key, ...stone })
          .onConflictDoUpdate({ target: [flagTombstone.projectId, flagTombstone.key], set: stone });
      }
      return;
    }
    case "group":
      await writeGroup(tx, edit.environmentId, edit.group);
      if (edit.membersOf !== undefined) await copyMembers(tx, edit.membersOf, edit.group.id, turn);
      return;
    case "group-gone":
      await tx.delete(tables.groupMember).where(eq(tables.groupMember.groupId, edit.group.id));
      await tx.delete(tables.group).where(eq(tables.group.id, edit.group.id));
      return;
    case "settings":
      await tx.update(tables.environment).set(edit.settings).where(eq(tables.environment.id, edit.environmentId));
      return;
    case "environment": {
      const { environmentId: id, row, made } = edit;
      if (!made) await tx.update(tables.environment).set(row).where(eq(tables.environment.id, id));
      else {
        const head = { generation: made.generation, revision: 0, serverDigest: ZERO64, browserDigest: ZERO64 };
        await tx.insert(tables.environment).values({ id, projectId, ...row, ...made.settings, ...head });
      }
      return;
    }
    case "environment-gone": {
      const { environmentId: id, at } = edit;
      // The key is free again; none of people's keys has a "~".
      await tx
        .update(tables.environment)
        .set({ key: `${edit.key}~${id}`, deletedAt: at })
        .where(eq(tables.environment.id, id));
      const { environmentId, revokedAt } = tables.sdkKey;
      await tx
        .update(tables.sdkKey)
        .set({ revokedAt: at })
        .where(and(eq(environmentId, id), isNull(revokedAt)));
      return;
    }
    case "project":
      await tx
        .insert(tables.project)
        .values({ id: projectId, ...edit.project })
        .onConflictDoUpdate({ target: tables.project.id, set: edit.project });
      return;
    case "project-gone":
      await tx
        .update(tables.project)
        .set({ key: `${edit.key}~${projectId}`, deletedAt: edit.at })
        .where(eq(tables.project.id, projectId));
      return;
    case "members": {
      await writeGroup(tx, edit.environmentId, edit.group);
      await writeMembers(tx, edit.group.id, edit.put, edit.drop, turn);
      return;
    }
  }
}

async function writeMembers(tx: Tx, group: number, put: readonly Member[], drop: readonly string[], turn: Turn): Promise<void> {
  const { groupId, unit } = tables.groupMember;
  const rows = put.map((member) => ({ groupId: group, ...member }));
  await insertMany(tx, tables.groupMember, rows, { target: [groupId, unit], update: ["state", "at", "by"], turn });
  for (let i = 0; i < drop.length; i += VALUES_PER_QUERY) {
    await turn();
    await tx.delete(tables.groupMember).where(and(eq(groupId, group), inArray(unit, drop.slice(i, i + VALUES_PER_QUERY))));
  }
}

async function copyMembers(tx: Tx, from: number, to: number, turn: Turn): Promise<void> {
  const { groupId, unit, state, at, by } = tables.groupMember;
  const rows = await tx.select({ unit, state, at, by }).from(tables.groupMember).where(eq(groupId, from));
  const copies = rows.map((row) => ({ groupId: to, ...row }));
  await insertMany(tx, tables.groupMember, copies, { target: [groupId, unit], update: ["state", "at", "by"], turn });
}

async function writeGroup(tx: Tx, environmentId: number, group: GroupRecord): Promise<void> {
  const { list: _inItsOwnTable, ...row } = group;
  await tx
    .insert(tables.group)
    .values({ ...row, environmentId })
    .onConflictDoUpdate({ target: tables.group.id, set: row });
}
