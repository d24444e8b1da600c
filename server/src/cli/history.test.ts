import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { run } from "./run.ts";

let server: TestServer;
let token: string;
const P = "/api/v1/projects/default";
beforeAll(async () => {
  server = await startTestServer();
  token = await server.token("admin");
  const cookie = await server.signIn();
  await server.send("POST", `${P}/flags`, cookie, { key: "checkout" });
  for (const mode of ["on", "off"]) {
    await server.send("PATCH", `${P}/environments/development/flags/checkout/configuration`, cookie, { mode });
  }
  await server.send("POST", `${P}/environments/development/groups`, cookie, { key: "beta", kind: "list" });
  await server.send("POST", `${P}/environments/development/groups/beta/members`, cookie, { add: ["u1"] });
});
afterAll(() => server.close());

async function signalbox(line: string) {
  const out: string[] = [];
  const err: string[] = [];
  const env = { SIGNALBOX_URL: server.url, SIGNALBOX_TOKEN: token };
  const code = await run(line.split(" "), env, { out: (l) => out.push(l), err: (l) => err.push(l) });
  return { code, out: out.join("\n"), err: err.join("\n") };
}

describe("signalbox history and revert", () => {
  it("tells what was changed, takes a flag, a change and an environment back, and says first what it would do", async () => {
    const list = await signalbox("history checkout -e development");
    expect(list.out.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")).toBe(
      [
        "3  TIME  ana changed checkout",
        "  Who gets it: Everybody → Nobody",
        "2  TIME  ana changed checkout",
        "  Who gets it: Nobody → Everybody",
        "1  TIME  ana created checkout",
        "  New: flag checkout",
      ].join("\n"),
    );
    expect((await signalbox("history -e development --limit 1")).out).toMatch(/older changes: --before 5$/);
    expect((await signalbox("history -e development --change 1")).out).toMatch(/checkout: added\n.*revision 1 of production$/s);
    expect(await signalbox("revert checkout --to 2 -e development --dry-run")).toMatchObject({
      code: 0,
      out: "Who gets it: Nobody → Everybody\nNothing was changed.",
    });
    expect((await signalbox("revert checkout --to 2 -e development -m why")).out).toMatch(/revision 6 of development$/);
    expect((await signalbox("revert checkout --to 2 -e development")).out).toBe("Nothing differs, and nothing was changed.");
    expect((await signalbox("revert --change 6 -e development")).out).toBe("Who gets it: Everybody → Nobody\nrevision 7 of development");
    expect((await signalbox("revert --to 2 -e development")).out).toMatch(/revision 8 of development$/);
    expect((await signalbox("revert checkout --to 1 -e production")).out).toBe("Nothing differs, and nothing was changed.");
  });

  it("proves and exports the audit, and erases a person", async () => {
    const verified = await signalbox("audit verify");
    expect(verified).toMatchObject({ code: 0, out: expect.stringMatching(/^All \d+ rows of the audit are as they were written/) });
    const [head = ""] = /[0-9a-f]{64}/.exec(verified.out) ?? [];
    expect((await signalbox(`audit verify --head ${head}`)).code).toBe(0);
    expect(await signalbox(`audit verify --head ${"0".repeat(63)}1`)).toMatchObject({
      code: 2,
      err: expect.stringContaining("written anew"),
    });
    expect((await signalbox(`audit verify --folder ${server.data}`)).out).toBe(verified.out);
    expect((await signalbox("audit export")).out.split("\n").map((line) => JSON.parse(line).id)).toContain(1);
    expect((await signalbox("audit export --format csv --project default")).out).toMatch(/^id,at,by,words/);
    expect((await signalbox("erase --unit u1")).out).toBe("Erased from default/development/beta.");
    expect((await signalbox("erase nobody")).out).toBe('The name "nobody" is erased.');
    expect(await signalbox("erase ana")).toMatchObject({ code: 1, err: expect.stringContaining("delete it first") });
  });

  it.each([
    ["history", /-e/],
    ["revert checkout -e development", /--to REVISION/],
    ["revert checkout --to yesterday -e development", /whole number/],
    ["revert checkout --change 1 -e development", /without "checkout"/],
    ["revert --change 99 -e development", /no revision 99/],
    ["audit", /audit verify/],
    ["audit verify --folder /nowhere", /no signalbox.db/],
    ["audit export --format xml", /json or csv/],
    ["erase", /Whom\?/],
  ])("says what is wrong with %s", async (line, message) => {
    expect(await signalbox(line)).toMatchObject({ code: 1, err: expect.stringMatching(message) });
  });
});
