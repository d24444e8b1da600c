import type { z } from "@hono/zod-openapi";
import type { Context, Evaluation, Json, Names } from "@signalbox/core";
import { sentenceOf, stateOf } from "@signalbox/core";
import { and, asc, desc, eq, gt, gte, inArray, lte, notInArray } from "drizzle-orm";
import { environmentIn, problemOf, projectAt } from "../environments/located.ts";
import { type Problem, problem } from "../errors.ts";
import { configure } from "../flags/decide.ts";
import type { Place } from "../flags/flags.ts";
import { configurationOf } from "../flags/present.ts";
import { preview } from "../flags/preview.ts";
import { type NameOf, readNames } from "../store/actors.ts";
import { sameJson } from "../store/fingerprint.ts";
import type { PastRows } from "../store/fold.ts";
import { type EnvironmentModel, type FlagRecord, findFlag, type Member, type ProjectModel } from "../store/model.ts";
import type { Author } from "../store/origin.ts";
import { type Current, NO_IDS, type Outcome } from "../store/outcome.ts";
import { beginningOf, modelOf, revisionBy, rowsAt } from "../store/past.ts";
import { serverFlag } from "../store/project.ts";
import { type ChangeItem, type ChangeRecord, firstOf, imageOf, itemsOf, recordOf, renamed } from "../store/record.ts";
import type { Tx } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import { refuseTooLarge, type Store } from "../store/store.ts";
import { createImages, type Images, readRecord, revisionsOf } from "./images.ts";
import {
  type EnvironmentChange,
  type KnownUnits,
  listMoves,
  type PastChange,
  type Reverted,
  type Rights,
  revertChange,
  revertEnvironment,
} from "./revert.ts";
import type * as shapes from "./schema.ts";
import { unitsOf } from "./units.ts";
import { actionWords, type Before, type ItemChange, itemChanges, linesOf } from "./words.ts";

export type ChangeShape = z.infer<typeof shapes.change>;
type ItemShape = z.infer<typeof shapes.item>;

/** A moment of the past: a revision, or the last one by a time in milliseconds since 1970. */
export type When = { readonly revision: number } | { readonly at: number };

export interface Wish {
  readonly dryRun?: boolean | undefined;
}

/**
 * What happened to an environment, what it was at any revision, and taking back what was changed. Each throws a `Problem` when it cannot
 * be done; what is taken back is one new revision, written and checked as a save is.
 */
export interface History {
  list(
    place: Place,
    filter: { flag?: string | undefined; group?: string | undefined; before?: number | undefined; limit: number },
  ): Promise<z.infer<typeof shapes.changeList>>;
  change(place: Place, revision: number): Promise<z.infer<typeof shapes.changeDetail>>;
  diff(place: Place, from: number, to: number): Promise<z.infer<typeof shapes.diff>>;
  stateAt(place: Place, when: When, page: { after?: string | undefined; limit: number }): Promise<z.infer<typeof shapes.pastState>>;
  flagAt(place: Place, key: string, when: When): Promise<z.infer<typeof shapes.flagThen>>;
  /** The environment as it was, for evaluating and explaining. */
  modelAt(place: Place, revision: number): Promise<EnvironmentModel>;
  evaluateAt(place: Place, revision: number, key: string, context: Context): Promise<Evaluation>;
  revertFlag(
    place: Place,
    key: string,
    revision: number,
    author: Author & { ifMatch?: string | undefined },
    wish: Wish,
  ): Promise<z.infer<typeof shapes.reverted>>;
  revertChange(place: Place, revision: number, author: Author, rights: Rights, wish: Wish): Promise<z.infer<typeof shapes.reverted>>;
  revertTo(
    place: Place,
    when: When,
    author: Author & { ifMatch?: string | undefined },
    wish: Wish,
  ): Promise<z.infer<typeof shapes.reverted>>;
}

