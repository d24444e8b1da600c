import { newEnvironment, rowOf } from "../environments/decide.ts";
import { applyEdits, type Edit, type ProjectRow } from "../store/edit.ts";
import type { ProjectModel } from "../store/model.ts";
import { type Current, guard, type Outcome, refused } from "../store/outcome.ts";

/** What may become of projects: pure functions of the committed state and the request. A key is for good. */

export interface NewProject {
  readonly key: string;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
}

/** What a new project begins with, as the first one does. */
const ENVIRONMENTS = [
  { key: "development", name: "Development", production: false, color: "green" },
  { key: "production", name: "Production", production: true, color: "red" },
] as const;

export function projectEtag({ id, version }: ProjectModel): string {
  return `"p${id}-${version}"`;
}

/** A project with the environments development and production. `current.project` is the one with this key, or a new one. */
export function createProject(current: Current, { key, name, description }: NewProject): Outcome {
  const { project, now, newIds } = current;
  if (project.environments.length > 0) {
    return { kind: "invalid", code: "PROJECT_EXISTS", detail: `There is a project "${key}" already; choose another key.` };
  }
  const row: ProjectRow = { key, name: name ?? key, description: description ?? "", version: 1, createdAt: now };
  const edits: Edit[] = [
    { kind: "project", project: row },
    ...ENVIRONMENTS.flatMap((environment, index) => newEnvironment(current, newIds.environment + index, rowOf(environment, index))),
  ];
  const after = { name: row.name, description: row.description };
  return { kind: "changed", action: "project.create", target: key, edits, applied: applyEdits(project, edits), before: null, after };
}

export function patchProject(
  { project }: Current,
  patch: { readonly name?: string | undefined; readonly description?: string | undefined },
  ifMatch: string | undefined,
): Outcome {
  const stopped = guard(ifMatch, projectEtag(project), isProduction(project));
  if (stopped) return stopped;
  const { key, version, createdAt } = project;
  const before = { name: project.name, description: project.description };
  const after = { name: patch.name ?? before.name, description: patch.description ?? before.description };
  if (after.name === before.name && after.description === before.description) return { kind: "unchanged" };
  const edits: Edit[] = [{ kind: "project", project: { key, ...after, version: version + 1, createdAt } }];
  return { kind: "changed", action: "project.edit", target: key, edits, applied: applyEdits(project, edits), before, after };
}

/** Deletes a project with all its environments: one without flags, or if `confirm` is its key. Never the only one. */
export function deleteProject(
  { project, now }: Current,
  isOnly: boolean,
  confirm: string | undefined,
  ifMatch: string | undefined,
): Outcome {
  const stopped = guard(ifMatch, projectEtag(project), isProduction(project));
  if (stopped) return stopped;
  const { key, name, environments } = project;
  if (isOnly) {
    const message = `"${key}" is the only project, and there must be one; make another first`;
    return refused("PROJECT_REFUSED", [{ path: "", message }]);
  }
  const flags = environments[0]?.flags.size ?? 0;
  if (flags > 0 && confirm !== key) {
    const message = `the project "${key}" has ${flags === 1 ? "1 flag" : `${flags} flags`}; to delete it with them, send "confirm": "${key}"`;
    return refused("PROJECT_REFUSED", [{ path: "confirm", message }]);
  }
  const edits: Edit[] = [
    ...environments.map(({ info }): Edit => ({ kind: "environment-gone", environmentId: info.id, key: info.key, at: now })),
    { kind: "project-gone", key, at: now },
  ];
  const before = { name, flags, environments: environments.map(({ info }) => info.key) };
  return { kind: "changed", action: "project.delete", target: key, edits, applied: applyEdits(project, edits), before, after: null };
}

function isProduction({ environments }: ProjectModel): boolean {
  return environments.some(({ info }) => info.production);
}
