import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OpenAPIHono } from "@hono/zod-openapi";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Flag, FlagList, FlagWritten, Group, GroupWritten, MemberList, Problem, ProjectList } from "../api-types.ts";

import { createLists } from "../groups/lists.ts";
import { createMembers } from "../groups/members.ts";
import { groupRoutes } from "../groups/routes.ts";
import type { ApiEnv } from "../http/route.ts";
import { callerWith } from "../http/test-caller.ts";
import { projectRoutes } from "../projects/routes.ts";
import { openStore, type Store } from "../store/store.ts";
import { NO_USAGE } from "../store/test-project.ts";
import { flagRoutes } from "./routes.ts";

const P = "/api/v1/projects/default";
const DEV = `${P}/environments/development`;
const PROD = `${P}/environments/production`;
const ON = { kind: "variant", variant: "on" };

let directory: string;
let store: Store;
let app: OpenAPIHono<ApiEnv>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "signalbox-routes-"));
  store = await openStore({ directory });
  app = new OpenAPIHono<ApiEnv>();
  app.use(callerWith(store, "ann"));
  const seen = { at: 5, app: "shop", variant: "off" };
  const usage = { ...NO_USAGE, seen: (_: number, key: string) => (key === "seen" ? seen : null) };
  app.route("/", flagRoutes({ store, usage }));
  app.route("/", groupRoutes({ store, members: createMembers(store), lists: createLists(store) }));
  app.route("/", projectRoutes({ store }));
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

interface Answer<T> {
  readonly status: number;
  readonly body: T;
  readonly headers: Headers;
}

async function call<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<T>> {
  const init: RequestInit = { method, headers };
  if (body !== undefined) {
    init.body = typeof body === "string" ? body : JSON.stringify(body);
    init.headers = { "content-type": "application/json", "content-length": String(init.body.length), ...headers };
  }
  const response = await app.request(path, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: (text === "" ? undefined : JSON.parse(text)) as T };
}

async function newFlag(key: string, more: object = {}): Promise<Flag> {
  const { status, body } = await call<FlagWritten>("POST", `${P}/flags`, { key, ...more });
  expect(status).toBe(201);
  return body.flag;
}

function expectProblem(answer: Answer<unknown>, status: number, code: string): Problem {
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.body).toMatchObject({ status, code, requestId: "request-1" });
  expect(answer.status).toBe(status);
  return answer.body as Problem;
}

