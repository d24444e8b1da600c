import { createServer } from "node:http";
import type { Projection } from "@signalbox/core";
import { afterEach, describe, expect, test } from "vitest";
import type { Usage } from "../usage/usage.ts";
import type { StreamLimits } from "./admission.ts";
import { createDelivery } from "./delivery.ts";
import { guardDescriptors } from "./descriptors.ts";
import { createStreamListener, type StreamListenerDeps } from "./stream.ts";
import {
  anyKey,
  booleanFlag,
  collectingLog,
  createTestFeed,
  get,
  keyOf,
  manualClock,
  PRODUCTION,
  type RawClient,
  rawClient,
  serve,
  type TestFeed,
  until,
} from "./test-support.ts";
import { type DeliveryWatch, unwatched } from "./watch.ts";

const KEYS: Readonly<Record<string, Projection>> = { sb_server_production_s: "server", sb_browser_production_b: "browser" };
const SERVER_KEY = { authorization: "Bearer sb_server_production_s" };
const BROWSER = "/sdk/v1/stream?key=sb_browser_production_b";

const noUsage: Pick<Usage, "onUsage"> = { onUsage: () => () => {} };

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

interface Options extends Pick<StreamListenerDeps, "eventLoop" | "descriptors"> {
  readonly feed?: TestFeed;
  readonly limits?: StreamLimits;
}

async function start(options: Options = {}) {
  const clock = manualClock();
  const log = collectingLog();
  const feed = options.feed ?? createTestFeed();
  const shed: string[] = [];
  const dropped: string[] = [];
  const watch: DeliveryWatch = { ...unwatched, shed: (what, why) => shed.push(`${what} ${why}`), dropped: (why) => dropped.push(why) };
  const delivery = createDelivery({ feed, clock, log, watch });
  const keys = {
    ...anyKey("server"),
    find(text: string) {
      const projection = KEYS[text];
      return projection && keyOf(projection);
    },
  };
  const listener = createStreamListener({
    delivery,
    keys,
    usage: noUsage,
    authenticate: async () => undefined,
    ...options,
  });
  const server = await serve(listener);
  cleanups.push(() => server.close());
  const open = (request: string, how?: { reading?: boolean }): RawClient => {
    const client = rawClient(server.port, request, how);
    cleanups.push(() => void client.socket.destroy());
    return client;
  };
  return { clock, log, feed, delivery, listener, server, open, shed, dropped };
}

const events = (client: RawClient) => client.frames().map(({ event }) => event);
const has = (client: RawClient, count: number) => until(() => client.frames().length >= count);

describe("the head of a stream", () => {
  test("is server-sent events whose end is the end of the connection", async () => {
    const { open } = await start();
    const client = open(get("/sdk/v1/stream", SERVER_KEY));
    await has(client, 2);
    const head = client.head().toLowerCase();
    expect(head).toMatch(/^http\/1\.1 200 /);
    expect(head).toContain("content-type: text/event-stream");
    expect(head).toContain("cache-control: no-cache, no-transform");
    expect(head).toContain("x-accel-buffering: no");
    expect(head).toContain("connection: close");
    expect(head).not.toContain("transfer-encoding");
    expect(head).not.toContain("content-length");
    expect(head).not.toContain("access-control-allow-origin");
  });

  test("lets pages of every origin read with a browser key, without credentials", async () => {
    const { open } = await start();
    const client = open(get(BROWSER, { origin: "https://shop.example" }));
    await has(client, 2);
    expect(client.head().toLowerCase()).toContain("access-control-allow-origin: *");
    expect(client.head().toLowerCase()).not.toContain("credentials");
  });
});

