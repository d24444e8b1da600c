import { colonParent, type Json } from "@signalbox/core";
import type { Issue } from "../errors.ts";
import type { FlagKind, FlagLink, StoredConfiguration } from "../store/define.ts";
import { applyEdits, type Edit } from "../store/edit.ts";
import { sameJson } from "../store/fingerprint.ts";
import { type EnvironmentModel, type FlagIdentity, type FlagRecord, findEnvironment, findFlag, type ProjectModel } from "../store/model.ts";
import { type Current, guard, type Outcome, refused } from "../store/outcome.ts";
import type { Tombstone } from "../store/tombstones.ts";
import { defined, type StoredPatch } from "./convert.ts";
import { refusals } from "./refusals.ts";

/** What may become of flags: pure functions of the committed state and the request. The store writes what they say. */

export const FLAGS_MAX = 10_000;

/** Old keys of one flag: each is an entry that travels to every program. */
export const ALIASES_MAX = 50;

export interface NewFlag {
  readonly key: string;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly owner?: string | undefined;
  readonly links?: readonly FlagLink[] | undefined;
  readonly kind?: FlagKind | undefined;
  readonly expectedDays?: number | null | undefined;
  readonly type?: FlagIdentity["type"] | undefined;
  readonly values?: { readonly [variant: string]: Json } | undefined;
  readonly off?: string | undefined;
  readonly on?: string | undefined;
  readonly browser?: boolean | undefined;
  /** Also a key that a flag had which is deleted. */
  readonly reuse?: boolean | undefined;
}

export interface IdentityPatch {
  readonly key?: string | undefined;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly owner?: string | null | undefined;
  readonly links?: readonly FlagLink[] | undefined;
  readonly kind?: FlagKind | undefined;
  readonly expectedDays?: number | null | undefined;
  /** With `key`: also one that a flag had which is deleted. */
  readonly reuse?: boolean | undefined;
}

export function identityEtag({ id, version }: FlagIdentity): string {
  return `"i${id}-${version}"`;
}

export function configurationEtag(environment: EnvironmentModel, { identity, version }: FlagRecord): string {
  return `"c${identity.id}-${environment.info.id}-${version}"`;
}

/** A flag that is off in every environment. */
export function createFlag({ project, now, by, newIds }: Current, input: NewFlag, tombstone?: Tombstone): Outcome {
  const taken = whoHas(project, input.key) ?? usedBefore(input, tombstone);
  if (taken) return taken;
  const count = project.environments[0]?.flags.size ?? 0;
  if (count >= FLAGS_MAX) {
    const message = `the project has ${count} flags, the most is ${FLAGS_MAX}: archived flags count, so another project is needed`;
    return refused("FLAG_REFUSED", [{ path: "", message }]);
  }
  const type = input.type ?? "boolean";
  const identity: FlagIdentity = {
    id: newIds.flag,
    key: input.key,
    name: input.name ?? input.key,
    description: input.description ?? "",
    type,
    tags: input.tags ?? [],
    owner: input.owner ?? null,
    links: input.links ?? [],
    kind: input.kind ?? "release",
    expectedDays: input.expectedDays ?? null,
    version: 1,
    createdAt: now,
    createdBy: by,
    aliases: [],
  };
  const body: StoredConfiguration = {
    mode: "off",
    off: input.off ?? "off",
    on: input.on ?? "on",
    values: input.values ?? (type === "boolean" ? BOOLEAN_VALUES : {}),
    rules: [],
    requires: [],
    parent: null,
    detached: false,
    browser: input.browser ?? false,
    archived: false,
    salt: input.key,
  };
  const edits: Edit[] = [
    { kind: "identity", identity },
    ...project.environments.map(({ info }): Edit => {
      return { kind: "flag", environmentId: info.id, flag: { identity, body, killed: null, version: 1, updatedAt: now, updatedBy: by } };
    }),
  ];
  const applied = applyEdits(project, edits);
  const issues = [
    ...valueIssues(type, body),
    ...adoptions(project, undefined, input.key),
    ...everywhere(project, applied.project, (before, after) => refusals(before, after, [input.key], childrenOf(before, input.key))),
  ];
  if (issues.length > 0) return refused("FLAG_REFUSED", issues);
  const { name, kind, expectedDays } = identity;
  const after = { name, type, kind, expectedDays, browser: body.browser, ...(type !== "boolean" && { values: body.values }) };
  return { kind: "changed", action: "flag.create", target: input.key, edits, applied, before: null, after };
}

