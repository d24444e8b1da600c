import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EnvironmentSettings, Problem, SettingsWritten, SigningSecrets } from "../api-types.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { brokenAuditRow } from "../store/audit.ts";
import { openStore } from "../store/store.ts";

const at = (environment: string) => `/api/v1/projects/default/environments/${environment}`;

let server: TestServer;
let admin: string;
beforeAll(async () => {
  server = await startTestServer();
  admin = await server.token("admin");
});
afterAll(() => server.close());

interface Answer<T> {
  readonly status: number;
  readonly body: T;
  readonly etag: string | null;
}

async function ask<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<T>> {
  const answer = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${admin}`, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as T, etag: answer.headers.get("etag") };
}
const settings = async (environment: string) => (await ask<EnvironmentSettings>("GET", `${at(environment)}/settings`)).body;
const secrets = async (environment: string) =>
  (await ask<SigningSecrets>("GET", `${at(environment)}/signing-secret`)).body.secrets.map(({ secret }) => secret);

describe("settings of an environment", () => {
  it("are off at first, and each write makes one revision of this environment alone", async () => {
    const { etag, ...first } = await settings("development");
    expect(first).toEqual({
      environment: "development",
      secureMode: false,
      privateAttributes: [],
      sampleContexts: false,
      signingSecret: { version: 1, oldHolds: false },
    });
    const patch = { secureMode: true, privateAttributes: ["salary", " email ", "salary"] };
    const { status, body, etag: header } = await ask<SettingsWritten>("PATCH", `${at("development")}/settings`, patch);
    expect({ status, changed: body.changed, revision: body.revision }).toEqual({ status: 200, changed: true, revision: 1 });
    expect(body.settings).toMatchObject({ secureMode: true, privateAttributes: ["email", "salary"], sampleContexts: false });
    expect(header).toBe(body.settings.etag);
    expect(body.settings.etag).not.toBe(etag);
    expect((await ask<SettingsWritten>("PATCH", `${at("development")}/settings`, patch)).body).toMatchObject({
      changed: false,
      revision: 1,
    });
    expect((await settings("production")).secureMode).toBe(false);
  });

  it("are saved in production only with the ETag of what was seen, and a conflict shows what there is now", async () => {
    const path = `${at("production")}/settings`;
    expect(await ask<Problem>("PATCH", path, { sampleContexts: true })).toMatchObject({ status: 428, body: { code: "IF_MATCH_REQUIRED" } });
    const { etag } = await settings("production");
    expect((await ask("PATCH", path, { sampleContexts: true }, { "if-match": etag })).status).toBe(200);
    const late = await ask<Problem>("PATCH", path, { secureMode: true }, { "if-match": etag });
    expect(late).toMatchObject({ status: 412, body: { code: "ETAG_MISMATCH", current: { sampleContexts: true, secureMode: false } } });
    expect(late.etag).toBe((late.body.current as EnvironmentSettings).etag);
  });

  it.each([
    [{ secure: true }, /"secure" is not a field/],
    [{ secureMode: "yes" }, /secureMode.*"yes"/],
    [{ privateAttributes: ["  "] }, /privateAttributes/],
    [{ privateAttributes: Array.from({ length: 51 }, (_, i) => `a${i}`) }, /privateAttributes.*51 entries, the most is 50/],
  ])("refuse %j", async (patch, sentence) => {
    const { status, body } = await ask<Problem>("PATCH", `${at("development")}/settings`, patch);
    expect(status).toBe("secure" in patch ? 422 : 400);
    expect(body.detail).toMatch(sentence);
  });

  it("can be read by an operator, who sees no secret and changes nothing", async () => {
    const authorization = `Bearer ${await server.token("operator")}`;
    expect((await ask("GET", `${at("development")}/settings`, undefined, { authorization })).status).toBe(200);
    for (const [method, path, body] of [
      ["GET", "signing-secret", undefined],
      ["POST", "signing-secret/rotate", undefined],
      ["POST", "signing-secret/retire-old", undefined],
      ["PATCH", "settings", {}],
    ] as const) {
      expect((await ask(method, `${at("development")}/${path}`, body, { authorization })).status).toBe(403);
    }
  });
});

describe("signing secrets", () => {
  it("are replaced without a gap: two hold until the old one is retired", async () => {
    const path = `${at("production")}/signing-secret`;
    const match = async () => ({ "if-match": (await settings("production")).etag });
    const [first = ""] = await secrets("production");
    expect(first).toMatch(/^sb_signing_production_1_[A-Za-z0-9_-]{43}$/);
    expect(await ask("POST", `${path}/rotate`)).toMatchObject({ status: 428 });

    const seen = await match();
    expect((await ask<SettingsWritten>("POST", `${path}/rotate`, undefined, seen)).body.settings.signingSecret).toEqual({
      version: 2,
      oldHolds: true,
    });
    expect((await ask("POST", `${path}/rotate`, undefined, seen)).status).toBe(412);
    const [second = "", ...others] = await secrets("production");
    expect(others).toEqual([first]);
    expect(second).toMatch(/^sb_signing_production_2_/);
    expect(second.slice(-43)).not.toBe(first.slice(-43));

    const third = await ask<Problem>("POST", `${path}/rotate`, undefined, await match());
    expect(third).toMatchObject({ status: 409, body: { detail: expect.stringContaining("retire the old one first") } });
    expect((await ask<SettingsWritten>("POST", `${path}/retire-old`, undefined, await match())).body).toMatchObject({ changed: true });
    expect((await ask<SettingsWritten>("POST", `${path}/retire-old`, undefined, await match())).body).toMatchObject({ changed: false });
    expect(await secrets("production")).toEqual([second]);
    expect((await secrets("development"))[0]).not.toContain(second.slice(-43));
  });

  it("and settings are there after a restart, and the audit knows each step and no secret", async () => {
    const before = { settings: await settings("production"), secrets: await secrets("production") };
    await server.stop();
    const store = await openStore({ directory: server.data });
    const [, production] = store.project("default")?.environments ?? [];
    expect(store.signingSecrets(production?.info.id ?? 0).map(({ text }) => text)).toEqual(before.secrets);
    expect(production?.settings).toMatchObject({ sampleContexts: true, signingVersion: 2, signingRetired: 1 });
    expect(await brokenAuditRow(store.db)).toBeUndefined();
    const rows = store.db.all<{ action: string; after: string }>(
      "select action, after from audit where action like 'environment.%' order by id",
    );
    expect(rows.map(({ action }) => action)).toEqual([
      "environment.settings",
      "environment.settings",
      "environment.signing-secret.rotate",
      "environment.signing-secret.retire-old",
    ]);
    expect(JSON.stringify(rows)).not.toContain("sb_signing");
    await store.close();
  });
});
