import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Flag, FlagsWritten, FlagWritten, Problem } from "../api-types.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { brokenAuditRow } from "../store/audit.ts";
import type { ProjectModel } from "../store/model.ts";
import { openStore } from "../store/store.ts";
import { after, currentOf, development, emptyProject } from "../store/test-project.ts";
import { configure, createFlag, patchIdentity } from "./decide.ts";
import { kill, restore, setKilled } from "./kills.ts";

const KILL = { at: 5, by: "ann", reason: "it burns" };
const FREE = async () => undefined;

describe("a kill of several", () => {
  const project = after(
    emptyProject(),
    (current) => createFlag(current, { key: "a", tags: ["pay"] }),
    (current) => createFlag(current, { key: "b" }),
    (current) => createFlag(current, { key: "c", tags: ["pay"] }),
    (current) => patchIdentity(current, "b", { key: "new-b" }, "*"),
  );

  test("is one revision with a row of the audit for each, and finds flags by old keys, each once", () => {
    const outcome = kill(currentOf(project), "development", { keys: ["a", "b", "new-b", "gone"] }, KILL);
    if (outcome.kind !== "changed") expect.fail(JSON.stringify(outcome));
    expect(development(outcome.applied.project).revision).toBe(development(project).revision + 1);
    expect(outcome).toMatchObject({ action: "flag.kill", target: "a, new-b", each: [{ target: "a" }, { target: "new-b" }] });
  });

  test("takes all flags with a tag, and those that are killed already are left as they are", () => {
    const before = after(project, (current) => setKilled(current, "development", "a", { at: 1, by: "bob", reason: null }));
    const killed = development(after(before, (current) => kill(current, "development", { tag: "pay" }, KILL))).flags;
    expect(killed.get("a")?.killed).toMatchObject({ by: "bob" });
    expect(killed.get("c")?.killed).toMatchObject({ by: "ann", reason: "it burns" });
    expect(killed.get("new-b")?.killed).toBeNull();
  });

  test("says so when no flag is meant, and refuses all when one of them is not the caller's", () => {
    expect(kill(currentOf(project), "development", { keys: ["x", "y"] }, KILL)).toMatchObject({ kind: "missing" });
    expect(kill(currentOf(project), "development", { tag: "none" }, KILL)).toMatchObject({ kind: "missing" });
    expect(kill(currentOf(project), "development", { tag: "pay" }, KILL, ({ key }) => key === "a")).toMatchObject({
      kind: "invalid",
      code: "FORBIDDEN",
      detail: expect.stringContaining('"c"'),
    });
  });

  test("restored together, stops at a key that no flag has", async () => {
    const killed = after(project, (current) => kill(current, "development", { keys: ["a", "c"] }, KILL));
    expect(await restore(currentOf(killed), "development", { keys: ["a", "gone"] }, FREE)).toMatchObject({ kind: "missing" });
    const outcome = await restore(currentOf(killed), "development", { tag: "pay" }, FREE);
    expect(outcome).toMatchObject({ kind: "changed", action: "flag.restore", each: [{ target: "a" }, { target: "c" }] });
  });
});

test("kills and restores, in any order and among edits, leave every byte of the configuration and its version as they were", async () => {
  const keys = ["a", "b", "c"];
  const start = after(emptyProject(), ...keys.map((key) => (current: Parameters<typeof createFlag>[0]) => createFlag(current, { key })));
  const step = fc.oneof(
    fc.record({ does: fc.constantFrom("kill" as const, "restore" as const), keys: fc.subarray(keys, { minLength: 1 }) }),
    fc.record({
      does: fc.constant("edit" as const),
      keys: fc.constantFrom(["a"], ["b"]),
      mode: fc.constantFrom("on" as const, "off" as const),
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      let project: ProjectModel = start;
      const bytes = (of: ProjectModel) =>
        JSON.stringify(
          [...development(of).flags.values()].map(({ body, version, updatedAt, updatedBy }) => [body, version, updatedAt, updatedBy]),
        );
      for (const one of steps) {
        const before = bytes(project);
        const current = currentOf(project);
        const outcome =
          one.does === "edit"
            ? configure(current, "development", one.keys[0] ?? "a", { mode: one.mode }, undefined)
            : one.does === "kill"
              ? kill(current, "development", { keys: one.keys }, { ...KILL, at: current.now })
              : await restore(current, "development", { keys: one.keys }, FREE);
        if (outcome.kind !== "changed") continue;
        project = outcome.applied.project;
        if (one.does !== "edit") expect(bytes(project)).toBe(before);
      }
    }),
  );
});

