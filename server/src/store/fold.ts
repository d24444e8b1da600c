import type { NameOf } from "./actors.ts";
import { changedList, MemberChanges } from "./member-changes.ts";
import type { EnvironmentSettings, FlagRecord, GroupRecord } from "./model.ts";
import { type ChangeRecord, type CheckpointBody, type GroupImage, renamedFlag } from "./record.ts";

/** The rows of an environment, as a model has them. */
export interface PastRows {
  readonly flags: ReadonlyMap<string, FlagRecord>;
  readonly groups: ReadonlyMap<string, GroupRecord>;
  readonly settings: EnvironmentSettings;
}

/** What a new environment has. */
export const FIRST_SETTINGS: EnvironmentSettings = {
  secureMode: false,
  signingVersion: 1,
  signingRetired: 0,
  privateAttributes: [],
  sampleContexts: false,
};

/**
 * The rows of an environment at a revision: a checkpoint (none: the empty environment) and the records after it, in order. Rows are
 * followed by their ids, so a rename is no other flag; lists are put together once, at the end.
 */
export class Fold {
  readonly #flags = new Map<number, FlagRecord>();
  readonly #groups = new Map<number, GroupImage>();
  readonly #lists = new Map<number, GroupRecord["list"]>();
  readonly #changes = new MemberChanges();
  #settings: EnvironmentSettings;

  constructor({ flags, groups, settings }: CheckpointBody = { flags: [], groups: [], settings: FIRST_SETTINGS }) {
    for (const flag of flags) this.#flags.set(flag.identity.id, flag);
    for (const { list, ...group } of groups) {
      this.#groups.set(group.id, group);
      this.#lists.set(group.id, list);
    }
    this.#settings = settings;
  }

  push({ flags = [], goneFlags = [], groups = [], goneGroups = [], lists = [], settings }: ChangeRecord): void {
    for (const id of goneFlags) this.#flags.delete(id);
    for (const flag of flags) this.#flags.set(flag.identity.id, flag);
    for (const id of goneGroups) {
      this.#groups.delete(id);
      this.#lists.delete(id);
      this.#changes.forget(String(id));
    }
    for (const group of groups) this.#groups.set(group.id, group);
    for (const { group, added, removed } of lists) this.#changes.push(String(group), added, removed);
    if (settings) this.#settings = settings;
  }

  /** `nameOf` says whose the keys are that stand in the place of names. */
  rows(nameOf: NameOf = (by) => by): PastRows {
    const groups = [...this.#groups.values()].map((group): GroupRecord => {
      const list = this.#lists.get(group.id) ?? [];
      const change = this.#changes.get(String(group.id));
      return { ...group, updatedBy: nameOf(group.updatedBy), list: change ? changedList(list, [...change.add], [...change.remove]) : list };
    });
    return {
      flags: new Map([...this.#flags.values()].map((flag) => [flag.identity.key, renamedFlag(flag, nameOf)])),
      groups: new Map(groups.map((group) => [group.key, group])),
      settings: this.#settings,
    };
  }
}
