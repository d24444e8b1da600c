import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { run } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-backup-doc-"));
let server: TestServer | undefined;
afterEach(async () => {
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The commands in docs/backup.md, in their order. */
function documented(): string[] {
  const text = readFileSync(new URL("../../../docs/backup.md", import.meta.url), "utf8");
  const blocks = [...text.matchAll(/```sh\n([^`]+)```/g)].map(([, block = ""]) => block.trim());
  return blocks.flatMap((block) => block.split("\n")).filter((line) => line.startsWith("signalbox "));
}

async function signalbox(data: string, words: readonly string[], env: Record<string, string> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(words, { SIGNALBOX_DATA: data, ...env }, { out: (line) => out.push(line), err: (line) => err.push(line) });
  return { code, out: out.join("\n"), err: err.join("\n") };
}

test("docs/backup.md: its commands do what it says, and a restore needs the server stopped", async () => {
  server = await startTestServer();
  await server.flag("a");
  const { data } = server;
  const ran: string[] = [];
  for (const line of documented()) {
    const words = line
      .replaceAll('"', "")
      .replace("$(date +%F)", new Date().toISOString().slice(0, 10))
      .split(" ")
      .slice(1)
      .map((word) => (word.endsWith(".db") ? join(folder, word) : word));
    const verb = words[1] ?? "";
    ran.push(verb);
    if (verb === "restore") {
      expect(await signalbox(data, words)).toMatchObject({ code: 1, err: expect.stringContaining("in use by another Signalbox") });
      await server.stop();
    }
    const done = await signalbox(data, words);
    expect(done).toMatchObject({ code: 0, err: "" });
    expect(done.out).toMatch(/default\/production: 1 flag at revision \d+ of generation \d+\n[\s\S]*are proved\./);
  }
  expect(ran).toEqual(["create", "create", "verify", "restore"]);
  const again = await startTestServer({ env: { SIGNALBOX_DATA: data } });
  const answer = await fetch(`${again.url}/api/v1/projects/default/environments/production/flags/a`, {
    headers: { cookie: await again.signIn() },
  });
  expect(await answer.json()).toMatchObject({ key: "a", configuration: { mode: "on" } });
  await again.close();
});

test("mistakes are told with what to type instead", async () => {
  expect(await signalbox(folder, ["backup"])).toMatchObject({ code: 1, err: expect.stringContaining("backup create FILE") });
  expect(await signalbox(folder, ["backup", "create"])).toMatchObject({ code: 1, err: expect.stringContaining("Which file?") });
  expect(await signalbox(folder, ["backup", "verify", join(folder, "none")])).toMatchObject({
    code: 1,
    err: expect.stringContaining("There is no file"),
  });
  expect(await signalbox(folder, ["backup", "create", "x"], { DATABASE_URL: "postgres://h/d" })).toMatchObject({
    code: 1,
    err: expect.stringContaining("pg_dump"),
  });
});
