import { colonParent, type Json } from "@signalbox/core";
import { Problem } from "../errors.ts";
import { type ConfigurationPatch, toCondition, toStored } from "../flags/convert.ts";
import { ALIASES_MAX, BOOLEAN_VALUES, FLAGS_MAX, pick, usedBefore, valueIssues } from "../flags/decide.ts";
import { configurationDifferences, type Difference, groupDifferences, identityDifferences } from "../flags/diff.ts";
import { issuesOf, markedFlags } from "../flags/refusals.ts";
import { BY_A_PAGE, BY_THEMSELVES, formIssues, GROUPS_MAX, hashedInTurns, MEMBERS_MAX, usesOf } from "../groups/decide.ts";
import type { StoredConfiguration } from "../store/define.ts";
import { applyEditsInTurns, type Edit } from "../store/edit.ts";
import { sameJson } from "../store/fingerprint.ts";
import {
  type EnvironmentModel,
  type EnvironmentSettings,
  type FlagIdentity,
  type FlagRecord,
  findEnvironment,
  findFlag,
  type GroupRecord,
  type Member,
} from "../store/model.ts";
import type { Current, Outcome } from "../store/outcome.ts";
import type { Tombstone } from "../store/tombstones.ts";
import type { Turn } from "../turns.ts";
import type { ConfigurationDocument, EnvironmentDocument, FlagDocument, GroupDocument, ProjectDocument } from "./document.ts";
import { OBJECTIONS_MAX, type Objection, pointer } from "./read.ts";

/** What a file would make of a project, worked out in turns and without writing anything. */

/** `merge` adds and changes what the file names; `replace` also archives the flags and deletes the groups that it does not name. */
export type ImportMode = "merge" | "replace";

export interface PlanOptions {
  readonly mode: ImportMode;
  /** Makes flags also under keys that deleted flags had. */
  readonly reuse: boolean;
  /** An environment that the caller may not read is none to them. */
  readonly mayRead: (environment: EnvironmentModel) => boolean;
  readonly tombstones: ReadonlyMap<string, Tombstone>;
  /** The rows of a group, by unit. */
  readonly rowsOf: (group: GroupRecord) => Promise<ReadonlyMap<string, Member>>;
  readonly newRuleId: () => string;
  /** 32 hexadecimal digits, random. */
  readonly newHashKey: () => string;
  readonly turn: Turn;
}

export interface PlannedChange {
  readonly what: "created" | "changed" | "archived" | "deleted";
  readonly kind: "flag" | "group" | "settings";
  readonly key: string;
  /** Null for what belongs to the whole project. */
  readonly environment: string | null;
  readonly differences: readonly Difference[];
  /** Of a group whose list changes. */
  readonly members?: { readonly coming: number; readonly going: number };
}

export interface Plan {
  readonly changes: readonly PlannedChange[];
  readonly objections: readonly Objection[];
  /** What is not taken, and why. */
  readonly notes: readonly Objection[];
  readonly needs: { readonly project: boolean; readonly edit: readonly string[]; readonly admin: readonly string[] };
  /** What the store is to write if there is no objection. */
  readonly outcome: Outcome;
}

export async function planImport(current: Current, document: ProjectDocument, options: PlanOptions): Promise<Plan> {
  const planner = new Planner(current, document, options);
  return planner.plan();
}

/** Fields of so many flags and groups are told in the audit, before and after. */
const AUDITED_MAX = 500;

/** An environment of the file that is there. */
interface Target {
  readonly at: string;
  readonly document: EnvironmentDocument;
  readonly environment: EnvironmentModel;
}

class Planner {
  readonly #current: Current;
  readonly #document: ProjectDocument;
  readonly #options: PlanOptions;
  readonly #changes: PlannedChange[] = [];
  readonly #objections: Objection[] = [];
  readonly #notes: Objection[] = [];
  readonly #needs = { project: false, edit: new Set<string>(), admin: new Set<string>() };
  /** In the order in which they are applied: settings, groups, flags, members; groups go last. */
  readonly #edits: Edit[] = [];
  readonly #before: { [key: string]: Json } = {};
  readonly #after: { [key: string]: Json } = {};
  readonly #targets: Target[] = [];
  readonly #pointers = new Map<string, string>();
  #nextGroup: number;
  #nextFlag: number;

