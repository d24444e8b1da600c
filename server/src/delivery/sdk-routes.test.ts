import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createMembers } from "../groups/members.ts";
import { createUsage, type Usage } from "../usage/usage.ts";
import { createDelivery, type Delivery } from "./delivery.ts";
import { sdkRoutes } from "./sdk-routes.ts";
import { openTestStore, type TestStore } from "./test-store.ts";
import { arrival, collectingLog, type ManualClock, manualClock } from "./test-support.ts";

let parts: TestStore;
let delivery: Delivery;
let usage: Usage;
let clock: ManualClock;
let sdkDirectory: string;
let app: ReturnType<typeof sdkRoutes>;

beforeEach(async () => {
  parts = await openTestStore();
  clock = manualClock();
  const log = collectingLog();
  delivery = createDelivery({ feed: parts.store.feed, clock, log });
  usage = createUsage({ store: parts.store, clock, log });
  sdkDirectory = mkdtempSync(join(tmpdir(), "signalbox-sdk-"));
  app = sdkRoutes({ delivery, store: parts.store, members: createMembers(parts.store), usage, sdkDirectory });
});
afterEach(async () => {
  await usage.close();
  await parts.close();
  rmSync(sdkDirectory, { recursive: true, force: true });
});

const bearer = () => ({ authorization: `Bearer ${parts.sdkKey("server")}` });
const withKey = (path: string) => `${path}?key=${parts.sdkKey("browser")}`;
const post = (path: string, body: unknown, headers: Record<string, string> = bearer()) =>
  app.request(path, { method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body) });

describe("every route", () => {
  test("can be read by every page without credentials, problems as well", async () => {
    for (const response of [
      await app.request(withKey("/sdk/v1/early-access"), { headers: { origin: "https://shop.example" } }),
      await app.request("/sdk/v1/early-access?key=wrong", { headers: { origin: "https://shop.example" } }),
      await app.request("/sdk/v1/early-access", { headers: { ...bearer(), origin: "https://shop.example" } }),
      await post(withKey("/sdk/v1/usage"), "{", {}),
    ]) {
      expect(response.headers.get("access-control-allow-origin")).toBe("*");
      expect(response.headers.get("access-control-allow-credentials")).toBeNull();
    }
  });

  test.each([
    [() => app.request("/sdk/v1/early-access"), 401, "SDK_KEY_MISSING"],
    [() => app.request("/sdk/v1/early-access", { headers: { authorization: "Bearer sb_server_development_x" } }), 401, "SDK_KEY_INVALID"],
    [() => app.request("/sdk/v1/early-access", { headers: { ...bearer(), origin: "https://shop.example" } }), 403, "SDK_KEY_LEAKED"],
    [() => app.request(`/sdk/v1/early-access?key=${parts.sdkKey("server")}`), 403, "SDK_KEY_KIND"],
    [() => app.request("/sdk/v1/nothing", { headers: bearer() }), 404, "ROUTE_NOT_FOUND"],
    [() => app.request("/sdk/v1/usage", { headers: bearer() }), 404, "ROUTE_NOT_FOUND"],
  ])("refuses what is wrong with a problem %#", async (request, status, code) => {
    const response = await request();
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const body = await response.json();
    expect(body).toMatchObject({ code, status });
    expect(JSON.stringify(body)).not.toContain(parts.sdkKey("server"));
  });
});

describe("POST /sdk/v1/usage", () => {
  const report = {
    instance: "i",
    app: "shop",
    sdk: "browser 0.1.0",
    evaluated: [{ flag: "search", variant: "off", count: 2 }],
    unknown: [],
  };

  test("takes a report, also as the text/plain that browsers send", async () => {
    await parts.createFlag("search");
    const response = await post(withKey("/sdk/v1/usage"), report, {
      "content-type": "text/plain;charset=UTF-8",
      origin: "https://shop.example",
    });
    expect(response.status).toBe(204);
    expect(usage.seen(parts.development.id, "search")).toMatchObject({ app: "shop", variant: "off" });
  });

  test.each([
    ["no JSON", "{", 400, "MALFORMED_JSON"],
    ["nothing", "", 400, "MALFORMED_JSON"],
    ["another type", [], 400, "VALIDATION_FAILED"],
    ["an unknown field", { ...report, user: "eve" }, 400, "VALIDATION_FAILED"],
    ["a batch of 0", { ...report, run: "r", batch: 0 }, 400, "VALIDATION_FAILED"],
    ["21 contexts", { ...report, contexts: Array.from({ length: 21 }, () => ({ key: "a" })) }, 400, "VALIDATION_FAILED"],
    [
      "a context of 65 attributes",
      { ...report, contexts: [Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`a${index}`, 1]))] },
      400,
      "VALIDATION_FAILED",
    ],
    ["a context with a long attribute", { ...report, contexts: [{ key: "x".repeat(1_025) }] }, 400, "VALIDATION_FAILED"],
    ["an unknown field in a row", { ...report, unknown: [{ flag: "x", count: 1, user: "eve" }] }, 400, "VALIDATION_FAILED"],
    ["a count below one", { ...report, unknown: [{ flag: "x", count: 0 }] }, 400, "VALIDATION_FAILED"],
    ["a count that is no integer", { ...report, unknown: [{ flag: "x", count: 1.5 }] }, 400, "VALIDATION_FAILED"],
    [
      "501 rows",
      { ...report, unknown: Array.from({ length: 501 }, (_, index) => ({ flag: `f${index}`, count: 1 })) },
      400,
      "VALIDATION_FAILED",
    ],
    ["more than 64 KiB", { ...report, app: "x".repeat(64 * 1024) }, 413, "BODY_TOO_LARGE"],
  ])("refuses %s, and keeps nothing of it", async (_name, body, status, code) => {
    await parts.createFlag("search");
    const response = await post("/sdk/v1/usage", body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code });
    expect(usage.seen(parts.development.id, "search")).toBeNull();
  });
});

