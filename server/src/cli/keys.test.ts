import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { run } from "./run.ts";

let server: TestServer;
let admin: string;
beforeAll(async () => {
  server = await startTestServer();
  admin = await server.token("admin");
  await server.flag("search");
});
afterAll(() => server.close());

async function signalbox(line: string, token = admin) {
  const out: string[] = [];
  const err: string[] = [];
  const env = { SIGNALBOX_URL: server.url, SIGNALBOX_TOKEN: token };
  const code = await run(line.split(" "), env, { out: (text) => out.push(text), err: (text) => err.push(text) });
  return { code, out: out.join("\n"), err: err.join("\n") };
}
const read = (key: string) => fetch(`${server.url}/sdk/v1/state`, { headers: { authorization: `Bearer ${key}` } });
const idIn = (list: string, name: string) => new RegExp(`^(\\d+) +${name} `, "m").exec(list)?.[1] ?? expect.fail(list);

describe("signalbox token", () => {
  it("makes, lists, rotates and revokes; the text alone is what it prints", async () => {
    const made = await signalbox("token create alerts --scope kill --kind service -e production --flag search --days 30");
    expect(made).toMatchObject({ code: 0, err: "This is shown once; keep it like a password." });
    expect(made.out).toMatch(/^sb_kill_\w{12}_[\w-]{49}$/);
    const list = await signalbox("token list");
    expect(list.out).toMatch(/^\d+ +alerts +service, kill of search +default\/production +ana +\d{4}-\d\d-\d\d +never$/m);
    expect((await signalbox("kill search -e production", made.out)).code).toBe(0);

    const id = idIn(list.out, "alerts");
    const next = await signalbox(`token rotate ${id} --old-hours 0`);
    expect((await signalbox("list -e production", made.out)).err).toMatch(/expired/);
    expect((await signalbox("list -e production", next.out)).code).toBe(0);
    const gone = await signalbox(`token revoke ${idIn((await signalbox("token list")).out, "alerts")} -m leaked`);
    expect(gone).toMatchObject({ code: 0, out: expect.stringContaining("revoked") });
    expect((await signalbox("list -e production", next.out)).err).toMatch(/revoked/);
  });

  it("holds everywhere, in a project or in an environment, as was typed", async () => {
    const where = async (options: string) => {
      const { out } = await signalbox(`token create w --scope viewer ${options} --json`);
      const { project, environment } = JSON.parse(out) as { project: string | null; environment: string | null };
      return [project, environment];
    };
    expect(await where("--days 1")).toEqual([null, null]);
    expect(await where("--project default")).toEqual(["default", null]);
    expect(await where("-e development")).toEqual(["default", "development"]);
  });

  it.each([
    ["token create x", /Which scope\? Add --scope/],
    ["token create --scope kill", /Which name\?/],
    ["token create x --scope boss", /Which scope\?/],
    ["token create x --scope kill --kind own", /expected personal or service/],
    ["token create x --scope kill --days soon", /--days is "soon"/],
    ["token rotate", /Which one\?.*"signalbox token list"/],
    ["token revoke nine", /Which one\?/],
    ["token renew 1", /write list, create, rotate or revoke/],
    ["token revoke 999", /There is no token 999/],
  ])("%s says what is missing", async (line, sentence) => {
    const { code, err } = await signalbox(line);
    expect(code).toBe(1);
    expect(err).toMatch(sentence);
  });
});

describe("signalbox sdk-key", () => {
  it("makes, lists, rotates and revokes", async () => {
    const made = await signalbox("sdk-key create billing -e development");
    expect(made.out).toMatch(/^sb_server_development_\w{12}_[\w-]{49}$/);
    expect((await read(made.out)).status).toBe(200);
    const list = await signalbox("sdk-key list -e development");
    expect(list.out).toMatch(/^\d+ +billing +server +\w{12} +- +never +0 s ago +-$/m);
    const id = idIn(list.out, "billing");
    const next = await signalbox(`sdk-key rotate ${id} -e development`);
    expect([(await read(made.out)).status, (await read(next.out)).status]).toEqual([200, 200]);
    expect((await signalbox(`sdk-key revoke ${id} -e development -m rotated`)).code).toBe(0);
    expect([(await read(made.out)).status, (await read(next.out)).status]).toEqual([401, 200]);
    const page = await signalbox(
      "sdk-key create shop -e development --kind browser --origin https://shop.example --origin https://m.shop.example",
    );
    expect(page.out).toMatch(/^sb_browser_development_/);
    expect((await signalbox("sdk-key list -e development")).out).toContain("https://m.shop.example https://shop.example");
  });

  it("is for admins of the environment, and needs one", async () => {
    expect((await signalbox("sdk-key list")).err).toMatch(/Which environment\?/);
    expect((await signalbox("sdk-key list -e development", await server.token("operator"))).err).toMatch(/right to admin/);
    expect((await signalbox("sdk-key create x -e development --kind both")).err).toMatch(/expected server or browser/);
  });
});
