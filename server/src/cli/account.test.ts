import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import type { Session } from "../api-types.ts";
import { NAME, startTestServer, type TestServer } from "../http/test-server.ts";
import { run } from "./run.ts";

const servers: TestServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0).reverse()) await server.close();
});

async function signalbox(words: readonly string[], env: Record<string, string>) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(words, env, { out: (line) => out.push(line), err: (line) => err.push(line) });
  return { code, out: out.join("\n"), err: err.join("\n") };
}

test("docs/roles.md: whoever is locked out of the only account gets in again, with the server stopped meanwhile", async () => {
  const page = readFileSync(new URL("../../../docs/roles.md", import.meta.url), "utf8");
  const [, line = ""] = /^signalbox (account reset-password \S+)$/m.exec(page) ?? [];
  const words = line.replace("NAME", NAME).split(" ");
  const server = await startTestServer();
  servers.push(server);
  const env = { SIGNALBOX_DATA: server.data };
  expect(await signalbox(words, env)).toMatchObject({ code: 1, err: expect.stringContaining("in use by another Signalbox") });
  await server.stop();
  const done = await signalbox(words, env);
  expect(done).toMatchObject({ code: 0, err: "" });
  const [, token = ""] = /^http:\/\/localhost:7070\/invitation#token=([\w-]{43})$/m.exec(done.out) ?? [];
  const again = await startTestServer({ env });
  servers.push(again);
  const accepted = await again.send("POST", "/api/v1/invitations/accept", "", { token, password: "another-long-password" });
  expect(accepted.status).toBe(201);
  expect((await accepted.json()) as Session).toMatchObject({ user: { name: NAME }, may: expect.arrayContaining(["admin"]) });
  const old = await again.send("POST", "/api/v1/session", "", { name: NAME, password: "correct-horse-battery" });
  expect(old.status).toBe(401);
});

test("mistakes are told with what to type instead", async () => {
  const server = await startTestServer();
  servers.push(server);
  await server.stop();
  const env = { SIGNALBOX_DATA: server.data };
  expect(await signalbox(["account"], env)).toMatchObject({ code: 1, err: expect.stringContaining("reset-password NAME") });
  expect(await signalbox(["account", "reset-password", "nobody"], env)).toMatchObject({ code: 1, err: 'There is no account "nobody".' });
  const postgres = await signalbox(["account", "reset-password", NAME], { ...env, DATABASE_URL: "postgres://h/d" });
  expect(postgres).toMatchObject({ code: 1, err: expect.stringContaining("DATABASE_URL is set") });
});
