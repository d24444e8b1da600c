import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startServer } from "./app.ts";
import { cookieOf, NAME, PASSWORD, startTestServer, type TestServer } from "./http/test-server.ts";
import { createLog } from "./log.ts";
import { readSettings } from "./settings.ts";

const started: { close(): Promise<void> }[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const each of started.splice(0)) await each.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "signalbox-app-"));
  folders.push(path);
  return path;
}
async function start(env: Record<string, string>) {
  const server = await startServer(readSettings({ PORT: "0", SIGNALBOX_DATA: folder(), ...env }), { log: createLog(), version: "1.2.3" });
  started.push(server);
  return server;
}

describe("startServer", () => {
  it("names the first account by the printed link, and keeps it over a restart", async () => {
    const data = folder();
    const server = await start({ SIGNALBOX_DATA: data });
    const [, token = ""] = (await server.setupUrl())?.split("#token=") ?? [];
    const send = (body: object) =>
      fetch(`${server.url}/api/v1/setup`, {
        method: "POST",
        headers: { origin: server.url, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    expect(await (await fetch(`${server.url}/api/v1/setup`)).json()).toEqual({ needed: true });
    expect((await send({ token: "wrong", name: NAME, password: PASSWORD })).status).toBe(403);
    expect((await send({ token, name: NAME, password: "short" })).status).toBe(400);
    const made = await send({ token, name: NAME, password: PASSWORD });
    expect(await made.json()).toMatchObject({ user: { name: NAME }, version: "1.2.3" });
    expect((await send({ token, name: "eve", password: PASSWORD })).status).toBe(409);
    expect(await server.setupUrl()).toBeUndefined();

    const session = await fetch(`${server.url}/api/v1/session`, { headers: { cookie: cookieOf(made) } });
    expect(await session.json()).toMatchObject({ user: { name: NAME } });
    await started.pop()?.close();
    const again = await start({ SIGNALBOX_DATA: data });
    expect(await again.setupUrl()).toBeUndefined();
  });

  it("refuses a setup from a page of another origin", async () => {
    const server = await start({ SIGNALBOX_SETUP_TOKEN: "x".repeat(24) });
    const answer = await fetch(`${server.url}/api/v1/setup`, {
      method: "POST",
      headers: { origin: "https://evil.example", "content-type": "application/json" },
      body: JSON.stringify({ token: "x".repeat(24), name: NAME, password: PASSWORD }),
    });
    expect(answer.status).toBe(403);
  });

  it("says which port is taken, before it looks at the data folder", async () => {
    const { port } = await start({});
    await expect(start({ PORT: String(port) })).rejects.toThrow(
      `Port ${port} is taken by another program: stop that one, or choose another port`,
    );
  });

  it("says that the data folder is in use, and frees its port", async () => {
    const data = folder();
    await start({ SIGNALBOX_DATA: data });
    await expect(start({ SIGNALBOX_DATA: data })).rejects.toThrow(/in use by another Signalbox/);
  });

  it("says that the data folder cannot be made", async () => {
    const file = join(folder(), "file");
    writeFileSync(file, "");
    await expect(start({ SIGNALBOX_DATA: join(file, "data") })).rejects.toThrow(/cannot be written/);
  });

  it.skipIf(process.getuid?.() === 0)("says that the data folder cannot be written", async () => {
    const data = folder();
    mkdirSync(join(data, "d"));
    chmodSync(join(data, "d"), 0o500);
    await expect(start({ SIGNALBOX_DATA: join(data, "d") })).rejects.toThrow(/cannot be written/);
  });

  it("says that the host is none of this machine", async () => {
    await expect(start({ HOST: "192.0.2.1" })).rejects.toThrow("This machine has no address 192.0.2.1");
  });

  it("says goodbye to streams and ends although one is open", async () => {
    const server = await start({ SIGNALBOX_ADMIN_NAME: NAME, SIGNALBOX_ADMIN_PASSWORD: PASSWORD });
    const signedIn = await fetch(`${server.url}/api/v1/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: NAME, password: PASSWORD }),
    });
    const cookie = cookieOf(signedIn);
    const keys = await fetch(`${server.url}/api/v1/projects/default/environments/development/sdk-keys`, { headers: { cookie } });
    const { server: key } = (await keys.json()) as { server: string };
    const stream = await fetch(`${server.url}/sdk/v1/stream?app=a&instance=b`, { headers: { authorization: `Bearer ${key}` } });
    started.pop();
    const [text] = await Promise.all([stream.text(), server.close()]);
    expect(text).toMatch(/event: bye/);
  });
});

describe("every answer", () => {
  let server: TestServer;
  let cookie: string;
  beforeAll(async () => {
    server = await startTestServer({ env: { SIGNALBOX_PUBLIC_URL: "https://flags.example.com" } });
    cookie = await fetch(`http://127.0.0.1:${server.port}/api/v1/session`, {
      method: "POST",
      headers: { origin: "https://flags.example.com", "content-type": "application/json" },
      body: JSON.stringify({ name: NAME, password: PASSWORD }),
    }).then(cookieOf);
  });
  afterAll(() => server.close());

  /** node:http, because fetch mends what a hostile client would send. */
  function send(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body = "",
  ): Promise<{ status: number; type: string; body: string }> {
    return new Promise((resolve, reject) => {
      const sent = request({ port: server.port, host: "127.0.0.1", method, path, headers, agent: false }, (answer) => {
        let text = "";
        answer.on("data", (part) => {
          text += part;
        });
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, type: String(answer.headers["content-type"]), body: text }));
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }
  const json = () => ({ cookie, origin: "https://flags.example.com", "x-signalbox-csrf": "1", "content-type": "application/json" });
  const flags = "/api/v1/projects/default/flags";

  it("has a cookie that only https carries", () => {
    expect(cookie).toMatch(/^__Host-signalbox_session=/);
  });

  it.each<[string, string, string, Record<string, string>, string, number]>([
    ["malformed JSON", "POST", flags, {}, "{", 400],
    ["no body", "POST", flags, {}, "", 400],
    ["a list for an object", "POST", flags, {}, "[]", 400],
    ["an unknown field", "POST", flags, {}, '{"key":"a","admin":true}', 422],
    ["a wrong type", "POST", flags, {}, '{"key":1}', 400],
    ["__proto__ as a field", "POST", flags, {}, '{"key":"a","__proto__":{"x":1}}', 422],
    ["nesting that would overflow the stack", "POST", flags, {}, `{"key":"a","x":${"[".repeat(200_000)}${"]".repeat(200_000)}}`, 400],
    [
      "conditions that would overflow the stack",
      "PATCH",
      "/api/v1/projects/default/environments/development/flags/a/configuration",
      {},
      `{"rules":[{"serve":{"kind":"variant","variant":"on"},"when":${'{"op":"not","of":'.repeat(30_000)}{"op":"all","of":[]}${"}".repeat(30_000)}}]}`,
      400,
    ],
    ["text/plain", "POST", flags, { "content-type": "text/plain" }, '{"key":"a"}', 415],
    ["a form", "POST", flags, { "content-type": "application/x-www-form-urlencoded" }, "key=a", 415],
    ["chunks of a form", "POST", flags, { "content-type": "text/plain", "transfer-encoding": "chunked" }, '{"key":"a"}', 415],
    ["too much", "POST", flags, {}, JSON.stringify({ key: "a", description: "x".repeat(1024 * 1024) }), 413],
    [
      "too much in chunks",
      "POST",
      flags,
      { "transfer-encoding": "chunked" },
      JSON.stringify({ key: "a", description: "x".repeat(1024 * 1024) }),
      413,
    ],
    ["another origin", "POST", flags, { origin: "https://evil.example" }, '{"key":"a"}', 403],
    ["an unknown route", "GET", "/api/v1/nothing", {}, "", 404],
    ["an unknown SDK route", "GET", "/sdk/v9/stream", {}, "", 404],
    ["an unknown method", "PUT", flags, {}, "{}", 404],
    ["broken escapes in the path", "GET", "/api/v1/projects/%E0%A4%A/environments/x/flags", {}, "", 404],
    ["a nul in the path", "GET", "/api/v1/projects/default/environments/production/flags/%00", {}, "", 404],
    ["a token id that is no number", "DELETE", "/api/v1/tokens/abc", {}, "", 400],
    ["a token id beyond integers", "DELETE", "/api/v1/tokens/1e99", {}, "", 400],
    ["no such token", "DELETE", "/api/v1/tokens/99", {}, "", 404],
    ["an unknown file", "GET", "/assets/x.js", {}, "", 404],
  ])("to %s is a problem", async (_, method, path, headers, body, status) => {
    const answer = await send(method, path, { ...json(), ...headers }, body);
    expect(`${answer.status} ${answer.type}`).toBe(`${status} application/problem+json`);
    expect(JSON.parse(answer.body)).toMatchObject({ status, requestId: expect.stringMatching(/^[0-9a-f]{16}$/) });
  });

  it("takes brackets in text for text", async () => {
    const answer = await send("POST", flags, json(), JSON.stringify({ key: "brackets", description: `"\\${"[{".repeat(1_000)}` }));
    expect(answer.status).toBe(201);
  });

  it("is never a 5xx for a folder outside the UI", async () => {
    for (const path of [
      "/..%2f..%2fpackage.json",
      "/../../package.json",
      "/assets/../../../package.json",
      "/.env",
      "/assets/%2e%2e/x.js",
    ]) {
      const { body } = await send("GET", path);
      expect(body).not.toContain('"dependencies"');
    }
  });

  it("to a body that is cut off in the middle is no error of the server", async () => {
    const lines: string[] = [];
    const log = { info() {}, warn: (_: object, line: string) => lines.push(line), error: (_: object, line: string) => lines.push(line) };
    const own = await startServer(readSettings({ PORT: "0", SIGNALBOX_DATA: folder() }), { log, version: "1.2.3" });
    started.push(own);
    const socket = connect(own.port, "127.0.0.1");
    socket.write("POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{");
    // The body's end is awaited inside the route; only then is the connection cut.
    const waiting = new Promise((resolve) => socket.once("close", resolve));
    await fetch(`${own.url}/healthz`);
    socket.destroy();
    await waiting;
    for (let i = 0; i < 5; i += 1) await fetch(`${own.url}/healthz`);
    expect(lines).toEqual([]);
  });

  it("says when it is ready", async () => {
    const answer = await fetch(`http://127.0.0.1:${server.port}/readyz`);
    expect([answer.status, await answer.json()]).toEqual([200, { status: "ready" }]);
  });

  it("is strict with browsers", async () => {
    const { headers } = await fetch(`http://127.0.0.1:${server.port}/healthz`);
    expect(Object.fromEntries(headers)).toMatchObject({
      "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      "strict-transport-security": "max-age=31536000",
    });
    const sdk = await fetch(`http://127.0.0.1:${server.port}/sdk/v1/state`);
    expect([sdk.status, sdk.headers.get("cross-origin-resource-policy")]).toEqual([401, "cross-origin"]);
    const api = await fetch(`http://127.0.0.1:${server.port}/api/v1/projects`, { headers: { cookie } });
    expect([api.status, api.headers.get("cache-control"), api.headers.get("access-control-allow-origin")]).toEqual([200, "no-store", null]);
  });
});