describe("the first frames", () => {
  test("are hello and the snapshot, whose id is the position", async () => {
    const { feed, open } = await start();
    feed.commit({ put: [booleanFlag("search", "a1")] });
    const client = open(get("/sdk/v1/stream", SERVER_KEY));
    await has(client, 2);
    const [hello, snapshot] = client.frames();
    expect(hello).toMatchObject({
      event: "hello",
      id: undefined,
      json: { protocol: 1, environment: "production", generation: 7, head: 1 },
    });
    expect(snapshot).toMatchObject({ event: "snapshot", id: "7.1", json: { generation: 7, revision: 1, digest: "00000000000000a1" } });
  });

  test("are hello and one change from the basis, from the query or from Last-Event-ID", async () => {
    const { feed, open } = await start();
    for (const fp of ["a1", "a2", "a3"]) feed.commit({ put: [booleanFlag("search", fp)] });
    for (const client of [
      open(get("/sdk/v1/stream?basis=7.1", SERVER_KEY)),
      open(get("/sdk/v1/stream", { ...SERVER_KEY, "last-event-id": "7.1" })),
    ]) {
      await has(client, 2);
      expect(events(client)).toEqual(["hello", "change"]);
      expect(client.frames()[1]).toMatchObject({ id: "7.3", json: { from: 1, to: 3, put: [{ fp: "00000000000000a3" }], remove: [] } });
    }
  });

  test("are hello alone when the basis is the head", async () => {
    const { feed, open, clock } = await start();
    feed.commit({ put: [booleanFlag("search", "a1")] });
    const client = open(get("/sdk/v1/stream?basis=7.1", SERVER_KEY));
    await has(client, 1);
    await clock.advance(15_000);
    await has(client, 2);
    expect(events(client)).toEqual(["hello", "ping"]);
  });

  test.each(["x", "7", "7.1.2", "-1.1", "7.9999999999999999", "%00"])("hold a snapshot for the basis %s, which is none", async (basis) => {
    const { open } = await start();
    const client = open(get(`/sdk/v1/stream?basis=${basis}`, SERVER_KEY));
    await has(client, 2);
    expect(events(client)).toEqual(["hello", "snapshot"]);
  });

  test("hold a snapshot when the ring no longer reaches back, and for a basis of an older generation", async () => {
    const { feed, open } = await start({ feed: createTestFeed(2) });
    for (const fp of ["a1", "a2", "a3", "a4"]) feed.commit({ put: [booleanFlag("search", fp)] });
    for (const basis of ["7.1", "6.3", "6.900"]) {
      const client = open(get(`/sdk/v1/stream?basis=${basis}`, SERVER_KEY));
      await has(client, 2);
      expect(events(client)).toEqual(["hello", "snapshot"]);
    }
  });

  test.each(["7.9", "8.0"])("say resync and give the state for the basis %s, which is ahead", async (basis) => {
    const { feed, open } = await start();
    feed.commit({ put: [booleanFlag("search", "a1")] });
    const client = open(get(`/sdk/v1/stream?basis=${basis}`, SERVER_KEY));
    await has(client, 3);
    expect(events(client)).toEqual(["hello", "resync", "snapshot"]);
    expect(client.frames()[1]).toMatchObject({ id: undefined, json: { generation: 7, revision: 1, reason: "ahead" } });
  });

  test("say resync instead of a frame that is too large, for a snapshot and for a change", async () => {
    const { feed, open } = await start();
    feed.commit({ put: [booleanFlag("small", "a1")] });
    feed.commit({ put: [booleanFlag("large", "a2", { variants: { on: "x".repeat(300 * 1024), off: "" } })] });
    for (const target of ["/sdk/v1/stream", "/sdk/v1/stream?basis=7.1"]) {
      const client = open(get(target, SERVER_KEY));
      await has(client, 2);
      expect(client.frames()[1]).toMatchObject({ event: "resync", id: undefined, json: { generation: 7, revision: 2, reason: "size" } });
    }
  });
});

describe("a change of facts", () => {
  test("is told to pages right before the change that moves factsAt, within a second as one, and to servers as a position only", async () => {
    const { feed, open, clock } = await start();
    feed.commit({ put: [booleanFlag("search", "a1")] });
    const [page, program] = [open(get(BROWSER)), open(get("/sdk/v1/stream", SERVER_KEY))];
    for (const client of [page, program]) await has(client, 2);
    await clock.advance(50);
    feed.commit({ facts: { units: [9, 200] } });
    feed.commit({ facts: { units: [3] } });
    await clock.advance(500);
    expect(events(page)).toEqual(["hello", "snapshot"]);
    await clock.advance(1_000);
    await has(page, 4);
    expect(page.frames().slice(2)).toMatchObject([
      { event: "facts", id: undefined, json: { generation: 7, at: 3, units: [3, 9, 200], spreadMs: 1 } },
      { event: "change", id: "7.3", json: { from: 1, to: 3, factsAt: 3, put: [] } },
    ]);
    await has(program, 3);
    expect(program.frames()[2]).toMatchObject({ event: "change", id: "7.3", json: { factsAt: 3 } });
    const late = open(get(BROWSER));
    await has(late, 2);
    expect(late.frames()).toMatchObject([{ json: { factsAt: 3 } }, { json: { factsAt: 3 } }]);
  });

  test("that concerns many is told to all", async () => {
    const { feed, open, clock } = await start();
    feed.commit({ put: [booleanFlag("search", "a1")] });
    const page = open(get(BROWSER));
    await has(page, 2);
    feed.commit({ facts: { all: true } });
    await clock.advance(1_500);
    await has(page, 4);
    expect(page.frames()[2]).toMatchObject({ event: "facts", json: { at: 2, units: [], all: true, spreadMs: 5 } });
  });
});