describe("flags", () => {
  test("are made, listed, searched, archived and shown", async () => {
    await newFlag("seen", { name: "Seen one", tags: ["checkout"], owner: "payments", description: "d" });
    await newFlag("gone");
    expect((await call<FlagWritten>("PATCH", `${DEV}/flags/gone/configuration`, { archived: true })).body.flag.archived).toBe(true);
    const { body } = await call<FlagList>("GET", `${DEV}/flags`);
    expect(body.flags.map(({ key }) => key)).toEqual(["seen"]);
    expect(body.flags[0]).toMatchObject({ state: { word: "OFF" }, seen: { app: "shop" }, owner: "payments" });
    expect(body.revision).toBe(store.feed.state(1, "server").revision);
    for (const [query, keys] of [
      ["archived=true", ["gone", "seen"]],
      ["search=PAYm", ["seen"]],
      ["search=gone", []],
      ["search=gone&archived=true", ["gone"]],
    ] as const) {
      expect(
        (await call<FlagList>("GET", `${DEV}/flags?${query}`)).body.flags.map(({ key }) => key),
        query,
      ).toEqual(keys);
    }
  });

  test("are configured in percent and answer with sentence, state, ETag and revision", async () => {
    const flag = await newFlag("percent");
    const rules = [
      { id: "beta", name: "Beta", when: { op: "in", attribute: "plan", values: ["pro"] }, rollout: { percentage: 12.5 }, serve: ON },
    ];
    const saved = await call<FlagWritten>(
      "PATCH",
      `${DEV}/flags/percent/configuration`,
      { mode: "targeted", rules },
      { "if-match": flag.configurationEtag },
    );
    expect(saved).toMatchObject({
      status: 200,
      body: { changed: true, flag: { configuration: { mode: "targeted", rules }, state: { word: "SOME" } } },
    });
    expect(saved.body.flag.sentence).toContain("12.5 %");
    expect(saved.headers.get("etag")).toBe(saved.body.flag.configurationEtag);
    expect(saved.body.flag.configurationEtag).not.toBe(flag.configurationEtag);
    expect(saved.body.revision).toBe(store.feed.state(1, "server").revision);
    const shown = await call<Flag>("GET", `${DEV}/flags/percent`);
    expect(shown.body).toEqual(saved.body.flag);
    expect(shown.headers.get("etag")).toBe(saved.body.flag.configurationEtag);
    const again = await call<FlagWritten>("PATCH", `${DEV}/flags/percent/configuration`, { rules });
    expect(again.body).toMatchObject({ changed: false, revision: saved.body.revision });
  });

  test("of other types have values, and rules without an id get one", async () => {
    const flag = await newFlag("theme", { type: "json", values: { plain: { color: "grey" }, loud: [1, null] }, off: "plain", on: "loud" });
    expect(flag.configuration.values).toEqual({ plain: { color: "grey" }, loud: [1, null] });
    const weights = [
      { variant: "plain", percentage: 33.333 },
      { variant: "loud", percentage: 66.667 },
    ];
    const saved = await call<FlagWritten>("PATCH", `${DEV}/flags/theme/configuration`, {
      mode: "targeted",
      rules: [{ serve: { kind: "split", weights } }],
    });
    expect(saved.body.flag.configuration.rules).toEqual([
      { id: expect.stringMatching(/^r[0-9a-f]{12}$/), serve: { kind: "split", weights } },
    ]);
    const answer = await call("POST", `${DEV}/evaluate`, { flag: "theme", context: { key: "u" }, configuration: { mode: "on" } });
    expect(answer.body).toEqual({ served: true, variant: "loud", value: [1, null], reason: { kind: "STATIC" } });
  });

  test("are killed and restored, with and without a body; twice is unchanged; an open form stays valid", async () => {
    const flag = await newFlag("burns");
    const killed = await call<FlagWritten>("POST", `${PROD}/flags/burns/kill`, { reason: "it burns" });
    expect(killed.body).toMatchObject({
      changed: true,
      flag: { state: { word: "KILLED" }, killed: { by: "ann", reason: "it burns" }, environment: "production" },
    });
    expect((await call<FlagWritten>("POST", `${PROD}/flags/burns/kill`)).body).toMatchObject({
      changed: false,
      revision: killed.body.revision,
    });
    const etag = (await call<Flag>("GET", `${PROD}/flags/burns`)).body.configurationEtag;
    expect(etag).not.toBe(flag.configurationEtag); // of development
    expect((await call("PATCH", `${PROD}/flags/burns/configuration`, { mode: "on" }, { "if-match": etag })).status).toBe(200);
    const restored = await call<FlagWritten>("POST", `${PROD}/flags/burns/restore`);
    expect(restored.body).toMatchObject({
      changed: true,
      revision: killed.body.revision + 2,
      flag: { state: { word: "ON" }, killed: null },
    });
  });

  test("are renamed: the old key finds them, and the answer shows the environment asked for", async () => {
    const flag = await newFlag("old-name");
    const path = `${P}/flags/old-name?environment=production`;
    const renamed = await call<FlagWritten>("PATCH", path, { key: "new-name", name: "New", owner: "x" }, { "if-match": flag.identityEtag });
    expect(renamed.body.flag).toMatchObject({ key: "new-name", aliases: ["old-name"], environment: "production", owner: "x" });
    expect(renamed.headers.get("etag")).toBe(renamed.body.flag.identityEtag);
    expect((await call<Flag>("GET", `${DEV}/flags/old-name`)).body.key).toBe("new-name");
    expect((await call<FlagWritten>("POST", `${DEV}/flags/old-name/kill`)).body.flag.key).toBe("new-name");
    expect((await call("POST", `${DEV}/evaluate`, { flag: "old-name", context: {} })).body).toMatchObject({
      reason: { kind: "DISABLED", killed: true },
    });
  });

  test("that do not exist evaluate as in an SDK", async () => {
    const answer = await call("POST", `${DEV}/evaluate`, { flag: "never-made", context: { key: "u" } });
    expect(answer).toMatchObject({ status: 200, body: { served: false, reason: { kind: "ERROR", code: "FLAG_NOT_FOUND" } } });
  });
});

