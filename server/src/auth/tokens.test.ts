import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Problem, Token, TokenCreated, TokenList } from "../api-types.ts";
import { get, rawClient, until } from "../delivery/test-support.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { brokenAuditRow } from "../store/audit.ts";
import { tables } from "../store/schema.sqlite.ts";
import { openStore } from "../store/store.ts";

const TOKENS = "/api/v1/tokens";
const flags = (environment: string) => `/api/v1/projects/default/environments/${environment}/flags`;
const PASSWORD = "correct-horse-battery-2";

let server: TestServer;
/** A Cookie of the first account, an admin of everything; and of one who edits in development. */
let ana: string;
let ben: string;
beforeAll(async () => {
  server = await startTestServer();
  ana = await server.signIn();
  await server.flag("checkout");
  await server.flag("search");
  const roles = [{ role: "editor", project: "default", environment: "development" }];
  const { url } = (await (await server.send("POST", "/api/v1/invitations", ana, { roles })).json()) as { url: string };
  const token = new URL(url).hash.replace("#token=", "");
  const accepted = await server.send("POST", "/api/v1/invitations/accept", "", { token, name: "ben", password: PASSWORD });
  expect(accepted.status, await accepted.clone().text()).toBe(201);
  ben = accepted.headers.get("set-cookie")?.split(";")[0] ?? "";
});
afterAll(() => server.close());