/** Changes what the project holds of a flag. A new key leaves the old one as an alias, and changes nothing that any flag serves. */
export function patchIdentity(
  current: Current,
  key: string,
  { reuse, ...patch }: IdentityPatch,
  ifMatch: string | undefined,
  tombstone?: Tombstone,
): Outcome {
  const { project } = current;
  const flag = anyRecord(project, key);
  if (!flag) return missingFlag(key, project.key);
  const { identity } = flag;
  const production = project.environments.some(({ info }) => info.production);
  const stopped = guard(ifMatch, identityEtag(identity), production);
  if (stopped) return stopped;

  const { id, version, aliases, createdAt, createdBy, type, ...editable } = identity;
  const wanted = { ...editable, ...defined(patch) };
  if (sameJson(editable, wanted)) return { kind: "unchanged" };
  const renamed = wanted.key !== identity.key;
  if (renamed) {
    const taken = identity.aliases.includes(wanted.key) ? undefined : (whoHas(project, wanted.key) ?? usedBefore({ reuse }, tombstone));
    if (taken) return taken;
  }
  const next: FlagIdentity = {
    ...identity,
    ...wanted,
    version: version + 1,
    aliases: renamed ? [...aliases.filter((alias) => alias !== wanted.key), identity.key] : aliases,
  };
  const edits: Edit[] = [{ kind: "identity", key: identity.key, identity: next }];
  if (renamed) edits.push(...project.environments.flatMap((environment) => afterRename(environment, flag.identity.key, next)));
  const applied = applyEdits(project, edits);
  if (renamed) {
    const issues = [...joins(project, identity.key, next.key), ...adoptions(project, identity.key, next.key)];
    if (next.aliases.length > ALIASES_MAX) {
      const message = `"${identity.key}" has ${aliases.length} old keys, which all go on answering, and ${ALIASES_MAX} is the most; go back to one of them, or make a new flag`;
      issues.push({ path: "key", message });
    }
    if (issues.length > 0) return refused("FLAG_REFUSED", issues);
  }
  const changed = Object.keys(wanted).filter((field) => !sameJson(Reflect.get(editable, field), Reflect.get(wanted, field)));
  return {
    kind: "changed",
    action: renamed ? "flag.rename" : "flag.edit",
    target: next.key,
    edits,
    applied,
    before: pick(editable, changed),
    after: pick(wanted, changed),
  };
}

/** Saves fields of the configuration; a field given replaces the old one whole. */
export function configure(
  current: Current,
  environmentKey: string,
  key: string,
  patch: StoredPatch,
  ifMatch: string | undefined,
  action = "flag.configure",
): Outcome {
  const { project, now, by } = current;
  const environment = findEnvironment(project, environmentKey);
  const flag = environment && findFlag(environment, key);
  if (!environment || !flag) return missingFlag(key, environmentKey);
  const stopped = guard(ifMatch, configurationEtag(environment, flag), environment.info.production);
  if (stopped) return stopped;

  const body = withCurrentKeys(environment, { ...flag.body, ...patch });
  if (sameJson(flag.body, body)) return { kind: "unchanged" };
  const next: FlagRecord = { ...flag, body, version: flag.version + 1, updatedAt: now, updatedBy: by };
  const edits: Edit[] = [{ kind: "flag", environmentId: environment.info.id, flag: next }];
  const applied = applyEdits(project, edits);
  const issues = [
    ...valueIssues(flag.identity.type, body),
    ...everywhere(project, applied.project, (before, after) => refusals(before, after, [flag.identity.key], [])),
  ];
  if (issues.length > 0) return refused("CONFIGURATION_REFUSED", issues);
  const changed = Object.keys(body).filter((field) => !sameJson(Reflect.get(flag.body, field), Reflect.get(body, field)));
  return {
    kind: "changed",
    action,
    target: flag.identity.key,
    edits,
    applied,
    before: pick(flag.body, changed),
    after: pick(body, changed),
  };
}

