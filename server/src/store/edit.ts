import {
  type Entry,
  type EntryId,
  entryId,
  type GroupEntry,
  type Hex64,
  type MembersChange,
  type Projection,
  xor64,
  ZERO64,
} from "@signalbox/core";
import type { FactsChange, ProjectedChange, ProjectedState } from "../delivery/feed.ts";
import type { Turn } from "../turns.ts";
import { bothChanges, type FactRows, factsChange, groupHash, type NewFact } from "./facts.ts";
import { fingerprintAfter, sameJson } from "./fingerprint.ts";
import { MemberChanges } from "./member-changes.ts";
import type {
  EnvironmentModel,
  EnvironmentSettings,
  FlagFacts,
  FlagIdentity,
  FlagRecord,
  GroupRecord,
  Member,
  ProjectModel,
} from "./model.ts";
import { type BrowserView, browserFlag, browserView, flagsUsing, serverFlag, serverGroup, signed } from "./project.ts";

/** What a decision asks the store to write: plain data, applied to the model in memory and to rows alike. */
export type Edit =
  /** `key` is the one that the flag had before; absent for a new flag, whose configurations follow as edits of their own. */
  | { readonly kind: "identity"; readonly key?: string; readonly identity: FlagIdentity }
  | { readonly kind: "flag"; readonly environmentId: number; readonly flag: FlagRecord }
  /** Gone from every environment. `keys` are its own and its old ones: each gets a tombstone. */
  | {
      readonly kind: "flag-gone";
      readonly identity: FlagIdentity;
      readonly keys: readonly string[];
      readonly at: number;
      readonly by: string;
    }
  /** `membersOf`: a group of another environment whose clear units it gets, with the list that comes of them. */
  | { readonly kind: "group"; readonly environmentId: number; readonly group: GroupRecord; readonly membersOf?: number }
  | { readonly kind: "group-gone"; readonly environmentId: number; readonly group: GroupRecord }
  | { readonly kind: "settings"; readonly environmentId: number; readonly settings: EnvironmentSettings }
  /** `made` is there for a new one, which then is empty: what it holds follows as edits of its own. */
  | { readonly kind: "environment"; readonly environmentId: number; readonly row: EnvironmentRow; readonly made?: MadeEnvironment }
  | { readonly kind: "environment-gone"; readonly environmentId: number; readonly key: string; readonly at: number }
  | { readonly kind: "project"; readonly project: ProjectRow }
  /** Its environments go with edits of their own. */
  | { readonly kind: "project-gone"; readonly key: string; readonly at: number }
  /** `group` holds the list as it is afterwards; `added` and `removed` are the hashes that came and went, `tags` all their `unitTag`s. */
  | {
      readonly kind: "members";
      readonly environmentId: number;
      readonly group: GroupRecord;
      readonly put: readonly Member[];
      readonly drop: readonly string[];
      readonly added: readonly Hex64[];
      readonly removed: readonly Hex64[];
      readonly tags: readonly number[];
    };

/** What people set for an environment as such. */
export interface EnvironmentRow {
  readonly key: string;
  readonly name: string;
  readonly production: boolean;
  readonly color: string;
  readonly position: number;
  readonly version: number;
}

export interface MadeEnvironment {
  readonly generation: number;
  readonly settings: EnvironmentSettings;
}

export type ProjectRow = Pick<ProjectModel, "key" | "name" | "description" | "version" | "createdAt">;

export interface Applied {
  readonly project: ProjectModel;
  /** Those that are deleted, as they were last: nobody is told of a change in them. */
  readonly gone: readonly EnvironmentModel[];
  /** What each projection of each environment that was written sees of it. Its revision is one higher, even if nobody sees a change. */
  readonly changes: ReadonlyMap<number, Readonly<Record<Projection, ProjectedChange>>>;
  /** What it does to the rows of facts, by environment; only those where it does something. */
  readonly facts: ReadonlyMap<number, FactRows>;
}

/**
 * Applies edits to the model: pure, and only the entries that they touch are computed anew. Each environment that an edit
 * belongs to goes up by one revision; the identity of a flag belongs to all of them.
 */
export function applyEdits(project: ProjectModel, edits: readonly Edit[]): Applied {
  const steps = applying(project, edits);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same for thousands of edits: others get their turn in between. */
export async function applyEditsInTurns(project: ProjectModel, edits: readonly Edit[], turn: Turn): Promise<Applied> {
  const steps = applying(project, edits);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await turn();
  }
}

