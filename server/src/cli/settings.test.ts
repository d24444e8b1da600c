import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { run } from "./run.ts";

let server: TestServer;
let admin: string;
beforeAll(async () => {
  server = await startTestServer();
  admin = await server.token("admin");
});
afterAll(() => server.close());

async function signalbox(line: string, token = admin) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(
    line.split(" "),
    { SIGNALBOX_URL: server.url, SIGNALBOX_TOKEN: token },
    { out: (text) => out.push(text), err: (text) => err.push(text) },
  );
  return { code, out: out.join("\n"), err: err.join("\n") };
}

describe("signalbox settings", () => {
  it("shows and sets each setting, in production too", async () => {
    expect((await signalbox("settings -e production")).out).toBe(
      [
        "Settings of production",
        "  secure-mode         off: pages are believed whom they say they ask for",
        "  signing-secret      number 1 holds",
        "  private-attributes  none",
        "  sample-contexts     off",
      ].join("\n"),
    );
    const on = await signalbox("settings secure-mode=on -e production");
    expect(on).toMatchObject({ code: 0, err: "" });
    expect(on.out).toMatch(/^saved \(revision 1\)\n(.*\n)* {2}secure-mode +on: pages have to send a signed context/);
    expect((await signalbox("settings secure-mode=on -e production")).out).toMatch(/^that was so already, nothing was changed/);
    expect((await signalbox("settings private-attributes=salary,email -e production")).out).toMatch(/private-attributes +email, salary/);
    expect((await signalbox("settings private-attributes= -e production")).out).toMatch(/private-attributes +none/);
    expect(JSON.parse((await signalbox("settings sample-contexts=on -e production --json")).out)).toMatchObject({
      changed: true,
      settings: { sampleContexts: true, secureMode: true },
    });
    expect((await signalbox("settings -e development")).out).toMatch(/secure-mode +off/);
  });

  it("replaces the signing secret and prints those that hold", async () => {
    const [first = ""] = (await signalbox("settings signing-secret -e production")).out.split("\n");
    expect(first).toMatch(/^sb_signing_production_1_/);
    expect((await signalbox("settings signing-secret=rotate -e production")).out).toMatch(
      /number 2 holds, and number 1 until it is retired/,
    );
    const both = (await signalbox("settings signing-secret -e production")).out.split("\n");
    expect(both).toEqual([expect.stringMatching(/^sb_signing_production_2_/), first]);
    expect(await signalbox("settings signing-secret=rotate -e production")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/retire the old one first/),
    });
    expect((await signalbox("settings signing-secret=retire-old -e production")).out).toMatch(/number 2 holds$/m);
  });

  it.each([
    ["settings secure-mode -e production", /"secure-mode" sets nothing: write secure-mode=on/],
    ["settings secure-mode=yes -e production", /secure-mode is "yes", expected on or off/],
    ["settings secret-mode=on -e production", /"secret-mode" is no setting: write secure-mode=on/],
    ["settings signing-secret=delete -e production", /expected rotate or retire-old/],
    ["settings secure-mode=on", /Which environment\?/],
  ])("%s says what to write instead", async (line, sentence) => {
    const { code, out, err } = await signalbox(line);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(sentence);
  });

  it("is refused to an operator, who may look", async () => {
    const token = await server.token("operator");
    expect((await signalbox("settings -e production", token)).code).toBe(0);
    expect((await signalbox("settings secure-mode=off -e production", token)).err).toMatch(
      /needs the right to admin in default\/production/,
    );
    expect((await signalbox("settings signing-secret -e production", token)).err).toMatch(
      /needs the right to admin in default\/production/,
    );
  });
});
