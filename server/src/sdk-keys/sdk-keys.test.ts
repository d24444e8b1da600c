import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Problem, SdkKey, SdkKeyMade, SdkKeys } from "../api-types.ts";
import { get, type RawClient, rawClient, until } from "../delivery/test-support.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { brokenAuditRow } from "../store/audit.ts";
import { tables } from "../store/schema.sqlite.ts";
import { openStore } from "../store/store.ts";

const at = (environment: string) => `/api/v1/projects/default/environments/${environment}/sdk-keys`;
const SHOP = "https://shop.example";

let server: TestServer;
let admin: string;
beforeAll(async () => {
  server = await startTestServer();
  admin = await server.token("admin");
});
afterAll(() => server.close());

async function ask<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${admin}`, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: (text === "" ? undefined : JSON.parse(text)) as T };
}
async function create(environment: string, wanted: object): Promise<SdkKeyMade> {
  const { status, body } = await ask<SdkKeyMade>("POST", at(environment), wanted);
  expect(status, JSON.stringify(body)).toBe(201);
  return body;
}
const list = async (environment: string) => (await ask<SdkKeys>("GET", at(environment))).body.keys;
const state = (key: string, headers: Record<string, string> = {}) =>
  key.startsWith("sb_browser")
    ? fetch(`${server.url}/sdk/v1/state?key=${key}`, { headers })
    : fetch(`${server.url}/sdk/v1/state`, { headers: { ...headers, authorization: `Bearer ${key}` } });

/** A stream that has begun. */
async function stream(key: string, app = "shop"): Promise<RawClient> {
  const query = key.startsWith("sb_browser") ? `&key=${key}` : "";
  const headers: Record<string, string> = query === "" ? { authorization: `Bearer ${key}` } : {};
  const client = rawClient(server.port, get(`/sdk/v1/stream?app=${app}&instance=${app}-1${query}`, headers));
  await until(() => client.frames().length > 0 || client.isClosed());
  expect(client.head(), client.text()).toMatch(/^HTTP\/1.1 200/);
  return client;
}

describe("SDK keys", () => {
  it("are several for one environment; a new one is random, works at once, and its text is in one answer only", async () => {
    const { key, text } = await create("development", { kind: "server", name: "billing", days: 30 });
    expect(text).toMatch(/^sb_server_development_[A-Za-z0-9]{12}_[A-Za-z0-9_-]{49}$/);
    expect(text).toContain(`_${key.selector}_`);
    expect(Math.round(((key.expiresAt ?? 0) - key.createdAt) / 86_400_000)).toBe(30);
    expect((await state(text)).status).toBe(200);
    const { body } = await ask<SdkKeys>("GET", at("development"));
    expect(body.keys.map(({ kind, name }) => [kind, name])).toEqual([
      ["server", "first"],
      ["browser", "first"],
      ["server", "billing"],
    ]);
    expect(JSON.stringify(body)).not.toContain(text);
    // Those that were made with the environment go on being shown.
    expect(body.server).toContain(`_${body.keys[0]?.selector}_`);
    expect(body.browser).toContain(`_${body.keys[1]?.selector}_`);
    const wrong = `${text.slice(0, -1)}${text.endsWith("A") ? "B" : "A"}`;
    expect((await state(wrong)).status).toBe(401);
  });

  it("know which programs come with them, and when they were last used", async () => {
    const { key, text } = await create("development", { kind: "server", name: "known" });
    const found = async () => (await list("development")).find(({ id }) => id === key.id);
    expect(await found()).toMatchObject({ lastUsedAt: null, connected: 0, apps: [] });
    const clients = [await stream(text, "shop"), await stream(text, "worker")];
    const { lastUsedAt, connected, apps } = (await found()) as SdkKey;
    expect({ connected, apps }).toEqual({
      connected: 2,
      apps: [
        { app: "shop", programs: 1 },
        { app: "worker", programs: 1 },
      ],
    });
    expect(Math.abs((lastUsedAt ?? 0) - Date.now())).toBeLessThan(60_000);
    for (const client of clients) client.socket.destroy();
  });

  it("are replaced without a gap: the old one holds until it is revoked, and of one name no more than two do", async () => {
    const first = await create("production", { kind: "server", name: "shop" });
    const rotate = (id: number, body?: object) => ask<SdkKeyMade & Problem>("POST", `${at("production")}/${id}/rotate`, body);
    const second = (await rotate(first.key.id)).body;
    expect([(await state(first.text)).status, (await state(second.text)).status]).toEqual([200, 200]);
    const third = await rotate(second.key.id);
    expect(third).toMatchObject({ status: 409, body: { detail: expect.stringContaining('Two keys "shop" hold already') } });
    expect((await ask("DELETE", `${at("production")}/${first.key.id}?reason=rotated`)).status).toBe(204);
    expect((await rotate(second.key.id, { oldHours: 1 })).status).toBe(201);
    const old = (await list("production")).find(({ id }) => id === second.key.id);
    expect(Math.abs((old?.expiresAt ?? 0) - Date.now() - 3_600_000)).toBeLessThan(60_000);
    expect((await state(second.text)).status).toBe(200);
  });

  it.each(["server", "browser"])(
    "of kind %s that are revoked are refused at once, with the reason, and their streams end; others stay",
    async (kind) => {
      const [leaving, staying] = [
        await create("development", { kind, name: "leaving" }),
        await create("development", { kind, name: "staying" }),
      ];
      const [gone, kept] = [await stream(leaving.text), await stream(staying.text)];
      expect((await ask("DELETE", `${at("development")}/${leaving.key.id}`)).status).toBe(204);
      const refusal = await state(leaving.text);
      expect(refusal.status).toBe(401);
      expect(await refusal.json()).toMatchObject({ code: "SDK_KEY_INVALID", detail: expect.stringContaining("was revoked") });
      await until(gone.isClosed);
      expect(gone.frames().at(-1)).toMatchObject({ event: "bye", json: { reason: "key-revoked" } });
      expect(kept.isClosed()).toBe(false);
      expect((await state(staying.text)).status).toBe(200);
      expect((await ask("DELETE", `${at("development")}/${leaving.key.id}`)).status).toBe(404);
      await ask("DELETE", `${at("development")}/${staying.key.id}`);
      await until(kept.isClosed);
    },
  );

  it("end by themselves when their time is over, and so does what is rotated with no hours left", async () => {
    const { key, text } = await create("development", { kind: "server", name: "ending" });
    const client = await stream(text);
    const { body } = await ask<SdkKeyMade>("POST", `${at("development")}/${key.id}/rotate`, { oldHours: 0 });
    await until(client.isClosed);
    expect(await (await state(text)).json()).toMatchObject({ detail: expect.stringContaining("has expired") });
    expect((await state(body.text)).status).toBe(200);
  });

  it.each([
    [{ kind: "server", name: "first" }, 409, /already/],
    [{ kind: "server", name: "" }, 400, /name/],
    [{ kind: "other", name: "x" }, 400, /kind/],
    [{ kind: "server", name: "x", origins: [SHOP] }, 400, /server key has no origins/],
    [{ kind: "browser", name: "x", origins: ["https://shop.example/"] }, 400, /no origin of a page/],
    [{ kind: "browser", name: "x", origins: ["https://*.shop.example"] }, 400, /no origin of a page/],
    [{ kind: "browser", name: "x", origins: ["null"] }, 400, /no origin of a page/],
    [{ kind: "browser", name: "x", origins: ["*"] }, 400, /no origin of a page/],
    [{ kind: "browser", name: "x", days: 5_000 }, 400, /days/],
  ])("refuse %j", async (wanted, status, sentence) => {
    const answer = await ask<Problem>("POST", at("production"), wanted);
    expect(answer.status).toBe(status);
    expect(answer.body.detail).toMatch(sentence);
  });

  it("are made by admins only", async () => {
    const authorization = `Bearer ${await server.token("operator")}`;
    for (const [method, path] of [
      ["GET", ""],
      ["POST", ""],
      ["PATCH", "/1"],
      ["POST", "/1/rotate"],
      ["DELETE", "/1"],
    ] as const) {
      expect((await ask(method, at("development") + path, method === "GET" ? undefined : {}, { authorization })).status).toBe(403);
    }
  });

  it("are at most 20 of a kind", async () => {
    const made = (await list("production")).filter(({ kind }) => kind === "server").length;
    for (let index = made; index < 20; index += 1) await create("production", { kind: "server", name: `n${index}` });
    const { status, body } = await ask<Problem>("POST", at("production"), { kind: "server", name: "one more" });
    expect({ status, detail: body.detail }).toMatchObject({ status: 409, detail: expect.stringContaining("the most") });
  });
});

describe("origins of a browser key", () => {
  let id: number;
  let text: string;
  beforeAll(async () => {
    const made = await create("production", { kind: "browser", name: "pages", origins: [SHOP, "http://localhost:3000"] });
    ({ text } = made);
    ({ id } = made.key);
  });
  const readable = ({ headers }: Response) => [headers.get("access-control-allow-origin"), /\borigin\b/i.test(headers.get("vary") ?? "")];
  const requests: readonly [string, (origin?: string) => Promise<Response>][] = [
    ["state", (origin) => state(text, origin ? { origin } : {})],
    ["facts", (origin) => post("/sdk/v1/facts", { context: { key: "a" } }, origin)],
    ["early access", (origin) => post("/sdk/v1/early-access", { context: { key: "a" } }, origin)],
  ];
  function post(path: string, body: object, origin?: string): Promise<Response> {
    return fetch(`${server.url}${path}?key=${text}`, { method: "POST", body: JSON.stringify(body), headers: origin ? { origin } : {} });
  }

  it.each(requests)("are exact: %s is read by pages on the list, which is named, and never with credentials", async (_what, request) => {
    const listed = await request(SHOP);
    expect([listed.status, ...readable(listed)]).toEqual([200, SHOP, true]);
    for (const origin of ["https://shop.example.evil.example", "http://shop.example", "https://shop.example:8443", "null"]) {
      const refused = await request(origin);
      expect(refused.status, origin).toBe(403);
      expect(await refused.json()).toMatchObject({ code: "SDK_KEY_ORIGIN" });
    }
    // No page of another origin: nobody needs to be allowed.
    const own = await request();
    expect([own.status, ...readable(own)]).toEqual([200, null, true]);
    for (const answer of [listed, own]) expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
  });

  it("hold for the stream too, which ends when they change", async () => {
    const open = (origin: string) => rawClient(server.port, get(`/sdk/v1/stream?key=${text}`, { origin }));
    const refused = open("https://evil.example");
    await until(refused.isClosed);
    expect(refused.head()).toMatch(/^HTTP\/1.1 403/);
    const client = open(SHOP);
    await until(() => client.frames().length > 0);
    expect(client.head().toLowerCase()).toContain(`access-control-allow-origin: ${SHOP}`);
    const key = (await list("production")).find((each) => each.id === id);
    expect((await ask("PATCH", `${at("production")}/${id}`, { origins: [] })).status).toBe(428);
    const edited = await ask<SdkKey>("PATCH", `${at("production")}/${id}`, { origins: [] }, { "if-match": key?.etag ?? "" });
    expect(edited).toMatchObject({ status: 200, body: { origins: [] } });
    const late = await ask<Problem>("PATCH", `${at("production")}/${id}`, { origins: [SHOP] }, { "if-match": key?.etag ?? "" });
    expect(late).toMatchObject({ status: 412, body: { current: { origins: [] } } });
    await until(client.isClosed);
    const anywhere = await state(text, { origin: "https://evil.example" });
    expect([anywhere.status, ...readable(anywhere)]).toEqual([200, "*", false]);
  });

  it("do not make a server key one for pages", async () => {
    const { text: secret } = await create("development", { kind: "server", name: "leaked" });
    const answer = await state(secret, { origin: SHOP });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ code: "SDK_KEY_LEAKED" });
  });
});

it("the audit names each step, and no key; all of it is there after a restart", async () => {
  const { text, key } = await create("development", { kind: "server", name: "kept", reason: "for the restart" });
  expect((await state(text)).status).toBe(200);
  await server.stop();
  const store = await openStore({ directory: server.data });
  expect(store.sdkKeys.find(text)).toMatchObject({ id: key.id, projection: "server", environment: { key: "development" } });
  const [row] = (await store.db.select().from(tables.sdkKey)).filter(({ id }) => id === key.id);
  expect(row?.lastUsedAt).toBeGreaterThan(0);
  expect(await brokenAuditRow(store.db)).toBeUndefined();
  const rows = (await store.db.select().from(tables.audit)).filter(({ action }) => action.startsWith("sdk-key."));
  expect(new Set(rows.map(({ action }) => action))).toEqual(
    new Set(["sdk-key.create", "sdk-key.rotate", "sdk-key.edit", "sdk-key.revoke"]),
  );
  expect(rows.at(-1)).toMatchObject({ reason: "for the restart", target: 'server key "kept" of development' });
  expect(rows.some(({ action, reason }) => action === "sdk-key.revoke" && reason === "rotated")).toBe(true);
  expect(JSON.stringify(rows)).not.toMatch(/sb_(server|browser)_/);
  await store.close();
});