/** Stops after each entry. */
function* applying(project: ProjectModel, edits: readonly Edit[]): Generator<undefined, Applied> {
  const changes = new Map<number, Record<Projection, ProjectedChange>>();
  const facts = new Map<number, FactRows>();
  const environments: EnvironmentModel[] = [];
  const gone: EnvironmentModel[] = [];
  const row = edits.find((edit) => edit.kind === "project")?.project;
  for (const environment of [...project.environments, ...newEnvironments(project, row, edits)]) {
    const { id } = environment.info;
    const own = edits.filter((edit) => reaches(edit, id));
    if (own.length === 0) environments.push(environment);
    else {
      const after = yield* applyTo(environment, own);
      changes.set(id, after.changes);
      if (after.facts.added.length > 0) facts.set(id, after.facts);
      const isGone = own.some(({ kind }) => kind === "environment-gone");
      (isGone ? gone : environments).push(after.environment);
    }
  }
  return { project: { ...project, ...row, environments }, gone, changes, facts };
}

/** What a flag is called belongs to all environments, what a project is called to none. */
function reaches(edit: Edit, environmentId: number): boolean {
  switch (edit.kind) {
    case "identity":
    case "flag-gone":
      return true;
    case "project":
    case "project-gone":
      return false;
    default:
      return edit.environmentId === environmentId;
  }
}

/** Empty, at revision 0: the edits make their first revision. */
function newEnvironments(project: ProjectModel, row: ProjectRow | undefined, edits: readonly Edit[]): EnvironmentModel[] {
  return edits.flatMap((edit) => {
    if (edit.kind !== "environment" || !edit.made) return [];
    const { key, name, production, ...shown } = edit.row;
    const { generation, settings } = edit.made;
    const state: ProjectedState = { generation, revision: 0, digest: ZERO64, factsAt: 0, entries: new Map() };
    const info = { id: edit.environmentId, key, name, production, projectId: project.id, projectKey: row?.key ?? project.key };
    return {
      info,
      ...shown,
      settings,
      generation,
      revision: 0,
      flags: new Map(),
      groups: new Map(),
      states: { server: state, browser: state },
      factsAt: 0,
      factNumbers: new Map(),
      flagFacts: new Map(),
      bytes: { server: 0, browser: 0 },
    };
  });
}

function* applyTo(before: EnvironmentModel, edits: readonly Edit[]) {
  let { settings, info, color, position: place, version } = before;
  const flags = new Map(before.flags);
  const groups = new Map(before.groups);
  const touched = new Set<EntryId>();
  const lists = new MemberChanges();
  let facts: FactsChange | undefined;

  for (const edit of edits) {
    yield;
    switch (edit.kind) {
      case "identity": {
        const was = edit.key === undefined ? undefined : flags.get(edit.key);
        if (was) {
          flags.delete(was.identity.key);
          flags.set(edit.identity.key, { ...was, identity: edit.identity });
          touchFlag(touched, was);
        }
        break;
      }
      case "flag":
        flags.set(edit.flag.identity.key, edit.flag);
        touchFlag(touched, edit.flag);
        break;
      case "flag-gone": {
        const gone = flags.get(edit.identity.key);
        if (gone) touchFlag(touched, gone);
        flags.delete(edit.identity.key);
        break;
      }
      case "group":
      case "group-gone":
        if (edit.kind === "group") groups.set(edit.group.key, edit.group);
        else groups.delete(edit.group.key);
        touched.add(`group:${edit.group.key}`);
        for (const flag of flagsUsing(edit.group.key, { flags, groups })) touchFlag(touched, flag);
        break;
      case "settings":
        // A condition on an attribute that became private, or is no more, looks different to browsers.
        if (!sameJson(settings.privateAttributes, edit.settings.privateAttributes))
          for (const flag of flags.values()) touchFlag(touched, flag);
        settings = edit.settings;
        break;
      case "environment": {
        const { name, production } = edit.row;
        info = { ...info, name, production };
        ({ color, position: place, version } = edit.row);
        break;
      }
      case "environment-gone":
      case "project":
      case "project-gone":
        break;
      case "members":
        groups.set(edit.group.key, edit.group);
        lists.push(edit.group.key, edit.added, edit.removed);
        // Also of a fact that no flag needs now: a page may remember its answer until a flag needs it again.
        if (before.factNumbers.has(groupHash(edit.group))) facts = bothChanges(facts, factsChange(edit.tags));
        break;
    }
  }
  // Renamed: the entries under the new key and under every alias.
  for (const edit of edits) {
    const flag = edit.kind === "identity" ? flags.get(edit.identity.key) : undefined;
    if (flag) touchFlag(touched, flag);
  }

  const rows = { flags, groups, owners: aliasOwners(flags) };
  const revision = before.revision + 1;
  const members: ListStep[] = [];
  for (const [key, { add, remove }] of lists.changed()) {
    const id = `group:${key}`;
    const entry = before.states.server.entries.get(id);
    const group = groups.get(key);
    if (touched.has(id) || entry?.kind !== "group" || !group) touched.add(id);
    else members.push(listStep(entry, group, [...add], [...remove]));
  }
  const factsAt = facts ? revision : before.factsAt;
  const view = browserView({ groups, settings, factNumbers: before.factNumbers });
  const flagFacts = new FactsByFlag(before.flagFacts);
  const position = { generation: before.generation, revision, factsAt };
  const server = yield* step(before, "server", position, touched, (id) => serverEntry(id, rows), members);
  const browser = yield* step(before, "browser", position, touched, (id) => browserEntry(id, rows, view, flagFacts), []);
  const forgotten = view.facts.forget(flagFacts.all);
  const environment: EnvironmentModel = {
    ...before,
    info,
    color,
    position: place,
    version,
    settings,
    factsAt,
    factNumbers: view.facts.numbers,
    flagFacts: flagFacts.all,
    revision,
    flags,
    groups,
    states: { server: server.state, browser: browser.state },
    bytes: { server: server.bytes, browser: browser.bytes },
  };
  const changes = { server: server.change, browser: { ...browser.change, ...(facts && { facts }) } };
  return { environment, changes, facts: { added: view.facts.added, forgotten } };
}

