import { type QueryClient, queryOptions } from "@tanstack/react-query";
import type { AccountList, HeldRole, InvitationList, OwnSessions, Project, Role, Session } from "../../../src/api-types.ts";
import { call } from "../api.ts";

export const accountsQuery = queryOptions({
  queryKey: ["accounts"],
  queryFn: ({ signal }) => call<AccountList>("GET", "/api/v1/accounts", { signal }),
});

export const invitationsQuery = queryOptions({
  queryKey: ["invitations"],
  queryFn: ({ signal }) => call<InvitationList>("GET", "/api/v1/invitations", { signal }),
});

export const ownSessionsQuery = queryOptions({
  queryKey: ["own-sessions"],
  queryFn: ({ signal }) => call<OwnSessions>("GET", "/api/v1/sessions", { signal }),
});

export function accountPath(name: string): string {
  return `/api/v1/accounts/${encodeURIComponent(name)}`;
}

/** Reads anew what a change of people or roles touches: also what the reader may do themselves. */
export async function refreshPeople(client: QueryClient): Promise<void> {
  const keys = [accountsQuery.queryKey, invitationsQuery.queryKey, ["session"], ["projects"]];
  await Promise.all(keys.map((queryKey) => client.invalidateQueries({ queryKey })));
}

export const ROLES: readonly { readonly value: Role; readonly label: string; readonly may: string }[] = [
  { value: "viewer", label: "Viewer", may: "Sees flags, groups, programs and history." },
  { value: "operator", label: "Operator", may: "Sees everything, kills and restores, edits nothing. For people on call." },
  { value: "editor", label: "Editor", may: "Edits, kills and restores where it is not production; sees production." },
  { value: "releaser", label: "Releaser", may: "Edits, kills and restores, in production too." },
  { value: "admin", label: "Admin", may: "Everything, also keys, settings and who may do what." },
];

export function roleWord(role: string): string {
  return ROLES.find(({ value }) => value === role)?.label ?? role;
}

/** Where a role holds: "everywhere", "Shop", "Shop, Production". Keys of what the reader cannot see stay keys. */
export function placeWords({ project: key, environment: name }: Omit<HeldRole, "role">, projects: readonly Project[]): string {
  if (key === null) return "everywhere";
  const project = projects.find((each) => each.key === key);
  const environment = project?.environments.find((each) => each.key === name);
  return name === null ? (project?.name ?? key) : `${project?.name ?? key}, ${environment?.name ?? name}`;
}

export interface RolePlace {
  /** Of a choice in a list. */
  readonly value: string;
  readonly label: string;
  readonly project: string | null;
  readonly environment: string | null;
}

/** The places in which somebody may give roles, the widest first. */
export function grantablePlaces(session: Pick<Session, "may"> | null | undefined, projects: readonly Project[]): RolePlace[] {
  const place = (project: string | null, environment: string | null): RolePlace => {
    const value = [project ?? "", environment ?? ""].join("/");
    return { value, label: placeWords({ project, environment }, projects), project, environment };
  };
  return [
    ...(session?.may.includes("admin") ? [place(null, null)] : []),
    ...projects.flatMap(({ key, may, environments }) => [
      ...(may.includes("admin") ? [place(key, null)] : []),
      ...environments.filter((each) => each.may.includes("admin")).map((each) => place(key, each.key)),
    ]),
  ];
}
