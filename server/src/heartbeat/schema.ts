import { z } from "@hono/zod-openapi";

const ms = z.number().nullable();

/** The heartbeat switch: a hidden flag is changed every `everyMs` by the path of every write. Times in ms. */
export const heartbeat = z.object({
  state: z.enum(["off", "starting", "ok", "failing"]),
  everyMs: z.number(),
  at: ms.describe("when the last beat that arrived did"),
  storedMs: ms.describe("from the request to the commit"),
  latencyMs: ms.describe("to the new answer in a connected program"),
  acknowledgedMs: ms.describe("to its acknowledgement"),
  p50Ms: ms.describe("of the latencies of the last hour"),
  p99Ms: ms,
  beats: z.number(),
  failures: z.number(),
  problem: z.string().nullable(),
});