test("a key that holds no more ends the streams that came with it, and no other", async () => {
  const { open, delivery } = await start();
  const [gone, page] = [open(get("/sdk/v1/stream", SERVER_KEY)), open(get(BROWSER))];
  await has(gone, 2);
  await has(page, 2);
  delivery.fanOut.end(keyOf("server"));
  await until(() => gone.isClosed());
  expect(gone.frames().at(-1)).toMatchObject({ event: "bye", json: { reason: "key-revoked" } });
  expect(delivery.fanOut.open).toBe(1);
  expect(page.isClosed()).toBe(false);
});

describe("what arrives on a stream's connection", () => {
  test.each([
    ["the same route", get("/sdk/v1/stream", SERVER_KEY)],
    ["another route", get("/healthz")],
    ["one byte that could begin a request", "G"],
    ["rubbish", "\0\0\0\r\n\r\n"],
  ])("later destroys it: %s", async (_name, more) => {
    const { open, delivery } = await start();
    const client = open(get("/sdk/v1/stream", SERVER_KEY));
    await has(client, 2);
    client.write(more);
    await until(() => client.isClosed());
    expect(client.text().match(/HTTP\/1\.1/g)).toHaveLength(1);
    await until(() => delivery.fanOut.open === 0);
    expect(delivery.instances.all(PRODUCTION.id)).toEqual([]);
  });

  test.each([get("/sdk/v1/stream", SERVER_KEY), get("/healthz")])(
    "in the same packet destroys it: a pipelined request %#",
    async (second) => {
      const { open, delivery } = await start();
      const client = open(get("/sdk/v1/stream", SERVER_KEY) + second);
      await until(() => client.isClosed());
      await until(() => delivery.fanOut.open === 0);
      expect(client.text()).not.toContain("other");
    },
  );

  test("before it, still unanswered, destroys it too", async () => {
    const { listener, delivery } = await start();
    let waiting = 0;
    const server = await serve((req, res) => {
      if (req.url !== "/slow") return listener(req, res);
      waiting += 1;
      return true; // never answered: the next request's response gets no socket
    });
    cleanups.push(() => server.close());
    const client = rawClient(server.port, get("/slow") + get("/sdk/v1/stream", SERVER_KEY));
    cleanups.push(() => void client.socket.destroy());
    await until(() => client.isClosed());
    expect(waiting).toBe(1);
    expect(delivery.fanOut.open).toBe(0);
    expect(client.text()).toBe("");
  });

  test("as another method is answered 405: HEAD without a body, POST with a problem", async () => {
    const { open, delivery } = await start();
    const head = open(get("/sdk/v1/stream", SERVER_KEY).replace("GET", "HEAD"));
    await until(() => head.isClosed());
    expect(head.text()).toMatch(/^HTTP\/1\.1 405 /);
    expect(head.text()).toMatch(/\r\n\r\n$/);
    const post = open(`${get("/sdk/v1/stream", { ...SERVER_KEY, "content-length": "2" }).replace("GET", "POST")}{}`);
    await until(() => post.isClosed());
    expect(post.head()).toMatch(/^HTTP\/1\.1 405 /);
    expect(post.head().toLowerCase()).toContain("allow: get");
    expect(problemOf(post)).toMatchObject({ code: "METHOD_NOT_ALLOWED", detail: "/sdk/v1/stream takes GET, not POST." });
    expect(delivery.fanOut.open).toBe(0);
  });

  test.each([
    ["told by its length", { "content-length": "5" }, "hello"],
    ["in chunks", { "transfer-encoding": "chunked" }, "5\r\nhello\r\n0\r\n\r\n"],
  ])("as a body is refused with 400: %s", async (_name, headers, body) => {
    const { open, delivery } = await start();
    const client = open(get("/sdk/v1/stream", { ...SERVER_KEY, ...headers }) + body);
    await until(() => client.isClosed());
    expect(client.head()).toMatch(/^HTTP\/1\.1 400 /);
    expect(problemOf(client)).toMatchObject({ code: "BAD_REQUEST", detail: "/sdk/v1/stream takes no body; send the request without one." });
    expect(delivery.fanOut.open).toBe(0);
  });

  test("as a wish to speak another protocol is left alone: the stream is given", async () => {
    const { open } = await start();
    const client = open(get("/sdk/v1/stream", { ...SERVER_KEY, connection: "upgrade", upgrade: "websocket" }));
    await has(client, 2);
    expect(client.head()).toMatch(/^HTTP\/1\.1 200 /);
    expect(events(client)).toEqual(["hello", "snapshot"]);
  });

  test("as Expect is answered as HTTP has it, and then with the stream; what nobody can meet is refused", async () => {
    const { open, delivery } = await start();
    const client = open(get("/sdk/v1/stream", { ...SERVER_KEY, expect: "100-continue" }));
    await until(() => client.text().includes("event: snapshot"));
    expect(client.text()).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    client.socket.destroy();
    await until(() => delivery.fanOut.open === 0);
    const other = open(get("/sdk/v1/stream", { ...SERVER_KEY, expect: "a miracle", connection: "close" }));
    await until(() => other.isClosed());
    expect(other.head()).toMatch(/^HTTP\/1\.1 417 /);
    expect(delivery.fanOut.open).toBe(0);
  });

  test("as a head of more than 16 KiB is refused with 431", async () => {
    const { open, delivery } = await start();
    const client = open(get("/sdk/v1/stream", { ...SERVER_KEY, "x-filler": "x".repeat(20_000) }));
    await until(() => client.isClosed());
    expect(client.head()).toMatch(/^HTTP\/1\.1 431 /);
    expect(delivery.fanOut.open).toBe(0);
  });

  test("as the end of what the client sends closes the stream: nobody listens any more", async () => {
    const { open, delivery } = await start();
    const client = open(get("/sdk/v1/stream", SERVER_KEY));
    await has(client, 2);
    client.socket.end();
    await until(() => delivery.fanOut.open === 0);
    await until(() => client.isClosed());
  });

  test("as HTTP/1.0, which proxies speak by default, is answered alike", async () => {
    const { open } = await start();
    const client = open(get("/sdk/v1/stream", SERVER_KEY).replace("HTTP/1.1", "HTTP/1.0"));
    await has(client, 2);
    expect(client.head().toLowerCase()).not.toContain("transfer-encoding");
    expect(events(client)).toEqual(["hello", "snapshot"]);
  });
});

