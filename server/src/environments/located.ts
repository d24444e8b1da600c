import { type Problem, problem } from "../errors.ts";
import { type EnvironmentModel, type FlagRecord, findEnvironment, findFlag, type ProjectModel } from "../store/model.ts";
import type { Outcome } from "../store/outcome.ts";
import type { Store } from "../store/store.ts";

/** The project with this key. Throws PROJECT_NOT_FOUND. */
export function projectAt(store: Pick<Store, "project" | "projects">, key: string): ProjectModel {
  const project = store.project(key);
  if (project) return project;
  const names = store.projects().map((each) => `"${each.key}"`);
  throw problem("PROJECT_NOT_FOUND", `There is no project "${key}"; there is ${names.join(", ")}.`);
}

/** One environment of a project; the first as people order them when none is named. Throws ENVIRONMENT_NOT_FOUND. */
export function environmentIn(project: ProjectModel, key: string | undefined): EnvironmentModel {
  const environment = key === undefined ? inOrder(project)[0] : findEnvironment(project, key);
  if (environment) return environment;
  const names = inOrder(project).map(({ info }) => `"${info.key}"`);
  throw problem("ENVIRONMENT_NOT_FOUND", `The project "${project.key}" has no environment "${key}"; it has ${names.join(" and ")}.`);
}

/** The flag that has this key or had it once. Throws FLAG_NOT_FOUND. */
export function flagIn(environment: EnvironmentModel, key: string): FlagRecord {
  const flag = findFlag(environment, key);
  if (flag) return flag;
  throw problem("FLAG_NOT_FOUND", `There is no flag with the key "${key}" in ${environment.info.key}; the list of flags has the keys.`);
}

/** Environments as people order them. */
export function inOrder(project: ProjectModel): EnvironmentModel[] {
  return [...project.environments].sort((a, b) => a.position - b.position);
}

/** What a refused or missing outcome answers. */
export function problemOf(outcome: Extract<Outcome, { kind: "missing" | "invalid" }>): Problem {
  return problem(outcome.code, outcome.detail, outcome.kind === "invalid" && outcome.issues ? { issues: outcome.issues } : {});
}
