import { inOrder } from "../environments/located.ts";
import { type Problem, problem } from "../errors.ts";
import { type EnvironmentModel, findFlag, type ProjectModel } from "../store/model.ts";
import type { Store } from "../store/store.ts";
import { ACTIONS, type Action, EVERYTHING, type Holder, may, mayGrantSomething, type Place, placeOf } from "./permissions.ts";

/** A place by its keys, as the path or the body of a request names it. */
export interface Named {
  readonly project: string;
  readonly environment?: string | undefined;
  readonly flag?: string | undefined;
}

/** What the caller of a request may do, asked by the keys that people use. What they may not read answers as if it were not there. */
export interface Access {
  /** False also for what does not exist. */
  may(action: Action, at: Named): boolean;
  /** Whether the caller may do this with the project as a whole and in each of its environments. */
  mayEverywhereIn(action: Action, project: string): boolean;
  /** Throws PROJECT_NOT_FOUND or ENVIRONMENT_NOT_FOUND for what is not there or may not be read, else FORBIDDEN. */
  demand(action: Action, at: Named): void;
  /** Throws as `demand` does for what is not there or of which nothing may be read. */
  demandSight(at: Named): void;
  /** Throws FORBIDDEN unless the action is allowed on the whole server. */
  demandEverywhere(action: Action): void;
  /** Throws FORBIDDEN unless the caller is an admin of something; whether of what a body names is asked by `mayGrant`. */
  demandGrant(): void;
  /** Projects of which the caller may read something, each with only the environments that they may read. */
  projects(): ProjectModel[];
  /** What the caller may do there; on the whole server without a place. */
  actions(at?: Named): Action[];
}

/** A project as a whole. */
function wholeOf({ id }: ProjectModel): Place {
  return { projectId: id, environmentId: null, production: false };
}

interface Found {
  readonly project: ProjectModel;
  readonly environment: EnvironmentModel | undefined;
}

export function accessOf(holder: Holder & { readonly name: string }, store: Pick<Store, "projects">): Access {
  const canRead = (environment: EnvironmentModel) => may(holder, "read", placeOf(environment.info));

  /** What the caller may read of a project; undefined when that is nothing. */
  function visible(project: ProjectModel): ProjectModel | undefined {
    const environments = project.environments.filter(canRead);
    return environments.length > 0 || may(holder, "read", wholeOf(project)) ? { ...project, environments } : undefined;
  }
  const projects = () => store.projects().flatMap((project) => visible(project) ?? []);

  /** The place, if the caller may read something of it; else the problem that says what there is for them. */
  function find({ project: key, environment: name }: Named): Found | Problem {
    const named = store.projects().find((each) => each.key === key);
    const project = named && visible(named);
    if (!project) {
      const names = projects()
        .map((each) => `"${each.key}"`)
        .join(", ");
      const known = names === "" ? "there is none that you may read" : `there is ${names}`;
      return problem("PROJECT_NOT_FOUND", `There is no project "${key}"; ${known}.`);
    }
    if (name === undefined) return { project, environment: undefined };
    const environment = project.environments.find(({ info }) => info.key === name);
    if (environment) return { project, environment };
    const names = inOrder(project).map(({ info }) => `"${info.key}"`);
    return problem("ENVIRONMENT_NOT_FOUND", `The project "${key}" has no environment "${name}"; it has ${names.join(" and ") || "none"}.`);
  }

  function allowed(action: Action, found: Found, flag: string | undefined): boolean {
    const { project, environment } = found;
    if (!environment) return may(holder, action, wholeOf(project));
    // Several flags are killed at once: enough that one of them may be; each is then asked for by its key.
    if (action === "kill" && flag === undefined) {
      const flags = [...environment.flags.keys(), ""];
      return flags.some((key) => may(holder, action, { ...placeOf(environment.info), flag: key }));
    }
    // A token for killing goes by the keys that the flag has and had, so that renaming the flag does not void it.
    const identity = flag === undefined ? undefined : findFlag(environment, flag)?.identity;
    const keys = identity ? [identity.key, ...identity.aliases] : [flag];
    return keys.some((key) => may(holder, action, { ...placeOf(environment.info), flag: key }));
  }

  function demandSight(at: Named): Found {
    const found = find(at);
    if (found instanceof Error) throw found;
    return found;
  }

  return {
    projects,
    demandSight: (at) => void demandSight(at),
    may(action, at) {
      const found = find(at);
      return !(found instanceof Error) && allowed(action, found, at.flag);
    },
    mayEverywhereIn(action, key) {
      const project = store.projects().find((each) => each.key === key);
      if (!project || !may(holder, action, wholeOf(project))) return false;
      return project.environments.every(({ info }) => may(holder, action, placeOf(info)));
    },
    demand(action, at) {
      const found = demandSight(at);
      if (allowed(action, found, at.flag)) return;
      const { project, environment } = found;
      if (!environment) throw forbidden(action, `the whole project "${project.key}"`, wholeOf(project));
      const remark = environment.info.production ? ", which is production" : "";
      throw forbidden(action, `${project.key}/${environment.info.key}${remark}`, placeOf(environment.info));
    },
    demandEverywhere(action) {
      if (!may(holder, action, EVERYTHING)) throw forbidden(action, "the whole server", EVERYTHING);
    },
    demandGrant() {
      if (!mayGrantSomething(holder)) {
        throw problem("FORBIDDEN", `${holder.name} is an admin of nothing here, which this needs; ask an admin to do it.`);
      }
    },
    actions(at) {
      if (!at) return ACTIONS.filter((action) => may(holder, action, EVERYTHING));
      const found = find(at);
      return found instanceof Error ? [] : ACTIONS.filter((action) => allowed(action, found, at.flag));
    },
  };

  function forbidden(action: Action, there: string, place: Place): Problem {
    const has = ACTIONS.filter((each) => may(holder, each, place));
    const rights = has.length === 0 ? "no right" : `only the right to ${has.join(", ")}`;
    return problem(
      "FORBIDDEN",
      `This needs the right to ${action} in ${there}; ${holder.name} has ${rights} there: an admin can give more.`,
    );
  }
}