describe("SDK keys", () => {
  test.each([
    ["no key", "/sdk/v1/stream", {}, 401, "SDK_KEY_MISSING"],
    ["an unknown key", "/sdk/v1/stream", { authorization: "Bearer sb_server_production_x" }, 401, "SDK_KEY_INVALID"],
    ["an unknown browser key", "/sdk/v1/stream?key=sb_browser_production_x", {}, 401, "SDK_KEY_INVALID"],
    ["no bearer", "/sdk/v1/stream", { authorization: "Basic sb_server_production_s" }, 401, "SDK_KEY_MISSING"],
    ["a server key from a page", "/sdk/v1/stream", { ...SERVER_KEY, origin: "https://shop.example" }, 403, "SDK_KEY_LEAKED"],
    ["a server key in the address", "/sdk/v1/stream?key=sb_server_production_s", {}, 403, "SDK_KEY_KIND"],
  ])("are refused with a problem that a page can read: %s", async (_name, target, headers, status, code) => {
    const { open, delivery } = await start();
    const client = open(get(target, headers));
    await until(() => client.isClosed());
    expect(client.head()).toContain(`HTTP/1.1 ${status} `);
    expect(client.head().toLowerCase()).toContain("access-control-allow-origin: *");
    expect(problemOf(client)).toMatchObject({ code, status });
    expect(delivery.fanOut.open).toBe(0);
  });

  test("that leak are logged, once a minute", async () => {
    const { open, log, clock } = await start();
    const leak = async () => {
      const client = open(get("/sdk/v1/stream", { ...SERVER_KEY, origin: "https://shop.example" }));
      await until(() => client.isClosed());
    };
    await leak();
    await leak();
    expect(log.lines).toHaveLength(1);
    await clock.advance(60_000);
    await leak();
    expect(log.lines).toHaveLength(2);
    expect(log.lines.join()).not.toContain("sb_server_production_s");
  });
});

