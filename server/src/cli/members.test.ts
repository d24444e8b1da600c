import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { input } from "./input.ts";
import { run } from "./run.ts";

let server: TestServer;
let token: string;
beforeAll(async () => {
  server = await startTestServer();
  token = await server.token("admin");
  const groups = "/api/v1/projects/default/environments/development/groups";
  await server.send("POST", groups, await server.signIn(), { key: "shops", kind: "list" });
});
afterAll(() => server.close());

async function signalbox(line: string, stdin = "") {
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(
    line.split(" "),
    { SIGNALBOX_URL: server.url, SIGNALBOX_TOKEN: token },
    { out: (l) => out.push(l), err: (l) => err.push(l) },
    { ...input, stdin: async () => stdin },
  );
  return { code, out: out.join("\n"), err: err.join("\n") };
}

describe("signalbox members", () => {
  it("adds, lists and removes", async () => {
    expect(await signalbox("members list shops -e development")).toMatchObject({ code: 0, out: "Nobody is in shops of development." });
    const added = await signalbox("members add shops 4711 4712 -e development");
    expect(added).toMatchObject({ code: 0, out: expect.stringMatching(/^added 2 to shops in development \(revision \d+\)$/) });
    const again = await signalbox("members add shops 4711 4713 -e development");
    expect(again.out).toContain("1 were in it already");
    expect((await signalbox("members remove shops 4713 -e development")).out).toMatch(/^removed 1 from shops/);
    expect((await signalbox("members list shops -e development")).out).toMatch(/^UNIT +STATE +SINCE +BY\n4711 +in .*\n4712 +in .*$/);
  });

  it("imports a file: first what it would do, then what it did", async () => {
    const dry = await signalbox("members import shops -e development --file - --mode replace --dry-run", "4712\n4799\n");
    expect(dry.out).toBe("shops in development: 1 would come (4799), 1 would go (4711)\n2 members afterwards; nothing was changed");
    const done = await signalbox("members import shops -e development --file - --mode replace", "4712\n4799\n");
    expect(done.out).toMatch(/1 came \(4799\), 1 went \(4711\)\n2 members now \(revision \d+\)$/);
  });

  it("tells bad lines, and changes nothing", async () => {
    const dry = await signalbox("members import shops -e development --file - --dry-run", '1\n""\n');
    expect(dry).toMatchObject({ code: 1, err: "line 2 holds no unit; leave the line out" });
    const refused = await signalbox("members import shops -e development --file -", '1\n""\n');
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("Nothing was changed: line 2 holds no unit") });
  });

  it("exports what it imports without a change", async () => {
    const { out } = await signalbox("members export shops -e development");
    expect(out.split("\r\n")[0]).toBe("unit,added,by");
    const again = await signalbox("members import shops -e development --file - --mode replace", `${out}\n`);
    expect(again.out).toContain("nothing was changed");
  });

  it.each([
    ["members shops -e development", /members list\|add\|remove\|import\|export GROUP/],
    ["members add shops -e development", /^Whom\?/],
    ["members list shops 4711 -e development", /"4711" is one word too many/],
    ["members import shops -e development", /^Which file\?/],
    ["members list nope -e development", /no group with the key "nope"/],
  ])("says what is wrong with %s", async (line, message) => {
    expect(await signalbox(line)).toMatchObject({ code: 1, err: expect.stringMatching(message) });
  });
});
