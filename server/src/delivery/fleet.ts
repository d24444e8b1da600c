import type { z } from "@hono/zod-openapi";
import type { EnvironmentInfo, Feed } from "./feed.ts";
import type { Instance, Instances } from "./instances.ts";
import type { instanceList, instance as instanceShape } from "./schema.ts";

/** Programs listed in one answer; the counts are of all. */
const LISTED_MAX = 1_000;
/** Apps with counts of their own, the largest first; and versions named for each. */
const APPS_MAX = 200;
const VERSIONS_MAX = 5;

type Fleet = z.infer<typeof instanceList>;
type Listed = z.infer<typeof instanceShape>;

/** The programs of an environment and how far behind they are, those that need looking at first. */
export function fleetOf(environment: EnvironmentInfo, { feed, instances, now }: { feed: Feed; instances: Instances; now: number }): Fleet {
  const head = feed.state(environment.id, "server");
  const lagOf = lagReader(feed, environment, head, now);
  const apps = new Map<string, { app: Omit<Fleet["apps"][number], "appVersions" | "sdks">; versions: Set<string>; sdks: Set<string> }>();
  const counts = { connected: 0, silent: 0, polling: 0, behind: 0 };
  const listed = instances.all(environment.id).map((instance): Listed => {
    const { app, appVersion, sdk, host, kind, transport, connections, connectedAt, heardAt, position, acknowledged } = instance;
    const state = transport === "poll" ? "polling" : instance.silent ? "silent" : "connected";
    const lag = lagOf(instance);
    counts[state] += 1;
    const isBehind = (lag.behind ?? 0) > 0;
    if (isBehind) counts.behind += 1;
    const key = `${kind}\n${app}`;
    const row = apps.get(key) ?? { app: { app, kind, instances: 0, behind: 0, silent: 0 }, versions: new Set(), sdks: new Set() };
    apps.set(key, row);
    row.app.instances += 1;
    if (isBehind) row.app.behind += 1;
    if (state === "silent") row.app.silent += 1;
    if (appVersion !== null && row.versions.size < VERSIONS_MAX) row.versions.add(appVersion);
    if (row.sdks.size < VERSIONS_MAX) row.sdks.add(sdk);
    const own = { instance: instance.instance, app, appVersion, sdk, host, kind, transport, environment: environment.key };
    return {
      ...own,
      connectedAt,
      heardAt,
      state,
      connections,
      applied: position?.revision ?? null,
      revision: acknowledged?.revision ?? null,
      ...lag,
    };
  });
  const urgency = ({ state, behind }: Listed) => (state === "silent" ? 0 : (behind ?? 0) > 0 ? 1 : 2);
  listed.sort((a, b) => urgency(a) - urgency(b));
  const byApp = [...apps.values()].sort((a, b) => b.app.instances - a.app.instances);
  return {
    environment: environment.key,
    revision: head.revision,
    counts,
    apps: byApp.slice(0, APPS_MAX).map(({ app, versions, sdks }) => ({ ...app, appVersions: [...versions], sdks: [...sdks] })),
    total: listed.length,
    instances: listed.slice(0, LISTED_MAX),
  };
}

type Lag = Pick<Listed, "behind" | "behindMs">;
const UNKNOWN: Lag = { behind: null, behindMs: null };

/** How far a program is behind. Most stand at the same few revisions: each is looked up once. */
function lagReader(feed: Feed, { id }: EnvironmentInfo, head: { generation: number; revision: number }, now: number) {
  const known = new Map<number, Lag>();
  return ({ position, acks, sampledOut, transport }: Instance): Lag => {
    // Of one that does not acknowledge nothing is known but where it started.
    if (!position || position.generation !== head.generation || (transport === "stream" && (acks !== "all" || sampledOut))) return UNKNOWN;
    const { revision } = position;
    const before = known.get(revision);
    if (before) return before;
    const behind = head.revision - revision;
    const missed = behind === 0 ? undefined : feed.commitsSince(id, revision)?.[0];
    const lag = { behind, behindMs: behind === 0 ? 0 : missed ? Math.max(0, now - missed.at) : null };
    known.set(revision, lag);
    return lag;
  };
}
