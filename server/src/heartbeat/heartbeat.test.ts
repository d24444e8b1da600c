import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { Heartbeat, ProjectList } from "../api-types.ts";
import { createFlag } from "../flags/decide.ts";
import { setKilled } from "../flags/kills.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { brokenAuditRow } from "../store/audit.ts";
import { tables } from "../store/schema.sqlite.ts";
import { HEARTBEAT_PROJECT } from "../store/seed.ts";
import { openStore } from "../store/store.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function start(env: Record<string, string>): Promise<{ server: TestServer; get: (path: string) => Promise<Response> }> {
  const server = await startTestServer({ env });
  cleanups.push(() => server.close());
  const cookie = await server.signIn();
  return { server, get: (path) => server.send("GET", path, cookie) };
}

test("a beat goes the whole way: stored, received by a stream, acknowledged; and nobody sees what it is made of", async () => {
  const { server, get } = await start({ SIGNALBOX_HEARTBEAT: "on" });
  const read = async () => (await (await get("/api/v1/heartbeat")).json()) as Heartbeat;
  let beat = await read();
  while (beat.acknowledgedMs === null) beat = await read();
  expect(beat).toMatchObject({ state: "ok", everyMs: 30_000, beats: 1, failures: 0, problem: null });
  const times = [0, beat.storedMs, beat.latencyMs, beat.acknowledgedMs];
  expect(times).toEqual(times.toSorted((a, b) => Number(a) - Number(b)));
  expect([beat.p50Ms, beat.p99Ms]).toEqual([beat.latencyMs, beat.latencyMs]);

  const { projects } = (await (await get("/api/v1/projects")).json()) as ProjectList;
  expect(projects.map(({ key }) => key)).toEqual(["default"]);
  const hidden = `/api/v1/projects/${HEARTBEAT_PROJECT}/environments/heartbeat`;
  for (const path of ["flags", "groups", "instances", "sdk-keys", "flags/heartbeat", "revisions/1/receipt"]) {
    expect([path, (await get(`${hidden}/${path}`)).status]).toEqual([path, 404]);
  }
  const cookie = await server.signIn();
  expect((await server.send("POST", `${hidden}/flags/heartbeat/kill`, cookie, {})).status).toBe(404);
  expect((await server.send("POST", `/api/v1/projects/${HEARTBEAT_PROJECT}/flags`, cookie, { key: "mine" })).status).toBe(404);
}, 30_000);

test("switched off, the API says so and nothing is made", async () => {
  const { get } = await start({ SIGNALBOX_HEARTBEAT: "off" });
  expect(await (await get("/api/v1/heartbeat")).json()).toMatchObject({ state: "off", at: null });
});

test("its log holds the newest hundred rows, its writes are no part of the audit, and only it may write", async () => {
  const directory = mkdtempSync(join(tmpdir(), "signalbox-heartbeat-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const store = await openStore({ directory, heartbeat: true });
  const request = { project: HEARTBEAT_PROJECT, by: "signalbox", hidden: true };
  await store.write(request, (current) => createFlag(current, { key: "heartbeat" }));
  for (let beat = 0; beat < 120; beat += 1) {
    await store.write(request, (current) =>
      setKilled(current, "heartbeat", "heartbeat", beat % 2 === 0 ? { at: beat, by: "signalbox", reason: null } : null),
    );
  }
  const log = store.db.select({ revision: tables.changeSet.revision }).from(tables.changeSet).all();
  expect(log.map(({ revision }) => revision)).toEqual(Array.from({ length: 100 }, (_, index) => 22 + index));
  expect(store.db.select().from(tables.audit).all()).toEqual([]);
  expect(store.projects().map(({ key }) => key)).toEqual(["default"]);
  expect(store.feed.environments().map(({ key }) => key)).toEqual(["development", "production"]);
  expect(store.project(HEARTBEAT_PROJECT)).toBeUndefined();
  await expect(store.write({ ...request, hidden: false }, () => ({ kind: "unchanged" }))).rejects.toThrow("there is no project");
  await store.close();

  // Without the switch the folder opens as well, and still shows nothing of it.
  const again = await openStore({ directory });
  expect(again.projects().map(({ key }) => key)).toEqual(["default"]);
  expect(again.hiddenProject(HEARTBEAT_PROJECT)?.environments[0]?.revision).toBe(121);
  expect(await brokenAuditRow(again.db)).toBeUndefined();
  await again.close();
});