describe("over HTTP", () => {
  const P = "/api/v1/projects/default";
  const PROD = `${P}/environments/production`;
  let server: TestServer;
  let admin: string;
  let operator: string;
  beforeAll(async () => {
    server = await startTestServer();
    [admin, operator] = [await server.token("admin"), await server.token("operator")];
    for (const key of ["a", "b", "c", "d"]) await server.flag(key);
  });
  afterAll(() => server.close());

  async function ask<T>(token: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const answer = await fetch(server.url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as T };
  }
  const head = async () => (await ask<Flag>(admin, "GET", `${PROD}/flags/a`)).body.revision;
  async function edit(key: string, configuration: object) {
    const { body } = await ask<Flag>(admin, "GET", `${PROD}/flags/${key}`);
    const saved = await ask(admin, "PATCH", `${PROD}/flags/${key}/configuration`, configuration, { "if-match": body.configurationEtag });
    expect(saved.status).toBe(200);
  }

  test("fifty at once make one revision", async () => {
    const before = await head();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => ask<FlagsWritten>(operator, "POST", `${PROD}/kill`, { flags: ["a", "b"], reason: "fire" })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
    expect(answers.filter(({ body }) => body.changed)).toHaveLength(1);
    expect(await head()).toBe(before + 1);
    expect(answers[0]?.body.flags).toMatchObject([
      { key: "a", state: { word: "KILLED" } },
      { key: "b", state: { word: "KILLED" } },
    ]);
    const restored = await ask<FlagsWritten>(operator, "POST", `${PROD}/restore`, { flags: ["b", "a"] });
    expect(restored.body).toMatchObject({ changed: true, revision: before + 2, missing: [] });
  });

  test("a key that no flag has is told and stops no kill", async () => {
    const { body } = await ask<FlagsWritten>(operator, "POST", `${PROD}/kill`, { flags: ["a", "typo"] });
    expect(body).toMatchObject({ changed: true, missing: ["typo"] });
    expect((await ask<Problem>(operator, "POST", `${PROD}/restore`, { flags: ["a", "typo"] })).body.code).toBe("FLAG_NOT_FOUND");
    expect((await ask(operator, "POST", `${PROD}/restore`, { flags: ["a"] })).status).toBe(200);
  });

  test.each([[{}], [{ flags: ["a"], tag: "x" }], [{ flags: [] }]])("refuses %j", async (body) => {
    const { status } = await ask(operator, "POST", `${PROD}/kill`, body);
    expect([400, 422]).toContain(status);
  });

  test("one whose configuration was edited after the kill is restored only by whoever may edit, and the refusal says what and who", async () => {
    const burns = await ask<FlagWritten>(operator, "POST", `${PROD}/flags/c/kill`);
    expect(burns.body.flag.killed?.edited).toBe(false);
    await edit("c", { mode: "off" });
    await edit("c", { rules: [{ serve: { kind: "variant", variant: "on" } }] });
    expect((await ask<Flag>(operator, "GET", `${PROD}/flags/c`)).body.killed?.edited).toBe(true);
    for (const [path, body] of [
      [`${PROD}/flags/c/restore`, undefined],
      [`${PROD}/restore`, { flags: ["c"] }],
    ] as const) {
      const refused = await ask<Problem>(operator, "POST", path, body);
      expect(refused).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
      expect(refused.body.detail).toMatch(/"c" \(mode, rules, by test.*releasers and admins/);
    }
    const restored = await ask<FlagWritten>(admin, "POST", `${PROD}/flags/c/restore`);
    expect(restored.body).toMatchObject({ changed: true, flag: { killed: null, configuration: { mode: "off" } } });
  });

  test("a rename and a description after the kill are no edit of what it serves", async () => {
    await ask(operator, "POST", `${PROD}/flags/d/kill`);
    const { body } = await ask<Flag>(admin, "GET", `${PROD}/flags/d`);
    const patch = { key: "new-d", description: "renamed" };
    expect((await ask(admin, "PATCH", `${P}/flags/d`, patch, { "if-match": body.identityEtag })).status).toBe(200);
    expect((await ask<FlagWritten>(operator, "POST", `${PROD}/flags/d/restore`)).body.changed).toBe(true);
  });

  test("the audit has a row for each flag of a revision", async () => {
    await server.stop();
    const store = await openStore({ directory: server.data });
    const rows = store.db.all<{ revision: number; target: string; reason: string | null }>(
      "select revision, target, reason from audit where action = 'flag.kill' order by id limit 2",
    );
    expect(rows).toMatchObject([
      { target: "a", reason: "fire" },
      { target: "b", reason: "fire" },
    ]);
    expect(rows[0]?.revision).toBe(rows[1]?.revision);
    expect(await brokenAuditRow(store.db)).toBeUndefined();
    await store.close();
  });
});