export const BOOLEAN_VALUES = { on: true, off: false } as const;

/** A boolean flag's values are not stored in its entries, so core does not see them; everything else about variants it checks. */
export function valueIssues(type: FlagIdentity["type"], { values }: StoredConfiguration): Issue[] {
  if (type !== "boolean" || sameJson(values, BOOLEAN_VALUES)) return [];
  const message = "a boolean flag has the variants on = true and off = false and no others; make a flag of another type for other values";
  return [{ path: "values", message }];
}

/** Requirements and the parent under the keys that the flags have now, so that no alias has to be followed later. */
function withCurrentKeys(environment: EnvironmentModel, body: StoredConfiguration): StoredConfiguration {
  const now = (key: string) => findFlag(environment, key)?.identity.key ?? key;
  return {
    ...body,
    requires: body.requires.map((requirement) => ({ ...requirement, flag: now(requirement.flag) })),
    parent: body.parent === null ? null : now(body.parent),
  };
}

/** What a rename asks of the configurations of an environment so that none serves anything else: the same parents, by name. */
function afterRename(environment: EnvironmentModel, was: string, identity: FlagIdentity): Edit[] {
  const edits: Edit[] = [];
  for (const [key, flag] of environment.flags) {
    const { body } = flag;
    const moved = (parent: string | null) => (parent === was ? identity.key : parent);
    const parent = moved(body.parent ?? existingColonParent(environment, key));
    const colon = key === was ? colonParent(identity.key) : colonParent(key);
    const byColon =
      colon === identity.key ? colon : moved(colon === undefined ? null : (findFlag(environment, colon)?.identity.key ?? null));
    const requires = body.requires.map((requirement) => (requirement.flag === was ? { ...requirement, flag: identity.key } : requirement));
    const next = { ...body, parent: body.parent === null && byColon === parent ? null : parent, requires };
    if (sameJson(body, next)) continue;
    const renamed = key === was ? { ...flag, identity } : flag;
    edits.push({ kind: "flag", environmentId: environment.info.id, flag: { ...renamed, body: next } });
  }
  return edits;
}

/** A new key with a colon would put the flag under a parent that it did not have; under itself, if that is its own old key. */
function joins(project: ProjectModel, was: string, key: string): Issue[] {
  const environment = project.environments.find((each) => {
    const flag = each.flags.get(was);
    const parent = existingColonParent(each, key);
    return flag && followsColon(flag) && parent !== null && existingColonParent(each, was) === null;
  });
  if (!environment) return [];
  const message = `the key "${key}" would put the flag under "${colonParent(key)}", which could turn it off in ${environment.info.key}; opt it out of its parent first, or choose another key`;
  return [{ path: "key", message }];
}

/** A flag that comes to have the key `key` becomes the parent of those that name it, by name or colon key, and would turn off what is on. */
export function adoptions(project: ProjectModel, was: string | undefined, key: string): Issue[] {
  const issues: Issue[] = [];
  for (const environment of project.environments) {
    // Who names a parent that is not there waits for just this new flag; a rename must not happen to be it, not even for itself.
    const named = was === undefined ? [] : namesakes(environment, key);
    const byColon = childrenOf(environment, key).filter((child) => {
      const mode = environment.flags.get(child)?.body.mode;
      // A new flag is off, so only those that may be on notice it.
      // One that follows it by an old key, which it gets back, has it as its parent already.
      const isNew = was === undefined || existingColonParent(environment, child) !== was;
      return child !== was && isNew && (was !== undefined || mode === "on" || mode === "targeted");
    });
    for (const child of new Set([...named, ...byColon])) {
      const message = `"${key}" would become the parent of "${child}" and could turn it off in ${environment.info.key}; opt "${child}" out of its parent first, or choose another key`;
      issues.push({ path: "key", message });
    }
  }
  return issues;
}