describe("bad input to flag routes", () => {
  beforeAll(async () => {
    await newFlag("target");
  });
  const path = `${DEV}/flags/target/configuration`;
  const rule = (more: object) => ({ rules: [{ id: "r", serve: ON, ...more }] });

  test.each<[what: string, method: string, path: string, body: unknown, issue: string]>([
    ["a key that is none", "POST", `${P}/flags`, { key: "no spaces" }, "key"],
    ["a missing key", "POST", `${P}/flags`, {}, "key"],
    ["an unknown type", "POST", `${P}/flags`, { key: "x", type: "date" }, "type"],
    ["a wrong type", "PATCH", path, { browser: "yes" }, "browser"],
    ["an unknown mode", "PATCH", path, { mode: "maybe" }, "mode"],
    ["a percentage above 100", "PATCH", path, rule({ rollout: { percentage: 100.5 } }), "rules.0.rollout.percentage"],
    ["a percentage below 0", "PATCH", path, rule({ rollout: { percentage: -1 } }), "rules.0.rollout.percentage"],
    ["a percentage with four decimals", "PATCH", path, rule({ rollout: { percentage: 0.1234 } }), "rules.0.rollout.percentage"],
    ["an unknown operator", "PATCH", path, rule({ when: { op: "sounds-like", attribute: "a", values: ["x"] } }), "rules.0.when"],
    ["a context that is no object", "POST", `${DEV}/evaluate`, { flag: "target", context: "ann" }, "context"],
    ["an array as body", "PATCH", path, [], ""],
  ])("refuses %s with 400 and the field", async (_what, method, target, body, issue) => {
    const revision = store.feed.state(1, "server").revision;
    const { issues } = expectProblem(await call(method, target, body), 400, "VALIDATION_FAILED");
    expect(issues?.map((each) => each.path)).toEqual([expect.stringContaining(issue)]);
    expect(store.feed.state(1, "server").revision).toBe(revision);
  });

  test.each([
    ["an unknown field", "POST", `${P}/flags`, { key: "x", colour: "red" }, "colour"],
    ["an unknown field in a rule", "PATCH", path, rule({ weight: 1 }), "rules.0.weight"],
    ["a salt as a field of the configuration", "PATCH", path, { salt: "x" }, "salt"],
    ["an unknown field of a kill", "POST", `${DEV}/flags/target/kill`, { because: "x" }, "because"],
  ])("refuses %s with 422 and its name", async (_what, method, target, body, issue) => {
    const { issues } = expectProblem(await call(method, target, body), 422, "UNKNOWN_PROPERTY");
    expect(issues?.map((each) => each.path)).toEqual([expect.stringContaining(issue)]);
  });

  test.each([["{"], ['{"mode":'], ["nonsense"]])("refuses malformed JSON: %s", async (text) => {
    expectProblem(await call("PATCH", path, text), 400, "MALFORMED_JSON");
  });

  test("refuses a body that is not declared as JSON", async () => {
    expectProblem(await call("PATCH", path, '{"mode":"on"}', { "content-type": "text/plain" }), 415, "UNSUPPORTED_CONTENT_TYPE");
    expect((await call<Flag>("GET", `${DEV}/flags/target`)).body.configuration.mode).toBe("off");
  });

  test("takes a missing body as one without fields", async () => {
    expectProblem(await call("POST", `${P}/flags`), 400, "VALIDATION_FAILED");
    expect((await call<FlagWritten>("PATCH", path)).body).toMatchObject({ changed: false });
  });

  test.each<[string, string, string, unknown, string]>([
    ["project", "GET", "/api/v1/projects/nope/environments/development/flags", undefined, "PROJECT_NOT_FOUND"],
    ["project", "POST", "/api/v1/projects/nope/flags", { key: "x" }, "PROJECT_NOT_FOUND"],
    ["environment", "GET", `${P}/environments/staging/flags`, undefined, "ENVIRONMENT_NOT_FOUND"],
    ["environment", "POST", `${P}/environments/staging/flags/target/kill`, undefined, "ENVIRONMENT_NOT_FOUND"],
    ["environment", "PATCH", `${P}/flags/target?environment=staging`, { name: "x" }, "ENVIRONMENT_NOT_FOUND"],
    ["flag", "GET", `${DEV}/flags/nope`, undefined, "FLAG_NOT_FOUND"],
    ["flag", "PATCH", `${DEV}/flags/nope/configuration`, { mode: "on" }, "FLAG_NOT_FOUND"],
    ["flag", "PATCH", `${P}/flags/nope`, { name: "x" }, "FLAG_NOT_FOUND"],
    ["flag", "POST", `${DEV}/flags/constructor/kill`, undefined, "FLAG_NOT_FOUND"],
    ["flag", "POST", `${DEV}/flags/__proto__/restore`, undefined, "FLAG_NOT_FOUND"],
  ])("answers 404 for an unknown %s: %s %s", async (_what, method, target, body, code) => {
    expectProblem(await call(method, target, body), 404, code);
  });

  test("answers 409 for a key that is taken", async () => {
    expect(expectProblem(await call("POST", `${P}/flags`, { key: "target" }), 409, "FLAG_EXISTS").detail).toContain('"target"');
  });

  test("answers 412 with the flag as it is now", async () => {
    const stale = await newFlag("stale");
    await call("PATCH", `${DEV}/flags/stale/configuration`, { mode: "on" });
    const answer = await call("PATCH", `${DEV}/flags/stale/configuration`, { mode: "off" }, { "if-match": stale.configurationEtag });
    const { current } = expectProblem(answer, 412, "ETAG_MISMATCH");
    expect(current).toEqual((await call<Flag>("GET", `${DEV}/flags/stale`)).body);
    await call("PATCH", `${P}/flags/stale`, { name: "S" }, { "if-match": stale.identityEtag });
    expectProblem(await call("PATCH", `${P}/flags/stale`, { name: "T" }, { "if-match": stale.identityEtag }), 412, "ETAG_MISMATCH");
  });

  test("answers 428 without If-Match where production would change, and takes it elsewhere", async () => {
    expectProblem(await call("PATCH", `${PROD}/flags/target/configuration`, { mode: "on" }), 428, "IF_MATCH_REQUIRED");
    expectProblem(await call("PATCH", `${P}/flags/target`, { name: "x" }), 428, "IF_MATCH_REQUIRED");
    expect((await call("PATCH", path, { mode: "on" })).status).toBe(200);
  });

  test("answers 422 with one issue for each rule of the model that is broken, and changes nothing", async () => {
    const before = store.feed.state(1, "server");
    const body = {
      browser: true,
      requires: [{ flag: "nope", variants: ["on"] }],
      rules: [
        { id: "r1", when: { op: "group", group: "nobody" }, serve: ON },
        { id: "r2", serve: { kind: "split", weights: [{ variant: "on", percentage: 99 }] } },
        { id: "r3", serve: { kind: "variant", variant: "blue" } },
      ],
    };
    const { issues, detail } = expectProblem(await call("PATCH", path, body), 422, "CONFIGURATION_REFUSED");
    const text = issues?.map(({ path: at, message }) => `${at}: ${message}`).join("\n");
    for (const part of ['"nope"', '"nobody"', "rules.1.serve.weights: ", '"blue"', "browser: "]) expect(text).toContain(part);
    expect(detail).toContain("more)");
    expect(store.feed.state(1, "server")).toBe(before);
  });
});

