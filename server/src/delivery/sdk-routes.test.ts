import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contextHash } from "@signalbox/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { patchSettings } from "../environments/settings.ts";
import { createFacts } from "../facts/facts.ts";
import { createMembers, type Members } from "../groups/members.ts";
import { createUsage, type Usage } from "../usage/usage.ts";
import { type Clock, systemClock } from "./clock.ts";
import { createDelivery, type Delivery } from "./delivery.ts";
import { sdkRoutes } from "./sdk-routes.ts";
import { openTestStore, type TestStore } from "./test-store.ts";
import { arrival, collectingLog, type ManualClock, manualClock } from "./test-support.ts";

/** Who joins after another does not wait for a second; the lane has its own tests. */
const IMPATIENT: Clock = { ...systemClock, after: (_ms, run) => systemClock.after(0, run) };

let parts: TestStore;
let delivery: Delivery;
let usage: Usage;
let clock: ManualClock;
let sdkDirectory: string;
let app: ReturnType<typeof sdkRoutes>;
let address = "192.0.2.1";

beforeEach(async () => {
  parts = await openTestStore();
  clock = manualClock();
  const log = collectingLog();
  delivery = createDelivery({ feed: parts.store.feed, clock, log });
  usage = await createUsage({ store: parts.store, clock, log });
  sdkDirectory = mkdtempSync(join(tmpdir(), "signalbox-sdk-"));
  app = appWith(createMembers(parts.store, IMPATIENT));
});
afterEach(async () => {
  await usage.close();
  await parts.close();
  rmSync(sdkDirectory, { recursive: true, force: true });
});

function appWith(members: Members): ReturnType<typeof sdkRoutes> {
  return sdkRoutes({
    delivery,
    store: parts.store,
    members,
    facts: createFacts({ store: parts.store, clock }),
    usage,
    sdkDirectory,
    addressOf: () => address,
    knownAddressOf: () => address,
  });
}

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
    ["a count of more than 1,000,000,000", { ...report, unknown: [{ flag: "x", count: 1_000_000_001 }] }, 400, "VALIDATION_FAILED"],
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

describe.each(["usage", "ack"])("POST /sdk/v1/%s of pages", (path) => {
  // What cannot be read counts as well.
  const page = () => post(withKey(`/sdk/v1/${path}`), "{", {});

  test("is limited by address; programs are not", async () => {
    address = "192.0.2.31";
    for (let index = 0; index < 200; index += 1) expect((await page()).status).toBe(400);
    const refused = await page();
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("5");
    expect(await refused.json()).toMatchObject({ code: "RATE_LIMITED", detail: expect.stringContaining("in a second from your address") });
    expect((await post(`/sdk/v1/${path}`, "{")).status).toBe(400);
    await clock.advance(50);
    expect([(await page()).status, (await page()).status]).toEqual([400, 429]);
    address = "192.0.2.32";
    expect((await page()).status).toBe(400);
  });
});