describe("admission", () => {
  test("refuses streams past the number that may be open, and takes them again when one closes", async () => {
    const { open, delivery } = await start({ limits: { openMax: 2, newPerSecondMax: 100 } });
    const first = open(get("/sdk/v1/stream", SERVER_KEY));
    const second = open(get("/sdk/v1/stream", SERVER_KEY));
    await has(first, 2);
    await has(second, 2);
    const third = open(get("/sdk/v1/stream", SERVER_KEY));
    await until(() => third.isClosed());
    expect(third.head()).toMatch(/^HTTP\/1\.1 503 /);
    expect(third.head()).toMatch(/retry-after: \d+/i);
    expect(problemOf(third)).toMatchObject({ code: "OVERLOADED" });
    first.socket.destroy();
    await until(() => delivery.fanOut.open === 1);
    const fourth = open(get("/sdk/v1/stream", SERVER_KEY));
    await has(fourth, 2);
  });

  test("refuses what comes too fast, for a second", async () => {
    const { open, clock } = await start({ limits: { openMax: 100, newPerSecondMax: 1 } });
    const first = open(get("/sdk/v1/stream", SERVER_KEY));
    await has(first, 2);
    const second = open(get("/sdk/v1/stream", SERVER_KEY));
    await until(() => second.isClosed());
    expect(second.head()).toMatch(/^HTTP\/1\.1 503 /);
    await clock.advance(1_000);
    const third = open(get("/sdk/v1/stream", SERVER_KEY));
    await has(third, 2);
  });

  test("keeps a fifth for server keys: browser keys are public", async () => {
    const { open, shed } = await start({ limits: { openMax: 5, newPerSecondMax: 100 } });
    for (let count = 0; count < 4; count += 1) await has(open(get(BROWSER)), 2);
    const fifth = open(get(BROWSER));
    await until(() => fifth.isClosed());
    expect(fifth.head()).toMatch(/^HTTP\/1\.1 503 /);
    expect(fifth.head().toLowerCase()).toContain("access-control-allow-origin: *");
    await has(open(get("/sdk/v1/stream", SERVER_KEY)), 2);
    expect(shed).toEqual(["stream browsers"]);
  });

  test("refuses with 503 before the limit of open files, and other requests are still answered", async () => {
    const server = createServer();
    cleanups.push(() => void server.close());
    const descriptors = guardDescriptors(server, 0);
    const room = descriptors.connectionsMax - 64;
    expect(room).toBe(64);
    const { open, shed } = await start({ descriptors });
    // All at once: those who fit are in.
    const many = Array.from({ length: room + 10 }, () => open(get("/sdk/v1/stream", SERVER_KEY)));
    await until(() => many.filter((client) => client.frames().length === 2 || client.isClosed()).length === many.length);
    const refused = many.filter((client) => client.isClosed());
    expect(refused).toHaveLength(10);
    expect(refused[0]?.head()).toMatch(/^HTTP\/1\.1 503 /);
    expect(shed).toEqual(refused.map(() => "stream descriptors"));
    const other = open(get("/healthz"));
    await until(() => other.text().endsWith("other"));
  });

  test("refuses new streams and usage reports while the event loop is late, and nothing else", async () => {
    const eventLoop = { overloaded: true, stop() {} };
    const { open, shed } = await start({ eventLoop });
    const stream = open(get("/sdk/v1/stream", SERVER_KEY));
    const usage = open(`${get("/sdk/v1/usage", { ...SERVER_KEY, "content-length": "2" }).replace("GET", "POST")}{}`);
    for (const client of [stream, usage]) {
      await until(() => client.isClosed());
      expect(client.head()).toMatch(/^HTTP\/1\.1 503 /);
      expect(client.head()).toMatch(/retry-after: \d+/i);
      expect(problemOf(client)).toMatchObject({ code: "OVERLOADED" });
    }
    expect(shed).toEqual(["stream event-loop", "usage event-loop"]);
    const kill = open(get("/api/v1/projects/p/environments/e/flags/f/kill").replace("GET", "POST"));
    await until(() => kill.text().endsWith("other"));
    eventLoop.overloaded = false;
    await has(open(get("/sdk/v1/stream", SERVER_KEY)), 2);
  });
});