/** Flags and groups of one change that its line in a list tells of, and its page. */
const ITEMS_IN_LIST_MAX = 5;
const LINES_MAX = 8;
const ITEMS_MAX = 200;
/** Past states that are kept, because a page asks several things of one. */
const PAST_MAX = 3;
/** Not for long: somebody's name may be erased. */
const PAST_MS_MAX = 30_000;

export function createHistory({ store, now = Date.now }: { readonly store: Store; readonly now?: () => number }): History {
  const { db } = store;
  const { changeSet } = tables;
  const past = new Map<string, { readonly model: Promise<EnvironmentModel>; readonly readAt: number }>();

  function at(place: Place): { project: ProjectModel; environment: EnvironmentModel } {
    const project = projectAt(store, place.project);
    return { project, environment: environmentIn(project, place.environment) };
  }

  async function revisionOf(environment: EnvironmentModel, when: When): Promise<number> {
    const revision = "revision" in when ? when.revision : await revisionBy(db, environment.info.id, when.at);
    if (revision > environment.revision) throw noRevision(environment, revision);
    return revision;
  }

  function modelAt(environment: EnvironmentModel, revision: number): Promise<EnvironmentModel> {
    if (revision === environment.revision) return Promise.resolve(environment);
    const name = `${environment.info.id} ${environment.generation} ${revision}`;
    const known = past.get(name);
    if (known && now() - known.readAt < PAST_MS_MAX) return known.model;
    const reading = readModel(environment, revision);
    past.set(name, { model: reading, readAt: now() });
    reading.catch(() => past.delete(name));
    for (const old of [...past.keys()].slice(0, -PAST_MAX)) past.delete(old);
    return reading;
  }

  async function readModel(environment: EnvironmentModel, revision: number): Promise<EnvironmentModel> {
    const rows = await rowsAt(db, environment.info.id, revision);
    if (!rows) throw await notKept(environment, revision);
    return modelOf(environment, rows, revision);
  }

  async function notKept({ info }: EnvironmentModel, revision: number): Promise<Problem> {
    const beginning = await beginningOf(db, info.id);
    return problem(
      "HISTORY_NOT_KEPT",
      `Revision ${revision} of ${info.key} was made by a version of Signalbox that kept nothing for history; it reaches back to revision ${beginning}.`,
    );
  }

  /** A flag by its key or an old one, or a group; also one that is deleted. Throws FLAG_NOT_FOUND or GROUP_NOT_FOUND. */
  async function itemOf(environment: EnvironmentModel, kind: "flag" | "group", key: string): Promise<ChangeItem> {
    const live = kind === "flag" ? findFlag(environment, key)?.identity : environment.groups.get(key);
    if (live) return { kind, id: live.id };
    const { audit } = tables;
    const { id, key: name } = environment.info;
    const [row] = await db
      .select({ revision: audit.revision })
      .from(audit)
      .where(and(eq(audit.environmentId, id), eq(audit.target, key), eq(audit.action, `${kind}.delete`)))
      .orderBy(desc(audit.id))
      .limit(1);
    const record = typeof row?.revision === "number" ? await readRecord(db, id, row.revision, (by) => by) : undefined;
    const gone = (kind === "flag" ? record?.goneFlags : record?.goneGroups)?.[0];
    if (gone !== undefined) return { kind, id: gone };
    throw problem(
      kind === "flag" ? "FLAG_NOT_FOUND" : "GROUP_NOT_FOUND",
      `There is no ${kind} with the key "${key}" in ${name}, and history knows none.`,
    );
  }

  /** The row of a change; throws REVISION_NOT_FOUND. */
  async function rowOf(environment: EnvironmentModel, revision: number) {
    const [row] = await db
      .select()
      .from(changeSet)
      .where(and(eq(changeSet.environmentId, environment.info.id), eq(changeSet.revision, revision)));
    if (!row) throw noRevision(environment, revision);
    return row;
  }

  async function told(environment: EnvironmentModel, row: Row, images: Images, nameOf: NameOf): Promise<ChangeShape> {
    const { revision, by, action, target, reason } = row;
    const record = row.record as ChangeRecord | null;
    const shown = record ? renamed(firstOf(record, ITEMS_IN_LIST_MAX), nameOf) : {};
    const items = itemChanges(shown, await images.before(shown, revision), namesIn(environment));
    const lines = linesOf(items);
    return {
      revision,
      at: row.at,
      by: nameOf(by),
      action,
      target,
      reason,
      title: actionWords(action, target),
      lines: lines.slice(0, LINES_MAX),
      more: Math.max(0, (record ? itemsOf(record).length : 0) - itemsOf(shown).length),
      recorded: record !== null,
    };
  }

  /** The rows of all environments that one write changed. */
  async function sameWrite(project: ProjectModel, row: Pick<Row, "writeId" | "at" | "action">) {
    if (row.writeId === null) return [];
    const places = await placesOf(db, row.writeId, row);
    const rows = [];
    for (const [environmentId, revision] of places) {
      if (!project.environments.some(({ info }) => info.id === environmentId)) continue;
      const { record, writeId } = changeSet;
      const [found] = await db
        .select({ environmentId: changeSet.environmentId, revision: changeSet.revision, record, writeId })
        .from(changeSet)
        .where(and(eq(changeSet.environmentId, environmentId), eq(changeSet.revision, revision), eq(writeId, row.writeId)));
      if (found) rows.push(found);
    }
    return rows;
  }

  async function pastChange(project: ProjectModel, environment: EnvironmentModel, revision: number): Promise<PastChange> {
    const row = await rowOf(environment, revision);
    if (row.record === null) throw await notKept(environment, revision);
    if (row.action === "environment.create") {
      throw problem(
        "REVERT_REFUSED",
        `Revision ${revision} made ${environment.info.key}; whoever does not need the environment deletes it.`,
      );
    }
    const nameOf = await readNames(db);
    const record = renamed(row.record as ChangeRecord, nameOf);
    const before = await createImages(db, environment.info.id, nameOf).before(record, revision);
    const everywhere: EnvironmentChange[] = [];
    for (const { environmentId, revision, ...one } of await sameWrite(project, row)) {
      const own = renamed((one.record ?? {}) as ChangeRecord, nameOf);
      everywhere.push({ environmentId, record: own, before: await createImages(db, environmentId, nameOf).before(own, revision) });
    }
    const deletedLists = new Map<number, readonly string[]>();
    if (record.goneGroups && record.goneGroups.length > 0) {
      const rows = await rowsAt(db, environment.info.id, revision - 1);
      for (const group of rows?.groups.values() ?? []) if (record.goneGroups.includes(group.id)) deletedLists.set(group.id, group.list);
    }
    return { revision, record, before, everywhere, deletedLists };
  }

  /** What the caller gets to see of an outcome, written or not. */
  function answerOf(before: EnvironmentModel, after: EnvironmentModel, { outcome, leftAlone }: Reverted, dryRun: boolean) {
    const record = outcome.kind === "changed" ? recordOf(before, after, outcome.edits) : {};
    const shown = firstOf(record, ITEMS_MAX);
    const items = itemChanges(shown, beforeOf(before), namesIn(after));
    return {
      environment: before.info.key,
      revision: dryRun ? before.revision : after.revision,
      changed: outcome.kind === "changed",
      dryRun,
      items: items.map(shapeOf),
      total: itemsOf(record).length,
      lines: linesOf(items),
      etag: environmentEtag(dryRun ? before : after),
      leftAlone: [...leftAlone],
    };
  }

  async function revert(
    place: Place,
    author: Author,
    { dryRun = false }: Wish,
    decide: (current: Current, tx?: Tx) => Reverted | Promise<Reverted>,
  ) {
    const { project, environment } = at(place);
    let reverted: Reverted = { outcome: { kind: "unchanged" }, leftAlone: [] };
    let before = environment;
    const deciding = async (current: Current, tx?: Tx): Promise<Outcome> => {
      before = environmentIn(current.project, place.environment);
      reverted = await decide(current, tx);
      return reverted.outcome;
    };
    let after = environment;
    if (dryRun) {
      const outcome = refuseTooLarge(project, await deciding({ project, now: now(), by: author.by, newIds: NO_IDS }));
      throwRefusal(outcome, environment);
      if (outcome.kind === "changed") after = environmentIn(outcome.applied.project, place.environment);
    } else {
      const written = await store.write({ ...author, project: place.project }, deciding);
      throwRefusal(written.outcome, after);
      after = environmentIn(written.project, place.environment);
    }
    return answerOf(before, after, reverted, dryRun);
  }

  return {
    async list(place, { flag, group, before, limit }) {
      const { environment } = at(place);
      const { id } = environment.info;
      const item =
        flag === undefined
          ? group === undefined
            ? undefined
            : await itemOf(environment, "group", group)
          : await itemOf(environment, "flag", flag);
      const below = (before ?? environment.revision + 1) - 1;
      const found = item && (await revisionsOf(db, id, item.kind, [item.id], below, limit + 1));
      const rows = await db
        .select()
        .from(changeSet)
        .where(
          and(
            eq(changeSet.environmentId, id),
            found ? inArray(changeSet.revision, found.length > 0 ? found : [-1]) : lte(changeSet.revision, below),
          ),
        )
        .orderBy(desc(changeSet.revision))
        .limit(limit + 1);
      const nameOf = await readNames(db);
      const images = createImages(db, id, nameOf);
      const changes: ChangeShape[] = [];
      for (const row of rows.slice(0, limit)) {
        const record = row.record as ChangeRecord | null;
        changes.push(await told(environment, item && record ? { ...row, record: only(record, item) as Json } : row, images, nameOf));
      }
      const last = changes.at(-1);
      return {
        environment: environment.info.key,
        revision: environment.revision,
        beginning: await beginningOf(db, id),
        changes,
        next: rows.length > limit && last ? last.revision : null,
      };
    },

    async change(place, revision) {
      const { project, environment } = at(place);
      const row = await rowOf(environment, revision);
      const nameOf = await readNames(db);
      const images = createImages(db, environment.info.id, nameOf);
      const record = renamed(firstOf((row.record ?? {}) as ChangeRecord, ITEMS_MAX), nameOf);
      const items = itemChanges(record, await images.before(record, revision), namesIn(environment));
      const others = (await sameWrite(project, row)).filter(({ environmentId }) => environmentId !== environment.info.id);
      return {
        ...(await told(environment, row, images, nameOf)),
        environment: environment.info.key,
        items: items.map(shapeOf),
        alsoIn: others.flatMap(({ environmentId, revision }) => {
          const other = project.environments.find(({ info }) => info.id === environmentId);
          return other ? [{ environment: other.info.key, revision }] : [];
        }),
        raw: JSON.parse(JSON.stringify(row.server)) as z.infer<typeof shapes.changeDetail>["raw"],
      };
    },

    async diff(place, from, to) {
      const { environment } = at(place);
      const { id } = environment.info;
      const [low, high] = from < to ? [from, to] : [to, from];
      for (const one of [low, high]) await revisionOf(environment, { revision: one });
      const beginning = await beginningOf(db, id);
      if (low < beginning) throw await notKept(environment, low);
      const { changeItem } = tables;
      const touched = await db
        .selectDistinct({ kind: changeItem.kind, id: changeItem.itemId })
        .from(changeItem)
        .where(and(eq(changeItem.environmentId, id), gt(changeItem.revision, low), lte(changeItem.revision, high)))
        .orderBy(asc(changeItem.kind), asc(changeItem.itemId));
      const [was, is] = await Promise.all([from, to].map((revision) => modelAt(environment, revision)));
      if (!was || !is) throw noRevision(environment, to);
      const record = recordOfItems(was, is, touched);
      const shown = firstOf(record, ITEMS_MAX);
      const items = itemChanges(shown, beforeOf(was), namesIn(environment));
      return {
        environment: environment.info.key,
        from,
        to,
        items: items.map(shapeOf),
        total: items.length + itemsOf(record).length - itemsOf(shown).length,
        lines: linesOf(items),
      };
    },

    async stateAt(place, when, { after, limit }) {
      const { environment } = at(place);
      const revision = await revisionOf(environment, when);
      const model = await modelAt(environment, revision);
      const keys = [...model.flags.keys()].sort();
      const start = after === undefined ? 0 : keys.findIndex((key) => key > after);
      const page = start < 0 ? [] : keys.slice(start, start + limit);
      const last = page.at(-1);
      return {
        environment: environment.info.key,
        revision,
        total: keys.length,
        flags: page.flatMap((key) => {
          const flag = model.flags.get(key);
          return flag ? [summaryThen(flag, now())] : [];
        }),
        next: last !== undefined && start + limit < keys.length ? last : null,
        groups: [...model.groups.values()].map(({ key, name, kind, list }) => ({ key, name, kind, members: list.length })),
      };
    },

    async flagAt(place, key, when) {
      const { environment } = at(place);
      const revision = await revisionOf(environment, when);
      const item = await itemOf(environment, "flag", key);
      if (revision < (await beginningOf(db, environment.info.id))) throw await notKept(environment, revision);
      const images = createImages(db, environment.info.id, await readNames(db));
      const flag = (await images.at(item, revision)) as FlagRecord | undefined;
      if (!flag) throw problem("FLAG_NOT_FOUND", `There was no flag "${key}" in ${environment.info.key} at revision ${revision} yet.`);
      const { aliases } = flag.identity;
      return {
        ...summaryThen(flag, now()),
        environment: environment.info.key,
        revision,
        aliases: [...aliases],
        configuration: configurationOf(flag),
        sentence: sentenceOf(serverFlag(flag), namesIn(environment)),
      };
    },

    async modelAt(place, revision) {
      const { environment } = at(place);
      return modelAt(environment, await revisionOf(environment, { revision }));
    },

    async evaluateAt(place, revision, key, context) {
      const model = await this.modelAt(place, revision);
      return preview(model.states.server.entries, key, context, now());
    },

    async revertFlag(place, key, revision, { ifMatch, ...author }, wish) {
      const { environment } = at(place);
      await revisionOf(environment, { revision });
      if (revision < (await beginningOf(db, environment.info.id))) throw await notKept(environment, revision);
      const item = await itemOf(environment, "flag", key);
      const then = (await createImages(db, environment.info.id, await readNames(db)).at(item, revision)) as FlagRecord | undefined;
      if (!then) throw problem("FLAG_NOT_FOUND", `There was no flag "${key}" in ${environment.info.key} at revision ${revision} yet.`);
      return revert(place, author, wish, (current) => {
        const killed = findFlag(environmentIn(current.project, place.environment), key)?.killed;
        const leftAlone =
          (killed === null) === (then.killed === null)
            ? []
            : [`The kill of "${key}" stays as it is: kill and restore are what changes it.`];
        const seen = wish.dryRun ? "*" : ifMatch;
        return { outcome: configure(current, place.environment, key, then.body, seen, "flag.revert"), leftAlone };
      });
    },

    async revertChange(place, revision, author, rights, wish) {
      const { project, environment } = at(place);
      const change = await pastChange(project, environment, revision);
      const units = new Map();
      for (const id of new Set([...(change.record.lists ?? []).map(({ group }) => group), ...(change.record.goneGroups ?? [])])) {
        const image = [...environment.groups.values()].find((group) => group.id === id) ?? change.before.group(id);
        const list = change.record.lists?.find(({ group }) => group === id);
        const wanted = new Set([...(list?.added ?? []), ...(list?.removed ?? []), ...(change.deletedLists.get(id) ?? [])]);
        if (image) units.set(id, await unitsOf(db, image, wanted));
      }
      return revert(place, author, wish, (current) => revertChange(current, place.environment, change, units, rights));
    },

    async revertTo(place, when, { ifMatch, ...author }, wish) {
      const { environment } = at(place);
      const revision = await revisionOf(environment, when);
      const then = await rowsAt(db, environment.info.id, revision);
      if (!then) throw await notKept(environment, revision);
      const seen = wish.dryRun ? undefined : seenRevision(environment, ifMatch);
      const units = await unitsBetween(environment, then);
      return revert(place, author, wish, async (current, tx) => {
        if (tx && seen !== undefined && (await isEditedSince(tx, environment.info.id, seen))) {
          return { outcome: { kind: "conflict" }, leftAlone: [] };
        }
        return revertEnvironment(current, place.environment, then, revision, units);
      });
    },
  };

  async function unitsBetween(environment: EnvironmentModel, then: PastRows): Promise<KnownUnits> {
    const units = new Map<number, ReadonlyMap<string, Member>>();
    const live = new Map([...environment.groups.values()].map((group) => [group.id, group]));
    for (const group of then.groups.values()) {
      const { coming, going } = listMoves(live.get(group.id)?.list ?? [], group.list);
      if (group.kind !== "conditions" && coming.length + going.length > 0) {
        units.set(group.id, await unitsOf(db, group, new Set([...coming, ...going])));
      }
    }
    return units;
  }
}

