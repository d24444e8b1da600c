import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestServer, type TestServer } from "../http/test-server.ts";

let server: TestServer;
let admin: string;
beforeAll(async () => {
  server = await startTestServer();
  admin = await server.token("admin");
});
afterAll(() => server.close());

const P = "/api/v1/projects/default";
const E = `${P}/environments/development`;

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into by the tests, as a script does
type Body = any;

async function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Body; etag: string | null }> {
  const answer = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${admin}`, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === "" ? undefined : JSON.parse(text), etag: answer.headers.get("etag") };
}
async function done(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Body> {
  const answer = await ask(method, path, body, headers);
  if (answer.status >= 300) expect.fail(`${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}
const head = async () => (await done("GET", `${E}/history?limit=1`)).revision as number;
const configurationOf = async (flag: string) => (await done("GET", `${E}/flags/${flag}`)).configuration;
/** A context that the first percentage of the flag "checkout" lets in, as it is asked at the time of that percentage. */
async function inside(percentage: number): Promise<object> {
  for (let i = 0; ; i += 1) {
    const context = { key: `u${i}` };
    const configuration = { mode: "targeted", rules: [rule(percentage)] };
    const { variant } = await done("POST", `${E}/evaluate`, { flag: "checkout", context, configuration });
    if (variant === "on") return context;
  }
}
const rule = (percentage: number) => ({ id: "r1", rollout: { percentage }, serve: { kind: "variant", variant: "on" } });

describe("history of a flag", () => {
  test("tells who did what in words, newest first, over a rename, and what it was at each revision and time", async () => {
    await done("POST", `${P}/flags`, { key: "checkout", description: "new" });
    const made = await head();
    await done("PATCH", `${E}/flags/checkout/configuration`, { mode: "targeted", rules: [rule(5)] });
    const five = await head();
    const between = Date.now();
    await new Promise((resolve) => setImmediate(resolve));
    while (Date.now() <= between) await new Promise(setImmediate);
    await done("PATCH", `${E}/flags/checkout/configuration`, { rules: [rule(10)] });
    await done("PATCH", `${P}/flags/checkout`, { key: "till" }, { "if-match": "*" });
    await done("POST", `${E}/flags/till/kill`, { reason: "errors" });
    await done("POST", `${P}/flags`, { key: "other" });

    const list = await done("GET", `${E}/history?flag=checkout`);
    expect(list.changes.map(({ title, lines, by, reason }: Body) => [title, lines, by, reason])).toEqual([
      ["killed till", ["Killed: by test (token of ana): errors"], "test (token of ana)", "errors"],
      ["renamed till", ["Key: checkout → till"], "test (token of ana)", null],
      ["changed checkout", ["Rule 1: 5 % of everyone: on → 10 % of everyone: on"], "test (token of ana)", null],
      ["changed checkout", ["Who gets it: Nobody → Some", "Rule 1: 5 % of everyone: on"], "test (token of ana)", null],
      ["created checkout", ["New: flag checkout"], "test (token of ana)", null],
    ]);
    expect(list.next).toBeNull();
    const first = await done("GET", `${E}/history?flag=till&limit=2`);
    expect(first.next).toBe(first.changes[1].revision);
    const second = await done("GET", `${E}/history?flag=till&limit=2&before=${first.next}`);
    expect(second.changes.map(({ revision }: Body) => revision)).toEqual([five + 1, five]);

    for (const at of [`revision=${five}`, `at=${between}`, `at=${new Date(between).toISOString()}`]) {
      const then = await done("GET", `${E}/flags/till/at?${at}`);
      expect([then.revision, then.key, then.configuration.rules[0].rollout.percentage, then.killed]).toEqual([five, "checkout", 5, null]);
    }
    expect((await done("GET", `${E}/flags/till/at?revision=${made}`)).state.word).toBe("OFF");
    expect(await ask("GET", `${E}/flags/other/at?revision=${five}`)).toMatchObject({ status: 404, body: { code: "FLAG_NOT_FOUND" } });
    expect(await ask("GET", `${E}/flags/till/at?revision=999`)).toMatchObject({ status: 404, body: { code: "REVISION_NOT_FOUND" } });
    expect(await ask("GET", `${E}/flags/till/at`)).toMatchObject({ status: 400 });
    expect(await ask("GET", `${E}/flags/till/at?at=2026-01-01T10:00`)).toMatchObject({ status: 400 });

    await done("POST", `${E}/flags/till/restore`);
    const context = await inside(5);
    await done("POST", `${E}/flags/till/kill`, { reason: "errors" });
    for (const [revision, served] of [
      [made, "off"],
      [five, "on"],
    ] as const) {
      const asked = { flag: "checkout", context, revision };
      expect((await done("POST", `${E}/evaluate`, asked)).variant).toBe(served);
      expect(await done("POST", `${E}/explain`, asked)).toMatchObject({ revision, flag: "checkout", evaluation: { variant: served } });
    }
    const both = { flag: "checkout", context: {}, revision: five, configuration: { mode: "on" } };
    expect((await ask("POST", `${E}/evaluate`, both)).status).toBe(400);
    expect((await ask("POST", `${E}/evaluate`, { flag: "checkout", context: {}, revision: 999 })).status).toBe(404);

    const state = await done("GET", `${E}/state-at?revision=${five}`);
    expect(state.flags.map(({ key, state: { text } }: Body) => [key, text])).toEqual([["checkout", "SOME 5 %"]]);
    const diff = await done("GET", `${E}/diff?from=${five}&to=${await head()}`);
    expect(diff.lines).toEqual([
      "till: Key: checkout → till",
      "till: Rule 1: 5 % of everyone: on → 10 % of everyone: on",
      "till: Killed: by test (token of ana): errors",
      "New: flag other",
    ]);
    const detail = await done("GET", `${E}/history/${five}`);
    expect(detail.items).toMatchObject([
      { kind: "flag", key: "checkout", event: "changed", differences: [{ field: "mode" }, { field: "rules.r1" }] },
    ]);
    expect(detail.raw.put[0]).toMatchObject({ key: "checkout", mode: "targeted" });
    expect((await done("GET", `${E}/history/${made}`)).alsoIn).toEqual([{ environment: "production", revision: 1 }]);
  });

  test("of one that is deleted is still there, and undoing the deletion brings it back as it was, everywhere", async () => {
    await done("POST", `${P}/flags`, { key: "gone", type: "string", values: { a: "A", b: "B" }, off: "a", on: "b" });
    await done("PATCH", `${E}/flags/gone/configuration`, { mode: "on" });
    const before = [await configurationOf("gone"), (await done("GET", `${P}/environments/production/flags/gone`)).configuration];
    await done("DELETE", `${P}/flags/gone`, { confirm: "gone" }, { "if-match": "*" });
    const deleted = await head();
    expect((await done("GET", `${E}/history?flag=gone`)).changes[0]).toMatchObject({
      revision: deleted,
      title: "deleted gone",
      lines: ["Gone: flag gone"],
    });
    const dry = await done("POST", `${E}/revert`, { change: deleted, dryRun: true });
    expect([dry.changed, dry.lines, await head()]).toEqual([true, ["New: flag gone"], deleted]);
    await done("POST", `${E}/revert`, { change: deleted });
    expect([await configurationOf("gone"), (await done("GET", `${P}/environments/production/flags/gone`)).configuration]).toEqual(before);
    // And the revert of the revert deletes it again.
    await done("POST", `${E}/revert`, { change: deleted + 1 });
    expect((await ask("GET", `${E}/flags/gone`)).status).toBe(404);
    expect((await done("GET", `${E}/history?flag=gone`)).changes).toHaveLength(5);
  });
});

describe("reverting", () => {
  test("a flag goes back to a revision, killed as it is; first as a dry run", async () => {
    await done("POST", `${P}/flags`, { key: "back" });
    await done("PATCH", `${E}/flags/back/configuration`, { mode: "targeted", rules: [rule(5)] });
    const then = await configurationOf("back");
    const revision = await head();
    await done("PATCH", `${E}/flags/back/configuration`, { mode: "on", rules: [] });
    await done("POST", `${E}/flags/back/kill`, {});
    const dry = await done("POST", `${E}/flags/back/revert`, { revision, dryRun: true });
    expect(dry).toMatchObject({ changed: true, dryRun: true, lines: ["Who gets it: Everybody → Some", "Rule 1: 5 % of everyone: on"] });
    expect(dry.leftAlone).toEqual(['The kill of "back" stays as it is: kill and restore are what changes it.']);
    expect(await head()).toBe(revision + 2);
    const reverted = await done("POST", `${E}/flags/back/revert`, { revision, reason: "too early" });
    expect(reverted).toMatchObject({ changed: true, revision: revision + 3 });
    expect(await configurationOf("back")).toEqual(then);
    expect((await done("GET", `${E}/flags/back`)).state.word).toBe("KILLED");
    expect((await done("GET", `${E}/history?flag=back`)).changes[0]).toMatchObject({ action: "flag.revert", reason: "too early" });
    expect(await done("POST", `${E}/flags/back/revert`, { revision })).toMatchObject({ changed: false });
    const production = `${P}/environments/production/flags/back/revert`;
    expect(await ask("POST", production, { revision: 1 })).toMatchObject({ status: 404 });
    const made = (await done("GET", `${P}/environments/production/history?flag=back`)).changes[0].revision;
    expect(await ask("POST", production, { revision: made })).toMatchObject({ status: 428 });
  });

  test("a change is taken back field by field; what was changed again since stops it, and says where", async () => {
    await done("POST", `${P}/flags`, { key: "f" });
    await done("PATCH", `${E}/flags/f/configuration`, { mode: "targeted", rules: [rule(5)] });
    const change = await head();
    await done("PATCH", `${E}/flags/f/configuration`, { browser: true });
    await done("POST", `${E}/revert`, { change });
    expect(await configurationOf("f")).toMatchObject({ mode: "off", rules: [], browser: true });
    await done("POST", `${E}/revert`, { change: await head() });
    expect(await configurationOf("f")).toMatchObject({ mode: "targeted", rules: [rule(5)], browser: true });
    await done("PATCH", `${E}/flags/f/configuration`, { rules: [rule(6)] });
    const refused = await ask("POST", `${E}/revert`, { change });
    expect(refused).toMatchObject({ status: 409, body: { code: "REVERT_CONFLICT", issues: [{ path: "flags.f.rules" }] } });
    expect(await configurationOf("f")).toMatchObject({ mode: "targeted", rules: [rule(6)] });
  });

  test("lists and groups come back with the people who were in them", async () => {
    await done("POST", `${E}/groups`, { key: "team", kind: "list" });
    await done("POST", `${E}/groups/team/members`, { add: ["ann", "bob", "cy"] });
    await done("POST", `${E}/groups/team/members`, { remove: ["bob"] });
    await done("POST", `${E}/revert`, { change: await head() });
    const names = async () => (await done("GET", `${E}/groups/team/members`)).members.map(({ unit }: Body) => unit);
    expect(await names()).toEqual(["ann", "bob", "cy"]);
    await done("POST", `${E}/groups/team/members`, { remove: ["bob"] });
    await done("DELETE", `${E}/groups/team`, undefined, { "if-match": "*" });
    const gone = await head();
    await done("POST", `${E}/revert`, { change: gone });
    expect(await names()).toEqual(["ann", "cy"]);
    await done("POST", `${E}/revert`, { change: gone + 1 });
    expect((await ask("GET", `${E}/groups/team`)).status).toBe(404);
    expect((await done("GET", `${E}/history?group=team`)).changes.map(({ lines }: Body) => lines)).toEqual([
      ["Gone: group team"],
      ["New: group team", "Members: 2 came"],
      ["Gone: group team"],
      ["Members: 1 left"],
      ["Members: 1 came"],
      ["Members: 1 left"],
      ["Members: 3 came"],
      ["New: group team"],
    ]);
  });

  test("a whole environment goes back to a revision: kills stay, what is newer is archived, and going forth again is exact", async () => {
    await done("POST", `${P}/flags`, { key: "w1" });
    await done("PATCH", `${E}/flags/w1/configuration`, { mode: "on" });
    const then = await head();
    await done("POST", `${P}/flags`, { key: "w2" });
    await done("PATCH", `${E}/flags/w2/configuration`, { mode: "on" });
    await done("PATCH", `${E}/flags/w1/configuration`, { mode: "off" });
    await done("POST", `${E}/flags/w1/kill`, {});
    const last = await head();
    const forth = [await configurationOf("w1"), await configurationOf("w2")];
    const dry = await ask("POST", `${E}/revert`, { to: then, dryRun: true });
    expect(dry.body).toMatchObject({ changed: true, total: 2, lines: ["w1: Who gets it: Nobody → Everybody", "w2: Archived: no → yes"] });
    expect(dry.body.leftAlone).toEqual(['"w1" is killed and stays killed.', '"w2" was not there yet: it is archived.']);
    await done("PATCH", `${E}/flags/w2/configuration`, { mode: "off" });
    expect(await ask("POST", `${E}/revert`, { to: then }, { "if-match": dry.etag ?? "" })).toMatchObject({ status: 412 });
    await done("PATCH", `${E}/flags/w2/configuration`, { mode: "on" });
    const again = await ask("POST", `${E}/revert`, { to: then, dryRun: true });
    await done("POST", `${E}/flags/w2/kill`, {});
    await done("POST", `${E}/revert`, { to: then }, { "if-match": again.etag ?? "" });
    expect(await configurationOf("w1")).toMatchObject({ mode: "on" });
    expect(await configurationOf("w2")).toMatchObject({ archived: true });
    expect((await done("GET", `${E}/flags/w1`)).state.word).toBe("KILLED");
    await done("POST", `${E}/revert`, { to: last });
    expect([await configurationOf("w1"), await configurationOf("w2")]).toEqual(forth);
    expect(await ask("POST", `${P}/environments/production/revert`, { to: 0 })).toMatchObject({ status: 428 });
    expect(await ask("POST", `${E}/revert`, {})).toMatchObject({ status: 400 });
    expect(await ask("POST", `${E}/revert`, { to: 1, change: 1 })).toMatchObject({ status: 400 });
  });
});
