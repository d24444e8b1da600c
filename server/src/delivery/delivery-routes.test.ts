import { OpenAPIHono } from "@hono/zod-openapi";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ApiEnv } from "../http/route.ts";
import { callerWith } from "../http/test-caller.ts";
import { createDelivery, type Delivery } from "./delivery.ts";
import { deliveryRoutes } from "./delivery-routes.ts";
import { openTestStore, type TestStore } from "./test-store.ts";
import { arrival, collectingLog, type ManualClock, manualClock } from "./test-support.ts";

let parts: TestStore;
let delivery: Delivery;
let clock: ManualClock;
let app: OpenAPIHono<ApiEnv>;

beforeEach(async () => {
  parts = await openTestStore();
  clock = manualClock();
  delivery = createDelivery({ feed: parts.store.feed, clock, log: collectingLog() });
  app = new OpenAPIHono<ApiEnv>();
  const ada = callerWith(parts.store, "ada", [{ role: "kill", projectId: null, environmentId: null }]);
  app.use((c, next) => (c.req.header("authorization") ? ada(c, next) : next()));
  app.route("/", deliveryRoutes({ delivery }));
});
afterEach(() => parts.close());

const get = (path: string) =>
  app.request(`/api/v1/projects/default/environments/development/${path}`, { headers: { authorization: "Bearer t" } });
const join = (instance: string) => delivery.instances.join(arrival(instance, { environment: parts.development }));

test("GET instances lists the connected programs and the revision that each has acknowledged", async () => {
  await parts.createFlag("search");
  join("a");
  const leave = join("b");
  join("c");
  leave();
  const { generation, revision } = parts.store.feed.state(parts.development.id, "server");
  delivery.instances.acknowledge(parts.development.id, "server", { instance: "c", generation, revision });
  const response = await get("instances");
  expect(response.status).toBe(200);
  const said = { app: "shop", appVersion: "1.0.0", sdk: "node/0.1.0", host: "rack-7", kind: "server", transport: "stream" };
  const program = {
    ...said,
    environment: "development",
    connectedAt: clock.now(),
    heardAt: clock.now(),
    state: "connected",
    connections: 1,
  };
  expect(await response.json()).toEqual({
    environment: "development",
    revision,
    counts: { connected: 2, silent: 0, polling: 0, behind: 0 },
    apps: [{ app: "shop", kind: "server", instances: 2, behind: 0, silent: 0, appVersions: ["1.0.0"], sdks: ["node/0.1.0"] }],
    total: 2,
    instances: [
      { instance: "a", ...program, applied: null, revision: null, behind: null, behindMs: null },
      { instance: "c", ...program, applied: revision, revision, behind: 0, behindMs: 0 },
    ],
  });
});

test("GET receipt answers at once, or waits until every program has applied it", async () => {
  await parts.createFlag("search");
  join("a");
  const revision = await parts.kill("search");
  const { generation } = parts.store.feed.state(parts.development.id, "server");
  expect(await (await get(`revisions/${revision}/receipt`)).json()).toMatchObject({ complete: false, target: "search", by: "ada" });
  const waiting = get(`revisions/${revision}/receipt?waitMs=10000`);
  delivery.instances.acknowledge(parts.development.id, "server", { instance: "a", generation, revision });
  expect(await (await waiting).json()).toMatchObject({ complete: true, connected: 1, acknowledged: 1 });
});

test.each([
  ["revisions/100/receipt", 404, "REVISION_NOT_FOUND"],
  ["revisions/x/receipt", 400, "VALIDATION_FAILED"],
  ["revisions/1/receipt?waitMs=10001", 400, "VALIDATION_FAILED"],
  ["revisions/1/receipt?waitMs=-1", 400, "VALIDATION_FAILED"],
])("GET %s is refused", async (path, status, code) => {
  const response = await get(path);
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ code });
});

test("places that do not exist are named", async () => {
  const headers = { authorization: "Bearer t" };
  const project = await app.request("/api/v1/projects/none/environments/development/instances", { headers });
  expect(await project.json()).toMatchObject({ code: "PROJECT_NOT_FOUND" });
  const environment = await app.request("/api/v1/projects/default/environments/none/instances", { headers });
  expect(await environment.json()).toMatchObject({
    code: "ENVIRONMENT_NOT_FOUND",
    detail: expect.stringContaining('"development" and "production"'),
  });
});

test("nobody is told who is not signed in", async () => {
  const response = await app.request("/api/v1/projects/default/environments/development/instances");
  expect(response.status).toBe(401);
});
