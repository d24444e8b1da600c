import type { Json } from "@signalbox/core";
import type { StoredKill } from "../store/define.ts";
import { applyEdits, type Edit } from "../store/edit.ts";
import { type EnvironmentModel, type FlagIdentity, type FlagRecord, findEnvironment, findFlag } from "../store/model.ts";
import type { Current, Outcome } from "../store/outcome.ts";
import { missingFlag } from "./decide.ts";

/**
 * Kill and restore: an overlay over the configuration, which they never touch, and its version neither, so that no open form is voided.
 * Pure functions of the committed state and the request. A kill takes no If-Match and is never refused for size or number.
 */

/** Which flags: by key, or all that have a tag. */
export type Chosen = { readonly keys: readonly string[] } | { readonly tag: string };

/** What a kill holds besides the version of the configuration, which is noted by itself. */
export type NewKill = Omit<StoredKill, "version">;

/** The flags of an environment that are meant, each once, and the keys that no flag has. */
export function chosenIn(environment: EnvironmentModel, chosen: Chosen): { flags: readonly FlagRecord[]; missing: readonly string[] } {
  if ("tag" in chosen) {
    return { flags: [...environment.flags.values()].filter(({ identity }) => identity.tags.includes(chosen.tag)), missing: [] };
  }
  const found = chosen.keys.map((key) => ({ key, flag: findFlag(environment, key) }));
  const flags = new Set(found.flatMap(({ flag }) => flag ?? []));
  return { flags: [...flags], missing: found.filter(({ flag }) => !flag).map(({ key }) => key) };
}

/**
 * Kills as one revision. A key that no flag has stops nothing, unless none has: whoever types in an incident gets what can be had.
 * `allowed`: whether the caller may kill this one.
 */
export function kill(
  current: Current,
  environmentKey: string,
  chosen: Chosen,
  killed: NewKill,
  allowed: (flag: FlagIdentity) => boolean = () => true,
): Outcome {
  const environment = findEnvironment(current.project, environmentKey);
  const { flags } = environment ? chosenIn(environment, chosen) : { flags: [] };
  if (!environment || flags.length === 0) return noneOf(chosen, environmentKey);
  const refused = flags.filter(({ identity }) => !allowed(identity));
  if (refused.length > 0) {
    const detail = `You may not kill ${named(refused)} in ${environmentKey}; name only those that you may, or use another token.`;
    return { kind: "invalid", code: "FORBIDDEN", detail };
  }
  return overlay(current, environment, flags, killed);
}

/** Why flags may not be restored by whoever asks; undefined when they may. */
export type RestoreGuard = (edited: readonly FlagRecord[]) => Promise<string | undefined>;

/**
 * Restores as one revision. One whose configuration was edited after the kill would come back as something else than what was killed:
 * `guard` is asked for those.
 */
export async function restore(current: Current, environmentKey: string, chosen: Chosen, guard: RestoreGuard): Promise<Outcome> {
  const environment = findEnvironment(current.project, environmentKey);
  const { flags, missing } = environment ? chosenIn(environment, chosen) : { flags: [], missing: [] };
  const [unknown] = missing;
  if (!environment || flags.length === 0 || unknown !== undefined) {
    return unknown === undefined ? noneOf(chosen, environmentKey) : missingFlag(unknown, environmentKey);
  }
  const edited = flags.filter(isEdited);
  const refusal = edited.length > 0 ? await guard(edited) : undefined;
  if (refusal !== undefined) return { kind: "invalid", code: "FORBIDDEN", detail: refusal };
  return overlay(current, environment, flags, null);
}

/** One flag, whoever asks. */
export function setKilled(current: Current, environmentKey: string, key: string, killed: NewKill | null): Outcome {
  const environment = findEnvironment(current.project, environmentKey);
  const flag = environment && findFlag(environment, key);
  if (!environment || !flag) return missingFlag(key, environmentKey);
  return overlay(current, environment, [flag], killed);
}

/** Whether its configuration was edited after it was killed. */
export function isEdited({ killed, version, updatedAt }: FlagRecord): boolean {
  if (!killed) return false;
  // Kills of older versions of Signalbox did not note what they were laid over.
  return killed.version === undefined ? updatedAt > killed.at : version !== killed.version;
}

function overlay({ project }: Current, environment: EnvironmentModel, flags: readonly FlagRecord[], killed: NewKill | null): Outcome {
  const changing = flags.filter((flag) => (flag.killed === null) !== (killed === null));
  if (changing.length === 0) return { kind: "unchanged" };
  const after = changing.map((flag): FlagRecord => ({ ...flag, killed: killed && { ...killed, version: flag.version } }));
  const edits = after.map((flag): Edit => ({ kind: "flag", environmentId: environment.info.id, flag }));
  const each = changing.map((flag, index) => {
    return { target: flag.identity.key, before: told(flag.killed), after: told(after[index]?.killed ?? null) };
  });
  const [first] = each;
  return {
    kind: "changed",
    action: killed ? "flag.kill" : "flag.restore",
    target: each.length === 1 ? (first?.target ?? "") : listed(changing),
    edits,
    applied: applyEdits(project, edits),
    before: first?.before ?? null,
    after: first?.after ?? null,
    ...(each.length > 1 && { each }),
  };
}

function told(killed: StoredKill | null): Json {
  return { killed: killed && { ...killed } };
}

/** So many are named, the others counted. */
const NAMED_MAX = 5;

function listed(flags: readonly FlagRecord[]): string {
  const keys = flags.slice(0, NAMED_MAX).map(({ identity }) => identity.key);
  const more = flags.length - keys.length;
  return more > 0 ? `${keys.join(", ")} and ${more} more` : keys.join(", ");
}

function named(flags: readonly FlagRecord[]): string {
  const keys = flags.slice(0, NAMED_MAX).map(({ identity }) => `"${identity.key}"`);
  const more = flags.length - keys.length;
  return more > 0 ? `${keys.join(", ")} and ${more} more` : keys.join(", ");
}

function noneOf(chosen: Chosen, environmentKey: string): Outcome {
  if ("keys" in chosen) return missingFlag(chosen.keys[0] ?? "", environmentKey);
  const detail = `No flag has the tag "${chosen.tag}" in ${environmentKey}; the list of flags shows their tags.`;
  return { kind: "missing", code: "FLAG_NOT_FOUND", detail };
}