type Row = typeof tables.changeSet.$inferSelect;

const AUDIT_ROWS_PER_QUERY = 500;

/**
 * Where a write may have gone, from the rows of the audit that it left one after the other: the environment and its revision. Looked up there,
 * because the log of changes has no index of writes, which each of them would have to keep. The next write may be among them if it is alike.
 */
async function placesOf(db: Store["db"], writeId: number, { at, action }: Pick<Row, "at" | "action">): Promise<Map<number, number>> {
  const { audit } = tables;
  const places = new Map<number, number>();
  for (let from = writeId; ; ) {
    const rows = await db
      .select({ id: audit.id, at: audit.at, action: audit.action, environmentId: audit.environmentId, revision: audit.revision })
      .from(audit)
      .where(gte(audit.id, from))
      .orderBy(asc(audit.id))
      .limit(AUDIT_ROWS_PER_QUERY);
    for (const row of rows) {
      if (row.at !== at || row.action !== action) return places;
      if (row.environmentId !== null && row.revision !== null && !places.has(row.environmentId))
        places.set(row.environmentId, row.revision);
    }
    if (rows.length < AUDIT_ROWS_PER_QUERY) return places;
    from = (rows.at(-1)?.id ?? from) + 1;
  }
}

/** What people and programs do by themselves all the time, and what no revert touches. */
const ASIDE = ["flag.kill", "flag.restore", "early-access.join", "early-access.leave"];

