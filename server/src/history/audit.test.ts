import { eq, gt } from "drizzle-orm";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { verifyAudit } from "../store/audit.ts";
import type { Tx } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import { openStore } from "../store/store.ts";

vi.setConfig({ testTimeout: 120_000 });

const P = "/api/v1/projects/default";
const E = `${P}/environments/development`;

let server: TestServer;
let admin: string;
beforeAll(async () => {
  server = await startTestServer();
  admin = await server.token("admin");
});
afterAll(() => server.close());

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into by the tests, as a script does
type Body = any;

async function ask(
  method: string,
  path: string,
  body?: unknown,
  token = admin,
): Promise<{ status: number; body: Body; text: string; type: string }> {
  const answer = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { "content-type": "application/json" }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const type = answer.headers.get("content-type") ?? "";
  return { status: answer.status, body: type.includes("json") && !type.includes("ndjson") ? JSON.parse(text) : undefined, text, type };
}
async function done(method: string, path: string, body?: unknown): Promise<Body> {
  const answer = await ask(method, path, body);
  if (answer.status >= 300) expect.fail(`${method} ${path}: ${answer.text}`);
  return answer.body;
}

describe("the audit", () => {
  test("has every write with who, from where, why, before and after, and is filtered and paged", async () => {
    await done("POST", `${P}/flags`, { key: "a" });
    await done("PATCH", `${E}/flags/a/configuration`, { mode: "on" });
    await done("POST", `${E}/flags/a/kill`, { reason: "it burns 50%" });
    const [kill] = (await done("GET", "/api/v1/audit?action=flag.kill")).rows;
    expect(kill).toMatchObject({
      by: "test (token of ana)",
      words: "killed a",
      reason: "it burns 50%",
      project: "default",
      environment: "development",
      revision: 3,
      before: { killed: null },
      after: { killed: { by: "test (token of ana)" } },
      token: expect.stringMatching(/^[0-9a-f]{12}$/),
      address: expect.stringContaining("127.0.0.1"),
      requestId: expect.any(String),
    });
    const words = async (query: string, path = "/api/v1/audit") =>
      (await done("GET", `${path}?${query}`)).rows.map(({ words }: Body) => words);
    expect(await words("action=flag.*")).toEqual(["killed a", "changed a", "created a", "created a"]);
    expect(await words("who=ana&action=account.*")).toEqual(["made the account ana"]);
    expect(await words(`text=${encodeURIComponent("50%")}`)).toEqual(["killed a"]);
    expect(await words(`text=${encodeURIComponent("5_%")}`)).toEqual([]);
    expect(await words(`from=${kill.at}&to=${kill.at}&target=a`)).toContain("killed a");
    expect(await words("to=2020-01-01T00:00:00Z")).toEqual([]);
    expect((await ask("GET", "/api/v1/audit?from=yesterday")).status).toBe(400);
    expect(await words("flag=a", `${E}/audit`)).toEqual(["killed a", "changed a", "created a"]);
    expect((await ask("GET", `${E}/audit?flag=nope`)).status).toBe(404);
    const first = await done("GET", `${P}/audit?limit=3`);
    const second = await done("GET", `${P}/audit?limit=3&before=${first.next}`);
    expect([...first.rows, ...second.rows].map(({ words }: Body) => words)).toEqual(["killed a", "changed a", "created a", "created a"]);
    expect([first.next, second.next]).toEqual([first.rows[2].id, null]);
  });

  test("tells from where somebody wrote to admins alone", async () => {
    const operator = await server.token("operator");
    const { rows } = (await ask("GET", `${P}/audit`, undefined, operator)).body;
    expect(rows.map(({ address, token }: Body) => [address, token])).toEqual(rows.map(() => [null, null]));
    expect((await ask("GET", "/api/v1/audit", undefined, operator)).status).toBe(403);
    expect((await ask("GET", "/api/v1/audit/export", undefined, operator)).status).toBe(403);
  });

  test("is exported whole as lines of JSON and as CSV in which no cell is a formula", async () => {
    await done("POST", `${E}/flags/a/restore`, { reason: '=HYPERLINK("http://x","y")' });
    await done("POST", `${E}/flags/a/kill`, { reason: "@cmd, and\nmore" });
    const lines = await ask("GET", "/api/v1/audit/export");
    expect(lines.type).toBe("application/x-ndjson");
    const rows = lines.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows.map(({ id }) => id)).toEqual(rows.map((_, i) => i + 1));
    expect(rows.at(-1)).toMatchObject({ words: "killed a", reason: "@cmd, and\nmore" });
    const csv = await ask("GET", `${P}/audit/export?format=csv&action=flag.*`);
    expect(csv.type).toBe("text/csv; charset=utf-8");
    expect(csv.text).toMatch(/^id,at,by,words,action,target,reason,/);
    expect(csv.text).toContain(`,"'=HYPERLINK(""http://x"",""y"")",`);
    expect(csv.text).toContain(`,"'@cmd, and\nmore",`);
  });

  test("a reason is found by its own words, whatever alphabet they are in", async () => {
    await done("POST", `${P}/flags`, { key: "words" });
    await done("POST", `${E}/flags/words/kill`, { reason: "Ärger mit der Kasse" });
    const { rows } = await done("GET", `/api/v1/audit?text=${encodeURIComponent("Ärger MIT")}`);
    expect(rows.map(({ target }: Body) => target)).toEqual(["words"]);
  });

  test("is proved by its chain: whatever is done to its rows is found", async () => {
    expect(await done("GET", "/api/v1/audit/verify")).toMatchObject({ ok: true, problem: null });
    await server.stop();
    const store = await openStore({ directory: server.data });
    const { audit, meta } = tables;
    const rows = await store.db.select().from(audit);
    const check = await verifyAudit(store.db);
    expect(check).toMatchObject({ problem: null, rows: rows.length });
    class Undo extends Error {}
    /** What the check says after the rows were tampered with; nothing stays. */
    async function after(tamper: (tx: Tx) => Promise<unknown>, known?: string) {
      let found = check;
      const run = store.transaction(async (tx) => {
        await tamper(tx);
        found = await verifyAudit(tx, known);
        throw new Undo();
      });
      await run.catch((error: unknown) => {
        if (!(error instanceof Undo)) throw error;
      });
      return found;
    }
    const other = (value: unknown) => {
      if (value === null) return "x";
      if (typeof value === "number") return value + 1;
      if (typeof value === "string") return value.startsWith("0") ? `1${value.slice(1)}` : `0${value.slice(1)}`;
      return { changed: true };
    };
    const columns = [
      "at",
      "by",
      "action",
      "projectId",
      "environmentId",
      "revision",
      "target",
      "reason",
      "before",
      "after",
      "token",
      "address",
      "requestId",
      "previousHash",
      "hash",
    ] as const;
    const row = fc.nat(rows.length - 1);
    const numeric = new Set(["projectId", "environmentId", "revision"]);
    const tampering = fc.oneof(
      fc.tuple(row, fc.constantFrom(...columns)).map(([index, column]) => ({
        what: `row ${index} has another ${column}`,
        do: async (tx: Tx) => {
          const was = rows[index] ?? expect.fail("no row");
          const value = was[column] === null && numeric.has(column) ? 7 : other(was[column]);
          await tx
            .update(audit)
            .set({ [column]: value })
            .where(eq(audit.id, was.id));
        },
      })),
      row.map((index) => ({
        what: `row ${index} is gone`,
        do: async (tx: Tx) => {
          await tx.delete(audit).where(eq(audit.id, rows[index]?.id ?? 0));
        },
      })),
      row.map((index) => ({
        what: `everything after row ${index} is cut off`,
        do: async (tx: Tx) => {
          await tx.delete(audit).where(gt(audit.id, (rows[index]?.id ?? 0) - 1));
        },
      })),
      fc
        .tuple(row, row)
        .filter(([a, b]) => a !== b)
        .map(([a, b]) => ({
          what: `rows ${a} and ${b} have changed places`,
          do: async (tx: Tx) => {
            const [{ id: _one, ...one } = { id: 0 }, { id: _two, ...two } = { id: 0 }] = [rows[a], rows[b]];
            await tx
              .update(audit)
              .set(two)
              .where(eq(audit.id, rows[a]?.id ?? 0));
            await tx
              .update(audit)
              .set(one)
              .where(eq(audit.id, rows[b]?.id ?? 0));
          },
        })),
    );
    await fc.assert(
      fc.asyncProperty(tampering, async ({ what, do: tamper }) => {
        const { problem } = await after(tamper);
        if (problem === null) expect.fail(what);
      }),
      { numRuns: process.env.LONG ? 5_000 : 500 },
    );
    // A row that somebody adds with a true hash, but without the note; and the whole chain made anew, with it.
    const forge = async (tx: Tx) => {
      await store.audit(tx, { by: "eve", action: "flag.kill", target: "a" });
      await tx
        .update(meta)
        .set({ value: JSON.stringify({ rows: check.rows, hash: check.head }) })
        .where(eq(meta.key, "audit"));
    };
    expect((await after(forge)).problem?.what).toMatch(/added/);
    const anew = async (tx: Tx) => {
      await tx.delete(audit);
      await tx.delete(meta).where(eq(meta.key, "audit"));
      await store.audit(tx, { by: "eve", action: "flag.kill", target: "a" });
    };
    expect((await after(anew)).problem).toBeNull();
    expect((await after(anew, check.head)).problem?.what).toMatch(/made anew|written anew/);
    expect((await verifyAudit(store.db, rows[3]?.hash)).problem).toBeNull();
    await store.close();
  });
});