describe("limits and types that only the model knows", () => {
  const nested = (depth: number): object => (depth === 1 ? { op: "exists", attribute: "a" } : { op: "not", of: nested(depth - 1) });

  test.each<[what: string, type: string, configuration: object, status: number, message: RegExp]>([
    [
      "depth",
      "boolean",
      { rules: [{ when: nested(9), serve: ON }] },
      422,
      /^conditions nest 9 deep, at most 8 are allowed; put some of them into a group$/,
    ],
    [
      "the size of patterns",
      "boolean",
      { rules: [{ when: { op: "matches", attribute: "a", values: ["(a{100}){9}"] }, serve: ON }] },
      400,
      /have a size of \d+, the most is 400; use fewer repetitions/,
    ],
    [
      "a pattern that is none",
      "boolean",
      { rules: [{ when: { op: "matches", attribute: "a", values: ["(a"] }, serve: ON }] },
      400,
      /"\(a" is no regular expression in RE2 syntax/,
    ],
    [
      "a zone that is none",
      "boolean",
      { rules: [{ when: { op: "date", is: ">", value: "2026-12-01", zone: "Mars" }, serve: ON }] },
      400,
      /"Mars" is not a time zone; write one as/,
    ],
    [
      "a date that is none",
      "boolean",
      { rules: [{ when: { op: "date", is: ">", value: "2026-02-30" }, serve: ON }] },
      422,
      /^"2026-02-30" is not a date; write one as/,
    ],
    [
      "a version that is none",
      "boolean",
      { rules: [{ when: { op: "semver", attribute: "v", is: ">", value: "1.x" }, serve: ON }] },
      422,
      /^"1.x" is not a semantic version; write one as/,
    ],
    [
      "an address that is none",
      "boolean",
      { rules: [{ when: { op: "cidr", attribute: "ip", values: ["10.0.0.0/33"] }, serve: ON }] },
      422,
      /^"10.0.0.0\/33" is neither an IP address nor a range; write one as/,
    ],
    ["a text in a number flag", "number", { values: { a: 1, b: "2" } }, 422, /^variant "b" has the value "2", which is not a number/],
    ["a number in a text flag", "string", { values: { a: "1", b: 2 } }, 422, /^variant "b" has the value 2, which is not a string/],
    [
      "other values of a boolean flag",
      "boolean",
      { values: { on: "yes", off: false } },
      422,
      /^a boolean flag has the variants on = true and off = false/,
    ],
    [
      "weights that do not add up",
      "boolean",
      { rules: [{ id: "w", name: "Split", serve: { kind: "split", weights: [{ variant: "on", percentage: 99 }] } }] },
      422,
      /^weights of rule "Split" add up to 99000, expected 100000$/,
    ],
  ])("refuse %s", async (what, type, configuration, status, message) => {
    const key = what.replaceAll(" ", "-");
    const values = type === "number" ? { a: 1, b: 2 } : { a: "1", b: "2" };
    await newFlag(key, type === "boolean" ? {} : { type, values, off: "a", on: "b" });
    const answer = await call<Problem>("PATCH", `${DEV}/flags/${key}/configuration`, configuration);
    expect(answer.status).toBe(status);
    expect(answer.body.issues?.map((issue) => issue.message)).toEqual([expect.stringMatching(message)]);
  });
});

