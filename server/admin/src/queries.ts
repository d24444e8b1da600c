import { QueryClient, queryOptions } from "@tanstack/react-query";
import type {
  BrowserView,
  EnvironmentSettings,
  Flag,
  FlagList,
  FlagUsage,
  Group,
  GroupList,
  Heartbeat,
  InstanceList,
  ProjectList,
  SdkKeys,
  Session,
  SetupStatus,
  SigningSecrets,
  TokenList,
  UnknownKeys,
} from "../../src/api-types.ts";
import { ApiError, call, environmentPath, onSignedOut } from "./api.ts";

/** Where a page is: each page shows one environment of one project. */
export interface Place {
  readonly project: string;
  readonly environment: string;
}

export function createQueryClient(): QueryClient {
  const client = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 15_000,
        retry: (failures, error) => error instanceof ApiError && (error.status === 0 || error.status >= 500) && failures < 3,
      },
    },
  });
  // The session ended elsewhere: the shell then leads to the sign-in page.
  onSignedOut(() => client.setQueryData(sessionQuery.queryKey, null));
  return client;
}

/** Who is signed in, null for nobody. */
export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      return await call<Session>("GET", "/api/v1/session", { signal });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: 60_000,
});

export const setupQuery = queryOptions({
  queryKey: ["setup"],
  queryFn: ({ signal }) => call<SetupStatus>("GET", "/api/v1/setup", { signal }),
});

export const projectsQuery = queryOptions({
  queryKey: ["projects"],
  queryFn: ({ signal }) => call<ProjectList>("GET", "/api/v1/projects", { signal }),
});

export const tokensQuery = queryOptions({
  queryKey: ["tokens"],
  queryFn: ({ signal }) => call<TokenList>("GET", "/api/v1/tokens", { signal }),
});

/** Everything of one environment has its key under this one. */
export function placeKey({ project, environment }: Place) {
  return ["place", project, environment] as const;
}

export function flagsQuery(place: Place) {
  return queryOptions({
    queryKey: [...placeKey(place), "flags"],
    queryFn: ({ signal }) => allFlags(place, signal),
  });
}

/** Every flag, archived ones too: pages search and filter them without asking again. */
async function allFlags(place: Place, signal: AbortSignal): Promise<FlagList> {
  const path = `${pathOf(place)}/flags?archived=true&limit=1000`;
  const first = await call<FlagList>("GET", path, { signal });
  const flags = [...first.flags];
  for (let { next } = first; next !== null; ) {
    const page = await call<FlagList>("GET", `${path}&after=${encodeURIComponent(next)}`, { signal });
    flags.push(...page.flags);
    next = page.next;
  }
  return { ...first, flags, next: null };
}

export function flagQuery(place: Place, flag: string) {
  return queryOptions({
    queryKey: [...placeKey(place), "flag", flag],
    queryFn: ({ signal }) => call<Flag>("GET", flagPath(place, flag), { signal }),
  });
}

export function browserViewQuery(place: Place, flag: string) {
  return queryOptions({
    queryKey: [...placeKey(place), "browser-view", flag],
    queryFn: ({ signal }) => call<BrowserView>("GET", `${flagPath(place, flag)}/browser-view`, { signal }),
  });
}

/** What a flag served in the last hours. */
export function usageQuery(place: Place, flag: string, hours: number) {
  return queryOptions({
    queryKey: [...placeKey(place), "usage", flag, hours],
    queryFn: ({ signal }) => call<FlagUsage>("GET", `${flagPath(place, flag)}/usage?from=${Date.now() - hours * 3_600_000}`, { signal }),
  });
}

export function unknownKeysQuery(place: Place) {
  return queryOptions({
    queryKey: [...placeKey(place), "unknown-keys"],
    queryFn: ({ signal }) => call<UnknownKeys>("GET", `${pathOf(place)}/unknown-keys`, { signal }),
  });
}

export function groupsQuery(place: Place) {
  return queryOptions({
    queryKey: [...placeKey(place), "groups"],
    queryFn: ({ signal }) => call<GroupList>("GET", `${pathOf(place)}/groups`, { signal }),
  });
}

export function groupQuery(place: Place, group: string) {
  return queryOptions({
    queryKey: [...placeKey(place), "group", group],
    queryFn: ({ signal }) => call<Group>("GET", groupPath(place, group), { signal }),
  });
}

export function instancesQuery(place: Place) {
  return queryOptions({
    queryKey: [...placeKey(place), "instances"],
    queryFn: ({ signal }) => call<InstanceList>("GET", `${pathOf(place)}/instances`, { signal }),
  });
}

/** Whether a kill would work now. */
export const heartbeatQuery = queryOptions({
  queryKey: ["heartbeat"],
  queryFn: ({ signal }) => call<Heartbeat>("GET", "/api/v1/heartbeat", { signal }),
  refetchInterval: 15_000,
});

export function sdkKeysQuery(place: Place) {
  return queryOptions({
    queryKey: ["sdk-keys", place.project, place.environment],
    queryFn: ({ signal }) => call<SdkKeys>("GET", `${pathOf(place)}/sdk-keys`, { signal }),
  });
}

export function settingsQuery(place: Place) {
  return queryOptions({
    queryKey: [...placeKey(place), "settings"],
    queryFn: ({ signal }) => call<EnvironmentSettings>("GET", `${pathOf(place)}/settings`, { signal }),
  });
}

export function signingSecretsQuery(place: Place) {
  return queryOptions({
    queryKey: [...placeKey(place), "signing-secrets"],
    queryFn: ({ signal }) => call<SigningSecrets>("GET", `${pathOf(place)}/signing-secret`, { signal }),
  });
}

export function pathOf(place: Place): string {
  return environmentPath(place.project, place.environment);
}

export function flagPath(place: Place, flag: string): string {
  return `${pathOf(place)}/flags/${encodeURIComponent(flag)}`;
}

export function groupPath(place: Place, group: string): string {
  return `${pathOf(place)}/groups/${encodeURIComponent(group)}`;
}