function touchFlag(touched: Set<EntryId>, { identity }: FlagRecord): void {
  touched.add(`flag:${identity.key}`);
  touched.add(`alias:${identity.key}`);
  for (const alias of identity.aliases) touched.add(`alias:${alias}`).add(`flag:${alias}`);
}

type Rows = Pick<EnvironmentModel, "flags" | "groups">;
/** Whose old keys they are. */
type Owners = ReadonlyMap<string, FlagRecord>;
interface OwnedRows extends Rows {
  readonly owners: Owners;
}

function aliasOwners(flags: Rows["flags"]): Owners {
  const owners = new Map<string, FlagRecord>();
  for (const flag of flags.values()) for (const alias of flag.identity.aliases) owners.set(alias, flag);
  return owners;
}

function serverEntry(id: EntryId, { flags, groups, owners }: OwnedRows): Entry | undefined {
  const [kind, key] = splitId(id);
  if (kind === "alias") return aliasEntry(key, owners, () => true);
  if (kind === "group") {
    const group = groups.get(key);
    return group && signed(serverGroup(group));
  }
  const flag = flags.get(key);
  return flag && signed(serverFlag(flag));
}

function browserEntry(id: EntryId, { flags, owners }: OwnedRows, view: BrowserView, flagFacts: FactsByFlag): Entry | undefined {
  const [kind, key] = splitId(id);
  if (kind === "alias") return aliasEntry(key, owners, (flag) => browserFlag(flag, view) !== undefined);
  if (kind !== "flag") return undefined;
  const flag = flags.get(key);
  const seen = flag && browserFlag(flag, view);
  flagFacts.set(key, seen?.facts);
  return seen && signed(seen.body);
}

/** The facts of flags, copied when one first changes: most edits change none. */
class FactsByFlag {
  all: ReadonlyMap<string, FlagFacts>;
  #own: Map<string, FlagFacts> | undefined;

  constructor(before: ReadonlyMap<string, FlagFacts>) {
    this.all = before;
  }

  set(flag: string, facts: FlagFacts | undefined): void {
    const before = this.all.get(flag);
    if (before === undefined && (facts === undefined || facts.size === 0)) return;
    this.#own ??= new Map(this.all);
    this.all = this.#own;
    if (facts !== undefined && facts.size > 0) this.#own.set(flag, facts);
    else this.#own.delete(flag);
  }
}

function aliasEntry(key: string, owners: Owners, visible: (flag: FlagRecord) => boolean): Entry | undefined {
  const flag = owners.get(key);
  return flag && visible(flag) ? signed({ kind: "alias", key, flag: flag.identity.key }) : undefined;
}

function splitId(id: EntryId): [kind: string, key: string] {
  const colon = id.indexOf(":");
  return [id.slice(0, colon), id.slice(colon + 1)];
}

/** A group of which only the list changed. */
interface ListStep {
  readonly entry: GroupEntry;
  readonly change: MembersChange;
}

