import { sipHash } from "@signalbox/core";
import type { Issue } from "../errors.ts";
import { adoptions, everywhere, patchIdentity } from "../flags/decide.ts";
import { deleteFlag } from "../flags/life.ts";
import { refusals } from "../flags/refusals.ts";
import { BY_A_PAGE, BY_THEMSELVES, formIssues, MEMBERS_MAX, usesOf } from "../groups/decide.ts";
import type { StoredConfiguration } from "../store/define.ts";
import { applyEdits, type Edit } from "../store/edit.ts";
import { tagsOf } from "../store/facts.ts";
import { sameJson } from "../store/fingerprint.ts";
import type { PastRows } from "../store/fold.ts";
import { changedList } from "../store/member-changes.ts";
import {
  type EnvironmentModel,
  type EnvironmentSettings,
  type FlagIdentity,
  type FlagRecord,
  findEnvironment,
  findFlag,
  type GroupRecord,
  type Member,
  type ProjectModel,
} from "../store/model.ts";
import { type Current, type Outcome, refused } from "../store/outcome.ts";
import { flagsUsing } from "../store/project.ts";
import type { ChangeRecord, GroupImage, ListRecord } from "../store/record.ts";
import type { Before } from "./words.ts";

/**
 * Taking back what was changed: pure functions of the committed state and of what history says. What they give is checked as a save is,
 * and written as one new revision. Kills stay as they are: what lifts one is a restore and nothing else.
 */
export interface Reverted {
  readonly outcome: Outcome;
  /** What differs from what was asked for and stays as it is, and why. */
  readonly leftAlone: readonly string[];
}

/** What the caller may do besides editing this environment. */
export interface Rights {
  /** Edit what belongs to the whole project: the name of a flag, its tags. */
  readonly project: boolean;
  /** Edit in every environment: the key of a flag, and that there is one. */
  readonly everywhere: boolean;
  readonly settings: boolean;
}

export interface EnvironmentChange {
  readonly environmentId: number;
  readonly record: ChangeRecord;
  readonly before: Before;
}

/** One change, as history has it. */
export interface PastChange {
  readonly revision: number;
  readonly record: ChangeRecord;
  readonly before: Before;
  /** What the same write did in each environment, this one included. */
  readonly everywhere: readonly EnvironmentChange[];
  /** Of groups that it deleted: who was in them, by the group's id. */
  readonly deletedLists: ReadonlyMap<number, GroupRecord["list"]>;
}

/** The rows of units, by the group's id and the unit's hash. Somebody who was erased is in none. */
export type KnownUnits = ReadonlyMap<number, ReadonlyMap<string, Member>>;

const SETTINGS = ["secureMode", "privateAttributes", "sampleContexts"] as const;
const IDENTITY = ["key", "name", "description", "tags", "owner", "links", "kind", "expectedDays"] as const;

/** Takes one change back, field by field: what was changed again since is a conflict, and then nothing is taken back. */
export function revertChange(current: Current, environmentKey: string, change: PastChange, units: KnownUnits, rights: Rights): Reverted {
  const draft = new Draft(current, environmentKey);
  const { record, before } = change;
  for (const flag of record.flags ?? []) {
    const was = before.flag(flag.identity.id);
    if (was) draft.takeBackFlag(was, flag, change.everywhere, rights);
    else draft.uncreateFlag(flag, change.everywhere, rights);
  }
  for (const id of record.goneFlags ?? []) draft.undeleteFlag(id, change.everywhere, rights);
  for (const image of record.groups ?? []) {
    const was = before.group(image.id);
    if (was) draft.takeBackGroup(was, image);
    else draft.uncreateGroup(image);
  }
  for (const id of record.goneGroups ?? []) {
    const was = before.group(id);
    if (was) draft.undeleteGroup(was, change.deletedLists.get(id) ?? [], units.get(id));
  }
  for (const list of record.lists ?? []) draft.takeBackList(list, units.get(list.group));
  const settings = before.settings();
  if (record.settings && settings) draft.takeBackSettings(settings, record.settings, rights);
  return draft.finish("change.revert", `revision ${change.revision}`);
}

