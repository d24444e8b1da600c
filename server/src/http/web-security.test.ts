import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Problem } from "../api-types.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

const CANARY = "canary-of-the-store";

let server: TestServer;
let admin: string;
let cookie: string;
beforeAll(async () => {
  server = await startTestServer();
  cookie = await server.signIn();
  admin = await server.token("admin");
  await server.flag(CANARY);
});
afterAll(() => server.close());

/** Sends these bytes as they are and resolves with all that comes back until the connection closes. */
function raw(request: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    let received = "";
    socket.setEncoding("latin1");
    socket.on("data", (text) => {
      received += text;
    });
    socket.on("close", () => resolve(received));
    // A reset after the answer is one of the ways in which a server ends what it has refused.
    socket.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "ECONNRESET" || error.code === "EPIPE" ? resolve(received) : reject(error),
    );
    socket.write(request);
  });
}
const status = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
const problemIn = (answer: string) => JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4)) as Problem;
const bearer = () => ({ authorization: `Bearer ${admin}`, "content-type": "application/json" });

describe("a property that is not known", () => {
  it.each([
    ["POST", "/api/v1/projects/default/flags", { key: "x", keey: 1 }, "keey"],
    ["POST", "/api/v1/projects/default/flags", { keey: 1 }, "keey"],
    ["PATCH", "/api/v1/projects/default/environments/development/settings", { secure: true }, "secure"],
    ["POST", "/api/v1/session", { name: "a", password: "b", admin: true }, "admin"],
    ["POST", "/api/v1/tokens", { name: "a", scope: "kill", accountId: 1 }, "accountId"],
  ])("in %s %s is answered 422 with its name", async (method, path, body, name) => {
    const answer = await fetch(server.url + path, { method, headers: bearer(), body: JSON.stringify(body) });
    expect(answer.status).toBe(422);
    const told = (await answer.json()) as Problem;
    expect(told).toMatchObject({ code: "UNKNOWN_PROPERTY", detail: expect.stringContaining(`"${name}" is not a field here`) });
    expect(told.issues?.[0]).toMatchObject({ path: name });
  });

  it("is 422 before what else is wrong, which without it is 400", async () => {
    const send = (body: object) =>
      fetch(`${server.url}/api/v1/projects/default/flags`, { method: "POST", headers: bearer(), body: JSON.stringify(body) });
    expect((await send({ key: 5, other: 1 })).status).toBe(422);
    expect((await send({ key: 5 })).status).toBe(400);
  });
});