  constructor(current: Current, document: ProjectDocument, options: PlanOptions) {
    this.#current = current;
    this.#document = document;
    this.#options = options;
    this.#nextGroup = current.newIds.group;
    this.#nextFlag = current.newIds.flag;
  }

  async plan(): Promise<Plan> {
    this.#findEnvironments();
    for (const target of this.#targets) await this.#planSettingsAndGroups(target);
    await this.#planFlags();
    if (this.#options.mode === "replace") await this.#archiveOthers();
    const outcome = this.#objections.length > 0 ? { kind: "unchanged" as const } : await this.#decide();
    return {
      changes: this.#changes,
      objections: this.#objections.slice(0, OBJECTIONS_MAX),
      notes: this.#notes,
      needs: { project: this.#needs.project, edit: [...this.#needs.edit], admin: [...this.#needs.admin] },
      outcome,
    };
  }

  #object(at: string, message: string): void {
    this.#objections.push({ pointer: at, message });
  }

  #findEnvironments(): void {
    const seen = new Set<string>();
    for (const [index, document] of this.#document.environments.entries()) {
      const at = pointer("", "environments", index);
      const environment = findEnvironment(this.#current.project, document.key);
      if (seen.has(document.key)) this.#object(`${at}/key`, `the environment "${document.key}" is in the file twice; leave one out`);
      else if (!environment || !this.#options.mayRead(environment)) {
        const message = `the project "${this.#current.project.key}" has no environment "${document.key}"; make it first, or leave it out of the file`;
        this.#object(`${at}/key`, message);
      } else this.#targets.push({ at, document, environment });
      seen.add(document.key);
      if (environment && environment.info.production !== document.production) {
        const [was, is] = document.production ? ["is", "is not"] : ["is not", "is"];
        this.#notes.push({
          pointer: `${at}/production`,
          message: `"${document.key}" ${was} production in the file and ${is} here; that stays as it is`,
        });
      }
    }
  }

  async #planSettingsAndGroups(target: Target): Promise<void> {
    const { at, document, environment } = target;
    const { secureMode, privateAttributes, sampleContexts } = document.settings;
    const settings: EnvironmentSettings = {
      ...environment.settings,
      secureMode,
      privateAttributes: [...new Set(privateAttributes)].sort(),
      sampleContexts,
    };
    if (!sameJson(settings, environment.settings)) {
      this.#needs.admin.add(document.key);
      this.#edits.push({ kind: "settings", environmentId: environment.info.id, settings });
      const differences = settingsDifferences(environment.settings, settings);
      this.#change({ what: "changed", kind: "settings", key: document.key, environment: document.key, differences });
      this.#tell(document.key, "settings", differences);
    }
    const named = new Set<string>();
    for (const [index, group] of document.groups.entries()) {
      await this.#options.turn();
      const place = pointer(at, "groups", index);
      if (named.has(group.key)) this.#object(`${place}/key`, `the group "${group.key}" is in the file twice; leave one out`);
      else await this.#planGroup(target, group, place);
      named.add(group.key);
    }
    if (this.#options.mode !== "replace") return;
    for (const group of environment.groups.values()) {
      if (named.has(group.key)) continue;
      this.#needs.edit.add(document.key);
      this.#edits.push({ kind: "group-gone", environmentId: environment.info.id, group });
      this.#change({ what: "deleted", kind: "group", key: group.key, environment: document.key, differences: [] });
      this.#before[`${document.key}/group:${group.key}`] = { ...formOf(group), members: group.list.length };
    }
  }

