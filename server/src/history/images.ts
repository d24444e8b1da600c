import { and, asc, desc, eq, inArray, lte } from "drizzle-orm";
import type { NameOf } from "../store/actors.ts";
import { FIRST_SETTINGS } from "../store/fold.ts";
import type { EnvironmentSettings, FlagRecord } from "../store/model.ts";
import { type ChangeItem, type ChangeRecord, type CheckpointBody, type GroupImage, renamed, renamedFlag } from "../store/record.ts";
import type { Database, Tx } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { Before } from "./words.ts";

const { changeItem, changeSet, checkpoint } = tables;

type Image = FlagRecord | GroupImage | EnvironmentSettings;

/** Single flags and groups as they were at a revision, found by the index of changes: no whole state is read for them. */
export interface Images {
  at(item: ChangeItem, revision: number): Promise<Image | undefined>;
  /** What was there before a change, of what its record touches. */
  before(record: ChangeRecord, revision: number): Promise<Before>;
}

/** For one request: it remembers every record that it has read. */
export function createImages(db: Database | Tx, environmentId: number, nameOf: NameOf): Images {
  const records = new Map<number, Promise<ChangeRecord | undefined>>();
  let oldest: Promise<Oldest | undefined> | undefined;

  function recordAt(revision: number): Promise<ChangeRecord | undefined> {
    const known = records.get(revision) ?? readRecord(db, environmentId, revision, nameOf);
    records.set(revision, known);
    return known;
  }

  async function at({ kind, id }: ChangeItem, revision: number): Promise<Image | undefined> {
    const [found] = await db
      .select({ revision: changeItem.revision })
      .from(changeItem)
      .where(
        and(
          eq(changeItem.environmentId, environmentId),
          eq(changeItem.kind, kind),
          eq(changeItem.itemId, id),
          lte(changeItem.revision, revision),
        ),
      )
      .orderBy(desc(changeItem.revision))
      .limit(1);
    const record = found && (await recordAt(found.revision));
    if (record) return pick(record, kind, id);
    // Not touched since history began.
    oldest ??= readOldest(db, environmentId);
    const first = await oldest;
    if (!first || first.revision > revision) return kind === "settings" ? FIRST_SETTINGS : undefined;
    const image = pick(first.body, kind, id);
    return image && kind === "flag" ? renamedFlag(image as FlagRecord, nameOf) : image;
  }

  return {
    at,
    async before(record, revision) {
      const ids = (kind: ChangeItem["kind"], present: readonly number[], gone: readonly number[]) =>
        [...present, ...gone].map((id): ChangeItem => ({ kind, id }));
      const items = [
        ...ids("flag", record.flags?.map(({ identity }) => identity.id) ?? [], record.goneFlags ?? []),
        ...ids("group", record.groups?.map(({ id }) => id) ?? [], record.goneGroups ?? []),
        ...ids("settings", record.settings ? [0] : [], []),
      ];
      const images = new Map<string, Image | undefined>();
      for (const item of items) images.set(`${item.kind} ${item.id}`, await at(item, revision - 1));
      return {
        flag: (id) => images.get(`flag ${id}`) as FlagRecord | undefined,
        group: (id) => images.get(`group ${id}`) as GroupImage | undefined,
        settings: () => images.get("settings 0") as EnvironmentSettings | undefined,
      };
    },
  };
}

/** The record of one change, with names; undefined where there is none. */
export async function readRecord(
  db: Database | Tx,
  environmentId: number,
  revision: number,
  nameOf: NameOf,
): Promise<ChangeRecord | undefined> {
  const [row] = await db
    .select({ record: changeSet.record })
    .from(changeSet)
    .where(and(eq(changeSet.environmentId, environmentId), eq(changeSet.revision, revision)));
  return row?.record ? renamed(row.record as ChangeRecord, nameOf) : undefined;
}

/** The newest changes of these items up to a revision, newest first. */
export async function revisionsOf(
  db: Database | Tx,
  environmentId: number,
  kind: ChangeItem["kind"],
  ids: readonly number[],
  below: number,
  limit: number,
): Promise<number[]> {
  const rows = await db
    .selectDistinct({ revision: changeItem.revision })
    .from(changeItem)
    .where(
      and(
        eq(changeItem.environmentId, environmentId),
        eq(changeItem.kind, kind),
        inArray(changeItem.itemId, [...ids]),
        lte(changeItem.revision, below),
      ),
    )
    .orderBy(desc(changeItem.revision))
    .limit(limit);
  return rows.map(({ revision }) => revision);
}

interface Oldest {
  readonly revision: number;
  readonly body: CheckpointBody;
}

async function readOldest(db: Database | Tx, environmentId: number): Promise<Oldest | undefined> {
  const [row] = await db
    .select({ revision: checkpoint.revision, body: checkpoint.body })
    .from(checkpoint)
    .where(eq(checkpoint.environmentId, environmentId))
    .orderBy(asc(checkpoint.revision))
    .limit(1);
  // What the column holds was written by `change-log.ts`.
  return row && { revision: row.revision, body: row.body as unknown as CheckpointBody };
}

function pick(of: ChangeRecord | CheckpointBody, kind: ChangeItem["kind"], id: number): Image | undefined {
  if (kind === "settings") return of.settings;
  if (kind === "flag") return of.flags?.find(({ identity }) => identity.id === id);
  return of.groups?.find((one) => one.id === id);
}
