import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, createRouter, Outlet, redirect } from "@tanstack/react-router";
import { InvitationPage } from "./auth/InvitationPage.tsx";
import { SetupPage } from "./auth/SetupPage.tsx";
import { SignInPage } from "./auth/SignInPage.tsx";
import { EnvironmentsPage } from "./environments/EnvironmentsPage.tsx";
import { FlagListPage } from "./flags/FlagListPage.tsx";
import { FlagPage } from "./flags/FlagPage.tsx";
import { FleetPage } from "./fleet/FleetPage.tsx";
import { GroupListPage } from "./groups/GroupListPage.tsx";
import { GroupPage } from "./groups/GroupPage.tsx";
import { HistoryPage, type HistorySearch } from "./history/HistoryPage.tsx";
import { KeysPage } from "./keys/KeysPage.tsx";
import { AccountPage } from "./people/AccountPage.tsx";
import { PeoplePage } from "./people/PeoplePage.tsx";
import { type Place, projectsQuery, sessionQuery, setupQuery } from "./queries.ts";
import { SettingsPage } from "./settings/SettingsPage.tsx";
import { Failure } from "./shell/Failure.tsx";
import { lastPlace } from "./shell/place.ts";
import { Shell } from "./shell/Shell.tsx";
import { FirstRunPage, type StartSearch } from "./start/FirstRunPage.tsx";
import { ComparePage, type CompareSearch } from "./transfer/ComparePage.tsx";
import { TransferPage } from "./transfer/TransferPage.tsx";

interface AppContext {
  readonly client: QueryClient;
}

const rootRoute = createRootRouteWithContext<AppContext>()({
  component: Outlet,
  errorComponent: ({ error }) => <Failure error={error} />,
  notFoundComponent: () => <Failure error={new Error("There is no page at this address.")} />,
});

const setupRoute = createRoute({ getParentRoute: () => rootRoute, path: "/setup", component: SetupPage });

const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/sign-in",
  component: SignInPage,
  validateSearch: (search): { next?: string } => ({ ...text("next", search.next) }),
});

const invitationRoute = createRoute({ getParentRoute: () => rootRoute, path: "/invitation", component: InvitationPage });

/** `/` leads to the environment that was looked at last, else to the first one that is not production. */
const homeRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  beforeLoad: async ({ context: { client } }) => {
    throw redirect({ to: "/$project/$environment/flags", params: await placeToShow(client) });
  },
});

/** Pages of the whole server stand in the frame of an environment, so that the way back is there. */
const peopleOfServerRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/people",
  beforeLoad: async ({ context: { client } }) => {
    throw redirect({ to: "/$project/$environment/people", params: await placeToShow(client) });
  },
});
const ownAccountRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/account",
  beforeLoad: async ({ context: { client } }) => {
    throw redirect({ to: "/$project/$environment/account", params: await placeToShow(client) });
  },
});

async function placeToShow(client: QueryClient): Promise<Place> {
  const session = await client.query(sessionQuery);
  if (!session) {
    const { needed } = await client.query(setupQuery);
    throw redirect({ to: needed ? "/setup" : "/sign-in" });
  }
  const { projects } = await client.query(projectsQuery);
  const place = lastPlace(projects);
  if (place) return place;
  throw new Error(
    session.roles.length === 0
      ? `You are signed in as ${session.user.name}, who has no role yet: ask an admin for one.`
      : "There is no environment that you may see: ask an admin.",
  );
}

const placeRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/$project/$environment",
  component: Shell,
  beforeLoad: async ({ context: { client }, location }) => {
    if (!(await client.query(sessionQuery))) {
      throw redirect({ to: "/sign-in", search: { next: location.href } });
    }
  },
});

const indexRoute = createRoute({
  getParentRoute: () => placeRoute,
  path: "/",
  beforeLoad: ({ params }) => {
    throw redirect({ to: "/$project/$environment/flags", params });
  },
});

const startRoute = createRoute({
  getParentRoute: () => placeRoute,
  path: "start",
  component: FirstRunPage,
  validateSearch: (search): StartSearch => ({
    ...text("flag", search.flag),
    ...(search.read === "browser" || search.read === "both" || search.read === "server" ? { read: search.read } : {}),
  }),
});

const flagsRoute = createRoute({
  getParentRoute: () => placeRoute,
  path: "flags",
  component: FlagListPage,
  validateSearch: (search): { search?: string; archived?: boolean } => ({
    ...text("search", search.search),
    ...(search.archived === true ? { archived: true } : {}),
  }),
});

const flagRoute = createRoute({ getParentRoute: () => placeRoute, path: "flags/$flag", component: FlagPage });
const groupsRoute = createRoute({ getParentRoute: () => placeRoute, path: "groups", component: GroupListPage });
const groupRoute = createRoute({ getParentRoute: () => placeRoute, path: "groups/$group", component: GroupPage });
const fleetRoute = createRoute({
  getParentRoute: () => placeRoute,
  path: "fleet",
  component: FleetPage,
  validateSearch: (search): { search?: string } => text("search", search.search),
});
const historyRoute = createRoute({
  getParentRoute: () => placeRoute,
  path: "history",
  component: HistoryPage,
  validateSearch: (search): HistorySearch => ({ ...text("flag", search.flag), ...text("group", search.group) }),
});
const compareRoute = createRoute({
  getParentRoute: () => placeRoute,
  path: "compare",
  component: ComparePage,
  validateSearch: (search): CompareSearch => text("from", search.from),
});
const transferRoute = createRoute({ getParentRoute: () => placeRoute, path: "transfer", component: TransferPage });
const keysRoute = createRoute({ getParentRoute: () => placeRoute, path: "keys", component: KeysPage });
const environmentsRoute = createRoute({ getParentRoute: () => placeRoute, path: "environments", component: EnvironmentsPage });
const settingsRoute = createRoute({ getParentRoute: () => placeRoute, path: "settings", component: SettingsPage });

const peopleRoute = createRoute({ getParentRoute: () => placeRoute, path: "people", component: PeoplePage });
const accountRoute = createRoute({ getParentRoute: () => placeRoute, path: "account", component: AccountPage });

const routeTree = rootRoute.addChildren([
  setupRoute,
  signInRoute,
  invitationRoute,
  homeRoute,
  peopleOfServerRoute,
  ownAccountRoute,
  placeRoute.addChildren([
    indexRoute,
    startRoute,
    flagsRoute,
    flagRoute,
    groupsRoute,
    groupRoute,
    fleetRoute,
    historyRoute,
    compareRoute,
    transferRoute,
    keysRoute,
    environmentsRoute,
    settingsRoute,
    peopleRoute,
    accountRoute,
  ]),
]);

export function createAppRouter(client: QueryClient) {
  return createRouter({ routeTree, context: { client }, defaultPreload: false, scrollRestoration: true });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}

/** A search parameter that must be text; numbers that the URL parser made of digits go back to it. */
function text<Name extends string>(name: Name, value: unknown): { [name in Name]?: string } {
  if (typeof value !== "string" && typeof value !== "number") return {};
  return value === "" ? {} : ({ [name]: String(value) } as { [name in Name]?: string });
}
