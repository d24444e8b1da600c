import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Explanation, MemberList, MembersWritten, SdkKeys } from "../api-types.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";

const E = "/api/v1/projects/default/environments/development";

let server: TestServer;
let cookie: string;
let sdkKey: string;
beforeAll(async () => {
  server = await startTestServer();
  cookie = await server.signIn();
  sdkKey = (await ask<SdkKeys>("GET", `${E}/sdk-keys`)).server ?? "";
  await ask("POST", `${E}/groups`, { key: "beta", kind: "early-access", name: "Beta accounts", by: "account.key" });
  await ask("POST", "/api/v1/projects/default/flags", { key: "editor" });
  const on = { kind: "variant", variant: "on" };
  const rules = [
    { id: "ring-1", when: { op: "group", group: "beta" }, serve: on },
    { id: "ring-2", rollout: { percentage: 0 }, serve: on },
  ];
  await ask("PATCH", `${E}/flags/editor/configuration`, { mode: "targeted", rules });
});
afterAll(() => server.close());

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await server.send(method, path, cookie, body);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return JSON.parse(text) as T;
}

async function program<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers = { authorization: `Bearer ${sdkKey}`, "content-type": "application/json" };
  const answer = await fetch(`${server.url}/sdk/v1/early-access${path}`, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return (await answer.json()) as T;
}

/** What a user of an account is served, and why. */
const explained = (account: string) =>
  ask<Explanation>("POST", `${E}/explain`, { flag: "editor", context: { key: "ann", account: { key: account } } });
const served = async (account: string) => (await explained(account)).evaluation.variant;
const change = (body: object) => ask<MembersWritten>("POST", `${E}/groups/beta/members`, body);

describe("early access by another unit than the key", () => {
  it("is joined by a program for an account, counts at once in a ring of a flag, and is explained", async () => {
    expect(await served("a1")).toBe("off");
    expect(await program("POST", "/beta/join", { unit: "a1" })).toMatchObject({ group: "beta", joined: true });
    expect(await explained("a1")).toMatchObject({
      sentence: 'on: rule "Beta accounts" applies, because in Beta accounts.',
      rules: [
        { id: "ring-1", applies: true, when: { group: "beta", attribute: "account.key", value: "a1", verdict: "true" } },
        { reached: false },
      ],
    });
    expect(await served("a2")).toBe("off");
    const { groups } = await program<{ groups: object[] }>("GET", "?unit=a1");
    expect(groups).toEqual([{ group: "beta", name: "Beta accounts", description: "", by: "account.key", joined: true }]);
  });

  it("is joined through staff as well", async () => {
    expect(await change({ add: ["a3"] })).toMatchObject({ changed: true, added: ["a3"], keptOut: [] });
    expect(await served("a3")).toBe("on");
  });

  it("is left at once, which is remembered: no list that is imported again brings the account back, staff do on purpose", async () => {
    await program("POST", "/beta/leave", { unit: "a1" });
    expect(await served("a1")).toBe("off");
    expect(await change({ add: ["a1", "a4"] })).toMatchObject({ changed: true, added: ["a4"], keptOut: ["a1"], group: { members: 2 } });
    expect(await change({ add: ["a1"] })).toMatchObject({ changed: false, added: [], keptOut: ["a1"] });
    expect(await served("a1")).toBe("off");
    const { members } = await ask<MemberList>("GET", `${E}/groups/beta/members`);
    expect(members.find(({ unit }) => unit === "a1")).toMatchObject({ state: "left", by: "early access" });

    expect(await change({ add: ["a1"], rejoin: true })).toMatchObject({ changed: true, added: ["a1"], keptOut: [] });
    expect(await served("a1")).toBe("on");
    await program("POST", "/beta/leave", { unit: "a1" });
    await program("POST", "/beta/join", { unit: "a1" });
    expect(await served("a1")).toBe("on");
  });

  it("is remembered of an account that says no before it was ever in", async () => {
    await program("POST", "/beta/leave", { unit: "a9" });
    expect(await change({ add: ["a9"] })).toMatchObject({ keptOut: ["a9"] });
  });

  it("lets staff take an account out and in again", async () => {
    expect(await change({ remove: ["a4"] })).toMatchObject({ removed: ["a4"] });
    expect(await served("a4")).toBe("off");
    expect(await change({ add: ["a4"] })).toMatchObject({ added: ["a4"], keptOut: [] });
    expect(await served("a4")).toBe("on");
  });
});
