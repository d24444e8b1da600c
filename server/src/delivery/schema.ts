import { z } from "@hono/zod-openapi";

const position = z.number().nullable();

/** A running program with an SDK. Names are what it says of itself. */
const program = z.object({
  instance: z.string(),
  app: z.string(),
  appVersion: z.string().nullable(),
  sdk: z.string(),
  host: z.string().nullable().describe("the machine; null for pages, and where it is switched off"),
  kind: z.enum(["server", "browser"]),
  transport: z.enum(["stream", "poll"]),
});
export const instance = program.extend({
  environment: z.string(),
  connectedAt: z.number(),
  heardAt: z.number().describe("when it last said anything: connected, polled, acknowledged or renewed its lease"),
  state: z
    .enum(["connected", "silent", "polling"])
    .describe("silent: it holds a stream and has not renewed its lease for 45 s; it is not counted as connected"),
  connections: z.number().describe("streams under this name; more than one: several copies call themselves the same"),
  applied: position.describe("the newest revision that it holds for certain: that it connected with, polled with or acknowledged"),
  revision: position.describe("the last one that it acknowledged, null before the first"),
  behind: position.describe("revisions that it lacks, as far as is known; null when nothing is known of it, or it does not acknowledge"),
  behindMs: position.describe("since when the oldest of them exists; null as above, or when that is longer ago than is remembered"),
});
/** At most 1,000 programs, those that lag or are silent first; `counts` and `apps` count all. */
export const instanceList = z.object({
  environment: z.string(),
  revision: z.number(),
  counts: z.object({ connected: z.number(), silent: z.number(), polling: z.number(), behind: z.number() }),
  apps: z.array(
    z.object({
      app: z.string(),
      kind: z.enum(["server", "browser"]),
      instances: z.number(),
      behind: z.number(),
      silent: z.number(),
      appVersions: z.array(z.string()),
      sdks: z.array(z.string()),
    }),
  ),
  total: z.number(),
  instances: z.array(instance),
});

/**
 * Who has applied a revision. Times are on the server's clock, from the commit to the arrival of the acknowledgement. `connected` counts the
 * programs that were connected at the commit, can see what changed and acknowledge; a receipt is complete when all of them have.
 */
export const receipt = z.object({
  environment: z.string(),
  revision: z.number(),
  action: z.string(),
  target: z.string(),
  by: z.string(),
  at: z.number(),
  storedMs: z.number(),
  connected: z.number(),
  acknowledged: z.number(),
  p50Ms: z.number().nullable(),
  p95Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
  slowestMs: z.number().nullable(),
  missing: z
    .array(
      program.extend({
        reason: z
          .enum(["waiting", "gone", "silent", "polling", "old-sdk"])
          .describe(
            "waiting: connected, no answer yet; gone: disconnected before it answered; silent: no lease for 45 s; polling: applies it at its next poll; old-sdk: does not acknowledge this",
          ),
        counted: z.boolean().describe("whether it is one of `connected`, and the receipt is incomplete without it"),
        heardAt: z.number(),
        why: z.string().describe('"connected, but nothing heard from it for 12 s"'),
      }),
    )
    .describe("at most 100, those that are counted first"),
  aside: z
    .object({ polling: z.number(), silent: z.number(), oldSdk: z.number(), notSampled: z.number() })
    .describe("programs that are not counted as connected and have not said that they hold it; notSampled: pages that were not asked"),
  complete: z.boolean(),
  open: z.boolean().describe("whether it may still grow; false: as it was last known"),
  sentence: z.string().describe('"2 of 2 connected programs have applied it, slowest 4 ms"'),
});

/** Events of `GET /api/v1/events`, server-sent, for the admin UI. */
export const revisionEvent = z.object({
  project: z.string(),
  environment: z.string(),
  revision: z.number(),
  at: z.number(),
  by: z.string(),
  action: z.string(),
  target: z.string(),
});
/** One reported evaluation. `known`: the flag exists and this SDK may see it; `hidden`: it exists and is not marked for browsers. */
export const usageEvent = z.object({
  project: z.string(),
  environment: z.string(),
  flag: z.string(),
  app: z.string(),
  variant: z.string().nullable(),
  count: z.number(),
  known: z.enum(["known", "unknown", "hidden"]),
  at: z.number(),
  perMinute: z.number().describe("evaluations of the flag reported in the last minute"),
});
export const instancesEvent = z.object({
  project: z.string(),
  environment: z.string(),
  connected: z.number(),
  app: z.string().nullable(),
  joined: z.boolean(),
});