/** The flags whose parent has this name; only a name that no flag has is asked for. */
function namesakes(environment: EnvironmentModel, key: string): string[] {
  return [...environment.flags.values()]
    .filter(({ body }) => body.parent === key && (!body.detached || body.mode === "inherit"))
    .map(({ identity }) => identity.key);
}

/** The flags that would follow a flag `key` by their colon key alone. */
function childrenOf(environment: EnvironmentModel, key: string): string[] {
  return [...environment.flags.values()]
    .filter((flag) => colonParent(flag.identity.key) === key && followsColon(flag))
    .map(({ identity }) => identity.key);
}

/** One that has opted out still looks at its parent when it inherits. */
function followsColon({ body }: FlagRecord): boolean {
  return body.parent === null && (!body.detached || body.mode === "inherit");
}

function existingColonParent(environment: EnvironmentModel, key: string): string | null {
  const parent = colonParent(key);
  return parent === undefined ? null : (findFlag(environment, parent)?.identity.key ?? null);
}

/** Issues of each environment; those of others than the first say where, if there are several. */
export function everywhere(
  before: ProjectModel,
  after: ProjectModel,
  issuesOf: (before: EnvironmentModel, after: EnvironmentModel) => readonly Issue[],
): Issue[] {
  const issues = new Map<string, Issue>();
  for (const [index, environment] of after.environments.entries()) {
    const was = before.environments[index];
    if (!was || was === environment) continue;
    for (const issue of issuesOf(was, environment)) issues.set(`${issue.path}\n${issue.message}`, issue);
  }
  return [...issues.values()];
}

function whoHas(project: ProjectModel, key: string): Outcome | undefined {
  for (const environment of project.environments) {
    const flag = findFlag(environment, key);
    if (!flag) continue;
    const detail =
      flag.identity.key === key
        ? `There is a flag with the key "${key}" already${flag.body.archived ? ", archived" : ""}; choose another key.`
        : `"${key}" is the old key of the flag "${flag.identity.key}" and goes on answering as it; choose another key.`;
    return { kind: "invalid", code: "FLAG_EXISTS", detail };
  }
  return undefined;
}

/** The warning about a key that was another flag's, until somebody says that it is meant. */
export function usedBefore({ reuse = false }: Pick<NewFlag, "reuse">, tombstone: Tombstone | undefined): Outcome | undefined {
  if (!tombstone || reuse) return undefined;
  const { key, deletedAt, deletedBy } = tombstone;
  const day = new Date(deletedAt).toISOString().slice(0, 10);
  const detail = `A flag with the key "${key}" was deleted on ${day} by ${deletedBy}. Programs that still ask for it would get this one, and its percentages would pick the same people; choose another key, or send "reuse": true.`;
  return { kind: "invalid", code: "FLAG_KEY_USED", detail };
}

export function anyRecord(project: ProjectModel, key: string): FlagRecord | undefined {
  const [first] = project.environments;
  return first && findFlag(first, key);
}

export function missingFlag(key: string, where: string): Outcome {
  return {
    kind: "missing",
    code: "FLAG_NOT_FOUND",
    detail: `There is no flag with the key "${key}" in ${where}; the list of flags has the keys.`,
  };
}

export function pick(value: object, fields: readonly string[]): { [field: string]: Json } {
  return Object.fromEntries(Object.entries(value).filter(([field]) => fields.includes(field)));
}