async function isEditedSince(tx: Tx, environmentId: number, revision: number): Promise<boolean> {
  const { changeSet } = tables;
  const rows = await tx
    .select({ revision: changeSet.revision })
    .from(changeSet)
    .where(and(eq(changeSet.environmentId, environmentId), gt(changeSet.revision, revision), notInArray(changeSet.action, ASIDE)))
    .limit(1);
  return rows.length > 0;
}

export function environmentEtag({ info, revision }: Pick<EnvironmentModel, "info" | "revision">): string {
  return `"r${info.id}-${revision}"`;
}

/** The revision that the caller has seen; undefined where they need not say. Throws IF_MATCH_REQUIRED or ETAG_MISMATCH. */
function seenRevision(environment: EnvironmentModel, ifMatch: string | undefined): number | undefined {
  const etag = environmentEtag(environment);
  if (ifMatch === undefined) {
    if (!environment.info.production) return undefined;
    throw problem("IF_MATCH_REQUIRED", `This changes production, so the header If-Match is needed; as it is now: If-Match: ${etag}.`);
  }
  if (ifMatch.trim() === "*") return undefined;
  const [, id, revision] = /^"r(\d+)-(\d+)"$/.exec(ifMatch.trim()) ?? [];
  if (Number(id) !== environment.info.id) throw changedSince(environment);
  return Number(revision);
}

