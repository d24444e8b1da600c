import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type {
  EnvironmentWritten,
  Flag,
  FlagList,
  FlagWritten,
  Group,
  Problem,
  ProjectList,
  ProjectWritten,
  SdkKeys,
} from "../api-types.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { brokenAuditRow } from "../store/audit.ts";
import { tables } from "../store/schema.sqlite.ts";
import { openStore } from "../store/store.ts";

const P = "/api/v1/projects/default";
const at = (environment: string) => `${P}/environments/${environment}`;

let server: TestServer;
let admin: string;
beforeAll(async () => {
  server = await startTestServer();
  admin = await server.token("admin");
  await server.flag("checkout");
});
afterAll(() => server.close());

async function ask<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${admin}`, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, body: (text === "" ? undefined : JSON.parse(text)) as T };
}
const projects = async () => (await ask<ProjectList>("GET", "/api/v1/projects")).body.projects;
const environmentOf = async (key: string, project = "default") => {
  const found = (await projects()).find((one) => one.key === project)?.environments.find((one) => one.key === key);
  return found ?? expect.fail(`no environment ${key}`);
};
const make = (body: object) => ask<EnvironmentWritten & Problem>("POST", `${P}/environments`, body);
const match = (etag: string) => ({ "if-match": etag });
/** The text of the key that an environment was made with. */
async function keyOf(environment: string, kind: "server" | "browser", project = "default"): Promise<string> {
  const { body } = await ask<SdkKeys>("GET", `/api/v1/projects/${project}/environments/${environment}/sdk-keys`);
  return body[kind] ?? expect.fail(`no ${kind} key in ${environment}`);
}
const state = (key: string) => fetch(`${server.url}/sdk/v1/state`, { headers: { authorization: `Bearer ${key}` } });

describe("environments", () => {
  test("are made with two SDK keys and every flag off, and serve at once", async () => {
    const made = await make({ key: "staging", name: "Staging", color: "blue" });
    expect(made).toMatchObject({ status: 201, body: { environment: { key: "staging", production: false, color: "blue", revision: 1 } } });
    const answer = await state(await keyOf("staging", "server"));
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ environment: "staging", revision: 1, entries: [{ key: "checkout", mode: "off" }] });
    expect((await fetch(`${server.url}/sdk/v1/state?key=${await keyOf("staging", "browser")}`)).status).toBe(200);
    expect((await ask<FlagWritten>("PATCH", `${at("staging")}/flags/checkout/configuration`, { mode: "on" })).body).toMatchObject({
      changed: true,
      revision: 2,
    });
    const flag = (await ask<FlagWritten>("POST", `${P}/flags`, { key: "later" })).body.flag;
    expect(flag.environments.map(({ environment }) => environment)).toEqual(["development", "production", "staging"]);
  });

  test("are copies of another, with salts, kills, groups, members and settings, and go their own way from then on", async () => {
    const groups = `${at("staging")}/groups`;
    await ask("POST", groups, { key: "beta", kind: "list" });
    await ask("POST", `${groups}/beta/members`, { add: ["u1", "u2"] });
    await ask("PATCH", `${at("staging")}/settings`, { privateAttributes: ["salary"], sampleContexts: true });
    const flags = `${at("staging")}/flags/checkout`;
    const rules = [{ when: { op: "group", group: "beta" }, rollout: { percentage: 50 }, serve: { kind: "variant", variant: "on" } }];
    await ask("PATCH", `${flags}/configuration`, { mode: "targeted", rules });
    await ask("POST", `${flags}/kill`, { reason: "smoke" });

    expect((await make({ key: "copy", copyOf: "staging" })).status).toBe(201);
    const [source, copy] = await Promise.all(
      ["staging", "copy"].map(async (one) => (await ask<Flag>("GET", `${at(one)}/flags/checkout`)).body),
    );
    expect(copy?.configuration).toEqual(source?.configuration);
    expect(copy?.killed).toMatchObject({ reason: "smoke", edited: false });
    expect((await ask<Group>("GET", `${at("copy")}/groups/beta`)).body.members).toBe(2);
    expect((await ask("GET", `${at("copy")}/groups/beta/members`)).body).toMatchObject({ members: [{ unit: "u1" }, { unit: "u2" }] });
    expect((await ask("GET", `${at("copy")}/settings`)).body).toMatchObject({ privateAttributes: ["salary"], sampleContexts: true });

    await ask("POST", `${at("copy")}/groups/beta/members`, { remove: ["u1"] });
    expect((await ask<Group>("GET", `${at("staging")}/groups/beta`)).body.members).toBe(2);
    const evaluated = await ask("POST", `${at("copy")}/evaluate`, { flag: "checkout", context: { key: "u2" } });
    expect(evaluated.body).toMatchObject({ variant: "off", reason: { kind: "DISABLED" } });
  });

  test.each([
    [{ key: "Staging" }, 422, /small letters/],
    [{ key: "-x" }, 422, /small letters/],
    [{ key: "x".repeat(41) }, 422, /1 to 40/],
    [{ key: "new" }, 422, /reserved word/],
    [{ key: "production" }, 409, /already/],
    [{ key: "other", copyOf: "nowhere" }, 404, /no environment "nowhere"/],
    [{ key: "other", color: "#fff" }, 422, /color/],
  ])("refuse %j", async (body, status, sentence) => {
    const answer = await make(body);
    expect(answer.status === 400 ? 422 : answer.status).toBe(status);
    expect(answer.body.detail).toMatch(sentence);
  });

  test("are edited with the ETag of what was seen in production, and stop being it only for a reason", async () => {
    const { etag } = await environmentOf("production");
    expect((await ask("PATCH", at("production"), { name: "Live" })).status).toBe(428);
    const edited = await ask<EnvironmentWritten>("PATCH", at("production"), { name: "Live", color: "orange" }, match(etag));
    expect(edited.body).toMatchObject({ changed: true, environment: { name: "Live", color: "orange", production: true } });
    const late = await ask<Problem>("PATCH", at("production"), { name: "Late" }, match(etag));
    expect(late).toMatchObject({ status: 412, body: { current: { name: "Live" } } });
    const now = match(edited.body.environment.etag);
    expect((await ask<Problem>("PATCH", at("production"), { production: false }, now)).body.detail).toMatch(/send "reason"/);
    expect((await ask("PATCH", at("production"), { key: "live" }, now)).status).toBeGreaterThanOrEqual(400);
    const opened = await ask<EnvironmentWritten>("PATCH", at("production"), { production: false, reason: "moved" }, now);
    expect(opened.body.environment.production).toBe(false);
    expect((await ask<EnvironmentWritten>("PATCH", at("production"), { production: true })).body.environment.production).toBe(true);
  });

  test("are put into an order that names each once", async () => {
    const order = (environments: string[]) => ask<ProjectWritten & Problem>("POST", `${P}/environments/order`, { environments });
    const wanted = ["production", "copy", "development", "staging"];
    expect((await order(wanted)).body.project.environments.map(({ key }) => key)).toEqual(wanted);
    expect((await order(wanted)).body.changed).toBe(false);
    for (const wrong of [wanted.slice(1), [...wanted, "copy"], ["a", "b", "c", "d"]]) {
      expect((await order(wrong)).body.detail).toMatch(/name each once/);
    }
  });

  test("are deleted only with their key; then their SDK keys hold no more, their streams end, and the key is free", async () => {
    const key = await keyOf("copy", "server");
    const stream = await fetch(`${server.url}/sdk/v1/stream`, { headers: { authorization: `Bearer ${key}` } });
    expect(stream.status).toBe(200);
    expect((await ask("DELETE", at("copy"), { confirm: "other" })).status).toBe(422);
    expect((await ask("DELETE", at("copy"), { confirm: "copy", reason: "done" })).status).toBe(204);
    const frames = await stream.text();
    expect(frames).toMatch(/event: bye/);
    expect(frames).not.toMatch(/"remove":\["flag/);
    expect((await state(key)).status).toBe(401);
    expect((await ask<Problem>("GET", `${at("copy")}/flags`)).body.code).toBe("ENVIRONMENT_NOT_FOUND");
    expect((await make({ key: "copy" })).status).toBe(201);
    expect((await state(key)).status).toBe(401);
    expect(await (await state(await keyOf("copy", "server"))).json()).toMatchObject({ environment: "copy", revision: 1 });
    expect((await ask<FlagList>("GET", `${at("copy")}/flags`)).body.totals.live).toBe(2);
  });
});

describe("projects", () => {
  test("are made with two environments, edited and deleted", async () => {
    const made = await ask<ProjectWritten>("POST", "/api/v1/projects", { key: "shop", name: "Shop", description: "sells" });
    expect(made).toMatchObject({ status: 201, body: { project: { key: "shop", flags: 0, description: "sells" } } });
    expect(made.body.project.environments.map(({ key, production }) => [key, production])).toEqual([
      ["development", false],
      ["production", true],
    ]);
    expect((await ask<Problem>("POST", "/api/v1/projects", { key: "shop" })).body.code).toBe("PROJECT_EXISTS");
    expect((await ask("POST", "/api/v1/projects", { key: "kill" })).status).toBeGreaterThanOrEqual(400);
    const path = "/api/v1/projects/shop";
    expect((await ask("PATCH", path, { name: "Our shop" })).status).toBe(428);
    const edited = await ask<ProjectWritten>("PATCH", path, { name: "Our shop" }, match(made.body.project.etag));
    expect(edited.body.project).toMatchObject({ name: "Our shop", description: "sells" });
    expect((await ask("PATCH", path, { name: "x" }, match(made.body.project.etag))).status).toBe(412);

    await ask("POST", `${path}/flags`, { key: "a" });
    const key = await keyOf("production", "server", "shop");
    expect((await state(key)).status).toBe(200);
    const { etag } = (await projects()).find((one) => one.key === "shop") ?? expect.fail("no shop");
    const refused = await ask<Problem>("DELETE", path, undefined, match(etag));
    expect(refused.body.detail).toMatch(/has 1 flag/);
    expect((await ask("DELETE", path, { confirm: "shop" }, match(etag))).status).toBe(204);
    expect((await state(key)).status).toBe(401);
    expect((await projects()).map((one) => one.key)).toEqual(["default"]);
    expect((await ask<ProjectWritten>("POST", "/api/v1/projects", { key: "shop" })).status).toBe(201);
    expect((await ask<FlagList>("GET", `${path}/environments/production/flags`)).body.flags).toEqual([]);
  });

  test("stay at least one, and environments too", async () => {
    const shop = (await projects()).find((one) => one.key === "shop") ?? expect.fail("no shop");
    const [first, second] = shop.environments;
    const path = "/api/v1/projects/shop";
    expect((await ask("DELETE", `${path}/environments/${first?.key}`, { confirm: first?.key })).status).toBe(204);
    const only = await ask<Problem>("DELETE", `${path}/environments/${second?.key}`, { confirm: second?.key }, match("*"));
    expect(only.body.detail).toMatch(/only environment/);
    expect((await ask("DELETE", path, undefined, match("*"))).status).toBe(204);
    const [last] = await projects();
    const refused = await ask<Problem>("DELETE", P, { confirm: "default" }, match(last?.etag ?? ""));
    expect(refused.body.detail).toMatch(/only project/);
  });

  test("and environments are for admins of the place alone", async () => {
    const authorization = `Bearer ${await server.token("operator")}`;
    for (const [method, path, body] of [
      ["POST", "/api/v1/projects", { key: "x" }],
      ["PATCH", P, { name: "x" }],
      ["DELETE", P, {}],
      ["POST", `${P}/environments`, { key: "x" }],
      ["PATCH", at("staging"), { name: "x" }],
      ["DELETE", at("staging"), { confirm: "staging" }],
    ] as const) {
      expect((await ask(method, path, body, { authorization })).status, `${method} ${path}`).toBe(403);
    }
  });

  test("are the same after a restart, and the audit tells each step", async () => {
    const before = await projects();
    await server.stop();
    const store = await openStore({ directory: server.data });
    expect(store.projects().map(({ key, environments }) => [key, environments.map(({ info }) => info.key).sort()])).toEqual(
      before.map(({ key, environments }) => [key, environments.map((one) => one.key).sort()]),
    );
    expect(await brokenAuditRow(store.db)).toBeUndefined();
    const rows = await store.db.select().from(tables.audit);
    expect(JSON.stringify(rows), "people stand in the audit by their keys").not.toContain("token of ana");
    const words = new Set(rows.map(({ action }) => action).filter((action) => /^(project|environment)\./.test(action)));
    expect([...words].sort()).toEqual([
      "environment.create",
      "environment.delete",
      "environment.edit",
      "environment.order",
      "environment.settings",
      "project.create",
      "project.delete",
      "project.edit",
    ]);
    await store.close();
  });
});