  async #planGroup({ document: { key: environmentKey }, environment }: Target, document: GroupDocument, at: string): Promise<void> {
    const old = environment.groups.get(document.key);
    const { key, kind, name, description, by } = document;
    this.#pointers.set(`${environmentKey}/group:${key}`, at);
    if (old && old.kind !== kind) {
      const message = `the group "${key}" is of kind "${kind}" in the file and "${old.kind}" in ${environmentKey}, and a kind is fixed; delete it there or give it another key`;
      this.#object(`${at}/kind`, message);
      return;
    }
    if (old && old.by !== by) {
      this.#object(`${at}/by`, `the group "${key}" goes by "${by}" in the file and by "${old.by}" in ${environmentKey}, and that is fixed`);
      return;
    }
    const when =
      document.when === null ? null : this.#converted(`${at}`, () => toCondition(document.when ?? { op: "all", of: [] }, "when"));
    if (when === undefined) return;
    const { now, by: author } = this.#current;
    const made = { id: this.#nextGroup, hashKey: this.#options.newHashKey(), version: 0, list: [] };
    if (!old) this.#nextGroup += 1;
    const base: Pick<GroupRecord, "id" | "hashKey" | "version" | "list"> = old ?? made;
    let next: GroupRecord = {
      ...base,
      key,
      kind,
      name,
      description,
      by,
      when,
      version: base.version + 1,
      updatedAt: now,
      updatedBy: author,
    };
    const names = this.#names(environment);
    const differences = groupDifferences(old ?? { kind: null, name: "", description: "", by: null, when: null }, next, names);
    if (differences.length > 0) this.#edits.push({ kind: "group", environmentId: environment.info.id, group: next });
    else next = old ?? next;
    const members = await this.#planMembers(environment, next, old, document, at);
    if (differences.length === 0 && !members) return;
    this.#needs.edit.add(environmentKey);
    this.#change({
      what: old ? "changed" : "created",
      kind: "group",
      key,
      environment: environmentKey,
      differences: old ? differences : [],
      ...(members && { members }),
    });
    this.#tell(environmentKey, `group:${key}`, differences, old ? undefined : { ...formOf(next) });
  }

  async #planMembers(
    environment: EnvironmentModel,
    group: GroupRecord,
    old: GroupRecord | undefined,
    document: GroupDocument,
    at: string,
  ): Promise<PlannedChange["members"]> {
    if (group.kind === "conditions") {
      if (document.members !== undefined)
        this.#object(`${at}/members`, `the group "${group.key}" has conditions and no members; leave them out`);
      return undefined;
    }
    if (document.members === undefined) {
      if ((document.hashes?.length ?? 0) > 0) {
        const message = `the members of "${group.key}" are told as hashes, from which nobody can be listed; who is in it here stays (export with clear members to bring them along)`;
        this.#notes.push({ pointer: `${at}/hashes`, message });
      }
      return undefined;
    }
    const { turn, mode, rowsOf } = this.#options;
    const rows = old ? await rowsOf(old) : new Map<string, Member>();
    const wanted = new Set(document.members);
    const gone = new Set((document.left ?? []).filter((unit) => !wanted.has(unit)));
    const coming = [...wanted].filter((unit) => rows.get(unit)?.state !== "member");
    const going = [...rows.values()].flatMap(({ unit, state }) => {
      return state === "member" && !wanted.has(unit) && (mode === "replace" || gone.has(unit)) ? [unit] : [];
    });
    const left = [...gone].filter((unit) => !hasLeft(rows.get(unit)));
    if (coming.length + going.length + left.length === 0) return undefined;
    const size = group.list.length + coming.length - going.length;
    if (size > MEMBERS_MAX) {
      this.#object(`${at}/members`, `the group "${group.key}" would have ${size} members, the most is ${MEMBERS_MAX}`);
      return undefined;
    }
    await turn();
    const { added, gone: removed, list, tags } = await hashedInTurns(group, coming, going, turn);
    const { now, by } = this.#current;
    const isEarly = group.kind === "early-access";
    const leaving = isEarly ? [...new Set([...going, ...left])] : [];
    this.#edits.push({
      kind: "members",
      environmentId: environment.info.id,
      group: { ...group, list },
      put: [
        ...coming.map((unit): Member => ({ unit, state: "member", at: now, by })),
        ...leaving.map((unit): Member => ({ unit, state: "left", at: now, by: gone.has(unit) ? BY_THEMSELVES : by })),
      ],
      drop: isEarly ? [] : going,
      added,
      removed,
      tags,
    });
    return { coming: coming.length, going: going.length };
  }

  async #planFlags(): Promise<void> {
    const { project } = this.#current;
    const [first] = project.environments;
    const named = new Map<string, string>();
    const keys = new Set(this.#document.flags.map(({ key }) => key));
    for (const [index, document] of this.#document.flags.entries()) {
      await this.#options.turn();
      const at = pointer("", "flags", index);
      const before = named.get(document.key);
      if (before !== undefined)
        this.#object(`${at}/key`, `the key "${document.key}" is in the file twice, also at ${before}; leave one out`);
      for (const [place, alias] of document.aliases.entries()) {
        const owner = first?.flags.get(alias) ?? (first && findFlag(first, alias));
        if (keys.has(alias)) this.#object(pointer(at, "aliases", place), `"${alias}" is the key of another flag of the file`);
        else if (named.has(alias)) this.#object(pointer(at, "aliases", place), `"${alias}" is in the file twice; leave one out`);
        else if (owner && owner.identity.key !== document.key) {
          this.#object(pointer(at, "aliases", place), `"${alias}" belongs to the flag "${owner.identity.key}" here; leave it out`);
        }
        named.set(alias, at);
      }
      named.set(document.key, at);
      if (before === undefined) this.#planFlag(document, at);
      if (this.#objections.length >= OBJECTIONS_MAX) return;
    }
    const count = new Set([...(first?.flags.keys() ?? []), ...keys]).size;
    if (count > FLAGS_MAX) this.#object("/flags", `the project would have ${count} flags, the most is ${FLAGS_MAX}`);
    for (const { environment, document, at } of this.#targets) {
      const groups = new Set([...environment.groups.keys(), ...document.groups.map(({ key }) => key)]).size;
      if (groups > GROUPS_MAX) this.#object(`${at}/groups`, `${document.key} would have ${groups} groups, the most is ${GROUPS_MAX}`);
    }
  }

  #planFlag(document: FlagDocument, at: string): void {
    const { project, now, by } = this.#current;
    const { key, type, name, description, tags, owner, kind, links, expectedDays } = document;
    const old = project.environments[0] && findFlag(project.environments[0], key);
    if (old && old.identity.key !== key) {
      this.#object(
        `${at}/key`,
        `"${key}" is the old key of the flag "${old.identity.key}" here; rename that one back first, or leave it out`,
      );
      return;
    }
    if (old && old.identity.type !== type) {
      const message = `the flag "${key}" is of type "${type}" in the file and "${old.identity.type}" here, and a type is fixed; give it another key`;
      this.#object(`${at}/type`, message);
      return;
    }
    const stone = old ? undefined : usedBefore({ reuse: this.#options.reuse }, this.#options.tombstones.get(key));
    if (stone?.kind === "invalid") this.#object(`${at}/key`, stone.detail.replace('send "reuse": true', "import with reuse=true"));
    const aliases = [...new Set([...(old?.identity.aliases ?? []), ...document.aliases])];
    if (aliases.length > ALIASES_MAX)
      this.#object(`${at}/aliases`, `"${key}" would have ${aliases.length} old keys, the most is ${ALIASES_MAX}`);
    const told = { key, name, description, tags, owner, kind, links, expectedDays, aliases };
    const identity: FlagIdentity = old
      ? { ...old.identity, ...told, version: old.identity.version + 1 }
      : { id: this.#nextFlag++, type, ...told, version: 1, createdAt: now, createdBy: by };
    const before = old && { ...old.identity, aliases: [...old.identity.aliases].sort() };
    const differences = before ? identityDifferences(before, identity) : [];
    const hasNewAlias = old !== undefined && aliases.length > old.identity.aliases.length;
    const changed = !old || differences.length > 0 || hasNewAlias;
    if (changed) {
      this.#needs.project = true;
      this.#edits.push({ kind: "identity", ...(old && { key }), identity });
      this.#change({ what: old ? "changed" : "created", kind: "flag", key, environment: null, differences });
      this.#tell(null, `flag:${key}`, differences, old ? undefined : { name, type });
    }
    this.#pointers.set(`flag:${key}`, at);
    this.#planConfigurations(document, changed || !old ? identity : old.identity, at);
  }

  #planConfigurations({ key, type, configurations }: FlagDocument, identity: FlagIdentity, at: string): void {
    const { project, now, by } = this.#current;
    for (const name of Object.keys(configurations)) {
      if (this.#document.environments.some((each) => each.key === name)) continue;
      this.#object(
        pointer(at, "configurations", name),
        `the file has no environment "${name}"; name it under "environments", or leave it out`,
      );
    }
    const some = Object.values(configurations)[0];
    for (const environment of project.environments) {
      const old = environment.flags.get(key);
      const named = this.#targets.find((target) => target.environment === environment);
      const given = named && Object.hasOwn(configurations, environment.info.key) ? configurations[environment.info.key] : undefined;
      const place = pointer(at, "configurations", environment.info.key);
      const body = given ? this.#converted(place, () => storedOf(given, this.#options.newRuleId)) : (old?.body ?? offBody(key, type, some));
      if (!body) continue;
      for (const { path, message } of given ? valueIssues(type, body) : []) this.#object(pointer(place, ...path.split(".")), message);
      if (old && sameJson(old.body, body)) {
        if (given?.killed && !old.killed) this.#noteKill(place, key, environment);
        continue;
      }
      const reason = given?.killed?.reason ?? null;
      const killed = old ? old.killed : given?.killed ? { at: now, by, reason, version: 1 } : null;
      const flag: FlagRecord = { identity, body, killed, version: (old?.version ?? 0) + 1, updatedAt: now, updatedBy: by };
      this.#edits.push({ kind: "flag", environmentId: environment.info.id, flag });
      if (!old) {
        // Making a flag needs no right in an environment where it is off for everybody.
        if (given && body.mode !== "off") this.#needs.edit.add(environment.info.key);
        continue;
      }
      if (given?.killed && !old.killed) this.#noteKill(place, key, environment);
      this.#needs.edit.add(environment.info.key);
      const differences = configurationDifferences(type, old.body, body, this.#names(environment));
      this.#change({ what: "changed", kind: "flag", key, environment: environment.info.key, differences });
      const fields = Object.keys(body).filter((field) => !sameJson(Reflect.get(old.body, field), Reflect.get(body, field)));
      this.#before[`${environment.info.key}/flag:${key}`] = pick(old.body, fields);
      this.#after[`${environment.info.key}/flag:${key}`] = pick(body, fields);
    }
  }

  #noteKill(place: string, key: string, { info }: EnvironmentModel): void {
    this.#notes.push({ pointer: `${place}/killed`, message: `"${key}" is killed in the file and not in ${info.key}; that stays as it is` });
  }

  async #archiveOthers(): Promise<void> {
    const { now, by } = this.#current;
    const named = new Set(this.#document.flags.map(({ key }) => key));
    for (const { environment, document } of this.#targets) {
      for (const [key, flag] of environment.flags) {
        await this.#options.turn();
        if (named.has(key) || flag.body.archived) continue;
        this.#needs.edit.add(document.key);
        const body = { ...flag.body, archived: true };
        this.#edits.push({
          kind: "flag",
          environmentId: environment.info.id,
          flag: { ...flag, body, version: flag.version + 1, updatedAt: now, updatedBy: by },
        });
        this.#change({ what: "archived", kind: "flag", key, environment: document.key, differences: [] });
        this.#before[`${document.key}/flag:${key}`] = { archived: false };
        this.#after[`${document.key}/flag:${key}`] = { archived: true };
      }
    }
  }

  async #decide(): Promise<Outcome> {
    if (this.#edits.length === 0) return { kind: "unchanged" };
    const order = ["settings", "group", "identity", "flag", "members", "group-gone"];
    const edits = this.#edits.map((edit) => this.#withCurrentKeys(edit)).sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
    const { project } = this.#current;
    const applied = await applyEditsInTurns(project, edits, this.#options.turn);
    for (const [index, after] of applied.project.environments.entries()) {
      const before = project.environments[index];
      if (before && after !== before) await this.#check(before, after, edits);
    }
    if (this.#objections.length > 0) return { kind: "unchanged" };
    const { before, after } = this.#audited();
    return { kind: "changed", action: "project.import", target: project.key, edits, applied, before, after };
  }

  /** Of many changes the audit tells what they were on: the rest lies in the records of the change, and one row must not take a second to hash. */
  #audited(): { before: Json; after: Json } {
    const names = [...new Set([...Object.keys(this.#after), ...Object.keys(this.#before)])];
    if (names.length <= AUDITED_MAX) return { before: Object.keys(this.#before).length > 0 ? this.#before : null, after: this.#after };
    return { before: null, after: { mode: this.#options.mode, changed: names } };
  }

  /** The same rules as for edits one by one: what is imported must be right, what it reaches must not get worse. */
  async #check(before: EnvironmentModel, after: EnvironmentModel, edits: readonly Edit[]): Promise<void> {
    const { turn } = this.#options;
    const { info } = after;
    const marked = markedFlags(after);
    let markedBefore: ReturnType<typeof markedFlags> | undefined;
    const edited = new Set(
      edits.flatMap((edit) => (edit.kind === "flag" && edit.environmentId === info.id ? [edit.flag.identity.key] : [])),
    );
    for (const edit of edits) {
      await turn();
      if (!("environmentId" in edit) || edit.environmentId !== info.id) continue;
      if (edit.kind === "group") {
        const at = this.#pointers.get(`${info.key}/group:${edit.group.key}`) ?? "";
        for (const { path, message } of formIssues(edit.group, after)) this.#object(pointer(at, ...path.split(".")), message);
      } else if (edit.kind === "group-gone") {
        const uses = usesOf({ ...after, groups: new Map([...after.groups, [edit.group.key, edit.group]]) }, edit.group.key);
        if (uses.length > 0)
          this.#object("", `the group "${edit.group.key}" of ${info.key} is not in the file and would go, but ${uses[0]} uses it`);
      }
    }
    for (const key of after.flags.keys()) {
      await turn();
      const issues = issuesOf(after, key, marked);
      if (issues.length === 0) continue;
      const at = this.#pointers.get(`flag:${key}`);
      if (at !== undefined && edited.has(key)) {
        for (const { path, message } of issues) {
          const place = path === "" ? [] : path.split(".");
          this.#object(pointer(at, "configurations", info.key, ...place), message);
        }
        continue;
      }
      markedBefore ??= markedFlags(before);
      const had = new Set(issuesOf(before, key, markedBefore).map(({ message }) => message));
      for (const { message } of issues) if (!had.has(message)) this.#object(at ?? "", `flag "${key}" in ${info.key}: ${message}`);
    }
    this.#checkAdoptions(before, after);
  }

  /** A flag that the file makes must not become the parent of one that it does not name, which could turn that off. */
  #checkAdoptions(before: EnvironmentModel, after: EnvironmentModel): void {
    for (const [key, { body }] of before.flags) {
      if (this.#pointers.has(`flag:${key}`) || (body.detached && body.mode !== "inherit")) continue;
      if (body.mode !== "on" && body.mode !== "targeted") continue;
      const parent = body.parent ?? colonParent(key);
      if (parent === undefined || parent === null || findFlag(before, parent) || !findFlag(after, parent)) continue;
      const at = this.#pointers.get(`flag:${parent}`) ?? "";
      this.#object(
        `${at}/key`,
        `"${parent}" would become the parent of "${key}" and could turn it off in ${after.info.key}; opt "${key}" out of its parent first`,
      );
    }
  }

  /** Requirements and parents under the keys that the flags have afterwards. */
  #withCurrentKeys(edit: Edit): Edit {
    if (edit.kind !== "flag") return edit;
    const { body } = edit.flag;
    const now = (key: string) => this.#owners().get(key) ?? key;
    const requires = body.requires.map((requirement) => ({ ...requirement, flag: now(requirement.flag) }));
    const parent = body.parent === null ? null : now(body.parent);
    return { ...edit, flag: { ...edit.flag, body: { ...body, requires, parent } } };
  }

  #ownersKnown: ReadonlyMap<string, string> | undefined;
  #owners(): ReadonlyMap<string, string> {
    if (this.#ownersKnown) return this.#ownersKnown;
    const owners = new Map<string, string>();
    for (const { identity } of this.#current.project.environments[0]?.flags.values() ?? []) {
      for (const alias of identity.aliases) owners.set(alias, identity.key);
    }
    for (const { key, aliases } of this.#document.flags) for (const alias of aliases) owners.set(alias, key);
    this.#ownersKnown = owners;
    return owners;
  }

  #names({ info, groups }: EnvironmentModel) {
    const target = this.#targets.find(({ environment }) => environment.info.id === info.id);
    const named = new Map(target?.document.groups.map(({ key, name }) => [key, name]));
    return { group: (key: string) => named.get(key) ?? groups.get(key)?.name ?? key };
  }

  #change(change: PlannedChange): void {
    this.#changes.push(change);
  }

  /** For the audit: of what is made its whole state lies in the record of the change. */
  #tell(environment: string | null, what: string, differences: readonly Difference[], made?: Json): void {
    const key = environment === null ? what : `${environment}/${what}`;
    if (made !== undefined) this.#after[key] = made;
    else {
      this.#before[key] = Object.fromEntries(differences.map(({ field, before }) => [field, before]));
      this.#after[key] = Object.fromEntries(differences.map(({ field, after }) => [field, after]));
    }
  }

  /** Undefined when it cannot be stored; what speaks against it is objected to. */
  #converted<T>(at: string, convert: () => T): T | undefined {
    try {
      return convert();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      for (const { path, message } of error.extra.issues ?? [{ path: "", message: error.message }]) {
        this.#object(pointer(at, ...(path === "" ? [] : path.split("."))), message);
      }
      return undefined;
    }
  }
}

function storedOf({ killed: _overlay, salt, ...configuration }: ConfigurationDocument, newRuleId: () => string): StoredConfiguration {
  return { ...(toStored(configuration satisfies ConfigurationPatch, newRuleId) as Omit<StoredConfiguration, "salt">), salt };
}

/** A flag in an environment that the file does not name. */
function offBody(key: string, type: FlagIdentity["type"], some: ConfigurationDocument | undefined): StoredConfiguration {
  return {
    mode: "off",
    off: some?.off ?? "off",
    on: some?.on ?? "on",
    values: (some?.values as StoredConfiguration["values"] | undefined) ?? (type === "boolean" ? BOOLEAN_VALUES : {}),
    rules: [],
    requires: [],
    parent: null,
    detached: false,
    browser: false,
    archived: false,
    salt: some?.salt ?? key,
  };
}

function hasLeft(member: Member | undefined): boolean {
  return member?.state === "left" && (member.by === BY_THEMSELVES || member.by === BY_A_PAGE);
}

function formOf({ kind, name, description, when }: GroupRecord): { [field: string]: Json } {
  return { kind, name, description, when: when as unknown as Json };
}

const SETTINGS_WORDS = { secureMode: "Secure mode", privateAttributes: "Private attributes", sampleContexts: "Sampled contexts" } as const;

function settingsDifferences(before: EnvironmentSettings, after: EnvironmentSettings): Difference[] {
  const words = (value: boolean | readonly string[]) => (typeof value === "boolean" ? (value ? "yes" : "no") : value.join(", ") || null);
  return (Object.keys(SETTINGS_WORDS) as (keyof typeof SETTINGS_WORDS)[]).flatMap((field) => {
    if (sameJson(before[field], after[field])) return [];
    const [was, is] = [before[field], after[field]];
    return [{ field, what: SETTINGS_WORDS[field], from: words(was), to: words(is), before: plain(was), after: plain(is) }];
  });
}

function plain(value: boolean | readonly string[]): Json {
  return typeof value === "boolean" ? value : [...value];
}
