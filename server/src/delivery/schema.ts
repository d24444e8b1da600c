import { z } from "@hono/zod-openapi";

/** A running program with an SDK, connected now. */
export const instance = z.object({
  instance: z.string(),
  app: z.string(),
  sdk: z.string(),
  kind: z.enum(["server", "browser"]),
  environment: z.string(),
  connectedAt: z.number(),
  revision: z.number().nullable().describe("the last one that it acknowledged, null before the first"),
});
export const instanceList = z.object({ environment: z.string(), revision: z.number(), instances: z.array(instance) });

/** Who has applied a kill or restore. Times are on the server's clock from the commit to the arrival of the acknowledgement. */
export const receipt = z.object({
  environment: z.string(),
  revision: z.number(),
  action: z.string(),
  target: z.string(),
  by: z.string(),
  at: z.number(),
  storedMs: z.number(),
  connected: z.number().describe("programs that were connected at the commit"),
  acknowledged: z.number(),
  slowestMs: z.number().nullable(),
  missing: z.array(z.object({ instance: z.string(), app: z.string(), gone: z.boolean() })),
  complete: z.boolean(),
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
});
export const instancesEvent = z.object({
  project: z.string(),
  environment: z.string(),
  connected: z.number(),
  app: z.string().nullable(),
  joined: z.boolean(),
});