/** Everything that programs are served becomes what it was, except kills, who joined by themselves, and settings. */
export function revertEnvironment(current: Current, environmentKey: string, then: PastRows, revision: number, units: KnownUnits): Reverted {
  const draft = new Draft(current, environmentKey);
  for (const group of then.groups.values()) draft.setGroup(group, units.get(group.id));
  draft.setFlags(then);
  return draft.finish("environment.revert", `revision ${revision}`);
}

/** The hashes that a list must gain and lose to be what it was. */
export function listMoves(now: readonly string[], then: readonly string[]): { readonly coming: string[]; readonly going: string[] } {
  const [has, had] = [new Set(now), new Set(then)];
  return { coming: then.filter((hash) => !has.has(hash)), going: now.filter((hash) => !had.has(hash)) };
}

class Draft {
  readonly #current: Current;
  readonly #environmentKey: string;
  readonly #edits: Edit[] = [];
  readonly #issues: Issue[] = [];
  readonly #left: string[] = [];
  readonly #flags = new Set<string>();
  readonly #madeGroups = new Set<string>();
  readonly #goneGroups = new Set<string>();
  readonly #denied: string[] = [];
  /** With what was decided so far: for flags, whose identities other decisions change. */
  #project: ProjectModel;

  constructor(current: Current, environmentKey: string) {
    this.#current = current;
    this.#environmentKey = environmentKey;
    this.#project = current.project;
  }

  get #environment(): EnvironmentModel {
    return environmentOf(this.#project, this.#environmentKey);
  }

  takeBackFlag(was: FlagRecord, became: FlagRecord, everywhere: PastChange["everywhere"], rights: Rights): void {
    const { id, key } = became.identity;
    const now = this.#flagById(id);
    if (!now) {
      this.#conflict(`flags.${key}`, `the flag "${key}" was deleted since; undo that first`);
      return;
    }
    if ((was.killed === null) !== (became.killed === null)) {
      this.#left.push(`The kill of "${key}" stays as it is: kill and restore are what changes it.`);
    }
    const identity = this.#takenBack(IDENTITY, was.identity, became.identity, now.identity, `flags.${key}`);
    if (Object.keys(identity).length > 0) {
      if (identity.key === undefined ? rights.project : rights.everywhere) {
        this.#decide((current) => patchIdentity(current, now.identity.key, { ...identity, reuse: true }, "*"));
        // A rename keeps the parents of flags by writing them down, in every environment.
        if (identity.key !== undefined) this.#takeBackElsewhere(everywhere);
      } else this.#deny(`what "${key}" is called belongs to the whole project, and its key to every environment`);
    }
    const found = this.#flagById(id) ?? now;
    const fields = Object.keys(became.body) as (keyof StoredConfiguration)[];
    const body = this.#takenBack(fields, this.#withCurrentKeys(was.body), this.#withCurrentKeys(became.body), found.body, `flags.${key}`);
    if (Object.keys(body).length > 0) this.#setBody(found, { ...found.body, ...body });
  }