describe("an open stream", () => {
  async function following(target = "/sdk/v1/stream", headers: Readonly<Record<string, string>> = SERVER_KEY) {
    const parts = await start();
    parts.feed.commit({ put: [booleanFlag("search", "a0")] });
    const client = parts.open(get(target, headers));
    await has(client, 2);
    await parts.clock.advance(1_000);
    return { ...parts, client };
  }

  test("brings a commit at once and gathers those of the next 100 ms into one frame", async () => {
    const { feed, client, clock } = await following();
    feed.commit({ put: [booleanFlag("search", "a1")] });
    await has(client, 3);
    feed.commit({ put: [booleanFlag("search", "a2"), booleanFlag("basket", "b1")] });
    feed.commit({ put: [booleanFlag("search", "a3")], remove: ["flag:basket"] });
    await clock.advance(99);
    expect(client.frames()).toHaveLength(3);
    await clock.advance(1);
    await has(client, 4);
    expect(client.frames()[3]).toMatchObject({
      event: "change",
      id: "7.4",
      json: { from: 2, to: 4, put: [{ fp: "00000000000000a3" }], remove: ["flag:basket"], digest: "00000000000000a3" },
    });
    expect(client.frames()[3]?.json).not.toHaveProperty("ack");
  });

  test.each(["flag.kill", "flag.restore"])("brings %s at once, to be acknowledged", async (action) => {
    const { feed, client } = await following();
    feed.commit({ put: [booleanFlag("search", "a1")] });
    feed.commit({ put: [booleanFlag("basket", "b1")] });
    feed.commit({ put: [booleanFlag("search", "a2")], action });
    await has(client, 4);
    expect(client.frames()[3]).toMatchObject({ json: { from: 2, to: 4, ack: true } });
  });

  test("moves a browser's position past commits that it cannot see, gathered for a second", async () => {
    const { feed, client, clock } = await following(BROWSER, {});
    await clock.advance(1_000);
    feed.commit({ put: [booleanFlag("secret", "c1")], browser: false });
    await has(client, 3);
    expect(client.frames()[2]).toMatchObject({ event: "change", id: "7.2", json: { put: [], remove: [], digest: "00000000000000a0" } });
    feed.commit({ put: [booleanFlag("secret", "c2")], browser: false, action: "flag.kill" });
    feed.commit({ put: [booleanFlag("secret", "c3")], browser: false });
    await clock.advance(999);
    expect(client.frames()).toHaveLength(3);
    await clock.advance(1);
    await has(client, 4);
    expect(client.frames()[3]).toMatchObject({ event: "change", id: "7.4", json: { from: 2, to: 4, put: [] } });
    expect(client.text()).not.toContain("secret");
  });

  test("sends 500 of those in a turn, and everything that somebody can see at once", async () => {
    const { feed, clock, open } = await start({ limits: { openMax: 1_000, newPerSecondMax: 1_000 } });
    const pages = Array.from({ length: 501 }, () => open(get(BROWSER)));
    const having = (changes: number) =>
      pages.filter((page) => events(page).filter((event) => event === "change").length === changes).length;
    await until(() => pages.every((page) => events(page).includes("snapshot")));
    await clock.advance(1_000);
    feed.commit({ put: [booleanFlag("secret", "c1")], browser: false, action: "flag.kill" });
    await until(() => having(1) === 500);
    expect(having(0)).toBe(1);
    await clock.advance(1);
    await until(() => having(1) === 501);
    feed.commit({ put: [booleanFlag("search", "a1")], action: "flag.kill" });
    await until(() => having(2) === 501);
  });

  test("does not keep a visible change behind one that is not", async () => {
    const { feed, client } = await following(BROWSER, {});
    feed.commit({ put: [booleanFlag("secret", "c1")], browser: false });
    await has(client, 3);
    feed.commit({ put: [booleanFlag("secret", "c2")], browser: false });
    feed.commit({ put: [booleanFlag("search", "a1")], action: "flag.kill" });
    await has(client, 4);
    expect(client.frames()[3]).toMatchObject({ id: "7.4", json: { from: 2, to: 4, put: [{ key: "search" }], ack: true } });
  });

  test("is pinged every 15 s, and never told of a head that it has not been brought", async () => {
    const { feed, client, clock } = await following(BROWSER, {});
    feed.commit({ put: [], browser: false });
    feed.commit({ put: [], browser: false });
    await clock.advance(45_000);
    await until(() => events(client).filter((event) => event === "ping").length === 3);
    let revision = 0;
    for (const { event, json } of client.frames()) {
      if (event === "snapshot") revision = Number(json.revision);
      if (event === "change") revision = Number(json.to);
      if (event === "ping") expect(json.head).toBe(revision);
    }
    expect(revision).toBe(3);
  });

  test("spreads the pings of many streams over the interval", async () => {
    const { open, clock } = await start();
    const clients = Array.from({ length: 6 }, () => open(get("/sdk/v1/stream?basis=7.0", SERVER_KEY)));
    for (const client of clients) await has(client, 1);
    const pinged = new Set<number>();
    for (let slot = 0; slot < 60; slot += 1) {
      await clock.advance(250);
      const count = () => clients.filter((client) => client.frames().length > 1).length;
      await until(() => count() >= Math.min(slot, 1));
      pinged.add(count());
    }
    for (const client of clients) await has(client, 2);
    expect(pinged.size).toBeGreaterThan(3);
  });

  test("follows a restored database with a snapshot of the new generation", async () => {
    const { feed, client, clock } = await following();
    feed.restore({ generation: 9, revision: 0 });
    await clock.advance(15_000);
    await has(client, 4);
    expect(client.frames()[2]).toMatchObject({ event: "snapshot", id: "9.0" });
  });

  test("ends with bye when the server drains; new streams are then refused", async () => {
    const { client, listener, open } = await following();
    await listener.close({ afterMs: 700 });
    await until(() => client.isClosed());
    expect(client.frames().at(-1)).toMatchObject({ event: "bye", json: { reason: "drain", afterMs: 700, spreadMs: 2_000 } });
    const late = open(get("/sdk/v1/stream", SERVER_KEY));
    await until(() => late.isClosed());
    expect(late.head()).toMatch(/^HTTP\/1\.1 503 /);
  });

  test("is told to come back spread over the time that admission needs", async () => {
    const { open, listener } = await start({ limits: { openMax: 100, newPerSecondMax: 4 } });
    const clients: RawClient[] = [];
    for (let count = 0; count < 4; count += 1) {
      clients.push(open(get("/sdk/v1/stream", SERVER_KEY)));
      await has(clients[count] as RawClient, 2);
    }
    await listener.close();
    await until(() => clients.every((client) => client.isClosed()));
    // 4 clients, of whom 3.2 come back in each second: less than the least.
    for (const client of clients) expect(client.frames().at(-1)?.json).toMatchObject({ spreadMs: 2_000 });

    const slow = await start({ limits: { openMax: 100, newPerSecondMax: 1 } });
    const many: RawClient[] = [];
    for (let count = 0; count < 4; count += 1) {
      many.push(slow.open(get("/sdk/v1/stream", SERVER_KEY)));
      await has(many[count] as RawClient, 2);
      await slow.clock.advance(1_000);
    }
    await slow.listener.close();
    await until(() => many.every((client) => client.isClosed()));
    for (const client of many) expect(client.frames().at(-1)?.json).toMatchObject({ spreadMs: 5_000 });
  });
});