function changedSince(environment: EnvironmentModel): Problem {
  return problem("ETAG_MISMATCH", `${environment.info.key} was changed in the meantime; look at what reverting does now and try again.`, {
    headers: { etag: environmentEtag(environment) },
  });
}

function noRevision({ info, revision: head }: EnvironmentModel, revision: number): Problem {
  return problem("REVISION_NOT_FOUND", `There is no revision ${revision} of ${info.key}; the newest is ${head}.`);
}

function namesIn({ groups }: EnvironmentModel): Names {
  return { group: (key) => groups.get(key)?.name ?? key };
}

/** What is there now, as what was there before a change. */
export function beforeOf({ flags, groups, settings }: EnvironmentModel): Before {
  const flagsById = new Map([...flags.values()].map((flag) => [flag.identity.id, flag]));
  const groupsById = new Map([...groups.values()].map((group) => [group.id, imageOf(group)]));
  return { flag: (id) => flagsById.get(id), group: (id) => groupsById.get(id), settings: () => settings };
}

/** What these items became between two states, as the record of one change would have it. */
function recordOfItems(was: EnvironmentModel, is: EnvironmentModel, items: readonly ChangeItem[]): ChangeRecord {
  const [before, after] = [beforeOf(was), beforeOf(is)];
  const ids = (kind: ChangeItem["kind"]) => items.filter((item) => item.kind === kind).map(({ id }) => id);
  const lists = new Map([...was.groups.values()].map((group) => [group.id, group.list]));
  const [flags, groups] = [ids("flag"), ids("group")];
  const differs = (a: object | undefined, b: object | undefined) => !sameJson(a, b);
  return {
    flags: flags.flatMap((id) => (differs(before.flag(id), after.flag(id)) ? (after.flag(id) ?? []) : [])),
    goneFlags: flags.filter((id) => before.flag(id) && !after.flag(id)),
    groups: groups.flatMap((id) => after.group(id) ?? []),
    goneGroups: groups.filter((id) => before.group(id) && !after.group(id)),
    lists: [...is.groups.values()]
      .filter(({ id }) => groups.includes(id))
      .map(({ id, list }) => {
        const { coming, going } = listMoves(lists.get(id) ?? [], list);
        return { group: id, added: coming, removed: going };
      })
      .filter(({ added, removed }) => added.length + removed.length > 0),
    ...(ids("settings").length > 0 && { settings: is.settings }),
  };
}

