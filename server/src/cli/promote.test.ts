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
  for (const key of ["checkout", "search"]) {
    await server.send("POST", `${P}/flags`, cookie, { key });
    await server.send("PATCH", `${P}/environments/development/flags/${key}/configuration`, cookie, { mode: "on" });
  }
});
afterAll(() => server.close());

async function signalbox(line: string) {
  const out: string[] = [];
  const err: string[] = [];
  const env = { SIGNALBOX_URL: server.url, SIGNALBOX_TOKEN: token };
  const code = await run(line.split(" "), env, { out: (l) => out.push(l), err: (l) => err.push(l) });
  return { code, out: out.join("\n"), err: err.join("\n") };
}
const SIDES = "--from development --to production";

describe("signalbox compare and promote", () => {
  it("compares, promotes what it has seen, and compares as the same", async () => {
    const compared = await signalbox(`compare ${SIDES}`);
    expect(compared.code).toBe(2);
    expect(compared.out).toBe(
      "checkout: development ON, production OFF\n  Who gets it: Nobody -> Everybody\nsearch: development ON, production OFF\n  Who gets it: Nobody -> Everybody",
    );
    const dry = await signalbox(`promote checkout search ${SIDES} --dry-run`);
    expect(dry).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^checkout would be promoted to production: ON\n.*Nothing was changed\.$/s),
    });
    const done = await signalbox(`promote checkout search ${SIDES} -m approved`);
    expect(done).toMatchObject({ code: 0, out: expect.stringMatching(/revision \d+ of production$/) });
    expect(await signalbox(`compare ${SIDES}`)).toMatchObject({ code: 0, out: "Everything is the same in development and production." });
    expect((await signalbox(`promote checkout ${SIDES}`)).out).toContain("checkout is the same in development and production\nrevision");
  });

  it("says that a killed flag stays killed", async () => {
    const cookie = await server.signIn();
    await server.send("POST", `${P}/environments/production/flags/search/kill`, cookie, {});
    await server.send("PATCH", `${P}/environments/development/flags/search/configuration`, cookie, { mode: "off" });
    expect((await signalbox(`promote search ${SIDES}`)).err).toContain("search is killed in production and stays so");
  });

  it.each([
    ["promote checkout --from development", /^Which environments\?/],
    [`promote ${SIDES}`, /^Which flags\?/],
    [`promote nope ${SIDES}`, /no flag with the key "nope"/],
    ["compare --from development --to nowhere", /no environment "nowhere"/],
  ])("says what is wrong with %s", async (line, message) => {
    expect(await signalbox(line)).toMatchObject({ code: 1, err: expect.stringMatching(message) });
  });
});
