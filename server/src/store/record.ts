import type { Hex64 } from "@signalbox/core";
import type { NameOf } from "./actors.ts";
import type { Edit } from "./edit.ts";
import { MemberChanges } from "./member-changes.ts";
import type { EnvironmentModel, EnvironmentSettings, FlagRecord, GroupRecord } from "./model.ts";

/** A group without its list. */
export type GroupImage = Omit<GroupRecord, "list">;

/** What came to and what left the list of a group. */
export interface ListRecord {
  readonly group: number;
  readonly added: readonly Hex64[];
  readonly removed: readonly Hex64[];
}

/**
 * What one write left behind in one environment: whatever it touched, as it is afterwards. A past state is a checkpoint and the records
 * after it, so this holds everything that a state has, and of people only the keys of their names (see `actors.ts`).
 */
export interface ChangeRecord {
  readonly flags?: readonly FlagRecord[];
  readonly goneFlags?: readonly number[];
  readonly groups?: readonly GroupImage[];
  readonly goneGroups?: readonly number[];
  readonly lists?: readonly ListRecord[];
  readonly settings?: EnvironmentSettings;
}

/** The whole of an environment's rows. */
export interface CheckpointBody {
  readonly flags: readonly FlagRecord[];
  readonly groups: readonly GroupRecord[];
  readonly settings: EnvironmentSettings;
}

/** What a change is about, for the index of changes by flag and by group. */
export interface ChangeItem {
  readonly kind: "flag" | "group" | "settings";
  readonly id: number;
}

/** What the edits did to this environment. `before` and `after` are the environment around them. */
export function recordOf(before: EnvironmentModel, after: EnvironmentModel, edits: readonly Edit[]): ChangeRecord {
  const flags = new Set<string>();
  const groups = new Set<string>();
  const lists = new MemberChanges();
  let settings: EnvironmentSettings | undefined;
  for (const edit of edits) {
    if ("environmentId" in edit && edit.environmentId !== after.info.id) continue;
    switch (edit.kind) {
      case "identity":
        if (edit.key !== undefined) flags.add(edit.key);
        flags.add(edit.identity.key);
        break;
      case "flag":
        flags.add(edit.flag.identity.key);
        break;
      case "flag-gone":
        flags.add(edit.identity.key);
        break;
      case "group":
        groups.add(edit.group.key);
        if (edit.membersOf !== undefined) lists.push(String(edit.group.id), edit.group.list, []);
        break;
      case "group-gone":
        groups.add(edit.group.key);
        break;
      case "settings":
        settings = after.settings;
        break;
      case "environment":
        // A new one may begin with the settings of another.
        if (edit.made) settings = after.settings;
        break;
      case "environment-gone":
      case "project":
      case "project-gone":
        break;
      case "members":
        groups.add(edit.group.key);
        lists.push(String(edit.group.id), edit.added, edit.removed);
        break;
      default:
        forgotten(edit);
    }
  }
  const isHere = new Map([...flags].flatMap((key) => idOf(after.flags.get(key)?.identity)));
  const goneFlags = [...flags].flatMap((key) => idOf(before.flags.get(key)?.identity)).filter(([id]) => !isHere.has(id));
  const groupsHere = new Map([...groups].flatMap((key) => idOf(after.groups.get(key))));
  const goneGroups = [...groups].flatMap((key) => idOf(before.groups.get(key))).filter(([id]) => !groupsHere.has(id));
  const changed = [...lists.changed()].filter(([id]) => groupsHere.has(Number(id)));
  return {
    ...(isHere.size > 0 && { flags: [...isHere.values()].flatMap(({ key }) => after.flags.get(key) ?? []) }),
    ...(goneFlags.length > 0 && { goneFlags: goneFlags.map(([id]) => id) }),
    ...(groupsHere.size > 0 && {
      groups: [...groupsHere.values()].flatMap(({ key }) => {
        const group = after.groups.get(key);
        return group ? [imageOf(group)] : [];
      }),
    }),
    ...(goneGroups.length > 0 && { goneGroups: goneGroups.map(([id]) => id) }),
    ...(changed.length > 0 && {
      lists: changed.map(([id, { add, remove }]) => ({ group: Number(id), added: [...add], removed: [...remove] })),
    }),
    ...(settings && { settings }),
  };
}

export function checkpointOf({ flags, groups, settings }: Pick<EnvironmentModel, "flags" | "groups" | "settings">): CheckpointBody {
  return { flags: [...flags.values()], groups: [...groups.values()], settings };
}

type Named = { readonly flags?: readonly FlagRecord[]; readonly groups?: readonly GroupImage[] };

/** Whoever is named in a record or a checkpoint, once each. */
export function namesOf({ flags = [], groups = [] }: Named): Set<string> {
  const names = flags.flatMap(({ identity, killed, updatedBy }) => [identity.createdBy, updatedBy, ...(killed ? [killed.by] : [])]);
  return new Set([...names, ...groups.map(({ updatedBy }) => updatedBy)]);
}

/** The same with other names. */
export function renamed<R extends Named>(record: R, nameOf: NameOf): R {
  const { flags, groups } = record;
  return {
    ...record,
    ...(flags && { flags: flags.map((flag) => renamedFlag(flag, nameOf)) }),
    ...(groups && { groups: groups.map((group) => ({ ...group, updatedBy: nameOf(group.updatedBy) })) }),
  };
}

export function renamedFlag({ identity, killed, ...flag }: FlagRecord, nameOf: NameOf): FlagRecord {
  return {
    ...flag,
    identity: { ...identity, createdBy: nameOf(identity.createdBy) },
    killed: killed && { ...killed, by: nameOf(killed.by) },
    updatedBy: nameOf(flag.updatedBy),
  };
}

export function itemsOf({ flags = [], goneFlags = [], groups = [], goneGroups = [], settings }: ChangeRecord): ChangeItem[] {
  const all = (kind: ChangeItem["kind"], ids: readonly number[]) => ids.map((id): ChangeItem => ({ kind, id }));
  return [
    ...all("flag", [...flags.map(({ identity }) => identity.id), ...goneFlags]),
    ...all("group", [...groups.map(({ id }) => id), ...goneGroups]),
    ...all("settings", settings ? [0] : []),
  ];
}

export function imageOf({ list: _apart, ...image }: GroupRecord): GroupImage {
  return image;
}

function idOf<T extends { readonly id: number; readonly key: string }>(row: T | undefined): [number, T][] {
  return row ? [[row.id, row]] : [];
}

/** A kind of edit that history does not know does not compile. */
function forgotten(edit: never): never {
  throw new TypeError(`history has no record of an edit ${JSON.stringify(edit)}`);
}

/** At most so many things of a record, for showing it. */
export function firstOf(record: ChangeRecord, max: number): ChangeRecord {
  const { flags, goneFlags, groups, goneGroups } = record;
  let left = max;
  const take = <T>(all: readonly T[] | undefined): readonly T[] => {
    const taken = all?.slice(0, left) ?? [];
    left -= taken.length;
    return taken;
  };
  return { ...record, flags: take(flags), goneFlags: take(goneFlags), groups: take(groups), goneGroups: take(goneGroups) };
}
