import type { Json } from "@signalbox/core";
import type { Issue, ProblemCode } from "../errors.ts";
import { missingFlag, pick } from "../flags/decide.ts";
import { refusals } from "../flags/refusals.ts";
import type { StoredConfiguration } from "../store/define.ts";
import { applyEdits, type Edit } from "../store/edit.ts";
import { sameJson } from "../store/fingerprint.ts";
import { type EnvironmentModel, type FlagRecord, findEnvironment, findFlag, type GroupRecord } from "../store/model.ts";
import { type Current, guard, type Outcome, type Refusal, refused } from "../store/outcome.ts";
import { flagsUsing } from "../store/project.ts";
import { compareGroup, flagEtag, groupsNamed } from "./compare.ts";

/** Copying configurations and conditions of groups from one environment to another of the same project: a pure decision. */

/** Fields that are copied when nothing is said. The salt stays: another one would pick other people for every percentage. */
export const FIELDS = ["mode", "off", "on", "values", "rules", "requires", "parent", "detached", "browser", "archived"] as const;
export type Field = (typeof FIELDS)[number] | "salt";

export interface Chosen {
  readonly key: string;
  /** The ETag of the comparison. */
  readonly ifMatch?: string | undefined;
}

export interface Promotion {
  readonly from: string;
  readonly to: string;
  readonly flags: readonly Chosen[];
  /** Groups by conditions that are made, or changed to be the same. */
  readonly groups: readonly Chosen[];
  readonly fields: readonly Field[];
  /** For groups that are made, one for each: 32 hexadecimal digits, random. */
  readonly hashKeys: readonly string[];
}

/** As one revision. Kills stay as they are: a killed flag stays killed, with its new configuration under the kill. */
export function promote(current: Current, { from: source, to: target, flags, groups, fields, hashKeys }: Promotion): Outcome {
  const { project, now, by } = current;
  const [from, to] = [findEnvironment(project, source), findEnvironment(project, target)];
  if (!from || !to) {
    return { kind: "missing", code: "ENVIRONMENT_NOT_FOUND", detail: `The project has no environment "${from ? target : source}".` };
  }
  const stamp = { updatedAt: now, updatedBy: by };
  const edits: Edit[] = [];
  const each: Told[] = [];
  const stale: Outcome[] = [];
  for (const [index, { key, ifMatch }] of groups.entries()) {
    const group = from.groups.get(key);
    const old = to.groups.get(key);
    const compared = compareGroup(from, to, key);
    const refusal = groupRefusal(key, from, to);
    if (refusal) return refusal;
    if (!group || !compared) continue;
    const stopped = compareEtag(ifMatch, compared.etag, to);
    if (stopped) stale.push(stopped);
    const made = { id: current.newIds.group + index, hashKey: hashKeys[index] ?? "", version: 0, list: [] };
    const { name, description, when, kind, by: attribute } = group;
    const next: GroupRecord = {
      ...(old ?? made),
      key,
      kind,
      name,
      description,
      when,
      by: attribute,
      ...stamp,
      version: (old?.version ?? 0) + 1,
    };
    edits.push({ kind: "group", environmentId: to.info.id, group: next });
    each.push({ target: key, before: old ? formOf(old) : null, after: formOf(next) });
  }
  const keys: string[] = [];
  for (const { key, ifMatch } of flags) {
    const [flag, other] = [findFlag(from, key), findFlag(to, key)];
    if (!flag || !other) return missingFlag(key, flag ? target : source);
    const body = withFields(other.body, flag.body, fields);
    if (sameJson(body, other.body) || keys.includes(flag.identity.key)) continue;
    const stopped = compareEtag(ifMatch, flagEtag(from, to, flag, other), to);
    if (stopped) stale.push(stopped);
    const missing = missingGroups(flag, body, from, to, edits);
    if (missing) return missing;
    const next: FlagRecord = { ...other, body, version: other.version + 1, ...stamp };
    edits.push({ kind: "flag", environmentId: to.info.id, flag: next });
    keys.push(flag.identity.key);
    const changed = Object.keys(body).filter((field) => !sameJson(Reflect.get(other.body, field), Reflect.get(body, field)));
    each.push({ target: flag.identity.key, before: pick(other.body, changed), after: pick(body, changed) });
  }
  const [first] = stale;
  if (first) return first;
  if (edits.length === 0) return { kind: "unchanged" };
  const applied = applyEdits(project, edits);
  const after = findEnvironment(applied.project, target) ?? to;
  const reached = groups.flatMap(({ key }) => flagsUsing(key, after).map(({ identity }) => identity.key));
  const issues: Issue[] = refusals(to, after, keys, reached);
  if (issues.length > 0) return refused("CONFIGURATION_REFUSED", issues);
  const told = each.map((one): Told => ({ ...one, after: { from: source, ...(one.after as object) } as Json }));
  const [only] = told;
  return {
    kind: "changed",
    action: "flag.promote",
    target: listed(told.map((one) => one.target)),
    edits,
    applied,
    before: only?.before ?? null,
    after: only?.after ?? null,
    ...(told.length > 1 && { each: told }),
  };
}

