import { STATE_BYTES_MAX } from "@signalbox/core";
import { and, eq, lte } from "drizzle-orm";
import type { Commit, Feed, ProjectedState } from "../delivery/feed.ts";
import type { Log } from "../log.ts";
import type { Turn } from "../turns.ts";
import { createActors } from "./actors.ts";
import { type AuditRow, appendAudit, noteAuditHead, readHead } from "./audit.ts";
import type { Backend } from "./backend.ts";
import { needsCheckpoint, openChangeLog } from "./change-log.ts";
import { insertion, statement } from "./database.ts";
import type { SqliteDriver } from "./driver.ts";
import { eraseNames } from "./erase-names.ts";
import { folderSecret, lockFolder, prepareFolder } from "./folder.ts";
import { environmentName, type HighWater, openHighWater, raiseGenerations } from "./high-water.ts";
import { claimKey, isDone } from "./idempotency.ts";
import { createIds } from "./ids.ts";
import { migrateDatabase } from "./migrate.ts";
import type { EnvironmentModel, EnvironmentSettings, ProjectModel } from "./model.ts";
import type { Author, Origin } from "./origin.ts";
import type { Current, Outcome } from "./outcome.ts";
import { createWriteQueue, type Lane } from "./queue.ts";
import { recordOf } from "./record.ts";
import { repairRows } from "./repair.ts";
import { createRing, RING_BYTES_MAX, RING_COMMITS_MAX, type Ring } from "./ring.ts";
import { type Database, type Head, loadCommits, loadProjects, StoreUnusable, type Tx, writeEdits, writeFacts } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";
import { firstKey, openSdkKeys, type SdkKeys } from "./sdk-keys.ts";
import { seedDatabase, seedHeartbeat } from "./seed.ts";
import { liveSigningSecrets, type SigningSecret } from "./signing.ts";
import { openSqliteBackend } from "./sqlite-backend.ts";
import { upgradeProjections } from "./upgrade.ts";

export interface StoreOptions {
  readonly directory: string;
  readonly driver?: SqliteDriver;
  /** The address of a PostgreSQL database that holds everything but the folder's secret; absent: SQLite in the folder. */
  readonly databaseUrl?: string | undefined;
  /** Makes the hidden project of the heartbeat switch if it is missing. */
  readonly heartbeat?: boolean;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly log?: Pick<Log, "warn">;
}

export interface WriteRequest extends Author {
  readonly project: string;
  /** Who goes ahead of whom while writes wait; "edit" when absent. */
  readonly lane?: Lane;
  /** Only with this a hidden project is written. */
  readonly hidden?: boolean;
  /** The project may be one that is not there yet: the decision then gets one without environments and with a new id. */
  readonly mayBeNew?: boolean;
}

/** The outcome, and the project as it is after it. */
export interface Written {
  readonly outcome: Outcome;
  readonly project: ProjectModel;
}

/**
 * May read what is in no memory through `tx`, and waits for nothing else but `turn`, which a long decision calls so that others go on: every
 * other write waits for it.
 */
export type Decide = (current: Current, tx: Tx, turn: Turn) => Outcome | Promise<Outcome>;

/**
 * One data folder: the truth of all environments. Reads are from memory and never wait; a write is acknowledged only after it is
 * durable. What a reader holds is immutable.
 */
