import { z } from "@hono/zod-openapi";
import { type Holder, may, placeOf } from "../auth/permissions.ts";
import { ENVIRONMENT, environmentParams } from "../environments/params.ts";
import { problem } from "../errors.ts";
import { answer, apiRoute, createApi } from "../http/route.ts";
import type { Delivery } from "./delivery.ts";
import type { EnvironmentInfo, Feed } from "./feed.ts";
import { fleetOf } from "./fleet.ts";
import { RECEIPTS_KEPT_MAX } from "./receipt-log.ts";
import { WAIT_MS_MAX } from "./receipts.ts";
import { instanceList, receipt } from "./schema.ts";

const listInstances = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/instances`,
  summary: "The programs of an environment: which are connected, silent or poll, and how far behind they are",
  request: { params: environmentParams },
  responses: { 200: answer(instanceList, "the programs as they are now") },
});

const showReceipt = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/revisions/{revision}/receipt`,
  summary: "Who has applied a revision",
  request: {
    params: environmentParams.extend({ revision: z.coerce.number().int().min(0) }),
    query: z.object({ waitMs: z.coerce.number().int().min(0).max(WAIT_MS_MAX).optional() }),
  },
  responses: { 200: answer(receipt, "the receipt as it is now") },
});

/** How far committed changes have come. */
export function deliveryRoutes({ delivery }: { delivery: Delivery }) {
  const { feed, instances, receipts, clock } = delivery;
  const api = createApi();

  api.openapi(listInstances, (c) => c.json(fleetOf(find(feed, c.req.valid("param")), { feed, instances, now: clock.now() }), 200));

  api.openapi(showReceipt, async (c) => {
    const { revision, ...names } = c.req.valid("param");
    const environment = find(feed, names);
    const settled = await receipts.settled(environment.id, revision, c.req.valid("query").waitMs ?? 0);
    if (!settled) throw noReceipt(environment, revision);
    return c.json(settled, 200);
  });

  return api;
}

export function noReceipt({ key }: EnvironmentInfo, revision: number) {
  return problem(
    "REVISION_NOT_FOUND",
    `There is no receipt for revision ${revision} of ${key}: either there is no such revision yet, or it is older than the newest ${RECEIPTS_KEPT_MAX.toLocaleString("en")}, for which receipts are kept.`,
  );
}

/** Only the environments that somebody may read. */
export function readableFeed(feed: Feed, holder: Holder): Pick<Feed, "environments"> {
  return { environments: () => feed.environments().filter((environment) => may(holder, "read", placeOf(environment))) };
}

/** Throws the problem that names what there is. */
export function find(
  feed: Pick<Feed, "environments">,
  { project, environment }: { project: string; environment: string },
): EnvironmentInfo {
  const environments = feed.environments().filter(({ projectKey }) => projectKey === project);
  if (environments.length === 0) throw problem("PROJECT_NOT_FOUND", `There is no project "${project}".`);
  const found = environments.find(({ key }) => key === environment);
  if (found) return found;
  const known = environments.map(({ key }) => key).join(", ");
  throw problem("ENVIRONMENT_NOT_FOUND", `Project "${project}" has no environment "${environment}", it has ${known}.`);
}