interface Answer<T> {
  readonly status: number;
  readonly body: T;
}
/** With a cookie, or with a token. */
async function ask<T = Problem>(
  who: string,
  method: string,
  path: string,
  body: unknown = method === "GET" ? undefined : {},
): Promise<Answer<T>> {
  const headers: Record<string, string> = who.startsWith("sb_")
    ? { authorization: `Bearer ${who}`, "content-type": "application/json" }
    : {};
  const answer = who.startsWith("sb_")
    ? await fetch(server.url + path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
    : await server.send(method, path, who, body);
  const text = await answer.text();
  return { status: answer.status, body: (text === "" ? undefined : JSON.parse(text)) as T };
}
let made = 0;
async function create(who: string, wanted: object): Promise<TokenCreated> {
  made += 1;
  const { status, body } = await ask<TokenCreated>(who, "POST", TOKENS, { name: `t${made}`, ...wanted });
  expect(status, JSON.stringify(body)).toBe(201);
  return body;
}
const list = async (who: string) => (await ask<TokenList>(who, "GET", TOKENS)).body.tokens;
const names = async (who: string) => (await list(who)).map(({ name }) => name).sort();
const kill = (who: string, flag: string, environment = "development") => ask(who, "POST", `${flags(environment)}/${flag}/kill`, {});
const reads = async (who: string, environment: string) => (await ask(who, "GET", flags(environment))).status;

describe("a personal token", () => {
  it("is made by anybody for themselves, and never exceeds what its person may, whatever its scope says", async () => {
    const { token, kind, scope, createdBy } = await create(ben, { scope: "admin" });
    expect({ kind, scope, createdBy }).toEqual({ kind: "personal", scope: "admin", createdBy: "ben" });
    expect(token).toMatch(/^sb_admin_[0-9a-f]{12}_[\w-]{49}$/);
    expect(await reads(token, "development")).toBe(200);
    expect(await reads(token, "production")).toBe(404);
    expect((await ask(token, "GET", "/api/v1/projects/default/environments/development/sdk-keys")).status).toBe(403);
    // Rights that its person gets or loses, it gets and loses at once.
    const role = { role: "viewer", project: "default", environment: "production" };
    const given = await ask<{ roles: { id: number; environment: string }[] }>(ana, "POST", "/api/v1/accounts/ben/roles", role);
    expect(await reads(token, "production")).toBe(200);
    const id = given.body.roles.find(({ environment }) => environment === "production")?.id;
    expect((await ask(ana, "DELETE", `/api/v1/accounts/ben/roles/${id}`)).status).toBe(204);
    expect(await reads(token, "production")).toBe(404);
  });

  it("holds in its place alone", async () => {
    const { token } = await create(ana, { scope: "operator", project: "default", environment: "development" });
    expect((await kill(token, "checkout")).status).toBe(200);
    expect([await reads(token, "development"), await reads(token, "production")]).toEqual([200, 404]);
    expect((await ask(ana, "POST", TOKENS, { name: "x", scope: "viewer", project: "nope" })).status).toBe(404);
    expect((await ask(ana, "POST", TOKENS, { name: "x", scope: "viewer", environment: "development" })).status).toBe(400);
    expect((await ask(ben, "POST", TOKENS, { name: "x", scope: "viewer", project: "default", environment: "production" })).status).toBe(
      404,
    );
  });

  it("makes no token that could do more than itself", async () => {
    const limited = await create(ana, { scope: "operator" });
    const placed = await create(ana, { scope: "admin", project: "default", environment: "development" });
    const service = await create(ana, { scope: "admin", kind: "service", project: "default" });
    for (const [who, wanted] of [
      [limited, { scope: "operator" }],
      [limited, { scope: "admin" }],
      [limited, { scope: "kill", kind: "service" }],
      [placed, { scope: "admin" }],
      [placed, { scope: "viewer", project: "default" }],
      [placed, { scope: "viewer", kind: "service", project: "default" }],
      [service, { scope: "viewer" }],
      [service, { scope: "viewer", kind: "personal", project: "default" }],
      [service, { scope: "viewer", kind: "service" }],
    ] as const) {
      const { status, body } = await ask(who.token, "POST", TOKENS, { name: "more", ...wanted });
      expect([who.name, wanted, status, body.code]).toEqual([who.name, wanted, 403, "FORBIDDEN"]);
    }
    expect((await ask(limited.token, "POST", `${TOKENS}/${limited.id}/rotate`)).status).toBe(404);
    expect((await ask(limited.token, "DELETE", `${TOKENS}/${placed.id}`)).status).toBe(404);
    // An admin's token may do inside its own place what its person may there.
    const inner = await create(placed.token, { scope: "kill", project: "default", environment: "development" });
    expect((await create(service.token, { scope: "kill", kind: "service", project: "default", environment: "production" })).kind).toBe(
      "service",
    );
    expect((await ask(placed.token, "DELETE", `${TOKENS}/${inner.id}`)).status).toBe(204);
  });

  it("ends at once with its account, which a service's does not", async () => {
    await ask(ana, "POST", "/api/v1/accounts/ben/roles", { role: "admin", project: "default", environment: "development" });
    const own = await create(ben, { scope: "viewer" });
    const service = await create(ben, { scope: "viewer", kind: "service", project: "default", environment: "development" });
    expect([await reads(own.token, "development"), await reads(service.token, "development")]).toEqual([200, 200]);
    const listening = await listen(own.token);
    expect((await ask(ana, "PATCH", "/api/v1/accounts/ben", { disabled: true })).status).toBe(200);
    const refused = await ask(own.token, "GET", flags("development"));
    expect(refused).toMatchObject({ status: 401, body: { code: "TOKEN_INVALID", detail: expect.stringContaining("disabled") } });
    await until(listening.isClosed);
    expect(await reads(service.token, "development")).toBe(200);
    await ask(ana, "PATCH", "/api/v1/accounts/ben", { disabled: false });
    expect(await reads(own.token, "development")).toBe(200);
    ben =
      (await server.send("POST", "/api/v1/session", "", { name: "ben", password: PASSWORD })).headers.get("set-cookie")?.split(";")[0] ??
      "";
  });
});

describe("a token for killing", () => {
  it("reads and kills, and cannot restore, edit or administer", async () => {
    const { token } = await create(ana, { scope: "kill", kind: "service" });
    expect((await kill(token, "search", "production")).status).toBe(200);
    for (const [method, path, body] of [
      ["POST", `${flags("production")}/search/restore`, {}],
      ["PATCH", `${flags("development")}/search/configuration`, { mode: "off" }],
      ["GET", "/api/v1/projects/default/environments/production/sdk-keys", undefined],
      ["POST", "/api/v1/projects/default/flags", { key: "x" }],
    ] as const) {
      expect([path, (await ask(token, method, path, body)).status]).toEqual([path, 403]);
    }
  });

  it("with a list of flags kills those alone", async () => {
    const { token, flags: listed } = await create(ana, { scope: "kill", kind: "service", flags: ["checkout"] });
    expect(listed).toEqual(["checkout"]);
    expect((await kill(token, "checkout", "production")).status).toBe(200);
    expect((await kill(token, "search", "production")).status).toBe(403);
    expect((await ask(ana, "POST", TOKENS, { name: "x", scope: "operator", flags: ["checkout"] })).body.detail).toMatch(
      /scope "kill" alone/,
    );
  });
});

describe("a list of tokens", () => {
  it("shows each their own, to admins of a place what services have there, and to admins of everything all", async () => {
    const mine = await create(ben, { scope: "viewer", name: "of ben" });
    await create(ana, { scope: "viewer", kind: "service", name: "in production", project: "default", environment: "production" });
    const here = await create(ana, {
      scope: "viewer",
      kind: "service",
      name: "in development",
      project: "default",
      environment: "development",
    });
    const seen = await names(ben);
    expect(seen).toContain("of ben");
    expect(seen).toContain("in development");
    expect(seen).not.toContain("in production");
    expect((await list(ben)).every(({ createdBy, kind }) => createdBy === "ben" || kind === "service")).toBe(true);
    const all = await list(ana);
    expect(all.map(({ name }) => name)).toEqual(expect.arrayContaining(["of ben", "in production", "in development"]));
    // Whoever could rotate it would be shown a text that acts in ben's name.
    expect(all.find(({ name }) => name === "of ben")?.may).toEqual(["revoke"]);
    expect((await ask(ana, "POST", `${TOKENS}/${mine.id}/rotate`)).status).toBe(404);
    expect(await names(here.token)).toEqual(["in development"]);
    expect(JSON.stringify(all)).not.toContain(here.token.slice(-20));
    expect((await ask(ana, "DELETE", `${TOKENS}/${mine.id}`)).status).toBe(204);
  });
});

describe("replacing and revoking", () => {
  it("two hold until the old one is revoked or its hours are over, and never three", async () => {
    const first = await create(ana, { scope: "viewer", name: "ci", days: 10, project: "default" });
    const rotate = (id: number, body: object = {}) => ask<TokenCreated & Problem>(ana, "POST", `${TOKENS}/${id}/rotate`, body);
    const second = (await rotate(first.id)).body;
    expect(second).toMatchObject({ name: "ci", scope: "viewer", project: "default", kind: "personal" });
    expect(second.expiresAt - second.createdAt).toBe(first.expiresAt - first.createdAt);
    expect([await reads(first.token, "development"), await reads(second.token, "development")]).toEqual([200, 200]);
    expect(await rotate(second.id)).toMatchObject({ status: 409, body: { detail: expect.stringContaining('Two tokens "ci" hold') } });
    expect((await ask(ana, "DELETE", `${TOKENS}/${first.id}?reason=rotated`)).status).toBe(204);
    expect(await reads(first.token, "development")).toBe(401);
    const third = (await rotate(second.id, { oldHours: 0 })).body;
    expect([await reads(second.token, "development"), await reads(third.token, "development")]).toEqual([401, 200]);
  });

  it("a revoked token is refused at once, and what listens with it hears no more; others do", async () => {
    const [leaving, staying] = [await create(ana, { scope: "viewer" }), await create(ana, { scope: "viewer" })];
    const [gone, kept] = [await listen(leaving.token), await listen(staying.token)];
    expect((await ask(ana, "DELETE", `${TOKENS}/${leaving.id}`)).status).toBe(204);
    expect(await reads(leaving.token, "development")).toBe(401);
    await until(gone.isClosed);
    expect(kept.isClosed()).toBe(false);
    kept.socket.destroy();
  });

  it("a token that was not copied whole is told from one that is unknown", async () => {
    const { token } = await create(ana, { scope: "viewer" });
    const detailOf = async (text: string) => (await ask(text, "GET", TOKENS)).body.detail;
    expect(await detailOf(`${token.slice(0, -1)}${token.endsWith("0") ? "1" : "0"}`)).toMatch(/copy the whole of it/);
    expect(await detailOf(token.slice(0, -3))).toMatch(/copy the whole of it/);
    expect(await detailOf(`sb_viewer_0123456789ab_${"x".repeat(43)}`)).toMatch(/unknown or was revoked/);
  });

  it("at most 50 hold for one person", async () => {
    for (let count = (await list(ben)).filter((one: Token) => one.kind === "personal").length; count < 50; count += 1) {
      await create(ben, { scope: "kill" });
    }
    const { status, body } = await ask(ben, "POST", TOKENS, { name: "one more", scope: "kill" });
    expect([status, body.code]).toEqual([409, "CONFLICT"]);
    expect((await create(ana, { scope: "kill" })).id).toBeGreaterThan(0);
  });
});

it("the audit names each step with its reason, and no token", async () => {
  await server.stop();
  const store = await openStore({ directory: server.data });
  expect(await brokenAuditRow(store.db)).toBeUndefined();
  const rows = (await store.db.select().from(tables.audit)).filter(({ action }) => action.startsWith("token."));
  expect(new Set(rows.map(({ action }) => action))).toEqual(new Set(["token.create", "token.rotate", "token.revoke"]));
  expect(rows.find(({ reason }) => reason === "rotated")).toMatchObject({ action: "token.revoke" });
  expect(JSON.stringify(rows)).not.toMatch(/sb_(kill|viewer|operator|admin)_/);
  await store.close();
});

/** The events for open pages, once they have begun. */
async function listen(token: string) {
  const client = rawClient(Number(new URL(server.url).port), get("/api/v1/events", { authorization: `Bearer ${token}` }));
  await until(() => client.frames().length > 0);
  return client;
}