describe("erasing", () => {
  test("a deleted account's name is nowhere any more, and the chain holds", async () => {
    const own = await startTestServer();
    const cookie = await own.signIn();
    const send = async (method: string, path: string, body?: unknown) => {
      const answer = await own.send(method, path, cookie, body);
      const text = await answer.text();
      if (!answer.ok) expect.fail(`${method} ${path}: ${text}`);
      return text === "" ? undefined : JSON.parse(text);
    };
    const { url } = await send("POST", "/api/v1/invitations", { roles: [{ role: "admin" }] });
    const secret = new URL(url).hash.split("=").at(-1);
    const joined = await fetch(`${own.url}/api/v1/invitations/accept`, {
      method: "POST",
      headers: { origin: own.url, "content-type": "application/json" },
      body: JSON.stringify({ token: secret, name: "quentin", password: "correct-horse-battery" }),
    });
    const theirs = joined.headers.get("set-cookie")?.split(";")[0] ?? "";
    const asThem = (method: string, path: string, body?: unknown) => own.send(method, path, theirs, body);
    // Its answer is kept for a day.
    const kept = await fetch(`${own.url}${P}/flags`, {
      method: "POST",
      headers: { cookie: theirs, origin: own.url, "x-signalbox-csrf": "1", "content-type": "application/json", "idempotency-key": "once" },
      body: JSON.stringify({ key: "q" }),
    });
    expect(kept.status).toBe(201);
    expect(await kept.text()).toContain("quentin");
    await asThem("POST", `${E}/flags/q/kill`, { reason: "because" });
    await asThem("POST", `${E}/groups`, { key: "g", kind: "list" });
    await asThem("POST", `${E}/groups/g/members`, { add: ["u1"] });
    expect((await own.send("POST", "/api/v1/erase", cookie, { name: "quentin" })).status).toBe(409);
    await send("DELETE", "/api/v1/accounts/quentin", {});
    expect(await send("POST", "/api/v1/erase", { name: "quentin" })).toEqual({ names: 1, groups: [] });
    expect((await send("GET", `${E}/flags/q`)).killed.by).toMatch(/^erased [0-9a-f]{6}$/);
    const history = await send("GET", `${E}/history`);
    expect(history.changes[0].by).toMatch(/^erased/);
    expect((await send("GET", `${E}/flags/q/at?revision=2`)).killed.by).toMatch(/^erased/);
    expect(await send("GET", "/api/v1/audit/verify")).toMatchObject({ ok: true });
    await own.stop();
    const store = await openStore({ directory: own.data });
    for (const [name, table] of Object.entries(tables)) {
      expect(`${name} ${JSON.stringify(await store.db.select().from(table)).includes("quentin")}`).toBe(`${name} false`);
    }
    expect((await verifyAudit(store.db)).problem).toBeNull();
    await store.close();
    await own.close();
  });

  test("a unit is in no list and nothing remembers that it was", async () => {
    const own = await startTestServer();
    const cookie = await own.signIn();
    const send = async (method: string, path: string, body?: unknown): Promise<Body> => (await own.send(method, path, cookie, body)).json();
    await send("POST", `${E}/groups`, { key: "list", kind: "list" });
    await send("POST", `${E}/groups`, { key: "beta", kind: "early-access" });
    await send("POST", `${E}/groups/list/members`, { add: ["zora-1", "other"] });
    await send("POST", `${E}/groups/beta/members`, { add: ["zora-1"] });
    await send("POST", `${E}/groups/beta/members`, { remove: ["zora-1"] });
    await send("PATCH", `${E}/settings`, { sampleContexts: true });
    const { server: sdkKey } = await send("GET", `${E}/sdk-keys`);
    const reported = await fetch(`${own.url}/sdk/v1/usage`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${sdkKey}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({
        instance: "i",
        app: "shop",
        sdk: "node",
        evaluated: [],
        unknown: [],
        contexts: [{ key: "zora-1" }, { key: "x", account: { id: "zora-1" } }, { key: "other" }],
      }),
    });
    expect(`${reported.status} ${await reported.text()}`).toMatch(/^20/);
    expect(await send("POST", "/api/v1/erase", { unit: "zora-1" })).toEqual({
      names: 0,
      groups: ["default/development/list", "default/development/beta"],
    });
    expect((await send("GET", `${E}/groups/list/members`)).members.map(({ unit }: Body) => unit)).toEqual(["other"]);
    expect(await send("GET", "/api/v1/audit/verify")).toMatchObject({ ok: true });
    // A revert does not know it any more.
    const { revision } = await send("GET", `${E}/history?limit=1`);
    expect(await send("POST", `${E}/revert`, { change: revision })).toMatchObject({
      changed: false,
      leftAlone: ['1 who were in "list" were erased since and do not come back.'],
    });
    await own.stop();
    const store = await openStore({ directory: own.data });
    for (const [name, table] of Object.entries(tables)) {
      expect(`${name} ${JSON.stringify(await store.db.select().from(table)).includes("zora-1")}`).toBe(`${name} false`);
    }
    await store.close();
    await own.close();
  });
});