/** A list of 100,000 is not hashed again because one unit came. */
function listStep(before: GroupEntry, group: GroupRecord, add: readonly Hex64[], remove: readonly Hex64[]): ListStep {
  const fp = fingerprintAfter(before.fp, [...add, ...remove]);
  return { entry: { ...serverGroup(group), fp }, change: { group: group.key, fp, add, remove } };
}

/** Replaces the touched entries whose fingerprint differs, and the lists that changed. */
function* step(
  before: EnvironmentModel,
  projection: Projection,
  position: Pick<ProjectedState, "generation" | "revision" | "factsAt">,
  touched: Iterable<EntryId>,
  entryOf: (id: EntryId) => Entry | undefined,
  lists: readonly ListStep[],
): Generator<undefined, { state: ProjectedState; bytes: number; change: ProjectedChange }> {
  const state = before.states[projection];
  const put: Entry[] = [];
  const remove: EntryId[] = [];
  let { digest } = state;
  let bytes = before.bytes[projection];
  const replace = (old: Entry | undefined, entry: Entry | undefined) => {
    digest = xor64(digest, xor64(old?.fp ?? ZERO64, entry?.fp ?? ZERO64));
    bytes += (entry ? entryBytes(entry) : 0) - (old ? entryBytes(old) : 0);
  };
  for (const id of touched) {
    yield;
    const old = state.entries.get(id);
    const entry = entryOf(id);
    if (old?.fp === entry?.fp) continue;
    replace(old, entry);
    if (entry) put.push(entry);
    else remove.push(id);
  }
  for (const { entry } of lists) replace(state.entries.get(entryId(entry)), entry);
  let { entries } = state;
  if (put.length + remove.length + lists.length > 0) {
    const next = new Map(entries);
    for (const id of remove) next.delete(id);
    for (const entry of put) next.set(entryId(entry), entry);
    for (const { entry } of lists) next.set(entryId(entry), entry);
    entries = next;
  }
  const members = lists.map(({ change }) => change);
  const change: ProjectedChange = { digest, put, remove, ...(members.length > 0 && { members }) };
  return { state: { ...position, digest, entries }, bytes, change };
}

const BYTES = new WeakMap<Entry, number>();

/** A hash as JSON with its comma. */
const HASH_BYTES = 19;

/** The entry's size as JSON with its comma. A long list is not written out for it: all its hashes are of one length. */
export function entryBytes(entry: Entry): number {
  const known = BYTES.get(entry);
  if (known !== undefined) return known;
  const members = entry.kind === "group" ? (entry.list?.members.length ?? 0) : 0;
  const short = entry.kind === "group" && entry.list ? { ...entry, list: { ...entry.list, members: [] } } : entry;
  const bytes = Buffer.byteLength(JSON.stringify(short)) + 1 + (members > 0 ? members * HASH_BYTES - 1 : 0);
  BYTES.set(entry, bytes);
  return bytes;
}

/** What the rows of an environment give, as they must be after every commit. `newFacts`: numbers that none of the rows has. */
export function projectAll(
  rows: Rows & Pick<EnvironmentModel, "settings" | "factNumbers">,
  position: Pick<ProjectedState, "generation" | "revision" | "factsAt">,
): {
  readonly states: Readonly<Record<Projection, ProjectedState>>;
  readonly flagFacts: ReadonlyMap<string, FlagFacts>;
  readonly newFacts: readonly NewFact[];
} {
  const view = browserView(rows);
  const flagFacts = new FactsByFlag(new Map());
  const ids = [...rows.flags.values()].flatMap(({ identity }) => [
    `flag:${identity.key}`,
    ...identity.aliases.map((alias) => `alias:${alias}`),
  ]);
  const all = (of: readonly EntryId[], entryOf: (id: EntryId) => Entry | undefined): ProjectedState => {
    const entries = new Map<EntryId, Entry>();
    let digest: Hex64 = ZERO64;
    for (const id of of) {
      const entry = entryOf(id);
      if (!entry) continue;
      entries.set(id, entry);
      digest = xor64(digest, entry.fp);
    }
    return { ...position, digest, entries };
  };
  const owned = { ...rows, owners: aliasOwners(rows.flags) };
  const server = all([...ids, ...[...rows.groups.keys()].map((key) => `group:${key}`)], (id) => serverEntry(id, owned));
  const browser = all(ids, (id) => browserEntry(id, owned, view, flagFacts));
  return { states: { server, browser }, flagFacts: flagFacts.all, newFacts: view.facts.added };
}
