import { z } from "@hono/zod-openapi";

const point = z.object({ at: z.number().describe("when the step begins"), count: z.number() });

/** What a flag served, and what was changed meanwhile. */
export const flagUsage = z.object({
  flag: z.string(),
  environment: z.string(),
  from: z.number(),
  to: z.number(),
  stepMs: z.number().describe("how long a point is: a minute, an hour or a day"),
  perMinute: z.number().describe("evaluations reported in the last minute"),
  seen: z.object({ at: z.number(), app: z.string(), variant: z.string() }).nullable(),
  series: z
    .array(z.object({ variant: z.string(), total: z.number(), points: z.array(point) }))
    .describe(
      'the variants that were served, the most served first; "(other)" are names that the flag does not have. Steps without any have no point',
    ),
  changes: z
    .array(
      z.object({
        revision: z.number(),
        at: z.number(),
        by: z.string(),
        action: z.string(),
        target: z.string().describe("the flag, or a group that its rules name"),
        reason: z.string().nullable(),
      }),
    )
    .describe("changes of the flag and of the groups that its rules name, the oldest first, at most the newest 200"),
  sinceKill: z
    .object({
      revision: z.number(),
      at: z.number(),
      off: z.number().describe("evaluations that got the off variant since the kill"),
      old: z.number().describe("evaluations that still got something else, more than a second after it"),
      oldAt: z.number().nullable().describe("when the last of those was"),
      apps: z
        .array(z.object({ app: z.string(), variant: z.string(), count: z.number(), firstAt: z.number(), lastAt: z.number() }))
        .describe("which apps they came from, as far as this process has heard"),
      sentence: z.string().describe('"0 evaluations served on since the kill, 1,204 served off"'),
    })
    .nullable()
    .describe("the effect of the kill that holds now; null when the flag is not killed"),
});

export const unknownKeys = z.object({
  environment: z.string(),
  total: z.number(),
  keys: z
    .array(
      z.object({
        flag: z.string(),
        hidden: z.boolean().describe("true: the flag exists, and a browser asked for it that may not see it"),
        app: z.string().describe("the one that asked last"),
        count: z.number(),
        at: z.number(),
      }),
    )
    .describe("the newest 500"),
});