  /** A flag that the change made goes, unless somebody has set it since. */
  uncreateFlag({ identity: { id, key, version } }: FlagRecord, everywhere: PastChange["everywhere"], rights: Rights): void {
    const now = this.#flagById(id);
    if (!now) return;
    const isAsMade = this.#project.environments.every(({ info, flags }) => {
      const flag = flags.get(now.identity.key);
      return !flag || (flag.killed === null && sameJson(flag.body, madeIn(everywhere, info.id, id)?.body));
    });
    if (!isAsMade || now.identity.version !== version) {
      this.#conflict(`flags.${key}`, `the flag "${key}" was changed since it was made; delete it if nobody needs it`);
      return;
    }
    if (rights.everywhere) this.#decide((current) => deleteFlag(current, now.identity.key, now.identity.key, "*"));
    else this.#deny(`that there is a flag "${key}" concerns every environment`);
  }

  undeleteFlag(id: number, everywhere: PastChange["everywhere"], rights: Rights): void {
    const records = this.#project.environments.flatMap(({ info }) => {
      const flag = everywhere.find(({ environmentId }) => environmentId === info.id)?.before.flag(id);
      return flag ? [{ environmentId: info.id, flag }] : [];
    });
    const identity = records[0]?.flag.identity;
    if (!identity) {
      this.#conflict("flags", "nothing is known of a flag that it deleted");
      return;
    }
    if (this.#flagById(id)) return;
    if (!rights.everywhere) {
      this.#deny(`that there is a flag "${identity.key}" concerns every environment`);
      return;
    }
    const taken = [identity.key, ...identity.aliases].find((key) => findFlag(this.#environment, key));
    if (taken !== undefined) {
      this.#conflict(`flags.${identity.key}`, `another flag has the key "${taken}" now; rename that one first`);
      return;
    }
    if (records.length < this.#project.environments.length) {
      this.#conflict(`flags.${identity.key}`, `an environment was made since "${identity.key}" was deleted; make the flag anew`);
      return;
    }
    const adopted = [identity.key, ...identity.aliases].flatMap((key) => adoptions(this.#project, undefined, key));
    if (adopted.length > 0) {
      for (const { message } of adopted) this.#conflict(`flags.${identity.key}`, message);
      return;
    }
    const back: FlagIdentity = { ...identity, version: identity.version + 1 };
    const { now: updatedAt, by: updatedBy } = this.#current;
    this.#apply([
      { kind: "identity", identity: back },
      ...records.map(({ environmentId, flag }): Edit => {
        const body = this.#withCurrentKeys(flag.body);
        return { kind: "flag", environmentId, flag: { ...flag, identity: back, body, version: flag.version + 1, updatedAt, updatedBy } };
      }),
    ]);
    this.#flags.add(identity.key);
  }

  takeBackGroup(was: GroupImage, became: GroupImage): void {
    const now = this.#groupById(became.id);
    if (!now) {
      this.#conflict(`groups.${became.key}`, `the group "${became.key}" was deleted since; undo that first`);
      return;
    }
    const fields = this.#takenBack(["name", "description", "by", "when"], was, became, now, `groups.${became.key}`);
    if (Object.keys(fields).length > 0) this.#putGroup({ ...now, ...fields });
  }

  uncreateGroup({ id, key, version }: GroupImage): void {
    const now = this.#groupById(id);
    if (!now) return;
    if (now.version !== version) {
      this.#conflict(`groups.${key}`, `the group "${key}" was changed since it was made; delete it if nobody needs it`);
      return;
    }
    this.#goneGroups.add(key);
    this.#apply([{ kind: "group-gone", environmentId: this.#environment.info.id, group: now }]);
  }

  undeleteGroup(was: GroupImage, list: GroupRecord["list"], units: ReadonlyMap<string, Member> = new Map()): void {
    if (this.#groupById(was.id)) return;
    if (this.#environment.groups.has(was.key)) {
      this.#conflict(`groups.${was.key}`, `another group has the key "${was.key}" now; delete that one first`);
      return;
    }
    this.#makeGroup(was, list, units);
  }

  takeBackList({ group: id, added, removed }: ListRecord, units: ReadonlyMap<string, Member> = new Map()): void {
    const now = this.#groupById(id);
    // One that the same step made or brought back has its list already.
    if (!now || this.#madeGroups.has(now.key)) return;
    const has = new Set(now.list);
    const coming = removed.filter((hash) => !has.has(hash));
    const going = added.filter((hash) => has.has(hash));
    this.#moveUnits(now, coming, going, units);
  }

  takeBackSettings(was: EnvironmentSettings, became: EnvironmentSettings, rights: Rights): void {
    const { settings, info } = this.#environment;
    if (was.signingVersion !== became.signingVersion || was.signingRetired !== became.signingRetired) {
      this.#left.push("Signing secrets stay as they are: make a new one under Settings.");
    }
    const fields = this.#takenBack(SETTINGS, was, became, settings, "settings");
    if (Object.keys(fields).length === 0) return;
    if (rights.settings) this.#apply([{ kind: "settings", environmentId: info.id, settings: { ...settings, ...fields } }]);
    else this.#deny("settings are for admins");
  }

  setGroup(then: GroupRecord, units: ReadonlyMap<string, Member> = new Map()): void {
    const now = this.#groupById(then.id);
    if (!now) {
      const { list, ...image } = then;
      if (this.#environment.groups.has(then.key)) {
        this.#left.push(`The group "${then.key}" was made anew since, and stays as it is.`);
        return;
      }
      this.#makeGroup(image, list, units);
      return;
    }
    const { name, description, by, when } = then;
    const form = ({ name, description, by, when }: GroupRecord) => ({ name, description, by, when });
    if (!sameJson(form(now), form(then))) this.#putGroup({ ...now, name, description, by, when });
    const group = this.#groupById(then.id) ?? now;
    const { coming, going } = listMoves(group.list, then.list);
    if (coming.length + going.length === 0) return;
    if (group.kind === "list") this.#moveUnits(group, coming, going, units);
    else this.#left.push(`Who is in "${group.key}" stays as it is: people join and leave early access by themselves.`);
  }

  setFlags(then: PastRows): void {
    const byId = new Map([...then.flags.values()].map((flag) => [flag.identity.id, flag]));
    for (const now of [...this.#environment.flags.values()]) {
      const { identity, body } = now;
      const was = byId.get(identity.id);
      byId.delete(identity.id);
      if (!was) {
        if (!body.archived) {
          this.#setBody(now, { ...body, archived: true });
          this.#left.push(`"${identity.key}" was not there yet: it is archived.`);
        }
      } else {
        if ((was.killed === null) !== (now.killed === null)) {
          this.#left.push(`"${identity.key}" ${now.killed ? "is killed and stays killed" : "was killed and is not killed by this"}.`);
        }
        const wanted = this.#withCurrentKeys(was.body);
        if (!sameJson(body, wanted)) this.#setBody(now, wanted);
      }
    }
    for (const { identity } of byId.values()) {
      this.#left.push(`"${identity.key}" was deleted since: take that change back to have it again.`);
    }
  }

  finish(action: string, target: string): Reverted {
    const done = (outcome: Outcome): Reverted => ({ outcome, leftAlone: this.#left });
    if (this.#denied.length > 0) {
      const detail = `You may not take this back: ${this.#denied.join("; ")}.`;
      return done({ kind: "invalid", code: "FORBIDDEN", detail });
    }
    if (this.#issues.length > 0) return done(refused("REVERT_CONFLICT", this.#issues));
    if (this.#edits.length === 0) return done({ kind: "unchanged" });
    const { project } = this.#current;
    const applied = applyEdits(project, this.#edits);
    const [before, after] = [project, applied.project].map((of) => environmentOf(of, this.#environmentKey)) as [
      EnvironmentModel,
      EnvironmentModel,
    ];
    const issues = this.#groupIssues(after);
    const reached = [...this.#madeGroups].flatMap((key) => flagsUsing(key, after).map(({ identity }) => identity.key));
    issues.push(...everywhere(project, applied.project, (was, is) => refusals(was, is, [...this.#flags], is === after ? reached : [])));
    if (issues.length > 0) return done(refused("REVERT_REFUSED", issues));
    const said = { revision: before.revision, edits: this.#edits.length };
    return done({ kind: "changed", action, target, edits: this.#edits, applied, before: null, after: said });
  }

  #groupIssues(after: EnvironmentModel): Issue[] {
    const issues: Issue[] = [];
    for (const key of this.#goneGroups) {
      const [use] = after.groups.has(key) ? [] : usesOf(after, key);
      if (use) issues.push({ path: `groups.${key}`, message: `the group "${key}" would go, and ${use} uses it; take it out there first` });
    }
    for (const key of this.#madeGroups) {
      const group = after.groups.get(key);
      if (!group) continue;
      issues.push(...formIssues(group, after).map(({ path, message }) => ({ path: `groups.${key}.${path}`, message })));
      if (group.list.length > MEMBERS_MAX) {
        const message = `the group "${key}" would have ${group.list.length} members, the most is ${MEMBERS_MAX}`;
        issues.push({ path: `groups.${key}`, message });
      }
    }
    return issues;
  }

  /** What of `fields` goes back to what it was; a field that is neither what the change made of it nor what it was is a conflict. */
  #takenBack<T extends object, F extends keyof T & string>(
    fields: readonly F[],
    was: T,
    became: T,
    now: T,
    path: string,
  ): Partial<Pick<T, F>> {
    const back: Partial<Pick<T, F>> = {};
    for (const field of fields) {
      if (sameJson(was[field], became[field]) || sameJson(now[field], was[field])) continue;
      if (sameJson(now[field], became[field])) back[field] = was[field];
      else this.#conflict(`${path}.${field}`, `"${field}" of ${path} was changed again since; set it by hand`);
    }
    return back;
  }

  #setBody(flag: FlagRecord, body: StoredConfiguration, environmentId = this.#environment.info.id): void {
    const { now, by } = this.#current;
    const next: FlagRecord = { ...flag, body, version: flag.version + 1, updatedAt: now, updatedBy: by };
    this.#flags.add(flag.identity.key);
    this.#apply([{ kind: "flag", environmentId, flag: next }]);
  }

  #takeBackElsewhere(everywhere: PastChange["everywhere"]): void {
    for (const { environmentId, record, before } of everywhere) {
      if (environmentId === this.#environment.info.id) continue;
      for (const became of record.flags ?? []) {
        const was = before.flag(became.identity.id);
        const now = this.#project.environments
          .find(({ info }) => info.id === environmentId)
          ?.flags.get(this.#flagById(became.identity.id)?.identity.key ?? "");
        if (!was || !now) continue;
        const fields = Object.keys(became.body) as (keyof StoredConfiguration)[];
        const [then, since] = [this.#withCurrentKeys(was.body), this.#withCurrentKeys(became.body)];
        const body = this.#takenBack(fields, then, since, now.body, `flags.${became.identity.key}`);
        if (Object.keys(body).length > 0) this.#setBody(now, { ...now.body, ...body }, environmentId);
      }
    }
  }

  #putGroup(group: GroupRecord): void {
    const { now, by } = this.#current;
    this.#madeGroups.add(group.key);
    const next = { ...group, version: group.version + 1, updatedAt: now, updatedBy: by };
    this.#apply([{ kind: "group", environmentId: this.#environment.info.id, group: next }]);
  }

  #makeGroup(image: GroupImage, list: GroupRecord["list"], units: ReadonlyMap<string, Member>): void {
    const { now, by } = this.#current;
    const members = list.flatMap((hash): Member[] => {
      const known = units.get(hash);
      return known ? [{ ...known, state: "member" }] : [];
    });
    this.#sayUnknown(image.key, list.length - members.length);
    // That somebody has left is remembered too.
    const rows = image.kind === "early-access" ? [...members, ...[...units.values()].filter(({ state }) => state === "left")] : members;
    const hashes = members.map(({ unit }) => sipHash(image.hashKey, unit));
    const group: GroupRecord = { ...image, list: [...hashes].sort(), version: image.version + 1, updatedAt: now, updatedBy: by };
    const environmentId = this.#environment.info.id;
    this.#madeGroups.add(group.key);
    this.#apply([
      { kind: "group", environmentId, group: { ...group, list: [] } },
      ...(rows.length === 0
        ? []
        : [
            {
              kind: "members",
              environmentId,
              group,
              put: rows,
              drop: [],
              added: hashes,
              removed: [],
              tags: tagsOf(members.map(({ unit }) => unit)),
            } satisfies Edit,
          ]),
    ]);
  }

  #moveUnits(group: GroupRecord, coming: readonly string[], going: readonly string[], units: ReadonlyMap<string, Member>): void {
    const { now: at, by } = this.#current;
    const hasLeft = ({ state, by }: Member) => state === "left" && (by === BY_THEMSELVES || by === BY_A_PAGE);
    const known = coming.flatMap((hash) => units.get(hash) ?? []);
    this.#sayUnknown(group.key, coming.length - known.length);
    const back = group.kind === "early-access" ? known.filter((member) => !hasLeft(member)) : known;
    if (back.length < known.length) {
      this.#left.push(`${known.length - back.length} who left "${group.key}" by themselves stay out.`);
    }
    const out = going.flatMap((hash) => units.get(hash) ?? []);
    if (out.length < going.length) this.#conflict(`groups.${group.key}`, `the list of "${group.key}" changes just now; try again`);
    if (back.length + out.length === 0) return;
    const added = back.map(({ unit }) => sipHash(group.hashKey, unit));
    const removed = out.map(({ unit }) => sipHash(group.hashKey, unit));
    const remembered = group.kind === "early-access";
    this.#madeGroups.add(group.key);
    this.#apply([
      {
        kind: "members",
        environmentId: this.#environment.info.id,
        group: { ...group, list: changedList(group.list, added, removed) },
        put: [
          ...back.map(({ unit }): Member => ({ unit, state: "member", at, by })),
          ...(remembered ? out.map(({ unit }): Member => ({ unit, state: "left", at, by })) : []),
        ],
        drop: remembered ? [] : out.map(({ unit }) => unit),
        added,
        removed,
        tags: tagsOf([...back, ...out].map(({ unit }) => unit)),
      },
    ]);
  }

  #sayUnknown(group: string, count: number): void {
    if (count > 0) this.#left.push(`${count} who were in "${group}" were erased since and do not come back.`);
  }

  /** Requirements and the parent under the keys that the flags have now. */
  #withCurrentKeys(body: StoredConfiguration): StoredConfiguration {
    const now = (key: string) => findFlag(this.#environment, key)?.identity.key ?? key;
    return {
      ...body,
      requires: body.requires.map((requirement) => ({ ...requirement, flag: now(requirement.flag) })),
      parent: body.parent === null ? null : now(body.parent),
    };
  }

  #decide(decide: (current: Current) => Outcome): void {
    const outcome = decide({ ...this.#current, project: this.#project });
    if (outcome.kind === "changed") {
      this.#edits.push(...outcome.edits);
      this.#project = outcome.applied.project;
    } else if (outcome.kind === "missing" || outcome.kind === "invalid") {
      const issues = outcome.kind === "invalid" ? outcome.issues : undefined;
      this.#issues.push(...(issues ?? [{ path: "", message: outcome.detail }]));
    }
  }

  #apply(edits: readonly Edit[]): void {
    this.#edits.push(...edits);
    this.#project = applyEdits(this.#project, edits).project;
  }

  #conflict(path: string, message: string): void {
    this.#issues.push({ path, message });
  }

  #deny(what: string): void {
    this.#denied.push(what);
  }

  #flagById(id: number): FlagRecord | undefined {
    for (const flag of this.#environment.flags.values()) if (flag.identity.id === id) return flag;
    return undefined;
  }

  #groupById(id: number): GroupRecord | undefined {
    for (const group of this.#environment.groups.values()) if (group.id === id) return group;
    return undefined;
  }
}

function madeIn(everywhere: PastChange["everywhere"], environmentId: number, id: number): FlagRecord | undefined {
  return everywhere.find((one) => one.environmentId === environmentId)?.record.flags?.find(({ identity }) => identity.id === id);
}

function environmentOf(project: ProjectModel, key: string): EnvironmentModel {
  const environment = findEnvironment(project, key);
  if (!environment) throw new RangeError(`there is no environment ${key}`);
  return environment;
}