describe("POST /sdk/v1/ack", () => {
  test("counts for the receipt of a kill in the environment of the key", async () => {
    await parts.createFlag("search");
    delivery.instances.join(arrival("i", { environment: parts.development }));
    const revision = await parts.kill("search");
    await parts.createFlag("other"); // production comes to the same revision
    const { generation } = parts.store.feed.state(parts.development.id, "server");
    const production = parts.store.feed.environments().find(({ key }) => key === "production");
    const elsewhere = { authorization: `Bearer ${parts.sdkKey("server", production)}` };
    expect((await post("/sdk/v1/ack", { instance: "i", generation, revision }, elsewhere)).status).toBe(204);
    expect(delivery.receipts.of(parts.development.id, revision)).toMatchObject({ connected: 1, acknowledged: 0 });
    expect((await post("/sdk/v1/ack", { instance: "i", generation, revision })).status).toBe(204);
    expect(delivery.receipts.of(parts.development.id, revision)).toMatchObject({ acknowledged: 1, complete: true });
  });

  test.each([
    {},
    { instance: "i", generation: -1, revision: 1 },
    { instance: "i", generation: 1, revision: 1, at: 5 },
    { instance: "", generation: 1, revision: 1 },
    { instance: "i", generation: 1e15 - 1, revision: 1 },
  ])("refuses %j", async (body) => {
    const response = await post("/sdk/v1/ack", body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "VALIDATION_FAILED" });
  });
});

describe("early access", () => {
  const list = async (unit: string) => (await app.request(`/sdk/v1/early-access?unit=${unit}`, { headers: bearer() })).json();

  test("is listed, joined and left with a server key", async () => {
    await parts.createEarlyAccess("beta");
    expect(await list("u1")).toEqual({ groups: [{ group: "beta", name: expect.any(String), description: "", by: "key", joined: false }] });
    const joined = await post("/sdk/v1/early-access/beta/join", { unit: "u1" });
    const { generation, revision } = parts.store.feed.state(parts.development.id, "server");
    expect(await joined.json()).toEqual({ group: "beta", joined: true, generation, revision });
    expect(await list("u1")).toMatchObject({ groups: [{ joined: true }] });
    expect(await list("u2")).toMatchObject({ groups: [{ joined: false }] });
    expect(await (await post("/sdk/v1/early-access/beta/leave", { unit: "u1" })).json()).toMatchObject({
      joined: false,
      revision: revision + 1,
    });
    expect(await list("u1")).toMatchObject({ groups: [{ joined: false }] });
  });

  test.each([
    ["a browser key", () => app.request(`${withKey("/sdk/v1/early-access")}&unit=u1`), 403, "SDK_KEY_KIND"],
    ["a browser key that joins", () => post(withKey("/sdk/v1/early-access/beta/join"), { unit: "u1" }, {}), 403, "SDK_KEY_KIND"],
    ["no unit", () => app.request("/sdk/v1/early-access", { headers: bearer() }), 400, "VALIDATION_FAILED"],
    ["an empty unit", () => post("/sdk/v1/early-access/beta/join", { unit: "" }), 400, "VALIDATION_FAILED"],
    ["a number", () => post("/sdk/v1/early-access/beta/join", { unit: 5 }), 400, "VALIDATION_FAILED"],
    ["an unknown group", () => post("/sdk/v1/early-access/alpha/join", { unit: "u1" }), 404, "GROUP_NOT_FOUND"],
  ])("refuses %s", async (_name, request, status, code) => {
    await parts.createEarlyAccess("beta");
    const response = await request();
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code });
  });

  test("takes 100 requests at once and 50 in a second from one key", async () => {
    const ask = () => app.request("/sdk/v1/early-access?unit=u1", { headers: bearer() });
    for (let index = 0; index < 100; index += 1) expect((await ask()).status).toBe(200);
    const refused = await ask();
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({ code: "RATE_LIMITED" });
    await clock.advance(1_000);
    for (let index = 0; index < 50; index += 1) expect((await ask()).status).toBe(200);
    expect((await ask()).status).toBe(429);
  });
});

describe("the SDK files", () => {
  test("are served without a key to every page, with an ETag that changes with the file", async () => {
    writeFileSync(join(sdkDirectory, "browser.js"), "export const a = 1;");
    const response = await app.request("/sdk/browser.js");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(await response.text()).toBe("export const a = 1;");
    const etag = response.headers.get("etag") ?? "";
    expect((await app.request("/sdk/browser.js", { headers: { "if-none-match": etag } })).status).toBe(304);
    writeFileSync(join(sdkDirectory, "browser.js"), "export const a = 22;");
    const changed = await app.request("/sdk/browser.js", { headers: { "if-none-match": etag } });
    expect(await changed.text()).toBe("export const a = 22;");
  });

  test("that were not built are answered with what to do", async () => {
    const response = await app.request("/sdk/node.tgz");
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: "NOT_BUILT", detail: expect.stringContaining('"npm run build"') });
  });
});
