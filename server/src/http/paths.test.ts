import { connect } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mappedRoutes } from "./api-map.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

const REQUESTS = 5_000;
const AT_ONCE = 50;
/** Names that only somebody may read who may read production. */
const CANARIES = ["canary-group", "canary-flag"];

let server: TestServer;
let port: number;
/** Reads development and nothing else. */
let viewer: string;
let revisions: string;
beforeAll(async () => {
  server = await startTestServer();
  port = Number(new URL(server.url).port);
  const cookie = await server.signIn();
  const production = "/api/v1/projects/default/environments/production";
  expect((await server.send("POST", `${production}/groups`, cookie, { key: "canary-group", kind: "list" })).status).toBe(201);
  expect((await server.send("POST", "/api/v1/projects/default/flags", cookie, { key: "canary-flag" })).status).toBe(201);
  const wanted = { name: "viewer", scope: "viewer", kind: "service", project: "default", environment: "development" };
  viewer = ((await (await server.send("POST", "/api/v1/tokens", cookie, wanted)).json()) as { token: string }).token;
  revisions = await state();
});
afterAll(() => server.close());

async function state(): Promise<string> {
  return (await server.send("GET", "/api/v1/projects", await server.signIn())).text();
}

interface Sent {
  readonly method: string;
  readonly target: string;
  readonly as: "nobody" | "viewer";
}

/** What turns an address into another writing of it, or into one that a careless reader takes for it. */
const TRICKS: readonly ((path: string, at: number) => string)[] = [
  (path, at) => put(path, at, "/", "//"),
  (path, at) => put(path, at, "/", "/./"),
  (path, at) => put(path, at, "/", "/%2e/"),
  (path, at) => put(path, at, "/", "/x/../"),
  (path, at) => put(path, at, "/", "/x/%2e%2e/"),
  (path, at) => put(path, at, "/", "/x/.%2E/"),
  (path, at) => put(path, at, "/", "/..;/"),
  (path, at) => put(path, at, "/", ";a=b/"),
  (path, at) => put(path, at, "/", "%2f"),
  (path, at) => put(path, at, "/", "%252F"),
  (path, at) => put(path, at, "/", "\\"),
  (path, at) => put(path, at, "/", "%5c"),
  (path, at) => put(path, at, "/", "%c0%af"),
  (path, at) => put(path, at, "/", "%e0%80%af"),
  (path, at) => put(path, at, "/", "\u00ef\u00bc\u008f"),
  (path, at) => letter(path, at, (one) => `%${one.charCodeAt(0).toString(16)}`),
  (path, at) => letter(path, at, (one) => `%25${one.charCodeAt(0).toString(16)}`),
  (path, at) => letter(path, at, (one) => `%u00${one.charCodeAt(0).toString(16)}`),
  (path, at) => letter(path, at, (one) => one.toUpperCase()),
  (path, at) => letter(path, at, (one) => `${one}%00`),
  (path, at) => letter(path, at, (one) => `${one}%0d%0a`),
  (path, at) => letter(path, at, (one) => `${one}\u0301`),
  (path) => `${path}/`,
  (path) => `${path}//`,
  (path) => `${path}%00`,
  (path) => `${path}%20`,
  (path) => `${path}.json`,
  (path) => `${path};.js`,
  (path) => `${path}/..`,
  (path) => `${path}/.`,
  (path) => `${path}#x`,
  (path) => `${path}?/../..`,
  (path) => `${path}%3f`,
  (path) => `/${path}`,
  (path) => `/.${path}`,
  (path) => `/healthz/..${path}`,
  (path) => `/healthz%2f..${path}`,
  (path) => `/sdk/v1/..%2f..${path}`,
  (path) => `/kill/..${path}`,
  (path) => `/assets/..${path}`,
  (path) => `/api/v1/session/..${path.replace("/api/v1", "")}`,
  (path) => `http://evil.example${path}`,
  (path) => `http://localhost${path}`,
  (path) => `HTTP://LOCALHOST:1${path}`,
  (path) => `//evil.example${path}`,
  (path) => `http:${path}`,
  (path) => `@evil.example${path}`,
  (path) => path.replace("/api/v1", "/api/v1/api/v1"),
  (path) => path.replace("/api/v1", "/API/V1"),
  (path) => path.replace("default", "default%00x").replace("production", "development/../production"),
];

function put(path: string, at: number, what: string, by: string): string {
  const places = [...path.matchAll(new RegExp(what, "g"))].map(({ index }) => index);
  const place = places[at % places.length] ?? 0;
  return path.slice(0, place) + by + path.slice(place + what.length);
}