describe("a client that does not read", () => {
  /** Commits frames of 200 kB until the kernel takes no more of them. */
  async function stall() {
    const parts = await start();
    const client = parts.open(get("/sdk/v1/stream", SERVER_KEY), { reading: false });
    await until(() => parts.delivery.fanOut.open === 1);
    const filler = "x".repeat(200 * 1024);
    let commits = 0;
    while (!parts.server.sockets.some((socket) => socket.writableLength > 0)) {
      commits += 1;
      parts.feed.commit({ put: [booleanFlag("search", commits.toString(16), { variants: { on: filler, off: "" } })] });
      await parts.clock.advance(100);
    }
    return { ...parts, client };
  }

  test("is destroyed after 30 s without progress, and not before", { timeout: 30_000 }, async () => {
    const { delivery, clock, dropped } = await stall();
    await clock.advance(29_000);
    expect(delivery.fanOut.open).toBe(1);
    await clock.advance(1_500);
    await until(() => delivery.fanOut.open === 0);
    expect(delivery.instances.all(PRODUCTION.id)).toEqual([]);
    expect(dropped).toEqual(["stalled"]);
  });

  test("is destroyed when its key holds no more", { timeout: 30_000 }, async () => {
    const { delivery } = await stall();
    delivery.fanOut.end(keyOf("server"));
    await until(() => delivery.fanOut.open === 0);
  });

  test("gets what happened meanwhile as one frame when it reads again, and holds no one else up", { timeout: 30_000 }, async () => {
    const { feed, clock, client, open, server } = await stall();
    const before = feed.head.revision;
    const other = open(get(`/sdk/v1/stream?basis=7.${before}`, SERVER_KEY));
    await has(other, 1);
    const mostWaiting = () => Math.max(...server.sockets.map((socket) => socket.writableLength));
    let most = 0;
    for (let index = 0; index < 1_000; index += 1) {
      feed.commit({ put: [booleanFlag("basket", (0x1000 + index).toString(16))] });
      most = Math.max(most, mostWaiting());
      if (index % 100 === 99) await clock.advance(100);
    }
    await clock.advance(100);
    await until(() => other.frames().at(-1)?.json.to === feed.head.revision);
    expect(other.frames().length).toBeLessThanOrEqual(14);
    // One slice of the one frame that is in flight, however much was committed.
    expect(most).toBeLessThanOrEqual(32 * 1024);

    client.socket.resume();
    await until(() => client.frames().at(-1)?.json.to === feed.head.revision);
    const changes = client.frames().filter(({ event }) => event === "change");
    expect(changes.filter(({ json }) => Number(json.to) > before)).toHaveLength(1);
    expect(changes.at(-1)?.json.digest).toBe(feed.state(PRODUCTION.id, "server").digest);
  });
});