interface Told {
  readonly target: string;
  readonly before: Json;
  readonly after: Json;
}

function withFields(to: StoredConfiguration, from: StoredConfiguration, fields: readonly Field[]): StoredConfiguration {
  return { ...to, ...Object.fromEntries(fields.map((field) => [field, from[field]])) };
}

/** In production somebody must have looked at what they copy and at what they write over. */
function compareEtag(ifMatch: string | undefined, etag: string, { info }: EnvironmentModel): Outcome | undefined {
  const stopped = guard(ifMatch, etag, info.production);
  if (stopped?.kind !== "invalid") return stopped;
  const detail = `This changes production, so each flag and group needs "ifMatch" with the etag that GET compare tells; as it is now: ${etag}.`;
  return { ...stopped, detail };
}

function groupRefusal(
  key: string,
  from: EnvironmentModel,
  to: EnvironmentModel,
): Refusal | Extract<Outcome, { kind: "missing" }> | undefined {
  const [group, other] = [from.groups.get(key), to.groups.get(key)];
  if (!group) {
    const detail = `There is no group with the key "${key}" in ${from.info.key}; the list of groups has the keys.`;
    return { kind: "missing", code: "GROUP_NOT_FOUND", detail };
  }
  const path = `groups.${key}`;
  if (group.kind !== "conditions") {
    const message = `the group "${key}" has ${group.kind === "list" ? "a list of units" : "members who signed up"}, which belong to ${from.info.key}; make it in ${to.info.key} with its own members`;
    return no("GROUP_REFUSED", path, message);
  }
  if (other && other.kind !== "conditions") {
    const message = `the group "${key}" of ${to.info.key} has members and no conditions, so the conditions of ${from.info.key} cannot be copied to it`;
    return no("GROUP_REFUSED", path, message);
  }
  return undefined;
}

/** A rule that names a group which is not there would be unknown for everybody: it is asked for, or made first. */
function missingGroups(
  flag: FlagRecord,
  body: StoredConfiguration,
  from: EnvironmentModel,
  to: EnvironmentModel,
  edits: readonly Edit[],
): Refusal | undefined {
  const coming = new Set(edits.flatMap((edit) => (edit.kind === "group" ? [edit.group.key] : [])));
  const missing = [...groupsNamed({ ...flag, body }, from)].filter((key) => !to.groups.has(key) && !coming.has(key));
  const [first] = missing;
  if (first === undefined) return undefined;
  const there = from.groups.get(first);
  const next =
    there?.kind === "conditions"
      ? `name it under "groups" to copy its conditions too, or make it in ${to.info.key} first`
      : `make it in ${to.info.key} first, with its own members`;
  const message = `flag "${flag.identity.key}" uses the group "${first}", which ${to.info.key} does not have; ${next}`;
  return no("CONFIGURATION_REFUSED", `flags.${flag.identity.key}.rules`, message);
}

function no(code: ProblemCode, path: string, message: string): Refusal {
  return refused(code, [{ path, message }]);
}

function formOf({ kind, name, description, when }: GroupRecord): Json {
  return { kind, name, description, when: when as unknown as Json };
}

const NAMED_MAX = 5;

function listed(keys: readonly string[]): string {
  const more = keys.length - NAMED_MAX;
  return more > 0 ? `${keys.slice(0, NAMED_MAX).join(", ")} and ${more} more` : keys.join(", ");
}
