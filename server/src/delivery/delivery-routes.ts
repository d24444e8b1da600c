import { z } from "@hono/zod-openapi";
import { ENVIRONMENT, environmentParams } from "../environments/params.ts";
import { problem } from "../errors.ts";
import { answer, apiRoute, createApi } from "../http/route.ts";
import type { Delivery } from "./delivery.ts";
import type { EnvironmentInfo, Feed } from "./feed.ts";
import { WAIT_MS_MAX } from "./receipts.ts";
import { instanceList, receipt } from "./schema.ts";

/** Programs listed in one answer, the longest connected first. */
const INSTANCES_LISTED_MAX = 1_000;

const listInstances = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/instances`,
  summary: "Connected programs",
  request: { params: environmentParams },
  responses: { 200: answer(instanceList, "the programs that are connected now") },
});

const showReceipt = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/revisions/{revision}/receipt`,
  summary: "Who has applied a kill or restore",
  request: {
    params: environmentParams.extend({ revision: z.coerce.number().int().min(0) }),
    query: z.object({ waitMs: z.coerce.number().int().min(0).max(WAIT_MS_MAX).optional() }),
  },
  responses: { 200: answer(receipt, "the receipt as it is now") },
});

/** How far committed changes have come. */
export function deliveryRoutes({ delivery }: { delivery: Delivery }) {
  const { feed, instances, receipts } = delivery;
  const api = createApi();

  api.openapi(listInstances, (c) => {
    const environment = find(feed, c.req.valid("param"));
    const listed = instances.connected(environment.id).slice(0, INSTANCES_LISTED_MAX);
    return c.json(
      {
        environment: environment.key,
        revision: feed.state(environment.id, "server").revision,
        instances: listed.map(({ instance, app, sdk, kind, connectedAt, acknowledged }) => ({
          instance,
          app,
          sdk,
          kind,
          environment: environment.key,
          connectedAt,
          revision: acknowledged?.revision ?? null,
        })),
      },
      200,
    );
  });

  api.openapi(showReceipt, async (c) => {
    const { revision, ...names } = c.req.valid("param");
    const environment = find(feed, names);
    const settled = await receipts.settled(environment.id, revision, c.req.valid("query").waitMs ?? 0);
    if (!settled) {
      throw problem(
        "REVISION_NOT_FOUND",
        `There is no receipt for revision ${revision} of ${environment.key}: only a kill or restore has one, and it is kept until the server restarts or 100 newer ones exist.`,
      );
    }
    return c.json(settled, 200);
  });

  return api;
}

function find(feed: Feed, { project, environment }: { project: string; environment: string }): EnvironmentInfo {
  const environments = feed.environments().filter(({ projectKey }) => projectKey === project);
  if (environments.length === 0) throw problem("PROJECT_NOT_FOUND", `There is no project "${project}".`);
  const found = environments.find(({ key }) => key === environment);
  if (found) return found;
  const known = environments.map(({ key }) => key).join(", ");
  throw problem("ENVIRONMENT_NOT_FOUND", `Project "${project}" has no environment "${environment}", it has ${known}.`);
}
