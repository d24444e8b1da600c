import { problem } from "../errors.ts";
import type { StoredGrant } from "../store/define.ts";
import type { Store } from "../store/store.ts";
import type { Access } from "./access.ts";

interface Named<R> {
  readonly role: R;
  readonly project: string | null;
  readonly environment: string | null;
}

/** Grants by the keys of their places. One of a place that is gone says nothing any more and is left out. */
export function namedRoles<R, G extends { readonly role: R; readonly projectId: number | null; readonly environmentId: number | null }>(
  store: Pick<Store, "projects">,
  grants: readonly G[],
): (Omit<G, "projectId" | "environmentId"> & Named<R>)[] {
  return grants.flatMap(({ projectId, environmentId, ...rest }) => {
    const project = store.projects().find(({ id }) => id === projectId);
    const environment = project?.environments.find(({ info }) => info.id === environmentId)?.info;
    if ((projectId !== null && !project) || (environmentId !== null && !environment)) return [];
    return [{ ...rest, project: project?.key ?? null, environment: environment?.key ?? null }];
  });
}

/** The other way, from what a body names. Throws as `Access` does for what the caller may not read. */
export function storedRole(access: Access, { role, project: key, environment: name }: Named<StoredGrant["role"]>): StoredGrant {
  if (key === null) {
    if (name === null) return { role, projectId: null, environmentId: null };
    throw problem("VALIDATION_FAILED", `The environment "${name}" needs the project that it is in.`, {
      issues: [{ path: "project", message: "an environment is in a project: name both" }],
    });
  }
  access.demandSight({ project: key, environment: name ?? undefined });
  const project = access.projects().find((each) => each.key === key);
  const environment = project?.environments.find(({ info }) => info.key === name);
  return { role, projectId: project?.id ?? null, environmentId: environment?.info.id ?? null };
}