test("one broken frame ends its stream and nothing else", async () => {
  const { feed, open, delivery, log } = await start();
  const server = open(get("/sdk/v1/stream", SERVER_KEY));
  const browser = open(get(BROWSER));
  await has(server, 2);
  await has(browser, 2);
  const cyclic: { [key: string]: unknown } = {};
  cyclic.self = cyclic;
  const commitsSince = feed.commitsSince.bind(feed);
  // What cannot be encoded for one projection: the other one goes on.
  Object.assign(feed, {
    commitsSince: (id: number, revision: number) =>
      commitsSince(id, revision)?.map((commit) => ({
        ...commit,
        projections: { ...commit.projections, server: { digest: cyclic, put: [cyclic], remove: [] } },
      })),
  });
  feed.commit({ put: [booleanFlag("search", "a1")], action: "flag.kill" });
  await has(browser, 3);
  await until(() => server.isClosed());
  await until(() => delivery.fanOut.open === 1);
  expect(log.lines).toHaveLength(1);
});

test("names of programs are mended, and one is made up for a program without", async () => {
  const { open, delivery } = await start();
  const query = new URLSearchParams({
    instance: "i".repeat(100),
    app: " my\n\tapp ",
    sdk: "",
    appVersion: "2".repeat(60),
    host: "h".repeat(110),
  });
  const named = open(get(`/sdk/v1/stream?${query}`, SERVER_KEY));
  const unnamed = open(get("/sdk/v1/stream", SERVER_KEY));
  await has(named, 2);
  await has(unnamed, 2);
  const [first, second] = delivery.instances.all(PRODUCTION.id);
  expect(first).toMatchObject({
    instance: "i".repeat(64),
    app: "my app",
    appVersion: "2".repeat(50),
    host: "h".repeat(100),
    sdk: "unknown",
    kind: "server",
    transport: "stream",
  });
  expect(second?.instance).toMatch(/^[0-9a-f-]{36}$/);
});

function problemOf(client: RawClient): unknown {
  return JSON.parse(client.text().split("\r\n\r\n")[1] ?? "");
}

test("a page that names the instance of a program is another one: the program stays in the fleet and in receipts", async () => {
  const { delivery, feed, open } = await start();
  open(get("/sdk/v1/stream?instance=i&app=shop&acks=all", SERVER_KEY));
  await until(() => delivery.instances.all(PRODUCTION.id).length === 1);
  const program = delivery.instances.all(PRODUCTION.id)[0];
  const kill = feed.commit({ put: [booleanFlag("search", "a1")], action: "flag.kill" }).to;
  const page = open(get(`${BROWSER}&instance=i&app=fake&acks=all&basis=7.${kill}`));
  await until(() => delivery.instances.all(PRODUCTION.id).length === 2);
  expect(delivery.instances.all(PRODUCTION.id)[0]).toEqual(program);
  expect(delivery.receipts.open(PRODUCTION.id, kill)).toMatchObject({ connected: 1, acknowledged: 0, missing: [{ app: "shop" }] });
  page.socket.destroy();
  await until(() => delivery.instances.all(PRODUCTION.id).length === 1);
  expect(delivery.instances.all(PRODUCTION.id)[0]).toEqual(program);
  expect(delivery.receipts.open(PRODUCTION.id, kill)).toMatchObject({ missing: [{ reason: "waiting" }] });
});
