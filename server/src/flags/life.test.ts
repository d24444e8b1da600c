import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Flag, FlagWritten, Problem } from "../api-types.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { brokenAuditRow } from "../store/audit.ts";
import { openStore } from "../store/store.ts";

const P = "/api/v1/projects/default";
const DEV = `${P}/environments/development`;
const PROD = `${P}/environments/production`;

let server: TestServer;
let admin: string;
beforeAll(async () => {
  server = await startTestServer();
  admin = await server.token("admin");
});
afterAll(() => server.close());

interface Answer<T> {
  readonly status: number;
  readonly body: T;
}

async function ask<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<T>> {
  const answer = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${admin}`, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, body: (text === "" ? undefined : JSON.parse(text)) as T };
}
const make = async (key: string, more: object = {}) => (await ask<FlagWritten>("POST", `${P}/flags`, { key, ...more })).body.flag;
const shown = async (key: string, at = DEV) => (await ask<Flag>("GET", `${at}/flags/${key}`)).body;
const match = (...etags: string[]) => ({ "if-match": etags.join(", ") });
/** The ETags of all its configurations. */
const allOf = (flag: Flag) => match(...flag.environments.map(({ configurationEtag }) => configurationEtag));

describe("what is known of a flag", () => {
  test("has links, a kind and an expected life, which are edited like its name", async () => {
    const links = [{ title: "Ticket", url: "https://tracker.example/1" }];
    const made = await make("known", { links, kind: "experiment", expectedDays: 30 });
    expect(made).toMatchObject({ links, kind: "experiment", expectedDays: 30, stale: false });
    expect(await make("plain")).toMatchObject({ links: [], kind: "release", expectedDays: null, stale: false });
    const patch = { kind: "ops", expectedDays: null, links: [] };
    const { body } = await ask<FlagWritten>("PATCH", `${P}/flags/known`, patch, match(made.identityEtag));
    expect(body.flag).toMatchObject(patch);
  });

  test.each([
    [{ links: [{ title: "x", url: "javascript:alert(1)" }] }, /https/],
    [{ links: [{ title: " ", url: "https://a.example" }] }, /title/],
    [{ kind: "toggle" }, /kind/],
    [{ expectedDays: 0 }, /expectedDays/],
  ])("refuses %j", async (patch, sentence) => {
    const { status, body } = await ask<Problem>("POST", `${P}/flags`, { key: "refused", ...patch });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(body.detail).toMatch(sentence);
  });
});

describe("archive and revive", () => {
  test("in one environment need its ETag in production, and keep the configuration", async () => {
    await make("old");
    await ask("PATCH", `${DEV}/flags/old/configuration`, { mode: "on" });
    const { body } = await ask<FlagWritten>("POST", `${DEV}/flags/old/archive`, { reason: "done" });
    expect(body).toMatchObject({ changed: true, flag: { archived: true, configuration: { mode: "on", archived: true } } });
    expect((await ask<FlagWritten>("POST", `${DEV}/flags/old/archive`)).body.changed).toBe(false);
    expect((await shown("old", PROD)).archived).toBe(false);
    expect((await ask<FlagWritten>("POST", `${DEV}/flags/old/revive`)).body.flag).toMatchObject({
      archived: false,
      configuration: { mode: "on" },
    });
    expect((await ask<Problem>("POST", `${PROD}/flags/old/archive`)).body.code).toBe("IF_MATCH_REQUIRED");
  });

  test("in all environments are one write, with the ETag of each that changes", async () => {
    const flag = await make("everywhere");
    const first = flag.environments[0]?.configurationEtag ?? "";
    expect((await ask("POST", `${P}/flags/everywhere/archive`)).status).toBe(428);
    expect((await ask("POST", `${P}/flags/everywhere/archive`, {}, match(first))).status).toBe(412);
    expect((await ask<FlagWritten>("POST", `${P}/flags/everywhere/archive`, {}, allOf(flag))).body.flag.environments).toMatchObject([
      { environment: "development", archived: true },
      { environment: "production", archived: true },
    ]);
    const revived = await ask<FlagWritten>("POST", `${P}/flags/everywhere/revive`, {}, allOf(await shown("everywhere")));
    expect(revived.body.flag.environments.map(({ archived }) => archived)).toEqual([false, false]);
  });
});

describe("the configuration as a whole document", () => {
  test("replaces everything, needs every field and the ETag, and answers what a GET answers", async () => {
    const flag = await make("whole");
    const { mode: _mode, ...partial } = flag.configuration;
    expect((await ask<Problem>("PUT", `${PROD}/flags/whole`, partial)).body.detail).toMatch(/mode/);
    expect((await ask("PUT", `${PROD}/flags/whole`, { ...flag.configuration, mode: "on" })).status).toBe(428);
    const seen = await shown("whole", PROD);
    const saved = await ask<FlagWritten>(
      "PUT",
      `${PROD}/flags/whole`,
      { ...seen.configuration, mode: "on" },
      match(seen.configurationEtag),
    );
    expect(saved.body.flag.configuration).toEqual({ ...seen.configuration, mode: "on" });
    expect((await ask("PUT", `${PROD}/flags/whole`, { ...seen.configuration, mode: "off" }, match(seen.configurationEtag))).status).toBe(
      412,
    );
  });
});

describe("deleting a flag", () => {
  test("asks for its archive or for its key, and for what was seen", async () => {
    const flag = await make("live");
    const path = `${P}/flags/live`;
    expect((await ask("DELETE", path)).status).toBe(428);
    const refused = await ask<Problem>("DELETE", path, undefined, match(flag.identityEtag));
    expect(refused).toMatchObject({ status: 422, body: { code: "FLAG_REFUSED" } });
    expect(refused.body.detail).toContain("not archived in development and production");
    expect((await ask("DELETE", path, { confirm: "other" }, match(flag.identityEtag))).status).toBe(422);
    expect((await ask("DELETE", path, { confirm: "live", reason: "gone" }, match(flag.identityEtag))).status).toBe(204);
    expect((await ask("GET", `${DEV}/flags/live`)).status).toBe(404);
    expect((await ask("DELETE", path, undefined, match(flag.identityEtag))).status).toBe(404);
  });

  test("goes without a confirmation once it is archived everywhere", async () => {
    const flag = await make("ended");
    await ask("POST", `${P}/flags/ended/archive`, {}, allOf(flag));
    expect((await ask("DELETE", `${P}/flags/ended`, undefined, match((await shown("ended")).identityEtag))).status).toBe(204);
  });

  test("is refused while another flag requires or follows it", async () => {
    const base = await make("base");
    await make("needs");
    await make("base:child");
    await ask("PATCH", `${DEV}/flags/needs/configuration`, { requires: [{ flag: "base", variants: ["on"] }] });
    const { status, body } = await ask<Problem>("DELETE", `${P}/flags/base`, { confirm: "base" }, match(base.identityEtag));
    expect(status).toBe(409);
    expect(body.detail).toBe('The flag "base" is required or followed by "base:child", "needs" in development; take it out there first.');
  });

  test("leaves a tombstone on each of its keys, which are given again only on purpose, with a warning", async () => {
    const flag = await make("first");
    const renamed = (await ask<FlagWritten>("PATCH", `${P}/flags/first`, { key: "second" }, match(flag.identityEtag))).body.flag;
    await ask("DELETE", `${P}/flags/second`, { confirm: "second" }, match(renamed.identityEtag));
    for (const key of ["first", "second"]) {
      const { status, body } = await ask<Problem>("POST", `${P}/flags`, { key });
      expect({ status, code: body.code }).toEqual({ status: 409, code: "FLAG_KEY_USED" });
      expect(body.detail).toMatch(/was deleted on \d{4}-\d\d-\d\d by test.*"reuse": true/);
    }
    const other = await make("other");
    expect((await ask("PATCH", `${P}/flags/other`, { key: "first" }, match(other.identityEtag))).status).toBe(409);
    expect((await ask("PATCH", `${P}/flags/other`, { key: "first", reuse: true }, match(other.identityEtag))).status).toBe(200);
    const again = await make("second", { reuse: true });
    expect(again.warnings).toContainEqual(expect.stringContaining('a deleted flag had the key "second"'));
    expect((await shown("second")).configuration.mode).toBe("off");
  });

  test("takes nothing that an operator's token could do", async () => {
    const flag = await make("guarded");
    const headers = { authorization: `Bearer ${await server.token("operator")}`, ...allOf(flag) };
    for (const [method, path] of [
      ["DELETE", `${P}/flags/guarded`],
      ["POST", `${P}/flags/guarded/archive`],
      ["POST", `${DEV}/flags/guarded/revive`],
    ] as const) {
      expect((await ask(method, path, {}, headers)).status).toBe(403);
    }
  });

  test("is in the audit with the word of each step, and the store opens again without it", async () => {
    await server.stop();
    const store = await openStore({ directory: server.data });
    const rows = store.db.all<{ action: string; target: string; reason: string | null }>(
      "select action, target, reason from audit where target in ('old', 'live', 'whole') order by id",
    );
    expect(rows.map(({ action, target }) => `${target} ${action}`)).toEqual([
      "old flag.create",
      "old flag.create",
      "old flag.configure",
      "old flag.archive",
      "old flag.revive",
      "whole flag.create",
      "whole flag.create",
      "whole flag.replace",
      "live flag.create",
      "live flag.create",
      "live flag.delete",
      "live flag.delete",
    ]);
    expect(rows.at(-1)?.reason).toBe("gone");
    expect(await brokenAuditRow(store.db)).toBeUndefined();
    expect(store.project("default")?.environments.map(({ flags }) => flags.has("live"))).toEqual([false, false]);
    await store.close();
  });
});
