import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OpenAPIHono } from "@hono/zod-openapi";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Comparison, Flag, Group, Problem, PromoteBody, Promoted } from "../api-types.ts";
import type { Grant } from "../auth/permissions.ts";
import { flagRoutes } from "../flags/routes.ts";
import { createLists } from "../groups/lists.ts";
import { createMembers } from "../groups/members.ts";
import { groupRoutes } from "../groups/routes.ts";
import type { ApiEnv } from "../http/route.ts";
import { callerWith } from "../http/test-caller.ts";
import { openStore, type Store } from "../store/store.ts";
import { NO_USAGE } from "../store/test-project.ts";
import { transferRoutes } from "./routes.ts";

const P = "/api/v1/projects/default";
const DEV = `${P}/environments/development`;
const PROD = `${P}/environments/production`;
const ON = { kind: "variant", variant: "on" };

let directory: string;
let store: Store;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "signalbox-transfer-"));
  store = await openStore({ directory });
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

function callAs(grants?: readonly Grant[]) {
  const app = new OpenAPIHono<ApiEnv>();
  app.use(callerWith(store, "ann", grants));
  app.route("/", flagRoutes({ store, usage: NO_USAGE }));
  app.route("/", groupRoutes({ store, members: createMembers(store), lists: createLists(store) }));
  app.route("/", transferRoutes({ store }));
  return async <T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const typed = text === undefined ? headers : { "content-type": "application/json", "content-length": String(text.length), ...headers };
    const answer = await app.request(path, { method, headers: typed, ...(text !== undefined && { body: text }) });
    return { status: answer.status, body: (await answer.json()) as T };
  };
}
let call: ReturnType<typeof callAs>;
beforeAll(() => {
  call = callAs();
});

const configure = (key: string, patch: object, at = DEV, ifMatch = "*") =>
  call("PATCH", `${at}/flags/${key}/configuration`, patch, { "if-match": ifMatch });
async function newFlag(key: string, patch: object = {}): Promise<void> {
  expect((await call("POST", `${P}/flags`, { key })).status).toBe(201);
  if (Object.keys(patch).length > 0) expect((await configure(key, patch)).status).toBe(200);
}
const compare = async (flag: string) => (await call<Comparison>("GET", `${P}/compare?from=development&to=production&flag=${flag}`)).body;
const all = async () => (await call<Comparison>("GET", `${P}/compare?from=development&to=production`)).body;
const promote = <T = Promoted>(body: Partial<PromoteBody>, as = call) =>
  as<T>("POST", `${P}/promote`, { from: "development", to: "production", ...body });
const flagIn = async (key: string, at = PROD) => (await call<Flag>("GET", `${at}/flags/${key}`)).body;
async function etagOf(key: string): Promise<string> {
  return (await compare(key)).flags[0]?.etag ?? expect.fail(`${key} does not differ`);
}

describe("compare", () => {
  test("tells what differs in words and as it is stored, and nothing of what does not", async () => {
    await newFlag("same");
    await newFlag("rollout", { mode: "targeted", rules: [{ id: "r1", rollout: { percentage: 10 }, serve: ON }] });
    const { flags, from, to } = await all();
    expect([from, to]).toEqual(["development", "production"]);
    expect(flags.map(({ key }) => key)).toEqual(["rollout"]);
    expect(flags[0]).toMatchObject({
      from: { state: { text: "SOME 10 %" }, sentence: "On for 10 % of everyone; off for the rest." },
      to: { state: { text: "OFF" } },
      differences: [
        { what: "Who gets it", from: "Nobody", to: "Some", before: "off", after: "targeted" },
        { what: "Rule 1", from: null, to: "10 % of everyone: on", before: null },
      ],
    });
  });

  test("tells groups that are missing and that differ, and of lists only how they are called", async () => {
    const when = { op: "in", attribute: "plan", values: ["pro"] };
    await call("POST", `${DEV}/groups`, { key: "pro", kind: "conditions", when });
    for (const at of [DEV, PROD]) await call("POST", `${at}/groups`, { key: "list", kind: "list" });
    await call("POST", `${DEV}/groups/list/members`, { add: ["ann"] });
    const { groups } = await all();
    expect(groups).toMatchObject([{ key: "pro", to: null, from: { name: "pro" }, copies: true }]);
    expect(groups[0]?.differences).toContainEqual(expect.objectContaining({ what: "Who is in it", from: null, to: "plan is pro" }));
  });

  test.each([
    ["from=development&to=development", 400, "VALIDATION_FAILED"],
    ["from=development&to=nowhere", 404, "ENVIRONMENT_NOT_FOUND"],
    ["from=development&to=production&flag=nope", 404, "FLAG_NOT_FOUND"],
    ["from=development", 400, "VALIDATION_FAILED"],
  ])("refuses %s", async (query, status, code) => {
    const answer = await call<Problem>("GET", `${P}/compare?${query}`);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });
});