describe("groups", () => {
  test("are made, edited, filled, paged and deleted", async () => {
    const made = await call<GroupWritten>("POST", `${DEV}/groups`, { key: "staff", kind: "list", name: "Staff" });
    expect(made).toMatchObject({ status: 201, body: { changed: true, group: { members: 0, usedBy: [], when: null, by: "key" } } });
    const added = await call<GroupWritten>("POST", `${DEV}/groups/staff/members`, { add: ["c", "a", "b", "a"] });
    expect(added.body).toMatchObject({
      changed: true,
      revision: made.body.revision + 1,
      group: { members: 3, sentence: "3 listed people." },
    });
    const first = await call<MemberList>("GET", `${DEV}/groups/staff/members?limit=2`);
    expect(first.body).toMatchObject({ members: [{ unit: "a", state: "member", by: "ann" }, { unit: "b" }], next: "b" });
    expect((await call<MemberList>("GET", `${DEV}/groups/staff/members?limit=2&after=b`)).body).toMatchObject({
      members: [{ unit: "c" }],
      next: null,
    });
    expect((await call<GroupWritten>("POST", `${DEV}/groups/staff/members`, { add: ["a"], remove: ["zed"] })).body.changed).toBe(false);
    const edited = await call<GroupWritten>("PATCH", `${DEV}/groups/staff`, { description: "us" }, { "if-match": added.body.group.etag });
    expect(edited.headers.get("etag")).toBe(edited.body.group.etag);
    const stale = await call("PATCH", `${DEV}/groups/staff`, { description: "them" }, { "if-match": added.body.group.etag });
    expect(expectProblem(stale, 412, "ETAG_MISMATCH").current).toMatchObject({ key: "staff", description: "us" });
    expect((await call("DELETE", `${DEV}/groups/staff`, undefined, { "if-match": edited.body.group.etag })).status).toBe(204);
    expectProblem(await call("GET", `${DEV}/groups/staff`), 404, "GROUP_NOT_FOUND");
  });

  test("in use name their flags and are not deleted", async () => {
    const when = {
      op: "all",
      of: [
        { op: "in", attribute: "plan", values: ["pro"] },
        { op: "not", of: { op: "exists", attribute: "trial" } },
      ],
    };
    await call("POST", `${DEV}/groups`, { key: "pro", kind: "conditions", when });
    await newFlag("uses-pro");
    await call("PATCH", `${DEV}/flags/uses-pro/configuration`, { rules: [{ when: { op: "group", group: "pro" }, serve: ON }] });
    const shown = await call<Group>("GET", `${DEV}/groups/pro`);
    expect(shown.body).toMatchObject({ when, usedBy: ["uses-pro"], members: 0, sentence: expect.stringContaining("plan") });
    expect(expectProblem(await call("DELETE", `${DEV}/groups/pro`), 409, "GROUP_IN_USE").detail).toContain('"uses-pro"');
    expect((await call<{ groups: Group[] }>("GET", `${DEV}/groups`)).body.groups.map(({ key }) => key)).toEqual(["pro"]);
  });

  test("of production need If-Match", async () => {
    await call("POST", `${PROD}/groups`, { key: "staff", kind: "list" });
    expectProblem(await call("PATCH", `${PROD}/groups/staff`, { name: "x" }), 428, "IF_MATCH_REQUIRED");
    expectProblem(await call("DELETE", `${PROD}/groups/staff`), 428, "IF_MATCH_REQUIRED");
    expect((await call("POST", `${PROD}/groups/staff/members`, { add: ["ann"] })).status).toBe(200);
  });

  test.each<[string, string, string, unknown, number, string]>([
    ["an unknown kind", "POST", `${DEV}/groups`, { key: "g", kind: "set" }, 400, "VALIDATION_FAILED"],
    ["an unknown field", "POST", `${DEV}/groups`, { key: "g", kind: "list", members: [] }, 422, "UNKNOWN_PROPERTY"],
    ["a key with a colon", "POST", `${DEV}/groups`, { key: "g:x", kind: "list" }, 400, "VALIDATION_FAILED"],
    ["no conditions", "POST", `${DEV}/groups`, { key: "g", kind: "conditions" }, 422, "GROUP_REFUSED"],
    ["an unknown group", "PATCH", `${DEV}/groups/nope`, { name: "x" }, 404, "GROUP_NOT_FOUND"],
    ["members of an unknown group", "POST", `${DEV}/groups/nope/members`, { add: ["x"] }, 404, "GROUP_NOT_FOUND"],
    ["members of a group by conditions", "POST", `${DEV}/groups/pro/members`, { add: ["x"] }, 422, "GROUP_REFUSED"],
    ["an empty unit", "POST", `${DEV}/groups/pro/members`, { add: [""] }, 400, "VALIDATION_FAILED"],
    ["a limit that is none", "GET", `${DEV}/groups/pro/members?limit=lots`, undefined, 400, "VALIDATION_FAILED"],
  ])("refuse %s", async (_what, method, path, body, status, code) => {
    expectProblem(await call(method, path, body), status, code);
  });
});

describe("projects and SDK keys", () => {
  test("are shown with generation and revision", async () => {
    const { body } = await call<ProjectList>("GET", "/api/v1/projects");
    expect(body.projects).toMatchObject([
      {
        key: "default",
        environments: [
          { key: "development", production: false },
          { key: "production", production: true },
        ],
      },
    ]);
    expect(body.projects[0]?.environments[0]?.revision).toBe(store.feed.state(1, "server").revision);
  });
});
