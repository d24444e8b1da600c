import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { input } from "./input.ts";
import { run } from "./run.ts";

let server: TestServer;
let token: string;
const folder = mkdtempSync(join(tmpdir(), "signalbox-cli-"));
const P = "/api/v1/projects/default";
beforeAll(async () => {
  server = await startTestServer();
  token = await server.token("admin");
  await server.send("POST", `${P}/flags`, await server.signIn(), { key: "checkout" });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

async function signalbox(line: string, stdin = "") {
  const out: string[] = [];
  const err: string[] = [];
  const env = { SIGNALBOX_URL: server.url, SIGNALBOX_TOKEN: token };
  const output = { out: (l: string) => out.push(l), err: (l: string) => err.push(l) };
  const code = await run(line.split(" "), env, output, { ...input, stdin: async () => stdin });
  return { code, out: out.join("\n"), err: err.join("\n") };
}

describe("signalbox export and import", () => {
  it("exports a file that changes nothing when it is imported", async () => {
    const { code, out } = await signalbox("export --members clear");
    expect(code).toBe(0);
    const answer = await fetch(`${server.url}${P}/export?members=clear`, { headers: { authorization: `Bearer ${token}` } });
    expect(await answer.text()).toBe(`${out}\n`);
    const file = join(folder, "project.json");
    writeFileSync(file, `${out}\n`);
    expect(await signalbox(`import ${file}`)).toMatchObject({ code: 0, out: "It is as the file says already; nothing was changed." });
  });

  it("says what would change, then changes it", async () => {
    const file = (await signalbox("export")).out.replace('"mode": "off"', '"mode": "on"');
    const dry = await signalbox("import - --dry-run", file);
    expect(dry.out).toBe("changed flag checkout in development\n  Who gets it: Nobody -> Everybody\nNothing was changed.");
    const done = await signalbox("import -", file);
    expect(done).toMatchObject({
      code: 0,
      out: expect.stringMatching(/Imported: development is at revision 2, production is at revision \d+\.$/),
    });
  });

  it("tells each refusal with its place in the file", async () => {
    const file = (await signalbox("export")).out.replace('"type": "boolean"', '"type": "string"');
    expect(await signalbox("import - --dry-run", file)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^\/flags\/0\/type: the flag "checkout" is of type "string" in the file/),
      out: "It would be refused for 1 reason; nothing was changed.",
    });
    expect(await signalbox("import -", file)).toMatchObject({ code: 1, err: expect.stringContaining("/flags/0/type") });
  });

  it.each([
    ["import", /^Which file\?/],
    ["import /nowhere/at/all", /cannot be read/],
    ["export --members all", /members/],
    ["export --project nope", /no project "nope"/],
  ])("says what is wrong with %s", async (line, message) => {
    expect(await signalbox(line)).toMatchObject({ code: 1, err: expect.stringMatching(message) });
  });
});
