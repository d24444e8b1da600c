import type { Json } from "@signalbox/core";
import { isEdited } from "../flags/kills.ts";
import { applyEdits, type Edit, type EnvironmentRow } from "../store/edit.ts";
import { FIRST_SETTINGS } from "../store/fold.ts";
import { type EnvironmentModel, type FlagRecord, findEnvironment, type GroupRecord, type ProjectModel } from "../store/model.ts";
import { type Current, guard, type Outcome, refused } from "../store/outcome.ts";

/** What may become of environments: pure functions of the committed state and the request. A key is for good: programs hold it in theirs. */

export const ENVIRONMENTS_MAX = 50;

export interface NewEnvironment {
  readonly key: string;
  readonly name?: string | undefined;
  readonly production?: boolean | undefined;
  readonly color?: string | undefined;
  /** The key of the environment whose flags, groups and settings it begins with; without it every flag is off. */
  readonly copyOf?: string | undefined;
}

export interface EnvironmentPatch {
  readonly name?: string | undefined;
  readonly production?: boolean | undefined;
  readonly color?: string | undefined;
}

export function environmentEtag({ info, version }: EnvironmentModel): string {
  return `"e${info.id}-${version}"`;
}

/** With all flags of the project: off, or as in the environment that it is a copy of, kills included. */
export function createEnvironment(current: Current, input: NewEnvironment): Outcome {
  const { project } = current;
  if (findEnvironment(project, input.key)) {
    const detail = `The project "${project.key}" has an environment "${input.key}" already; choose another key.`;
    return { kind: "invalid", code: "ENVIRONMENT_EXISTS", detail };
  }
  if (project.environments.length >= ENVIRONMENTS_MAX) {
    const message = `the project "${project.key}" has ${project.environments.length} environments, the most is ${ENVIRONMENTS_MAX}; delete one that is not used`;
    return refused("ENVIRONMENT_REFUSED", [{ path: "", message }]);
  }
  const source = input.copyOf === undefined ? undefined : findEnvironment(project, input.copyOf);
  if (input.copyOf !== undefined && !source) return missingEnvironment(project, input.copyOf);
  const environmentId = current.newIds.environment;
  const edits = newEnvironment(current, environmentId, rowOf(input, nextPosition(project)), source);
  const applied = applyEdits(project, edits);
  const after = { ...told(rowOf(input, 0)), ...(source && { copyOf: source.info.key }) };
  return { kind: "changed", action: "environment.create", target: input.key, edits, applied, before: null, after };
}

/** The edits that make an environment of a project, with every flag in it. */
export function newEnvironment(
  { project, now, by, newIds }: Current,
  environmentId: number,
  row: EnvironmentRow,
  source?: EnvironmentModel,
): Edit[] {
  const { signingVersion, signingRetired } = FIRST_SETTINGS;
  const settings = source ? { ...source.settings, signingVersion, signingRetired } : FIRST_SETTINGS;
  // At least the second of creation, so that it is newer than whatever had its key before, for every program.
  const made = { generation: Math.floor(now / 1_000), settings };
  const stamp = { updatedAt: now, updatedBy: by };
  const groups = [...(source?.groups.values() ?? [])].map((group, index): Edit => {
    const copy: GroupRecord = { ...group, id: newIds.group + index, version: 1, ...stamp };
    return { kind: "group", environmentId, group: copy, ...(group.kind !== "conditions" && { membersOf: group.id }) };
  });
  const first = project.environments[0]?.flags.values() ?? [];
  const flags = [...(source?.flags.values() ?? first)].map((flag): Edit => {
    return { kind: "flag", environmentId, flag: { ...(source ? copyOf(flag) : offOf(flag)), version: 1, ...stamp } };
  });
  return [{ kind: "environment", environmentId, row, made }, ...groups, ...flags];
}

/** A kill goes with it, and whether the configuration was edited after it. */
function copyOf(flag: FlagRecord): FlagRecord {
  return { ...flag, killed: flag.killed && { ...flag.killed, version: isEdited(flag) ? 0 : 1 } };
}

function offOf({ identity, body }: FlagRecord): FlagRecord {
  const { off, on, values, browser, salt } = body;
  const first = { mode: "off", off, on, values, browser, salt } as const;
  const none = { rules: [], requires: [], parent: null, detached: false, archived: false };
  return { identity, body: { ...first, ...none }, killed: null, version: 1, updatedAt: 0, updatedBy: "" };
}