describe("limits, before anything is read", () => {
  const json = (head: string, body = "") =>
    `POST /api/v1/projects HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n${head}\r\n\r\n${body}`;

  it("a head of more than 16 KiB is refused, and so is an address of more than 8 KiB, on every kind of route", async () => {
    expect(status(await raw(`GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-much: ${"x".repeat(17_000)}\r\n\r\n`))).toBe(431);
    for (const path of ["/", "/api/v1/projects", "/api/v1/events", "/sdk/v1/state", "/sdk/v1/stream", "/kill", "/nothing"]) {
      const answer = await raw(`GET ${path}?x=${"x".repeat(8_200)} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
      expect([path, status(answer), problemIn(answer).code]).toEqual([path, 414, "URL_TOO_LONG"]);
    }
    expect(status(await raw(`GET /healthz?x=${"x".repeat(8_000)} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`))).toBe(200);
  });

  it.each(["gzip", "br", "deflate", "GZIP", "gzip, gzip", "identity, gzip", "x"])(
    "a body that is compressed (%s) is refused unread",
    async (encoding) => {
      const answer = await raw(json(`content-encoding: ${encoding}\r\ncontent-length: 1000000`));
      expect([status(answer), problemIn(answer).code]).toEqual([415, "UNSUPPORTED_ENCODING"]);
    },
  );

  it("a body that says to be larger than 1 MiB is refused unread, one that hides it is cut off", async () => {
    const flags = "POST /api/v1/projects/default/flags HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n";
    const head = `${flags}authorization: Bearer ${admin}\r\n`;
    const said = await raw(`${head}content-length: 2000000\r\n\r\n`);
    expect([status(said), problemIn(said).code]).toEqual([413, "BODY_TOO_LARGE"]);
    const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
    const hidden = await raw(`${head}transfer-encoding: chunked\r\n\r\n${chunk.repeat(17)}0\r\n\r\n`);
    expect([status(hidden), problemIn(hidden).code]).toEqual([413, "BODY_TOO_LARGE"]);
  });
});

describe("a head that is none", () => {
  it.each([
    ["a name in the host", "GET /api/v1/setup HTTP/1.1\r\nhost: a@b\r\n"],
    ["spaces in the host", "GET /api/v1/setup HTTP/1.1\r\nhost: a b\r\n"],
    ["a path in the host", "GET /api/v1/setup HTTP/1.1\r\nhost: a/b?c#d\r\n"],
    ["an empty host", "GET /api/v1/setup HTTP/1.1\r\nhost:\r\n"],
    ["no host", "GET /api/v1/setup HTTP/1.1\r\n"],
    ["two hosts", "GET /api/v1/setup HTTP/1.1\r\nhost: a\r\nhost: b\r\n"],
    ["a host of control characters", "GET /api/v1/setup HTTP/1.1\r\nhost: \u0001\u0002\r\n"],
    ["an address with a name", "GET http://a@b/api/v1/setup HTTP/1.1\r\nhost: a\r\n"],
    ["an asterisk", "OPTIONS * HTTP/1.1\r\nhost: a\r\n"],
    ["an authority", "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n"],
    ["an upgrade", "GET /api/v1/setup HTTP/1.1\r\nhost: a\r\nconnection: close, upgrade\r\nupgrade: websocket\r\n"],
    ["two lengths", "POST /api/v1/session HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n"],
    ["a length and chunks", "POST /api/v1/session HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n"],
    ["a negative length", "POST /api/v1/session HTTP/1.1\r\nhost: a\r\ncontent-length: -2\r\n"],
    ["a header without a name", "GET /api/v1/setup HTTP/1.1\r\nhost: a\r\n: x\r\n"],
    ["a folded header", "GET /api/v1/setup HTTP/1.1\r\nhost: a\r\nx-a: b\r\n c\r\n"],
    ["a method that is none", "HACK /api/v1/setup HTTP/1.1\r\nhost: a\r\n"],
    ["another version", "GET /api/v1/setup HTTP/9.9\r\nhost: a\r\n"],
  ])("is answered with a 4xx or not at all, or taken for what it says: %s", async (_what, head) => {
    const answer = await raw(`${head}${head.includes("connection:") ? "" : "connection: close\r\n"}\r\n`);
    if (answer !== "") expect(status(answer), answer).toBeLessThan(500);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });
});

describe("pages", () => {
  const pages: readonly [string, () => Promise<Response>][] = [
    ["the admin UI", () => fetch(`${server.url}/default/production/flags`)],
    ["the reference", () => fetch(`${server.url}/api/v1/reference`)],
    ["/kill, signed out", () => fetch(`${server.url}/kill`)],
    ["/kill, signed in", () => fetch(`${server.url}/kill`, { headers: { cookie } })],
    [
      "/kill, confirming",
      () => fetch(`${server.url}/kill/confirm?project=default&environment=production&flag=${CANARY}&do=kill`, { headers: { cookie } }),
    ],
    ["/kill, failing", () => fetch(`${server.url}/kill/confirm?do=x`, { headers: { cookie } })],
    [
      "/kill, a receipt",
      () =>
        fetch(`${server.url}/kill/receipt?project=default&environment=production&flag=${CANARY}&do=kill&revision=1&changed=no`, {
          headers: { cookie },
        }),
    ],
  ];

  it.each(pages)("%s: allows no inline code or style, nothing from elsewhere, and uses none", async (what, get) => {
    const answer = await get();
    const page = await answer.text();
    if (what === "the admin UI" && answer.status === 503) return console.log("the admin UI is not built: its page is not looked at");
    expect(answer.headers.get("content-type")).toMatch(/^text\/html/);
    const policy = answer.headers.get("content-security-policy") ?? "";
    const sources = new Map(policy.split("; ").map((part) => [part.split(" ")[0] ?? "", part.split(" ").slice(1)]));
    expect(sources.get("default-src")).toEqual(["'none'"]);
    expect(sources.get("base-uri")).toEqual(["'none'"]);
    expect(sources.get("frame-ancestors")).toEqual(["'none'"]);
    const [, nonce = "none"] = /'nonce-([A-Za-z0-9+/=]{24})'/.exec(policy) ?? [];
    for (const source of [...sources.values()].flat()) expect(["'none'", "'self'", "data:", `'nonce-${nonce}'`]).toContain(source);
    expect(sources.get("script-src") ?? ["'none'"]).not.toContain("data:");
    // The nonce is for styles alone, and new for each answer.
    expect((sources.get("script-src") ?? []).join()).not.toContain("nonce");
    expect((await get()).headers.get("content-security-policy")).not.toBe(policy);

    expect(page).not.toMatch(/<script(?![^>]*\bsrc="\/)/i);
    expect(page).not.toMatch(/\son[a-z]+=|\sstyle=|javascript:/i);
    expect(page).not.toMatch(/\b(src|href|action)="(https?:)?\/\//i);
    for (const [tag] of page.matchAll(/<style[^>]*>/g)) expect(tag).toBe(`<style nonce="${nonce}">`);
    for (const [name, value] of [
      ["x-content-type-options", "nosniff"],
      ["x-frame-options", "DENY"],
      ["cross-origin-opener-policy", "same-origin"],
      ["cross-origin-resource-policy", "same-origin"],
    ] as const) {
      expect(answer.headers.get(name)).toBe(value);
    }
  });

  it("the reference names every route of the document", async () => {
    const page = await (await fetch(`${server.url}/api/v1/reference`)).text();
    const { paths } = (await (await fetch(`${server.url}/api/v1/openapi.json`)).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    for (const [path, operations] of Object.entries(paths)) {
      for (const method of Object.keys(operations)) expect(page).toContain(`>${method.toUpperCase()}</b> <code>${path}</code>`);
    }
    // What a field is for, and its bounds.
    expect(page).toContain("name: text (1 to 100)");
  });

  it("of other origins read nothing of the admin API: no answer names an origin, and a preflight is refused", async () => {
    const origin = "https://evil.example";
    const headers = { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type,authorization" };
    for (const path of ["/api/v1/projects", "/api/v1/session", "/api/v1/tokens", "/healthz", "/kill", "/metrics"]) {
      for (const answer of [
        await fetch(server.url + path, { headers: { origin, cookie } }),
        await fetch(server.url + path, { method: "OPTIONS", headers }),
      ]) {
        expect(answer.headers.get("access-control-allow-origin"), path).toBeNull();
        expect(answer.headers.get("access-control-allow-credentials"), path).toBeNull();
      }
      expect((await fetch(server.url + path, { method: "OPTIONS", headers })).ok, path).toBe(false);
    }
  });
});