function letter(path: string, at: number, change: (one: string) => string): string {
  const letters = [...path.matchAll(/[a-z]/g)].map(({ index }) => index);
  const place = letters[at % letters.length] ?? 0;
  return path.slice(0, place) + change(path[place] ?? "") + path.slice(place + 1);
}

/** Routes for somebody who has signed in, at a place that the viewer may not read. */
const guarded = mappedRoutes()
  .filter(({ permission }) => permission !== "none")
  .map(({ route }) => {
    const [method = "", path = ""] = route.split(" ");
    const named = path
      .replace("{project}", "default")
      .replace("{environment}", "production")
      .replace("{flag}", "canary-flag")
      .replace("{group}", "canary-group");
    return { method, path: named.replace(/\{\w+\}/g, "1") };
  });

const requests: fc.Arbitrary<Sent> = fc
  .record({
    route: fc.constantFrom(...guarded),
    tricks: fc.array(fc.tuple(fc.constantFrom(...TRICKS), fc.nat(30)), { minLength: 1, maxLength: 3 }),
    method: fc.constantFrom("", "", "", "", "HEAD", "GET", "POST", "OPTIONS", "TRACE", "PROPFIND"),
    as: fc.constantFrom<Sent["as"]>("nobody", "viewer"),
  })
  .map(({ route, tricks, method, as }) => ({
    method: method || route.method,
    target: tricks.reduce((path, [trick, at]) => trick(path, at), route.path),
    as,
  }));

describe("an address written in another way", () => {
  it("opens nothing: no answer but those for everybody, none that fails, and nothing is changed", async () => {
    const wrong: string[] = [];
    const kinds = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(fc.array(requests, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (batch) => {
        for (const [index, { status, text }] of (await Promise.all(batch.map(send))).entries()) {
          kinds.set(status, (kinds.get(status) ?? 0) + 1);
          const sent = JSON.stringify(batch[index]);
          if (status === 0 || (status >= 500 && !text.includes('"NOT_BUILT"'))) wrong.push(`${sent}: ${status} ${text.slice(0, 300)}`);
          else if (status < 300 && !isForAll(text) && !isForViewer(batch[index], text))
            wrong.push(`${sent}: ${status} ${text.slice(0, 300)}`);
          else if (status < 300 && CANARIES.some((name) => body(text).includes(name)) && !isForViewer(batch[index], text))
            wrong.push(`${sent} tells a canary: ${text}`);
        }
      }),
      { numRuns: REQUESTS / AT_ONCE, endOnFailure: true },
    );
    expect(wrong).toEqual([]);
    // Some were understood and refused, some were no route, and some no request.
    for (const status of [400, 401, 404]) expect(kinds.get(status) ?? 0, JSON.stringify([...kinds])).toBeGreaterThan(10);
    expect(await state()).toBe(revisions);
  }, 120_000);
});

const body = (text: string) => text.slice(text.indexOf("\r\n\r\n") + 4);

/** A page of the UI, which is the same for everybody, or what is open to everybody. */
function isForAll(text: string): boolean {
  const head = text.slice(0, text.indexOf("\r\n\r\n")).toLowerCase();
  if (head.includes("content-type: text/html")) return !CANARIES.some((name) => body(text).includes(name));
  const sent = body(text);
  return sent === "" || sent === '{"status":"ok"}' || /^\{"needed":(true|false)\}$/.test(sent) || sent.startsWith('{"openapi":');
}

/** Lists and its own things, which the viewer may read: never what there is in production alone. */
function isForViewer({ as }: Sent | undefined = { method: "", target: "", as: "nobody" }, text: string): boolean {
  // A flag is one of the project: of it the viewer reads what it is in development. A group is one of its environment.
  return as === "viewer" && !text.includes("canary-group") && !text.includes('"key":"production"');
}

function send({ method, target, as }: Sent): Promise<{ status: number; text: string }> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setEncoding("latin1");
    const done = () => {
      socket.destroy();
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text });
    };
    socket.on("data", (part) => {
      text += part;
      // The endless answers never end by themselves.
      if (text.includes("text/event-stream") && text.includes("\r\n\r\n")) done();
    });
    socket.on("close", done);
    socket.on("error", done);
    const credentials = as === "viewer" ? `authorization: Bearer ${viewer}\r\n` : "";
    const content = /GET|HEAD|OPTIONS|TRACE|PROPFIND/.test(method) ? "" : "content-type: application/json\r\ncontent-length: 2\r\n";
    socket.write(
      `${method} ${target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${credentials}${content}\r\n${content && "{}"}`,
      "latin1",
    );
  });
}
