import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FlagWritten } from "../api-types.ts";
import { openSqlite } from "../store/driver.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

const FLAGS = "/api/v1/projects/default/flags";
const PRODUCTION = "/api/v1/projects/default/environments/production";

let server: TestServer;
let token: string;
beforeAll(async () => {
  server = await startTestServer();
  token = await server.token("admin");
});
afterAll(() => server.close());

async function send(method: string, path: string, body: unknown, key: string, more: Record<string, string> = {}) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", "idempotency-key": key, ...more };
  const answer = await fetch(server.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await answer.text();
  return {
    status: answer.status,
    text,
    etag: answer.headers.get("etag"),
    isReplayed: answer.headers.get("idempotent-replayed") === "true",
  };
}
const revision = async () => (JSON.parse((await send("GET", `${PRODUCTION}/flags`, undefined, "x")).text) as { revision: number }).revision;

/** Stops the server, does something to its database, and starts it on the same folder. */
async function restart(between?: (file: string) => Promise<void>): Promise<void> {
  const { data } = server;
  await server.stop();
  await between?.(join(data, "signalbox.db"));
  const next = await startTestServer({ env: { SIGNALBOX_DATA: data } });
  const last = server;
  server = {
    ...next,
    data,
    async close() {
      await next.close();
      await last.close();
    },
  };
}

describe("a write with an Idempotency-Key", () => {
  it("is done once, and answered the same again, also after a restart", async () => {
    const first = await send("POST", FLAGS, { key: "a" }, "make-a");
    expect(first).toMatchObject({ status: 201, isReplayed: false });
    const before = await revision();
    const again = await send("POST", FLAGS, { key: "a" }, "make-a");
    expect(again).toEqual({ ...first, isReplayed: true });
    await restart();
    expect(await send("POST", FLAGS, { key: "a" }, "make-a")).toEqual(again);
    expect(await revision()).toBe(before);
    expect((await send("POST", FLAGS, { key: "a" }, "another-key")).status).toBe(409);
  });

  it("is done once of twenty at the same time, and they all get its answer", async () => {
    await send("POST", FLAGS, { key: "b" }, "make-b");
    const before = await revision();
    const { etag } = await send("GET", `${PRODUCTION}/flags/b`, undefined, "x");
    const patch = () => send("PATCH", `${PRODUCTION}/flags/b/configuration`, { mode: "on" }, "b-on", { "if-match": etag ?? "" });
    const answers = await Promise.all(Array.from({ length: 20 }, patch));
    expect(new Set(answers.map(({ status, text, etag: tag }) => `${status} ${tag} ${text}`)).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 200, etag: expect.stringMatching(/^"c/) });
    expect(answers.filter(({ isReplayed }) => !isReplayed)).toHaveLength(1);
    expect(await revision()).toBe(before + 1);
  });

  it("whose process ended between commit and answer is not done again, and answered with what there is", async () => {
    await send("POST", FLAGS, { key: "c" }, "make-c");
    const { etag } = await send("GET", `${PRODUCTION}/flags/c`, undefined, "x");
    const patch = () => send("PATCH", `${PRODUCTION}/flags/c/configuration`, { mode: "on" }, "c-on", { "if-match": etag ?? "" });
    await patch();
    const before = await revision();
    await restart(async (file) => {
      const handle = await openSqlite(file);
      handle.db.run(sql`update idempotency set answer = null where key = 'c-on'`);
      handle.close();
    });
    const again = await patch();
    expect(again).toMatchObject({ status: 200, isReplayed: false });
    expect(JSON.parse(again.text) as FlagWritten).toMatchObject({ changed: false, flag: { configuration: { mode: "on" } } });
    expect(await revision()).toBe(before);
    expect(await patch()).toMatchObject({ text: again.text, isReplayed: true });
  });

  it("that is refused may be sent again with the same key", async () => {
    expect(await send("PATCH", `${PRODUCTION}/flags/d/configuration`, { mode: "on" }, "d-on", { "if-match": "*" })).toMatchObject({
      status: 404,
    });
    await send("POST", FLAGS, { key: "d" }, "make-d");
    expect(await send("PATCH", `${PRODUCTION}/flags/d/configuration`, { mode: "on" }, "d-on", { "if-match": "*" })).toMatchObject({
      status: 200,
      isReplayed: false,
    });
  });

  it("that differs under the same key is refused, and another caller's key is another one", async () => {
    await send("POST", FLAGS, { key: "e" }, "make-e");
    const other = await send("POST", FLAGS, { key: "e2" }, "make-e");
    expect(other).toMatchObject({ status: 422, text: expect.stringContaining("IDEMPOTENCY_KEY_REUSED") });
    expect(await send("POST", `${PRODUCTION}/flags/e/kill`, {}, "make-e")).toMatchObject({ status: 422 });
    const mine = token;
    token = await server.token("admin");
    expect(await send("POST", FLAGS, { key: "e2" }, "make-e")).toMatchObject({ status: 201, isReplayed: false });
    token = mine;
  });

  it("is forgotten after a day", async () => {
    await send("POST", `${PRODUCTION}/flags/a/kill`, {}, "kill-a");
    await send("POST", `${PRODUCTION}/flags/a/restore`, {}, "restore-a");
    expect(await send("POST", `${PRODUCTION}/flags/a/kill`, {}, "kill-a")).toMatchObject({ isReplayed: true });
    await restart(async (file) => {
      const handle = await openSqlite(file);
      handle.db.run(sql`update idempotency set at = at - 86400000 where key = 'kill-a'`);
      handle.close();
    });
    const before = await revision();
    expect(await send("POST", `${PRODUCTION}/flags/a/kill`, {}, "kill-a")).toMatchObject({ status: 200, isReplayed: false });
    expect(await revision()).toBe(before + 1);
  });

  it("is not taken where the answer holds a secret, nor with a key that is none", async () => {
    expect(await send("POST", "/api/v1/tokens", { name: "t", scope: "kill" }, "a-token")).toMatchObject({
      status: 400,
      text: expect.stringContaining("shown once"),
    });
    expect(await send("POST", FLAGS, { key: "f" }, "k".repeat(201))).toMatchObject({ status: 400 });
    expect(await send("POST", FLAGS, { key: "f" }, "ä")).toMatchObject({ status: 400 });
  });
});
