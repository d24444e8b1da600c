import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { SdkKeyMade, SdkKeys, SigningSecrets, TokenCreated } from "../api-types.ts";
import { startServer } from "../app.ts";
import { get, rawClient, until } from "../delivery/test-support.ts";
import { readSettings } from "../settings.ts";

const PASSWORD = "canary-password-correct-horse";
const METRICS_TOKEN = "canary-metrics-token-0123456789";
const E = "/api/v1/projects/default/environments/production";

/** Everything that may not be told is used, and used wrongly, in every way that answers or logs something; then it is looked for everywhere. */
it("no password, session, token, SDK key or signing secret is in a log, an error, a metric or the database", async () => {
  const data = mkdtempSync(join(tmpdir(), "signalbox-canaries-"));
  const logged: string[] = [];
  const log = (fields: object, message: string) => {
    const { err } = fields as { err?: Error };
    logged.push(JSON.stringify({ ...fields, message, ...(err && { err: `${err.stack} ${JSON.stringify(err)} ${String(err.cause)}` }) }));
  };
  const env = {
    PORT: "0",
    SIGNALBOX_DATA: data,
    SIGNALBOX_HEARTBEAT: "off",
    SIGNALBOX_ADMIN_NAME: "ana",
    SIGNALBOX_ADMIN_PASSWORD: PASSWORD,
    SIGNALBOX_METRICS_TOKEN: METRICS_TOKEN,
  };
  const server = await startServer(readSettings(env), { log: { info: log, warn: log, error: log }, version: "0.0.0-test" });
  const told: string[] = [];
  const secrets = new Map<string, string>([
    ["the password", PASSWORD],
    ["the token of metrics", METRICS_TOKEN],
  ]);
  const own = { origin: server.url, "content-type": "application/json", "x-signalbox-csrf": "1" };

  /** `shows`: an answer in which a secret belongs. */
  async function ask<T>(method: string, path: string, headers: Record<string, string>, body?: string, shows = false): Promise<T> {
    const answer = await fetch(server.url + path, { method, headers, redirect: "manual", ...(body !== undefined && { body }) });
    const text = await answer.text();
    if (!shows) told.push(`${method} ${path}: ${answer.status} ${text} ${JSON.stringify([...answer.headers])}`);
    return (text.startsWith("{") ? JSON.parse(text) : undefined) as T;
  }
  try {
    const signedIn = await fetch(`${server.url}/api/v1/session`, {
      method: "POST",
      headers: own,
      body: JSON.stringify({ name: "ana", password: PASSWORD }),
    });
    told.push(await signedIn.text());
    const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
    const session = { ...own, cookie };
    secrets.set("the session", cookie.split("=")[1] ?? "");
    const { token } = await ask<TokenCreated>("POST", "/api/v1/tokens", session, JSON.stringify({ name: "t", scope: "admin" }), true);
    const made = await ask<SdkKeyMade>("POST", `${E}/sdk-keys`, session, JSON.stringify({ kind: "server", name: "canary" }), true);
    const first = await ask<SdkKeys>("GET", `${E}/sdk-keys`, session, undefined, true);
    const signing = await ask<SigningSecrets>("GET", `${E}/signing-secret`, session, undefined, true);
    const link = await ask<{ url: string }>("POST", "/api/v1/sign-in-links", session, "{}", true);
    const invited = { roles: [{ role: "viewer", project: null, environment: null }] };
    const invitation = await ask<{ url: string }>("POST", "/api/v1/invitations", session, JSON.stringify(invited), true);
    for (const [name, text] of [
      ["the token", token],
      ["an SDK key", made.text],
      ["the first server key", first.server ?? ""],
      ["the signing secret", signing.secrets[0]?.secret ?? ""],
      ["the link to sign in", new URL(link.url).hash.split("=")[1] ?? ""],
      ["the invitation", new URL(invitation.url).hash.split("=")[1] ?? ""],
    ] as const) {
      expect(text.length, name).toBeGreaterThan(30);
      // The end is the secret part; a selector at the beginning may be told.
      secrets.set(name, text.slice(-40));
    }

    // Rightly, and then wrongly: too long, cut, in the wrong place, in the wrong field, of the wrong kind.
    for (const secret of [token, made.text, first.server ?? "", PASSWORD, cookie.split("=")[1] ?? "", METRICS_TOKEN]) {
      for (const sent of [secret, `${secret}x`, secret.slice(0, -1)]) {
        const bearer = { authorization: `Bearer ${sent}` };
        await ask("GET", "/api/v1/projects", bearer);
        await ask("GET", "/sdk/v1/state", bearer);
        await ask("GET", "/sdk/v1/state", { ...bearer, origin: "https://evil.example" });
        await ask("GET", "/metrics", bearer);
        await ask("GET", "/metrics", session);
        const stream = rawClient(server.port, get("/sdk/v1/stream", { ...bearer, connection: "close" }));
        await until(() => stream.isClosed() || stream.frames().length > 0);
        told.push(stream.text());
        stream.socket.destroy();
        // In a body that is refused, where an honest message might repeat what was sent.
        await ask("POST", "/api/v1/session", own, JSON.stringify({ name: "ana", password: sent, extra: 1 }));
        await ask("POST", "/api/v1/session", own, JSON.stringify({ name: "nobody", password: sent }));
        await ask("POST", "/api/v1/session", own, JSON.stringify({ link: sent }));
        await ask("POST", "/api/v1/setup", own, JSON.stringify({ token: sent, name: "eve", password: sent }));
        await ask("POST", "/api/v1/password", session, JSON.stringify({ old: sent, new: "short" }));
        await ask("POST", "/api/v1/invitations/accept", own, JSON.stringify({ token: sent, name: "e", password: "short" }));
        await ask(
          "POST",
          "/kill/sign-in",
          { origin: server.url, "content-type": "application/x-www-form-urlencoded" },
          `name=ana&password=${encodeURIComponent(sent)}x`,
        );
        await ask("POST", "/sdk/v1/facts", {}, JSON.stringify({ token: sent }));
      }
    }
    await ask("GET", "/metrics", { authorization: `Bearer ${METRICS_TOKEN}` });
    await ask("GET", "/api/v1/tokens", session);
    await ask("GET", "/api/v1/openapi.json", {});
    await ask("DELETE", `${E}/sdk-keys/${made.key.id}`, session);
    await ask("GET", "/sdk/v1/state", { authorization: `Bearer ${made.text}` });
    expect(logged.join()).toContain("was sent from a page and refused");
  } finally {
    await server.close();
  }
  const files = readdirSync(data).filter((file) => file.startsWith("signalbox.db"));
  expect(files.length).toBeGreaterThan(0);
  const stored = files.map((file) => readFileSync(join(data, file), "latin1"));
  rmSync(data, { recursive: true });
  for (const [name, secret] of secrets) {
    expect(
      logged.filter((line) => line.includes(secret)),
      `${name} in the log`,
    ).toEqual([]);
    expect(
      told.filter((text) => text.includes(secret)),
      `${name} in an answer`,
    ).toEqual([]);
    expect(
      stored.some((text) => text.includes(secret)),
      `${name} in the database`,
    ).toBe(false);
  }
}, 120_000);
