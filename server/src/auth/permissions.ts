import type { Role } from "../store/define.ts";

/** What is done at a place. */
export const ACTIONS = ["read", "edit", "kill", "restore", "admin"] as const;
export type Action = (typeof ACTIONS)[number];

/** A role at a place, everywhere inside it where an id is null. `kill` is no role of people: it is what a token for killing may. */
export interface Grant {
  readonly role: Role | "kill";
  readonly projectId: number | null;
  readonly environmentId: number | null;
  /** With `kill`: the keys of the only flags that it may kill. */
  readonly flags?: readonly string[] | null;
}

/**
 * Where something is done. Without an environment it is the project as a whole, without a project the whole server. What belongs to a
 * whole project and not to one environment (the name of a flag) is not production.
 */
export interface Place {
  readonly projectId: number | null;
  readonly environmentId: number | null;
  readonly production: boolean;
  /** The flag that is killed, where it is one. */
  readonly flag?: string | undefined;
}

/** The place that an environment is. */
export function placeOf(environment: { readonly id: number; readonly projectId: number; readonly production: boolean }): Place {
  return { projectId: environment.projectId, environmentId: environment.id, production: environment.production };
}

/** What the first account gets. */
export const ADMIN_OF_EVERYTHING = { role: "admin", projectId: null, environmentId: null } as const satisfies Grant;

export const EVERYTHING: Place = { projectId: null, environmentId: null, production: true };

interface Rights {
  /** Where nothing is production. */
  readonly elsewhere: readonly Action[];
  readonly production: readonly Action[];
}

const everywhere = (...actions: Action[]): Rights => ({ elsewhere: actions, production: actions });

/** The table of docs/roles.md. */
const RIGHTS: Readonly<Record<Grant["role"], Rights>> = {
  viewer: everywhere("read"),
  editor: { elsewhere: ["read", "edit", "kill", "restore"], production: ["read"] },
  releaser: everywhere("read", "edit", "kill", "restore"),
  operator: everywhere("read", "kill", "restore"),
  admin: everywhere(...ACTIONS),
  kill: everywhere("read", "kill"),
};

/** Whether one of the grants allows the action there. A grant for one environment allows nothing that belongs to its whole project. */
export function permits(grants: readonly Grant[], action: Action, place: Place): boolean {
  return grants.some((grant) => {
    const rights = RIGHTS[grant.role];
    if (!covers(grant, place) || !(place.production ? rights.production : rights.elsewhere).includes(action)) return false;
    return action !== "kill" || !grant.flags || (place.flag !== undefined && grant.flags.includes(place.flag));
  });
}

/** Whom to ask: the grants of an account or of a service token, and what a personal token keeps of its account's. */
export interface Holder {
  readonly grants: readonly Grant[];
  readonly limit?: Grant | undefined;
}

/** Whether somebody may do this there: what they hold and, where there is a limit, the limit too must permit it. */
export function may({ grants, limit }: Holder, action: Action, place: Place): boolean {
  return permits(grants, action, place) && (limit === undefined || permits([limit], action, place));
}

/** Whether somebody may give this to others: only an admin of all of it, so nobody gives more than they have. */
export function mayGrant(holder: Holder, { projectId, environmentId }: Grant): boolean {
  return may(holder, "admin", { projectId, environmentId, production: true });
}

/** Whether there is anything that they may give. */
export function mayGrantSomething(holder: Holder): boolean {
  // Where a limit is narrower than the grants, what it leaves is the limit's own place.
  return [...holder.grants, ...(holder.limit ? [holder.limit] : [])].some((grant) => mayGrant(holder, grant));
}

function covers(grant: Grant, place: Place): boolean {
  const { projectId, environmentId } = grant;
  return (projectId === null || projectId === place.projectId) && (environmentId === null || environmentId === place.environmentId);
}