export interface Store {
  /** For reading what is committed; writes go through `write` and `transaction`. */
  readonly db: Database;
  /** Which database is open: "better-sqlite3 12.9.0 (SQLite 3.53.0)". */
  readonly driver: string;
  readonly feed: Feed;
  projects(): readonly ProjectModel[];
  /** Undefined when there is no such project. */
  project(key: string): ProjectModel | undefined;
  /** A project that no list shows: Signalbox's own. */
  hiddenProject(key: string): ProjectModel | undefined;
  /**
   * Runs a decision on the committed state, one at a time, and writes what it says in one transaction: rows, change log, audit,
   * revision and digests of each environment. Then swaps the state in memory and wakes the feed's listeners, then resolves.
   */
  write(request: WriteRequest, decide: Decide): Promise<Written>;
  /**
   * For tables that are no part of an environment's state (accounts, tokens): in line with the other writes. `urgent`: needed for a
   * kill (signing in), so it goes ahead of others and is stored on a full disk too.
   */
  transaction<T>(run: (tx: Tx) => T | Promise<T>, urgent?: boolean): Promise<T>;
  audit(tx: Tx, row: AuditRow): Promise<unknown>;
  /** Erases the name of somebody who has no account any more, and those of their tokens. Returns how many there were. */
  eraseName(name: string, author: Author): Promise<number>;
  readonly sdkKeys: SdkKeys;
  /** Of an environment, as committed. */
  settings(environmentId: number): EnvironmentSettings;
  /** The secrets that a signed context of this environment may be signed with now, newest first: one or two. */
  signingSecrets(environmentId: number): readonly SigningSecret[];
  /** Why writes are refused at the moment, kills perhaps excepted; undefined when they are taken. */
  trouble(): string | undefined;
  /** Reads what other processes have written to the same database, which is else done each second and before each write. */
  catchUp(): Promise<void>;
  /** Lets what waits finish, then closes the database and lifts the lock. */
  close(): Promise<void>;
}

/**
 * Opens the store of a folder, makes what is missing, and checks what is there. Throws StoreUnusable or SqliteUnavailable, never with the
 * password of a database.
 */
export async function openStore({ directory, driver, databaseUrl, heartbeat = false, now = Date.now, log }: StoreOptions): Promise<Store> {
  prepareFolder(directory);
  const unlock = await lockFolder(directory, driver);
  try {
    const backend = await openBackend();
    try {
      const highWater = openHighWater(directory, log);
      const secret = await backend.alone(async () => {
        await migrateDatabase(backend);
        const folders = folderSecret(directory);
        await seedDatabase(backend, folders, now());
        await upgradeProjections(backend, now());
        if (heartbeat) await seedHeartbeat(backend, folders, now());
        for (const environment of await backend.transaction((tx) => raiseGenerations(tx, highWater.marks, now()))) {
          log?.warn(
            { environment },
            "the database is an older one than this folder has seen: its generation is raised, and programs take the state as it is here",
          );
        }
        return folders;
      });
      return await createStore({ backend, directory, secret, highWater, now, log }, unlock);
    } catch (error) {
      await backend.close();
      throw backend.unusable(error);
    }
  } catch (error) {
    unlock();
    throw error;
  }

  async function openBackend(): Promise<Backend> {
    if (databaseUrl === undefined) return openSqliteBackend(directory, { driver, log });
    // On demand: who has SQLite needs none of it.
    const { openPostgresBackend } = await import("./postgres-backend.ts");
    return openPostgresBackend(databaseUrl, log);
  }
}

interface Opened {
  readonly backend: Backend;
  readonly directory: string;
  readonly secret: Buffer;
  readonly highWater: HighWater;
  readonly now: () => number;
  readonly log: Pick<Log, "warn"> | undefined;
}

