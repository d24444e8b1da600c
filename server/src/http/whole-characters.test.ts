import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SdkKeys } from "../api-types.ts";
import { brokenAuditRow } from "../store/audit.ts";
import { openStore } from "../store/store.ts";
import { startTestServer, type TestServer } from "./test-server.ts";
import { hasHalfCharacter } from "./whole-characters.ts";

describe("hasHalfCharacter", () => {
  it.each([
    ['{"a":"\\ud83d\\ude00 \\u00e9"}', false],
    ['{"a":"\\\\ud800"}', false],
    ['{"a":"\\ud800"}', true],
    ['{"a":["\\ude00\\ud83d"]}', true],
    ['{"\\uDC00":1}', true],
    ['{"a":"\\ud800"', false],
  ])("%s: %s", (json, expected) => expect(hasHalfCharacter(json)).toBe(expected));
});

describe("half a character", () => {
  const E = "/api/v1/projects/default/environments/development";
  let server: TestServer;
  beforeEach(async () => {
    server = await startTestServer();
  });
  afterEach(() => server.close());

  it("is refused wherever it would be stored, and the folder opens again with its digests and its audit", async () => {
    const cookie = await server.signIn();
    const { server: sdkKey } = (await (await server.send("GET", `${E}/sdk-keys`, cookie)).json()) as SdkKeys;
    await server.send("POST", `${E}/groups`, cookie, { key: "beta", kind: "early-access" });
    await server.send("POST", "/api/v1/projects/default/flags", cookie, { key: "a" });
    const join = () =>
      fetch(`${server.url}/sdk/v1/early-access/beta/join`, {
        method: "POST",
        headers: { authorization: `Bearer ${sdkKey}` },
        body: JSON.stringify({ unit: "\ud800" }),
      });
    const answers = [
      await join(),
      await join(),
      await server.send("POST", `${E}/groups/beta/members`, cookie, { add: ["\udc00"] }),
      await server.send("POST", `${E}/groups`, cookie, { key: "list", kind: "list", by: "\ud800" }),
      await server.send("POST", `${E}/flags/a/kill`, cookie, { reason: "\ud800" }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400]);
    expect(await answers[0]?.json()).toMatchObject({ code: "VALIDATION_FAILED", detail: expect.stringContaining("half a character") });

    await server.stop();
    const store = await openStore({ directory: server.data });
    expect(await brokenAuditRow(store.db)).toBeUndefined();
    await store.close();
  });
});