/** What a record says of one flag or group. */
function only({ flags, goneFlags, groups, goneGroups, lists }: ChangeRecord, { kind, id }: ChangeItem): ChangeRecord {
  if (kind === "flag") {
    return { flags: flags?.filter(({ identity }) => identity.id === id) ?? [], goneFlags: goneFlags?.filter((one) => one === id) ?? [] };
  }
  return {
    groups: groups?.filter((group) => group.id === id) ?? [],
    goneGroups: goneGroups?.filter((one) => one === id) ?? [],
    lists: lists?.filter(({ group }) => group === id) ?? [],
  };
}

function summaryThen(flag: FlagRecord, now: number) {
  const { identity, body, killed, updatedAt, updatedBy } = flag;
  const { key, name, description, type, tags, owner } = identity;
  const state = { ...stateOf(serverFlag(flag), now) };
  const { archived, browser } = body;
  const kill = killed && { at: killed.at, by: killed.by, reason: killed.reason };
  return { key, name, description, type, tags: [...tags], owner, archived, browser, state, killed: kill, updatedAt, updatedBy };
}

function shapeOf({ kind, key, event, differences, members }: ItemChange): ItemShape {
  // What is stored is plain JSON of our own; the shape only has other words for it.
  return { kind, key, event, members, differences: structuredClone(differences) as ItemShape["differences"] };
}

function throwRefusal(outcome: Outcome, environment: EnvironmentModel): void {
  if (outcome.kind === "conflict") throw changedSince(environment);
  if (outcome.kind === "missing" || outcome.kind === "invalid") throw problemOf(outcome);
}
