import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BrowserView, SdkKeys } from "../api-types.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";

const E = "/api/v1/projects/default/environments/development";
const ON = { kind: "variant", variant: "on" };

let server: TestServer;
let cookie: string;
beforeAll(async () => {
  server = await startTestServer();
  cookie = await server.signIn();
  await ask("POST", "/api/v1/projects/default/flags", { key: "open", browser: true });
  await ask("POST", "/api/v1/projects/default/flags", { key: "hidden" });
  const rules = [
    { name: "Our secret plan", when: { op: "in", attribute: "plan", values: ["pro"] }, rollout: { percentage: 10 }, serve: ON },
    {
      when: {
        op: "any",
        of: [
          { op: "in", attribute: "plan", values: ["pro"] },
          { op: "exists", attribute: "email" },
        ],
      },
      serve: ON,
    },
  ];
  await ask("PATCH", `${E}/flags/open/configuration`, { mode: "targeted", rules });
});
afterAll(() => server.close());

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await server.send(method, path, cookie, body);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return JSON.parse(text) as T;
}
const view = (flag: string) => ask<BrowserView>("GET", `${E}/flags/${flag}/browser-view`);

/** What a browser gets of all flags. */
async function received(): Promise<{ key: string }[]> {
  const { browser } = await ask<SdkKeys>("GET", `${E}/sdk-keys`);
  const state = (await (await fetch(`${server.url}/sdk/v1/state?key=${browser}`)).json()) as { entries: { key: string }[] };
  return state.entries;
}

describe("what a browser can see of a flag", () => {
  it("is the very entry that browsers get, its size, and its conditions in words, each once", async () => {
    const seen = await view("open");
    const [entry, ...others] = await received();
    expect(others).toEqual([]);
    expect(seen.entry).toEqual(entry);
    expect(seen).toMatchObject({ flag: "open", visible: true, told: ["plan is pro", "email is known"], facts: [], obstacles: [] });
    expect(seen.bytes).toBe(Buffer.byteLength(JSON.stringify(entry)));
    expect(JSON.stringify(seen)).not.toContain("Our secret plan");
  });

  it("is nothing of a flag that is not marked", async () => {
    expect(await view("hidden")).toMatchObject({ visible: false, entry: null, bytes: 0, told: [], facts: [] });
  });

  it("is found under an old key, and told to whoever may read", async () => {
    const renamed = await fetch(`${server.url}/api/v1/projects/default/flags/hidden`, {
      method: "PATCH",
      headers: { authorization: `Bearer ${await server.token("admin")}`, "content-type": "application/json", "if-match": "*" },
      body: JSON.stringify({ key: "renamed" }),
    });
    expect(renamed.status).toBe(200);
    expect((await view("hidden")).flag).toBe("renamed");
    const answer = await fetch(`${server.url}${E}/flags/open/browser-view`, {
      headers: { authorization: `Bearer ${await server.token("kill")}` },
    });
    expect(answer.status).toBe(200);
    expect((await server.send("GET", `${E}/flags/nope/browser-view`, cookie)).status).toBe(404);
  });
});
