import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { and, desc, eq, gte, inArray, lt } from "drizzle-orm";
import type { FlagUsage } from "../api-types.ts";
import { environmentIn, flagIn, projectAt } from "../environments/located.ts";
import { ENVIRONMENT, environmentParams } from "../environments/params.ts";
import { problem } from "../errors.ts";
import { type ApiEnv, answer, apiRoute, createApi } from "../http/route.ts";
import { readNames } from "../store/actors.ts";
import type { EnvironmentModel, FlagRecord } from "../store/model.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { Store } from "../store/store.ts";
import { HOURS_KEPT_MS } from "./counts.ts";
import * as shapes from "./schema.ts";
import type { SinceKill, Usage } from "./usage.ts";

const HOUR_MS = 3_600_000;
const CHANGES_MAX = 200;
const KEYS_MAX = 500;

const time = z.coerce.number().int().min(0).optional();

const usageRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/flags/{flag}/usage`,
  summary: "What a flag served over time, what was changed meanwhile, and whether a kill took effect",
  request: {
    params: environmentParams.extend({ flag: z.string().max(100) }),
    query: z.object({
      from: time.openapi({ description: "ms since 1970; an hour before `to` when absent" }),
      to: time.openapi({ description: "ms since 1970; now when absent" }),
    }),
  },
  responses: { 200: answer(shapes.flagUsage, "counts for each variant, at most 30 days") },
});
const unknownRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/unknown-keys`,
  summary: "Keys that programs ask for and that no flag has, or that browsers may not see",
  request: { params: environmentParams },
  responses: { 200: answer(shapes.unknownKeys, "those asked for last first") },
});

interface UsageRoutesDeps {
  readonly store: Pick<Store, "db" | "project" | "projects">;
  readonly usage: Usage;
  readonly now?: () => number;
}

/** What programs report, for pages and the command line. */
export function usageRoutes({ store, usage, now = Date.now }: UsageRoutesDeps): OpenAPIHono<ApiEnv> {
  const api = createApi();

  api.openapi(usageRoute, async (c) => {
    const { flag: key, project, environment: environmentKey } = c.req.valid("param");
    const environment = environmentIn(projectAt(store, project), environmentKey);
    const flag = flagIn(environment, key);
    const { to = now() + 1, from = Math.max(0, to - HOUR_MS) } = c.req.valid("query");
    if (from >= to)
      throw problem("VALIDATION_FAILED", `"from" (${from}) is not before "to" (${to}): a span of time begins before it ends.`);
    if (to - from > HOURS_KEPT_MS) {
      throw problem("VALIDATION_FAILED", `From ${from} to ${to} is more than 30 days, which is how long usage is kept; ask for less.`);
    }
    const { id } = environment.info;
    const keys = [flag.identity.key, ...flag.identity.aliases];
    const since = flag.killed ? await usage.sinceKill(id, keys, flag.body.off) : undefined;
    const { stepMs, series } = await usage.history(id, keys, { from, to });
    const told: FlagUsage = {
      flag: flag.identity.key,
      environment: environment.info.key,
      from,
      to,
      stepMs,
      perMinute: usage.perMinute(id, flag.identity.key),
      seen: usage.seen(id, flag.identity.key),
      series: series.map(({ points, ...one }) => ({ ...one, points: [...points] })),
      changes: await changesOf(store, environment, flag, { from, to }),
      sinceKill: since ? { ...since, apps: since.apps.map((app) => ({ ...app })), sentence: killSentence(since, flag) } : null,
    };
    return c.json(told, 200);
  });

  api.openapi(unknownRoute, (c) => {
    const { project, environment: key } = c.req.valid("param");
    const { info } = environmentIn(projectAt(store, project), key);
    const keys = usage.unknownKeys(info);
    return c.json({ environment: info.key, total: keys.length, keys: keys.slice(0, KEYS_MAX).map((one) => ({ ...one })) }, 200);
  });
  return api;
}

/** Changes of the flag in this environment, and of the groups that its rules name now. */
async function changesOf(
  store: Pick<Store, "db">,
  environment: EnvironmentModel,
  { identity, body }: FlagRecord,
  { from, to }: { from: number; to: number },
): Promise<FlagUsage["changes"]> {
  const { audit } = tables;
  const keys = new Set([identity.key, ...identity.aliases]);
  const groups = groupsIn(body.rules);
  const rows = await store.db
    .select({ revision: audit.revision, at: audit.at, by: audit.by, action: audit.action, target: audit.target, reason: audit.reason })
    .from(audit)
    .where(
      and(eq(audit.environmentId, environment.info.id), inArray(audit.target, [...keys, ...groups]), gte(audit.at, from), lt(audit.at, to)),
    )
    .orderBy(desc(audit.id))
    .limit(CHANGES_MAX);
  const nameOf = await readNames(store.db);
  return rows
    .filter(({ action, target }) => (action.startsWith("flag.") ? keys.has(target) : action.startsWith("group.") && groups.has(target)))
    .flatMap(({ revision, ...row }) => (revision === null ? [] : [{ revision, ...row, by: nameOf(row.by) }]))
    .reverse();
}

function groupsIn(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value !== "object" || value === null) return found;
  const { op, group } = value as { op?: unknown; group?: unknown };
  if (op === "group" && typeof group === "string") found.add(group);
  for (const part of Object.values(value)) groupsIn(part, found);
  return found;
}

function killSentence({ off, old }: SinceKill, { body }: FlagRecord): string {
  const others = Object.keys(body.values).filter((variant) => variant !== body.off);
  const other = others.length === 1 ? others[0] : `anything but ${body.off}`;
  const many = (count: number) => count.toLocaleString("en");
  return `${many(old)} ${old === 1 ? "evaluation" : "evaluations"} served ${other} since the kill, ${many(off)} served ${body.off}`;
}