describe("POST /sdk/v1/ack", () => {
  test("with a browser key says nothing about a program, whatever instance it names", async () => {
    await parts.createFlag("search");
    delivery.instances.join(arrival("i", { environment: parts.development }));
    const revision = await parts.kill("search");
    const { generation } = parts.store.feed.state(parts.development.id, "server");
    const before = delivery.receipts.open(parts.development.id, revision);
    expect(before).toMatchObject({ connected: 1, acknowledged: 0, complete: false });
    expect((await post(withKey("/sdk/v1/ack"), { instance: "i", generation, revision }, {})).status).toBe(204);
    expect(delivery.receipts.open(parts.development.id, revision)).toEqual(before);
    expect((await post("/sdk/v1/ack", { instance: "i", generation, revision })).status).toBe(204);
    expect(delivery.receipts.open(parts.development.id, revision)).toMatchObject({ acknowledged: 1, complete: true });
  });

  test("counts for the receipt of a kill in the environment of the key", async () => {
    await parts.createFlag("search");
    delivery.instances.join(arrival("i", { environment: parts.development }));
    const revision = await parts.kill("search");
    await parts.createFlag("other"); // production comes to the same revision
    const { generation } = parts.store.feed.state(parts.development.id, "server");
    const production = parts.store.feed.environments().find(({ key }) => key === "production");
    const elsewhere = { authorization: `Bearer ${parts.sdkKey("server", production)}` };
    expect((await post("/sdk/v1/ack", { instance: "i", generation, revision }, elsewhere)).status).toBe(204);
    expect(delivery.receipts.open(parts.development.id, revision)).toMatchObject({ connected: 1, acknowledged: 0 });
    expect((await post("/sdk/v1/ack", { instance: "i", generation, revision })).status).toBe(204);
    expect(delivery.receipts.open(parts.development.id, revision)).toMatchObject({ acknowledged: 1, complete: true });
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

describe("facts", () => {
  const ask = (body: unknown, headers: Record<string, string> = { origin: "https://shop.example", "content-type": "text/plain" }) =>
    app.request(withKey("/sdk/v1/facts"), { method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body) });

  test("are answered to a page of any origin, for the context that it sends, and kept by no cache", async () => {
    const answer = await ask({ context: { key: "ann" } });
    expect(answer.status).toBe(200);
    expect([answer.headers.get("access-control-allow-origin"), answer.headers.get("cache-control")]).toEqual(["*", "no-store"]);
    expect(await answer.json()).toMatchObject({ contextHash: contextHash({ key: "ann" }), true: [], false: [] });
  });

  test.each<[string, unknown, number]>([
    ["no context", {}, 400],
    ["a context and a token", { context: {}, token: "a.b" }, 400],
    ["fields that are not known", { context: {}, more: 1 }, 400],
    ["65 attributes", { context: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`a${i}`, i])) }, 400],
    ["no JSON", "{", 400],
    ["more than 64 KiB", { context: { a: "x".repeat(65_600) } }, 413],
  ])("refuse %s", async (_what, body, status) => {
    expect((await ask(body)).status).toBe(status);
  });

  test("are not for server keys", async () => {
    expect((await post("/sdk/v1/facts", { context: {} })).status).toBe(403);
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

  test("takes 2,000 requests at once and 1,000 in a second from one key", async () => {
    const ask = () => app.request("/sdk/v1/early-access?unit=u1", { headers: bearer() });
    for (let index = 0; index < 2_000; index += 1) expect((await ask()).status).toBe(200);
    const refused = await ask();
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({ code: "RATE_LIMITED" });
    await clock.advance(1_000);
    for (let index = 0; index < 1_000; index += 1) expect((await ask()).status).toBe(200);
    expect((await ask()).status).toBe(429);
  });
});

describe("early access from a page", () => {
  const EARLY = "/sdk/v1/early-access";
  const page = async (path: string, body: unknown): Promise<Record<string, unknown> & { status: number; headers: Headers }> => {
    const response = await post(withKey(EARLY + path), body, { "content-type": "text/plain" });
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    const answer = (await response.json()) as Record<string, unknown>;
    return { ...answer, status: response.status, headers: response.headers };
  };
  const list = (context: object) => page("", { context });
  const join = (body: object, group = "beta") => page(`/${group}/join`, body);
  const leave = (body: object, group = "beta") => page(`/${group}/leave`, body);
  const token = (
    context: object,
    secret = parts.store.signingSecrets(parts.development.id)[0]?.text ?? "",
    exp = clock.now() / 1_000 + 60,
  ) => {
    const payload = Buffer.from(JSON.stringify({ context, exp })).toString("base64url");
    return `${payload}.${createHmac("sha256", secret).update(payload).digest("base64url")}`;
  };
  const secure = () =>
    parts.store.write({ project: "default", by: "ada" }, (current) =>
      patchSettings(current, "development", { secureMode: true }, undefined),
    );
  const program = (verb: string, unit: string, group = "beta") => post(`${EARLY}/${group}/${verb}`, { unit });
  const state = async (unit: string) => {
    const group = parts.store.project("default")?.environments[0]?.groups.get("beta");
    const page = group && (await createMembers(parts.store).page(group, undefined, 1_000));
    return page?.find((row) => row.unit === unit);
  };

  beforeEach(async () => {
    await parts.createEarlyAccess("beta");
    await parts.createEarlyAccess("accounts", "account.key");
  });

  test("is listed, joined and left by a key of its own choice, with no unit in any address", async () => {
    expect(await list({ key: "visitor-1" })).toMatchObject({
      status: 200,
      groups: [
        { group: "beta", by: "key", joined: false },
        { group: "accounts", by: "account.key", joined: false },
      ],
    });
    const { revision } = parts.store.feed.state(parts.development.id, "server");
    expect(await join({ context: { key: "visitor-1" } })).toMatchObject({
      status: 200,
      group: "beta",
      joined: true,
      revision: revision + 1,
    });
    expect(await list({ key: "visitor-1" })).toMatchObject({ groups: [{ joined: true }, { joined: false }] });
    expect(await leave({ context: { key: "visitor-1" } })).toMatchObject({ status: 200, joined: false, revision: revision + 2 });
    expect(await leave({ context: { key: "never-there" } })).toMatchObject({ status: 200, joined: false, revision: revision + 2 });
    expect(await state("never-there")).toBeUndefined();
    expect(await join({ context: { key: 4711 } })).toMatchObject({ status: 200, joined: true });
    expect(await state("4711")).toMatchObject({ state: "member", by: "early access, from a page" });
  });

  test("leaves alone what staff, the app's server or a signed context have said of a unit", async () => {
    const staff = (change: { add: string[]; remove: string[] }) =>
      createMembers(parts.store).change({
        environmentId: parts.development.id,
        group: "beta",
        author: { by: "ada" },
        change,
        action: "group.members",
      });
    await staff({ add: ["put-in", "taken-out"], remove: [] });
    await staff({ add: [], remove: ["taken-out"] });
    await program("join", "by-server");
    await join({ token: token({ key: "by-token" }) });
    for (const [verb, key] of [
      [leave, "put-in"],
      [join, "taken-out"],
      [leave, "by-server"],
      [leave, "by-token"],
    ] as const) {
      const before = await state(key);
      expect(await verb({ context: { key } })).toMatchObject({
        status: 403,
        code: "SIGNED_CONTEXT_NEEDED",
        detail: expect.stringContaining(key),
      });
      expect(await state(key)).toEqual(before);
      expect(await verb({ token: token({ key }) })).toMatchObject({ status: 200 });
    }
    // What is so already is no change.
    await program("join", "twice");
    expect(await join({ context: { key: "twice" } })).toMatchObject({ status: 200, joined: true });
  });

  test("takes a group by another attribute only with a signed context", async () => {
    const context = { key: "visitor-1", account: { key: "a1" } };
    expect(await join({ context }, "accounts")).toMatchObject({ status: 403, code: "SIGNED_CONTEXT_NEEDED" });
    expect(await join({ token: token(context) }, "accounts")).toMatchObject({ status: 200, joined: true });
    expect(await list(context)).toMatchObject({ groups: [{ joined: false }, { joined: true }] });
  });

  test("needs a signed context for everything in secure mode, and takes whom it names from it alone", async () => {
    await secure();
    for (const answer of [await list({ key: "u1" }), await join({ context: { key: "u1" } }), await leave({ context: { key: "u1" } })]) {
      expect(answer).toMatchObject({ status: 403, code: "SIGNED_CONTEXT_NEEDED" });
    }
    expect(await join({ token: token({ key: "u1" }), context: { key: "u2" } })).toMatchObject({ status: 400 });
    expect(await join({ token: token({ key: "u1" }) })).toMatchObject({ status: 200, joined: true });
    expect(await page("", { token: token({ key: "u1" }) })).toMatchObject({ groups: [{ joined: true }, {}] });
    expect(await join({ token: token({ key: "u1" }, "sb_signing_development_1_forged") })).toMatchObject({
      status: 403,
      code: "SIGNED_CONTEXT_INVALID",
    });
    expect(await join({ token: token({ key: "u1" }, undefined, 1) })).toMatchObject({ status: 403, code: "SIGNED_CONTEXT_EXPIRED" });
    expect((await program("join", "u3")).status).toBe(200);
  });

  test("checks a token before the step and not after it: who has joined is told so, even if the token ended meanwhile", async () => {
    await secure();
    const members = createMembers(parts.store, IMPATIENT);
    const slowly: Members["participate"] = async (who) => {
      const joined = await members.participate(who);
      await clock.advance(10 * 60_000);
      return joined;
    };
    app = appWith({ ...members, participate: slowly });
    const ending = token({ key: "u1" });
    expect(await join({ token: ending })).toMatchObject({ status: 200, joined: true, facts: { contextHash: contextHash({ key: "u1" }) } });
    expect(await join({ token: ending })).toMatchObject({ status: 403, code: "SIGNED_CONTEXT_EXPIRED" });
  });

  test.each([
    ["a unit", "/beta/join", { unit: "u1" }, 400, /"unit" is not a field/],
    ["nothing", "/beta/join", {}, 400, /Send "context" or "token"/],
    ["a list", "/beta/join", [], 400, /./],
    ["no JSON", "/beta/join", "u1", 400, /cannot be read as JSON/],
    [
      "65 attributes",
      "/beta/join",
      { context: { key: "u1", ...Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`a${i}`, i])) } },
      400,
      /more than 64 attributes/,
    ],
    ["a context without the unit", "/beta/join", { context: { plan: "pro" } }, 400, /goes by "key", which the context does not hold/],
    ["a unit that is too long", "/beta/join", { context: { key: "u".repeat(201) } }, 400, /1 to 200 characters/],
    ["a unit that is an object", "/beta/join", { context: { key: { id: 1 } } }, 400, /does not hold/],
    ["a group that is not there", "/alpha/join", { context: { key: "u1" } }, 404, /no early-access group with the key "alpha"/],
  ])("refuses %s", async (_what, path, body, status, sentence) => {
    const answer = await page(path, body);
    expect(answer.status).toBe(status);
    expect(String(answer.detail)).toMatch(sentence);
  });

  test("refuses a page that puts a unit into an address, and a program that asks as a page does", async () => {
    expect(await (await app.request(`${withKey(EARLY)}&unit=u1`)).json()).toMatchObject({ code: "SDK_KEY_KIND" });
    expect(await (await post(EARLY, { context: { key: "u1" } })).json()).toMatchObject({ code: "SDK_KEY_KIND" });
  });

  test("is limited by address; programs are not", async () => {
    address = "192.0.2.7";
    for (let index = 0; index < 100; index += 1) expect((await join({ context: {} })).status).toBe(400);
    const refused = await join({ context: { key: "u1" } });
    expect(refused).toMatchObject({ status: 429, code: "RATE_LIMITED", detail: expect.stringContaining("your address") });
    expect(refused.headers.get("retry-after")).toBe("5");
    expect((await program("join", "u1")).status).toBe(200);
    expect((await list({ key: "u1" })).status).toBe(200);
    address = "192.0.2.8";
    expect((await join({ context: { key: "u2" } })).status).toBe(200);
    address = "192.0.2.7";
    await clock.advance(200);
    expect((await join({ context: { key: "u3" } })).status).toBe(200);
    expect((await join({ context: { key: "u4" } })).status).toBe(429);
  });

  test("has room for pages elsewhere while one address asks more than the key may", { timeout: 20_000 }, async () => {
    address = "192.0.2.9";
    for (let index = 0; index < 2_001; index += 1) await join({ context: {} });
    address = "192.0.2.10";
    expect((await join({ context: { key: "u5" } })).status).toBe(200);
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