describe("promote", () => {
  test("first says what it would do, then does it as one revision, and nothing differs any more", async () => {
    await newFlag("a", { mode: "on" });
    await newFlag("b", { mode: "targeted", rules: [{ id: "r", when: { op: "in", attribute: "plan", values: ["pro"] }, serve: ON }] });
    const flags = [
      { key: "a", ifMatch: await etagOf("a") },
      { key: "b", ifMatch: await etagOf("b") },
    ];
    const dry = await promote({ flags, dryRun: true });
    expect(dry.body).toMatchObject({ dryRun: true, changed: true, flags: [{ key: "a", state: { word: "ON" } }, { key: "b" }] });
    expect((await flagIn("a")).configuration.mode).toBe("off");
    const done = await promote({ flags, reason: "tried" });
    expect(done.body).toMatchObject({ dryRun: false, changed: true, revision: dry.body.revision + 1 });
    expect(done.body.flags).toEqual(dry.body.flags);
    expect((await compare("a")).flags).toEqual([]);
    expect((await flagIn("b")).configuration).toEqual((await flagIn("b", DEV)).configuration);
    expect((await promote({ flags })).body).toMatchObject({ changed: false, revision: done.body.revision });
  });

  test("needs what was compared in production, and refuses when either side has changed since", async () => {
    await newFlag("guarded", { mode: "on" });
    const without = await promote<Problem>({ flags: [{ key: "guarded" }] });
    expect([without.status, without.body.code]).toEqual([428, "IF_MATCH_REQUIRED"]);
    const seen = await etagOf("guarded");
    await configure("guarded", { mode: "inherit" });
    const stale = await promote<Problem & { current: Comparison }>({ flags: [{ key: "guarded", ifMatch: seen }] });
    expect([stale.status, stale.body.code]).toEqual([412, "ETAG_MISMATCH"]);
    const now = stale.body.current.flags.find(({ key }) => key === "guarded");
    await configure("guarded", { browser: true }, PROD);
    expect((await promote({ flags: [{ key: "guarded", ifMatch: now?.etag }] })).status).toBe(412);
    expect((await flagIn("guarded")).configuration).toMatchObject({ mode: "off", browser: true });
    expect((await promote({ from: "production", to: "development", flags: [{ key: "guarded" }] })).status).toBe(200);
  });

  test("leaves a kill where it is: the flag stays killed, with its new configuration under it", async () => {
    await newFlag("killed", { mode: "on" });
    await newFlag("killed-there", { mode: "on" });
    await call("POST", `${DEV}/flags/killed/kill`, {});
    await call("POST", `${PROD}/flags/killed-there/kill`, {});
    for (const key of ["killed", "killed-there"]) {
      expect((await promote({ flags: [{ key, ifMatch: await etagOf(key) }] })).status).toBe(200);
    }
    expect((await flagIn("killed")).state.word).toBe("ON");
    expect(await flagIn("killed-there")).toMatchObject({ state: { word: "KILLED" }, configuration: { mode: "on" } });
  });

  test("copies only the fields that are named, and never the salt by itself", async () => {
    await newFlag("parts", { mode: "on", browser: true });
    await promote({ flags: [{ key: "parts", ifMatch: await etagOf("parts") }], fields: ["browser"] });
    expect((await flagIn("parts")).configuration).toMatchObject({ mode: "off", browser: true });
    const salts = () => store.project("default")?.environments.map(({ flags }) => flags.get("parts")?.body.salt);
    expect(salts()).toEqual(["parts", "parts"]);
  });

  test("refuses a flag whose group is not there, unless its conditions are copied too", async () => {
    await newFlag("uses", { mode: "targeted", rules: [{ id: "r", when: { op: "group", group: "pro" }, serve: ON }] });
    const flags = [{ key: "uses", ifMatch: await etagOf("uses") }];
    const refused = await promote<Problem>({ flags });
    expect(refused).toMatchObject({
      status: 422,
      body: {
        detail:
          'flag "uses" uses the group "pro", which production does not have; name it under "groups" to copy its conditions too, or make it in production first',
      },
    });
    const group = (await all()).groups.find(({ key }) => key === "pro");
    const done = await promote({ flags, groups: [{ key: "pro", ifMatch: group?.etag }] });
    expect(done).toMatchObject({ status: 200, body: { changed: true, groups: [{ key: "pro" }] } });
    expect((await call<Group>("GET", `${PROD}/groups/pro`)).body).toMatchObject({ kind: "conditions", usedBy: ["uses"] });
    const [dev, prod] = store.project("default")?.environments.map(({ groups }) => groups.get("pro")) ?? [];
    expect(prod?.hashKey).toMatch(/^[0-9a-f]{32}$/);
    expect(prod?.hashKey).not.toBe(dev?.hashKey);
  });

  test("never copies who is in a list", async () => {
    await call("POST", `${DEV}/groups`, { key: "vips", kind: "list" });
    await newFlag("for-vips", { mode: "targeted", rules: [{ id: "r", when: { op: "group", group: "vips" }, serve: ON }] });
    const flags = [{ key: "for-vips", ifMatch: await etagOf("for-vips") }];
    const refused = await promote<Problem>({ flags });
    expect(refused.body.detail).toContain("make it in production first, with its own members");
    const list = await promote<Problem>({ flags, groups: [{ key: "vips", ifMatch: "*" }] });
    expect(list).toMatchObject({ status: 422, body: { detail: expect.stringContaining("a list of units, which belong to development") } });
    expect((await promote({ groups: [{ key: "none" }] })).status).toBe(404);
  });

  test("refuses what would not be right there", async () => {
    await newFlag("base");
    await newFlag("marked", { mode: "on", requires: [{ flag: "base", variants: ["on"] }] });
    await configure("base", { browser: true });
    await configure("marked", { browser: true });
    const refused = await promote<Problem>({ flags: [{ key: "marked", ifMatch: await etagOf("marked") }] });
    expect(refused).toMatchObject({ status: 422, body: { code: "CONFIGURATION_REFUSED", detail: expect.stringContaining('"base"') } });
    const both = [
      { key: "base", ifMatch: await etagOf("base") },
      { key: "marked", ifMatch: await etagOf("marked") },
    ];
    expect((await promote({ flags: both })).status).toBe(200);
  });

  test("needs the right to edit where it goes and to read where it comes from", async () => {
    const [development, production] = store.project("default")?.environments.map(({ info }) => info.id) ?? [];
    const grant = (role: Grant["role"], environmentId = production): Grant => ({
      role,
      projectId: 1,
      environmentId: environmentId ?? null,
    });
    const body = { flags: [{ key: "a" }] };
    const code = async (grants: readonly Grant[]) => (await promote<Problem>(body, callAs(grants))).body.code;
    expect(await code([grant("editor"), grant("editor", development)])).toBe("FORBIDDEN");
    expect(await code([grant("releaser")])).toBe("ENVIRONMENT_NOT_FOUND");
    expect(await code([grant("viewer", development)])).toBe("ENVIRONMENT_NOT_FOUND");
    expect(await code([grant("releaser"), grant("viewer", development)])).toBeUndefined();
  });
});