async function createStore({ backend, directory, secret, highWater, now, log }: Opened, unlock: () => void): Promise<Store> {
  const { db, guard } = backend;
  const loadAll = () => backend.snapshot((from) => loadProjects(from));
  let projects: readonly ProjectModel[] = await loadAll().catch(async (error: unknown) => {
    if (!(error instanceof StoreUnusable || error instanceof SyntaxError || error instanceof TypeError)) throw error;
    await repairRows(backend, now(), log);
    return loadAll().catch((still: unknown) => {
      if (!(still instanceof TypeError)) throw still;
      throw new StoreUnusable(
        `Rows of the database in ${directory} hold what Signalbox has not written (${still.message}), and its log does not prove what they were: put a backup of the data folder in its place. Programs go on with what they hold.`,
        { cause: still },
      );
    });
  });
  const environments = () => projects.flatMap((project) => project.environments);
  const infosOf = (of: readonly ProjectModel[]) => of.flatMap((project) => project.environments.map(({ info }) => info));
  let shownInfos = infosOf(projects.filter(({ hidden }) => !hidden));
  /** Deleted since the start, as they were last: their streams are ended, but whatever still holds one may ask once more. */
  const gone = new Map<number, EnvironmentModel>();
  const queue = createWriteQueue();
  const listeners = new Set<(commit: Commit) => void>();
  const rings = new Map<number, Ring>();
  for (const environment of environments()) rings.set(environment.info.id, await loadRing(db, environment));
  const actors = createActors();
  const changeLog = await openChangeLog(db, actors);
  /** The environments of which a checkpoint is being kept. */
  const checkpointing = new Set<number>();
  const ids = await createIds(backend);

  function environmentById(id: number): EnvironmentModel {
    // Without making a list: every request for the state and every ping comes here.
    for (const project of projects) for (const environment of project.environments) if (environment.info.id === id) return environment;
    const left = gone.get(id);
    if (left) return left;
    throw new RangeError(`there is no environment with the id ${id}`);
  }

  function noteHead(environment: EnvironmentModel): void {
    const { id, projectKey, key } = environment.info;
    if (shownInfos.some((info) => info.id === id)) highWater.note(environmentName(projectKey, key), environment);
  }

  function publish(commits: readonly Commit[]): void {
    for (const commit of commits) {
      rings.get(commit.environmentId)?.push(commit);
      noteHead(environmentById(commit.environmentId));
    }
    for (const commit of commits) {
      for (const listener of listeners) {
        try {
          listener(commit);
        } catch (error) {
          // The write is committed and must be acknowledged; a listener that throws is a defect, which ends the process as any other.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    }
  }

  /** New environments get a ring, and deleted ones are kept as they were, the newest of them whole. */
  function takeEnvironments(
    { environments, hidden }: Pick<ProjectModel, "environments" | "hidden">,
    left: readonly EnvironmentModel[],
  ): void {
    for (const { info } of environments) if (!rings.has(info.id)) rings.set(info.id, createRing(0));
    for (const environment of left) {
      gone.set(environment.info.id, environment);
      rings.delete(environment.info.id);
    }
    for (const [id, environment] of [...gone].slice(0, -GONE_KEPT_MAX)) gone.set(id, emptied(environment));
    if (!hidden) shownInfos = infosOf(projects.filter((project) => !project.hidden));
  }

  async function transact<T>(run: (tx: Tx) => T | Promise<T>): Promise<T> {
    try {
      const result = await backend.transaction(run);
      actors.settle(true);
      return result;
    } catch (error) {
      actors.settle(false);
      throw error;
    }
  }

  /** Behind every other write, since nobody waits for it. Without it the past is read from the one before, so a failure is told and no more. */
  function keepCheckpoint(environmentId: number): void {
    const environment = environmentById(environmentId);
    if (isHidden(environment) || !changeLog.isDue(environmentId, environment.revision) || checkpointing.has(environmentId)) return;
    checkpointing.add(environmentId);
    queue
      .run(() => guard.run(() => changeLog.checkpoint(transact, environment, now()), false), "join")
      .catch((error: unknown) => log?.warn({ err: error, environment: environment.info.key }, "no checkpoint of the history was kept"))
      .finally(() => checkpointing.delete(environmentId));
  }

  function knownProject(request: WriteRequest): ProjectModel | undefined {
    return projects.find(({ key, hidden }) => key === request.project && (!hidden || request.hidden === true));
  }

  /** Puts what others have committed in the place of what memory holds of these projects, and tells of their change-sets in order. */
  async function takeOver(from: Database, projectIds: readonly number[]): Promise<void> {
    const commits: Commit[] = [];
    const read = await loadProjects(from, projectIds);
    const were = projects.filter(({ id }) => projectIds.includes(id)).flatMap((each) => each.environments);
    for (const environment of read.flatMap((each) => each.environments)) {
      const { id } = environment.info;
      const before = were.find(({ info }) => info.id === id);
      if (before?.generation !== environment.generation) {
        rings.set(id, await loadRing(from, environment));
        continue;
      }
      const missed = await loadCommits(from, id, Math.min(environment.revision - before.revision, RING_COMMITS_MAX), RING_BYTES_MAX);
      commits.push(...missed.filter(({ to }) => to > before.revision));
    }
    const here = new Set(read.flatMap((each) => each.environments).map(({ info }) => info.id));
    const left = were.filter(({ info }) => !here.has(info.id));
    projects = [...projects.filter(({ id }) => !projectIds.includes(id)), ...read].sort((a, b) => a.id - b.id);
    for (const each of read) takeEnvironments(each, []);
    for (const environment of left) takeEnvironments({ environments: [] }, [environment]);
    publish(commits);
    if (left.length > 0 || here.size > were.length) await sdkKeys.reload();
  }

  async function takeOverChanges(from: Database): Promise<void> {
    const heads = await backend.heads(from);
    const behind = [...new Set([...heads.keys(), ...projects.map(({ id }) => id)])].filter((id) => {
      const known = projects.find((each) => each.id === id);
      return !known || !isAt(known, heads.get(id) ?? []);
    });
    if (behind.length > 0) await takeOver(from, behind);
  }

  async function catchUp(): Promise<void> {
    if (!backend.isShared) return;
    const heads = await backend.heads(db);
    const isBehind = projects.some((each) => !isAt(each, heads.get(each.id) ?? [])) || heads.size !== projects.length;
    // In line with the writes, so that no newer state is overwritten by an older one.
    if (isBehind) await queue.run(() => backend.snapshot(takeOverChanges), "kill");
    const version = await backend.keysVersion();
    if (version !== keysVersion) await sdkKeys.reload();
    keysVersion = version;
  }

  function isHidden({ info }: EnvironmentModel): boolean {
    return projects.some(({ id, hidden }) => id === info.projectId && hidden === true);
  }

  async function writeNow(request: WriteRequest, decide: Decide, startedAt: number, turn: Turn): Promise<Written> {
    await ids.refill();
    let known = knownProject(request);
    if (!known && backend.isShared) {
      await backend.snapshot(takeOverChanges);
      known = knownProject(request);
    }
    const begun = known ?? (request.mayBeNew ? newProject(ids.next().project, request.project) : undefined);
    if (!begun) throw new RangeError(`there is no project "${request.project}"`);
    let project = begun;
    const at = now();
    const commits: Commit[] = [];
    const outcome = await transact(async (tx) => {
      const heads = await backend.lockHeads(tx, project.id);
      if (!isAt(project, heads)) {
        if (!backend.isShared) throw writtenByOthers(project, heads);
        // Nobody else writes to the project now: what is read is what the decision will be committed on.
        await takeOver(tx, [project.id]);
        known = knownProject(request);
        if (!known) throw new RangeError(`there is no project "${request.project}" any more`);
        project = known;
      }
      // Compared first: what an earlier request has written would make this one look stale.
      if (request.idempotent && (await isDone(tx, request.idempotent, at))) return UNCHANGED;
      const decided = refuseTooLarge(project, await decide({ project, now: at, by: request.by, newIds: ids.next() }, tx, turn));
      if (decided.kind !== "changed") return decided;
      if (request.idempotent) await claimKey(tx, request.idempotent, at);
      await writeEdits(tx, project.id, decided.edits, turn, (edit) => changeLog.keepUnits(tx, edit, turn));
      for (const edit of decided.edits) {
        if (edit.kind !== "environment" || !edit.made) continue;
        const made = { id: edit.environmentId, key: edit.row.key };
        for (const projection of ["server", "browser"] as const) {
          await tx.insert(tables.sdkKey).values(firstKey(secret, made, projection, at));
        }
      }
      let writeId: number | null = null;
      if (decided.edits.some(({ kind }) => kind === "project" || kind === "project-gone")) {
        const { action, target, before, after } = decided;
        const row = { at, by: request.by, action, target, reason: request.reason ?? null, projectId: project.id, before, after };
        writeId = await appendAudit(tx, await actors.inAudit(tx, { ...row, ...originOf(request) }));
      }
      for (const [environmentId, facts] of decided.applied.facts) await writeFacts(tx, environmentId, facts);
      for (const [environmentId, projections] of decided.applied.changes) {
        const { applied } = decided;
        const environment = [...applied.project.environments, ...applied.gone].find(({ info }) => info.id === environmentId);
        if (!environment) throw new RangeError(`an edit names the environment ${environmentId}, which is not of project "${project.key}"`);
        const { generation, revision, states, factsAt } = environment;
        const { action, target, before, after } = decided;
        const event = { environmentId, at, by: request.by, action, target, reason: request.reason ?? null };
        const kill = action === "flag.kill";
        if (!project.hidden) {
          for (const row of decided.each ?? [{ target, before, after }]) {
            await turn();
            const told = { ...event, ...originOf(request), projectId: project.id, revision, ...row };
            const id = await appendAudit(tx, await actors.inAudit(tx, told));
            writeId ??= id;
          }
        }
        const was = project.environments.find(({ info }) => info.id === environmentId);
        const record = project.hidden ? undefined : recordOf(was ?? environment, environment, decided.edits);
        const kept = { record: record ? await changeLog.stored(tx, record) : null, writeId };
        await turn();
        await insertChangeSet(tx, { ...event, generation, revision, kill, ...projections, ...kept });
        await turn();
        if (record) await changeLog.index(tx, environmentId, revision, record);
        const { server, browser } = states;
        await updateHead(tx, { id: environmentId, revision, factsAt, serverDigest: server.digest, browserDigest: browser.digest });
        if (project.hidden) await cutLog(tx, environmentId, revision);
        commits.push({ ...event, generation, from: revision - 1, to: revision, storedMs: 0, kill, projections });
        await turn();
      }
      return decided;
    });
    if (outcome.kind !== "changed") return { outcome, project };
    // Not before the commit: a transaction that is undone and run once more has to take the key again.
    if (request.idempotent) request.idempotent.written = true;
    const after = outcome.applied.project;
    const { edits } = outcome;
    const isGone = edits.some(({ kind }) => kind === "project-gone");
    const others = projects.filter(({ id }) => id !== after.id);
    projects = known && !isGone ? projects.map((each) => (each.id === after.id ? after : each)) : isGone ? others : [...others, after];
    ids.taken(after.id, edits);
    const hasNewKeys = edits.some(({ kind }) => kind === "environment" || kind === "environment-gone");
    if (hasNewKeys) takeEnvironments(after, outcome.applied.gone);
    for (const environmentId of outcome.applied.changes.keys()) keepCheckpoint(environmentId);
    const storedMs = performance.now() - startedAt;
    publish(commits.map((commit) => ({ ...commit, storedMs })));
    if (hasNewKeys) await sdkKeys.reload();
    return { outcome, project: after };
  }

  async function eraseNow(name: string, author: Author): Promise<number> {
    const at = now();
    const erased = await transact(async (tx) => {
      const row = { ...originOf(author), at, by: author.by, action: "person.erase", target: name, reason: author.reason };
      await appendAudit(tx, await actors.inAudit(tx, row));
      return eraseNames(tx, actors, name, at);
    });
    actors.forget();
    projects = await loadAll();
    for (const environment of environments()) rings.set(environment.info.id, await loadRing(db, environment));
    return erased;
  }

  /** Nobody is told: connections stand at a position of the old generation, and take the whole state with the next frame or ping. */
  async function raiseGeneration(environmentId: number, above: number): Promise<void> {
    const environment = environmentById(environmentId);
    const { info, revision, states } = environment;
    const at = now();
    const generation = Math.max(environment.generation + 1, above + 1, Math.floor(at / 1_000));
    await transact(async (tx) => {
      await tx.update(tables.environment).set({ generation }).where(eq(tables.environment.id, environmentId));
      const row = {
        at,
        by: "signalbox",
        action: "environment.restored",
        target: info.key,
        environmentId,
        projectId: info.projectId,
        revision,
      };
      await appendAudit(tx, { ...row, before: { generation: environment.generation }, after: { generation } });
    });
    const raised = { server: { ...states.server, generation }, browser: { ...states.browser, generation } };
    const after: EnvironmentModel = { ...environment, generation, states: raised };
    projects = projects.map((project) => ({
      ...project,
      environments: project.environments.map((each) => (each === environment ? after : each)),
    }));
    rings.set(environmentId, createRing(revision));
    noteHead(after);
  }

  for (const { hidden, environments } of projects) {
    for (const environment of hidden ? [] : environments) {
      if (await needsCheckpoint(db, environment.info.id)) await changeLog.checkpoint(transact, environment, now());
    }
  }

  if (!(await readHead(db))) await transact(noteAuditHead);

  const write: Store["write"] = (request, decide) => {
    const startedAt = performance.now();
    return queue.run((turn) => guard.run(() => writeNow(request, decide, startedAt, turn), request.lane === "kill"), request.lane);
  };
  const transaction: Store["transaction"] = (run, urgent = false) =>
    queue.run(() => guard.run(() => transact(run), urgent), urgent ? "kill" : "edit");
  const sdkKeys = await openSdkKeys({ db, transaction, secret, environments: () => infosOf(projects), now });
  let keysVersion = await backend.keysVersion();
  const stopPolling = backend.isShared ? poll(catchUp, log) : () => {};
  const project: Store["project"] = (key) => projects.find((each) => each.key === key && !each.hidden);

  return {
    db,
    driver: backend.driver,
    feed: {
      environments: () => shownInfos,
      state: (environmentId, projection) => environmentById(environmentId).states[projection],
      settings: (environmentId) => environmentById(environmentId).settings,
      commitsSince: (environmentId, revision) => rings.get(environmentId)?.since(revision),
      onCommit(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      raiseGeneration: (environmentId, above) => queue.run(() => guard.run(() => raiseGeneration(environmentId, above), false)),
    },
    projects: () => projects.filter(({ hidden }) => !hidden),
    project,
    hiddenProject: (key) => projects.find((each) => each.key === key && each.hidden),
    write,
    transaction,
    audit: async (tx, row) => appendAudit(tx, await actors.inAudit(tx, { ...row, at: row.at ?? now() })),
    sdkKeys,
    eraseName: (name, author) => queue.run(() => guard.run(() => eraseNow(name, author), false)),
    settings: (environmentId) => environmentById(environmentId).settings,
    signingSecrets: (environmentId) => liveSigningSecrets(secret, environmentById(environmentId)),
    trouble: () => guard.trouble(),
    catchUp,
    async close() {
      stopPolling();
      await sdkKeys.close();
      await queue.close();
      highWater.close();
      await backend.close();
      unlock();
    },
  };
}

/** So many deleted environments are kept with what they held. */
const GONE_KEPT_MAX = 10;

function emptied({ states, ...environment }: EnvironmentModel): EnvironmentModel {
  const empty = (state: ProjectedState) => ({ ...state, entries: new Map() });
  const none = { flags: new Map(), groups: new Map(), factNumbers: new Map(), flagFacts: new Map() };
  return { ...environment, ...none, states: { server: empty(states.server), browser: empty(states.browser) } };
}

const insertChangeSet = insertion(tables.changeSet, [
  "environmentId",
  "generation",
  "revision",
  "at",
  "by",
  "action",
  "target",
  "reason",
  "kill",
  "server",
  "browser",
  "record",
  "writeId",
]);

type NewHead = Pick<Head, "id" | "revision" | "factsAt" | "serverDigest" | "browserDigest">;

const updateHead = statement(["id", "revision", "factsAt", "serverDigest", "browserDigest"], (tx, { id, ...head }: NewHead) =>
  tx.update(tables.environment).set(head).where(eq(tables.environment.id, id)),
);

function newProject(id: number, key: string): ProjectModel {
  return { id, key, name: key, description: "", version: 0, createdAt: 0, environments: [] };
}

const UNCHANGED: Outcome = { kind: "unchanged" };

/** How often it is looked what other processes have written. */
const POLL_MS = 1_000;

/** Looks again and again until it is stopped. Of several failures in a row the first is told. */
function poll(look: () => Promise<void>, log: Pick<Log, "warn"> | undefined): () => void {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let failing = false;
  async function once(): Promise<void> {
    try {
      await look();
      failing = false;
    } catch (error) {
      if (!failing && !stopped)
        log?.warn({ err: error }, "the database cannot be read: flags are served as they were, and it is tried again");
      failing = true;
    }
    if (!stopped) wait();
  }
  function wait(): void {
    timer = setTimeout(() => void once(), POLL_MS).unref();
  }
  wait();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

type Positions = readonly Pick<Head, "id" | "generation" | "revision">[];

/** Whether memory holds a project as these head rows say. */
function isAt(project: ProjectModel, heads: Positions): boolean {
  return (
    project.environments.length === heads.length &&
    heads.every(({ id, generation, revision }, index) => {
      const known = project.environments[index];
      return known?.info.id === id && known.generation === generation && known.revision === revision;
    })
  );
}

/** Of a file that nobody else writes to. */
function writtenByOthers(project: ProjectModel, heads: Positions): StoreUnusable {
  const shown = (of: readonly Pick<Head, "generation" | "revision">[]) =>
    of.map(({ generation, revision }) => `${generation}.${revision}`).join(", ");
  return new StoreUnusable(
    `The database says that the environments of "${project.key}" are at ${shown(heads)}, this process ${shown(project.environments)}: something else has written to the file; restart Signalbox.`,
  );
}

function originOf({ token, address, requestId }: Author): Origin {
  return { token, address, requestId };
}

/** Of a hidden project nobody asks what was long ago. */
const HIDDEN_LOG_MAX = 100;

async function cutLog(tx: Tx, environmentId: number, revision: number): Promise<void> {
  const { changeSet } = tables;
  await tx.delete(changeSet).where(and(eq(changeSet.environmentId, environmentId), lte(changeSet.revision, revision - HIDDEN_LOG_MAX)));
}

/** The outcome, refused if it would make a projection too large. A kill is never refused for size. */
export function refuseTooLarge(before: ProjectModel, outcome: Outcome): Outcome {
  if (outcome.kind !== "changed" || outcome.action === "flag.kill" || outcome.action === "flag.restore") return outcome;
  for (const { info, bytes } of outcome.applied.project.environments) {
    const was = before.environments.find((environment) => environment.info.id === info.id);
    for (const projection of ["server", "browser"] as const) {
      if (bytes[projection] <= STATE_BYTES_MAX || bytes[projection] <= (was?.bytes[projection] ?? 0)) continue;
      const mib = (size: number) => (size / (1024 * 1024)).toFixed(1);
      return {
        kind: "invalid",
        code: "STATE_TOO_LARGE",
        detail: `The flags and groups of ${info.key} would take ${mib(bytes[projection])} MiB for ${projection} keys, the most is ${mib(STATE_BYTES_MAX)} MiB: shorten lists or use conditions on an attribute instead.`,
      };
    }
  }
  return outcome;
}

async function loadRing(db: Database, environment: EnvironmentModel): Promise<Ring> {
  const stored = await loadCommits(db, environment.info.id, RING_COMMITS_MAX, RING_BYTES_MAX);
  const commits = stored.filter(({ generation }) => generation === environment.generation);
  const ring = createRing(commits[0]?.from ?? environment.revision);
  for (const commit of commits) ring.push(commit);
  return ring;
}
