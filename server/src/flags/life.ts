import { dependents } from "@signalbox/core";
import { applyEdits, type Edit } from "../store/edit.ts";
import { type EnvironmentModel, type FlagRecord, findEnvironment, findFlag, type ProjectModel } from "../store/model.ts";
import { type Current, guard, type Outcome, refused } from "../store/outcome.ts";
import { anyRecord, configurationEtag, everywhere, identityEtag, missingFlag } from "./decide.ts";
import { refusals } from "./refusals.ts";

/** How flags end, and come back: pure functions of the committed state and the request. */

/**
 * Archives or revives a flag in the environment with this key, or in all where it is undefined. `ifMatch` then holds the ETag of the
 * configuration of each environment that changes, with commas between them.
 */
export function setArchived(
  current: Current,
  environmentKey: string | undefined,
  key: string,
  archived: boolean,
  ifMatch: string | undefined,
): Outcome {
  const { project, now, by } = current;
  const found = recordsOf(project, environmentKey, key);
  const [first] = found;
  if (!first) return missingFlag(key, environmentKey ?? project.key);
  const changing = found.filter(({ flag }) => flag.body.archived !== archived);
  for (const { environment, flag } of changing) {
    const stopped = guard(ifMatch, configurationEtag(environment, flag), environment.info.production);
    if (stopped) return stopped;
  }
  if (changing.length === 0) return { kind: "unchanged" };
  const edits = changing.map(({ environment, flag }): Edit => {
    const next: FlagRecord = { ...flag, body: { ...flag.body, archived }, version: flag.version + 1, updatedAt: now, updatedBy: by };
    return { kind: "flag", environmentId: environment.info.id, flag: next };
  });
  const applied = applyEdits(project, edits);
  const { key: target } = first.flag.identity;
  const issues = everywhere(project, applied.project, (before, after) => refusals(before, after, [target], []));
  if (issues.length > 0) return refused("CONFIGURATION_REFUSED", issues);
  return {
    kind: "changed",
    action: archived ? "flag.archive" : "flag.revive",
    target,
    edits,
    applied,
    before: { archived: !archived },
    after: { archived },
  };
}

/**
 * Deletes a flag in every environment: only one that is archived in all of them, or if `confirm` is its key, and never while another
 * flag requires or follows it. Its keys leave tombstones.
 */
export function deleteFlag(current: Current, key: string, confirm: string | undefined, ifMatch: string | undefined): Outcome {
  const { project, now, by } = current;
  const flag = anyRecord(project, key);
  if (!flag) return missingFlag(key, project.key);
  const { identity } = flag;
  const stopped = guard(
    ifMatch,
    identityEtag(identity),
    project.environments.some(({ info }) => info.production),
  );
  if (stopped) return stopped;
  for (const { info, states } of project.environments) {
    // One that follows it as its parent may be on only because this one is off; without a parent it would go its own way.
    const [...users] = dependents(identity.key, states.server.entries);
    if (users.length === 0) continue;
    const named = users.slice(0, 5).map((user) => `"${user}"`);
    const more = users.length > named.length ? ` and ${users.length - named.length} more` : "";
    const detail = `The flag "${identity.key}" is required or followed by ${named.join(", ")}${more} in ${info.key}; take it out there first.`;
    return { kind: "invalid", code: "FLAG_IN_USE", detail };
  }
  const live = recordsOf(project, undefined, identity.key).filter((one) => !one.flag.body.archived);
  if (live.length > 0 && confirm !== identity.key) {
    const where = live.map(({ environment }) => environment.info.key).join(" and ");
    const message = `"${identity.key}" is not archived in ${where}; archive it there first, or send "confirm": "${identity.key}" to delete it all the same`;
    return refused("FLAG_REFUSED", [{ path: "confirm", message }]);
  }
  const edits: Edit[] = [{ kind: "flag-gone", identity, keys: [identity.key, ...identity.aliases], at: now, by }];
  const { name, type, owner, tags, aliases, createdAt, createdBy } = identity;
  const before = { name, type, owner, tags: [...tags], aliases: [...aliases], createdAt, createdBy };
  return { kind: "changed", action: "flag.delete", target: identity.key, edits, applied: applyEdits(project, edits), before, after: null };
}

interface Found {
  readonly environment: EnvironmentModel;
  readonly flag: FlagRecord;
}

function recordsOf(project: ProjectModel, environmentKey: string | undefined, key: string): Found[] {
  const one = environmentKey === undefined ? undefined : findEnvironment(project, environmentKey);
  const environments = environmentKey === undefined ? project.environments : one ? [one] : [];
  return environments.flatMap((environment) => {
    const flag = findFlag(environment, key);
    return flag ? [{ environment, flag }] : [];
  });
}