/** Edits name, color and whether it is production. That something is production no more is a weaker guard, so it needs a reason. */
export function patchEnvironment(
  { project }: Current,
  key: string,
  patch: EnvironmentPatch,
  ifMatch: string | undefined,
  reason: string | undefined,
): Outcome {
  const environment = findEnvironment(project, key);
  if (!environment) return missingEnvironment(project, key);
  const stopped = guard(ifMatch, environmentEtag(environment), environment.info.production);
  if (stopped) return stopped;
  const { info, color, position, version } = environment;
  const row: EnvironmentRow = {
    key,
    name: patch.name ?? info.name,
    production: patch.production ?? info.production,
    color: patch.color ?? color,
    position,
    version: version + 1,
  };
  const before: EnvironmentRow = { key, name: info.name, production: info.production, color, position, version };
  const changed = (["name", "production", "color"] as const).filter((field) => row[field] !== before[field]);
  if (changed.length === 0) return { kind: "unchanged" };
  if (info.production && !row.production && !reason?.trim()) {
    const message = `"${key}" would be production no more, so its flags change without If-Match and by editors too; send "reason" with why`;
    return refused("ENVIRONMENT_REFUSED", [{ path: "reason", message }]);
  }
  const edits: Edit[] = [{ kind: "environment", environmentId: info.id, row }];
  const pick = (of: EnvironmentRow): Json => Object.fromEntries(changed.map((field) => [field, of[field]]));
  return {
    kind: "changed",
    action: "environment.edit",
    target: key,
    edits,
    applied: applyEdits(project, edits),
    before: pick(before),
    after: pick(row),
  };
}

/** Puts the environments into this order; every one is named, once. */
export function orderEnvironments({ project }: Current, keys: readonly string[]): Outcome {
  const has = [...project.environments].sort((a, b) => a.position - b.position);
  const names = has.map(({ info }) => info.key);
  if (keys.length !== names.length || new Set(keys).size !== keys.length || !keys.every((key) => names.includes(key))) {
    const message = `the order names ${keys.map((key) => `"${key}"`).join(", ")}, but the project has ${names.map((key) => `"${key}"`).join(", ")}: name each once`;
    return refused("ENVIRONMENT_REFUSED", [{ path: "environments", message }]);
  }
  if (keys.every((key, index) => names[index] === key)) return { kind: "unchanged" };
  const edits = has.flatMap(({ info, color, position, version }): Edit[] => {
    const place = keys.indexOf(info.key);
    if (place === position) return [];
    const { id, key, name, production } = info;
    return [{ kind: "environment", environmentId: id, row: { key, name, production, color, position: place, version: version + 1 } }];
  });
  return {
    kind: "changed",
    action: "environment.order",
    target: project.key,
    edits,
    applied: applyEdits(project, edits),
    before: { environments: names },
    after: { environments: [...keys] },
  };
}

/**
 * Deletes an environment: `confirm` is its key. Its SDK keys hold no more and its streams end; programs keep what they have, because it
 * is no change of any flag.
 */
export function deleteEnvironment(
  { project, now }: Current,
  key: string,
  confirm: string | undefined,
  ifMatch: string | undefined,
): Outcome {
  const environment = findEnvironment(project, key);
  if (!environment) return missingEnvironment(project, key);
  const stopped = guard(ifMatch, environmentEtag(environment), environment.info.production);
  if (stopped) return stopped;
  if (project.environments.length === 1) {
    const message = `"${key}" is the only environment of the project "${project.key}", which needs one; delete the project, or make another environment first`;
    return refused("ENVIRONMENT_REFUSED", [{ path: "", message }]);
  }
  if (confirm !== key) {
    const message = `to delete "${key}" with everything that is configured in it, send "confirm": "${key}"`;
    return refused("ENVIRONMENT_REFUSED", [{ path: "confirm", message }]);
  }
  const { info } = environment;
  const edits: Edit[] = [{ kind: "environment-gone", environmentId: info.id, key, at: now }];
  const before = { name: info.name, production: info.production, flags: environment.flags.size, groups: environment.groups.size };
  return { kind: "changed", action: "environment.delete", target: key, edits, applied: applyEdits(project, edits), before, after: null };
}

export function rowOf({ key, name, production = false, color }: NewEnvironment, position: number): EnvironmentRow {
  return { key, name: name ?? key, production, color: color ?? (production ? "red" : "green"), position, version: 1 };
}

function nextPosition({ environments }: ProjectModel): number {
  return Math.max(-1, ...environments.map(({ position }) => position)) + 1;
}

function told({ name, production, color }: EnvironmentRow): { [field: string]: Json } {
  return { name, production, color };
}

function missingEnvironment(project: ProjectModel, key: string): Outcome {
  return { kind: "missing", code: "ENVIRONMENT_NOT_FOUND", detail: `The project "${project.key}" has no environment "${key}".` };
}
