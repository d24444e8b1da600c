import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Change, contextHash, type FlagEntry, type Status } from "@signalbox/core";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { createFlags, type NodeFlags, type NodeFlagsOptions } from "./index.ts";
import { flag, frameText, type ScriptedServer, startScriptedServer } from "./scripted-server.ts";
import { createTransport } from "./transport.ts";
import { VERSION } from "./version.ts";

const SERVER_KEY = "sb_server_development_k1_abcdefabcdef";
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

async function serve(...flags: Parameters<typeof startScriptedServer>): Promise<ScriptedServer> {
  const server = await startScriptedServer(...flags);
  open.push(server);
  return server;
}

function follow(server: { readonly url: string }, more: Partial<NodeFlagsOptions> = {}): { flags: NodeFlags; lines: string[] } {
  const lines: string[] = [];
  const logger = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
  const flags = createFlags({ url: server.url, sdkKey: SERVER_KEY, app: "tests", logger, ...more });
  open.unshift(flags);
  return { flags, lines };
}

/** Waits for a condition that network events bring about. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const asked = (server: ScriptedServer, path: string) => server.requests.filter((request) => request.path === path);

describe("createFlags", () => {
  test.each([
    [{ sdkKey: SERVER_KEY }, /url is missing/],
    [{ url: "localhost:7070", sdkKey: SERVER_KEY }, /url is "localhost:7070"/],
    [{ url: "http://localhost" }, /sdkKey is missing/],
    [{ url: "http://localhost", sdkKey: "sb_browser_development_x" }, /browser key/],
    [{ url: "http://localhost", sdkKey: "sb_server_x\r\nhost: evil" }, /characters/],
    [{ url: "http://localhost", sdkKey: SERVER_KEY, transport: "carrier pigeon" }, /transport/],
    [{ url: "http://localhost", sdkKey: SERVER_KEY, instance: "x".repeat(65) }, /instance/],
    [undefined, /url is missing/],
  ])("refuses %j with a sentence", (options, message) => {
    expect(() => createFlags(options as unknown as NodeFlagsOptions)).toThrow(TypeError);
    expect(() => createFlags(options as unknown as NodeFlagsOptions)).toThrow(message);
  });

  test("asks nothing of the network before it returns, then names itself to the server", async () => {
    const server = await serve([flag("a", "on")]);
    const { flags, lines } = follow(server, { instance: "one", appVersion: "1.2.3".padEnd(60, "x"), host: "rack-7" });
    expect(flags.status.state).toBe("connecting");
    expect(flags.isOn("a")).toBe(false);
    expect(flags.isOn("a", {}, { default: true })).toBe(true);
    expect(flags.explain("a").reason).toEqual({ kind: "ERROR", code: "PROVIDER_NOT_READY" });
    const status = await flags.ready();
    await until("it is live", () => flags.status.state === "live");
    expect(status).toMatchObject({ environment: "development", project: "Default", flags: 1, revision: 1 });
    expect(flags.isOn("a")).toBe(true);
    const [stream] = asked(server, "stream");
    expect(stream?.headers.authorization).toBe(`Bearer ${SERVER_KEY}`);
    expect(Object.fromEntries(stream?.query ?? [])).toEqual({
      instance: "one",
      app: "tests",
      appVersion: "1.2.3".padEnd(50, "x"), // too long is cut, not refused
      sdk: `node/${VERSION}`,
      host: "rack-7",
      acks: "all",
    });
    expect(lines).toEqual(["signalbox: connected to development of Default, 1 flag"]);
  });

  test("VERSION is that of the package", () => {
    expect(JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")).version).toBe(VERSION);
  });
});

describe("reads", () => {
  test("answer by type, and say why", async () => {
    const variants = { small: { max: 1 }, large: { max: 9 } };
    const server = await serve([
      flag("on", "on"),
      flag("limits", "on", { type: "json", variants, off: "small", on: "large" }),
      flag("color", "on", { type: "string", variants: { red: "red", blue: "blue" }, off: "red", on: "blue" }),
    ]);
    const { flags } = follow(server);
    await flags.ready();
    expect(flags.value("limits", { max: 0 })).toEqual({ max: 9 });
    expect(flags.value("limits", "text")).toBe("text");
    expect(flags.value("color", "green")).toBe("blue");
    expect(flags.value("color", 7)).toBe(7);
    expect(flags.isOn("color")).toBe(false);
    expect(flags.isOn("color", {}, { default: true })).toBe(true);
    expect(flags.variant("color")).toBe("blue");
    expect(flags.variant("gone")).toBeUndefined();
    expect(flags.value("gone", 3)).toBe(3);
    expect(flags.explain("gone")).toMatchObject({ flag: "gone", reason: { kind: "ERROR", code: "FLAG_NOT_FOUND" }, status: "live" });
    expect(flags.explain("on")).toMatchObject({ variant: "on", value: true, reason: { kind: "STATIC" }, revision: 1 });
    expect({ ...flags.all() }).toEqual({ on: true, limits: { max: 9 }, color: "blue" });
  });

  test("never throw, whatever key and context are", async () => {
    const condition = { op: "in", attribute: "plan", values: ["pro"] } as const;
    const rules = [{ id: "r", when: condition, rollout: { to: 50_000 }, serve: { kind: "variant", variant: "on" } } as const];
    const server = await serve([flag("a", "targeted", { rules })]);
    const { flags } = follow(server);
    await flags.ready();
    const hostile = [
      new Proxy(
        {},
        {
          get: () => {
            throw new Error("get");
          },
          has: () => {
            throw new Error("has");
          },
          getOwnPropertyDescriptor: () => {
            throw new Error("own");
          },
        },
      ),
      Object.defineProperty({}, "plan", {
        get() {
          throw new Error("getter");
        },
      }),
      { key: 1n, plan: Symbol("x") },
      null,
      7,
      "x".repeat(1_000_000),
    ];
    for (const context of hostile) {
      expect(flags.isOn("a", context as never)).toBe(false);
      expect(flags.value("a", false, context as never)).toBe(false);
      expect(flags.explain("a", context as never).flag).toBe("a");
    }
    fc.assert(
      fc.property(fc.anything(), fc.anything({ withBigInt: true, withNullPrototype: true }), fc.anything(), (key, context, options) => {
        expect(typeof flags.isOn(key as never, context as never, options as never)).toBe("boolean");
        flags.variant(key as never, context as never);
        flags.explain(key as never, context as never);
      }),
    );
  });
});

test("dehydrate gives the answers of the named flags, never rules, and nothing that ends a script", async () => {
  const rules = [
    { id: "secret-rule", when: { op: "in", attribute: "key", values: ["ada"] }, serve: { kind: "variant", variant: "on" } },
  ] as const;
  const text = "</script><!--";
  const theme = { ...flag("theme", "on"), type: "string", variants: { on: text, off: "" } } as const;
  const server = await serve([flag("a", "targeted", { rules }), theme, flag("hidden", "on")]);
  const { flags } = follow(server);
  await flags.ready();
  const context = { key: "ada" };
  const page = flags.dehydrate(context, ["a", "theme", "gone"]);
  expect(page).not.toMatch(/<|hidden|secret-rule|ada/);
  const { generation, revision } = flags.status;
  expect(JSON.parse(page)).toEqual({
    contextHash: contextHash(context),
    generation,
    revision,
    flags: { a: ["on", true], theme: ["on", text] },
  });
});

describe("following", () => {
  test("each change is told exactly once, with its keys, and a kill is acknowledged", async () => {
    const server = await serve([flag("a", "on"), flag("b", "on")]);
    const { flags } = follow(server, { instance: "one" });
    await flags.ready();
    const changes: Change[] = [];
    flags.on("change", (change) => changes.push(change));
    const kill = server.step([flag("a", "on", { killed: true })], { ack: true });
    server.say("change", kill);
    server.say("change", kill);
    await until("it is applied", () => flags.isOn("a") === false);
    await until("it is acknowledged twice, once for each time it came", () => asked(server, "ack").length === 2);
    expect(changes).toEqual([{ keys: ["a"], generation: kill.generation, revision: 2 }]);
    expect(JSON.parse(asked(server, "ack")[0]?.body ?? "")).toEqual({ instance: "one", generation: kill.generation, revision: 2 });
    expect(flags.explain("a").reason).toEqual({ kind: "DISABLED", killed: true });
  });

  test("a cut stream is resumed from what is held", async () => {
    const server = await serve([flag("a", "off")]);
    const { flags, lines } = follow(server);
    await flags.ready();
    server.cut();
    await until("it connects again", () => asked(server, "stream").length === 2);
    expect(asked(server, "stream")[1]?.query.get("basis")).toBe("1700000000.1");
    await until("it is live again", () => flags.status.state === "live");
    expect(lines[1]).toMatch(/ended; answers stay as they are/);
    expect(lines[2]).toMatch(/connected to development/);
  });

  test("answers stay when the server is gone, and it catches up when it is back", async () => {
    const server = await startScriptedServer([flag("a", "on")]);
    const { flags } = follow(server);
    await flags.ready();
    await server.close();
    await until("it notices", () => flags.status.state === "stale");
    expect(flags.isOn("a")).toBe(true);
    const again = await serve([flag("a", "on")], Number(new URL(server.url).port));
    again.step([flag("a", "off")]);
    await until("it catches up", () => flags.isOn("a") === false);
    expect(flags.status).toMatchObject({ state: "live", revision: 2, problem: undefined });
  });

  test("a change that does not fit the digest touches nothing and leads to a snapshot", async () => {
    const server = await serve([flag("a", "on"), flag("b", "on")]);
    const { flags, lines } = follow(server);
    await flags.ready();
    const seen: boolean[] = [];
    flags.on("change", () => seen.push(flags.isOn("a")));
    server.say("change", server.step([flag("a", "off")], { digest: "00000000000000ff" }));
    await until("a second stream", () => asked(server, "stream").length === 2);
    expect(asked(server, "stream")[1]?.query.get("basis")).toBeNull();
    await until("the snapshot is applied", () => flags.isOn("a") === false);
    expect(seen).toEqual([false]);
    expect(lines[1]).toMatch(/digest.*answers stay as they are/);
  });

  test("half a frame is no frame", async () => {
    const server = await serve([flag("a", "on")]);
    const { flags } = follow(server);
    await flags.ready();
    const text = frameText("change", server.step([flag("a", "off")]));
    const changes: Change[] = [];
    flags.on("change", (change) => changes.push(change));
    for (const stream of server.streams) stream.end(text.slice(0, -1));
    await until("it takes the rest from a new stream", () => flags.isOn("a") === false);
    expect(changes).toHaveLength(1);
    expect(asked(server, "stream")[1]?.query.get("basis")).toBe("1700000000.1");
  });

  test("a frame that arrives byte by byte, its characters cut in two, is read whole", async () => {
    const name = "Zürich → 🚦";
    const server = await serve([]);
    const { flags } = follow(server);
    await flags.ready();
    const put = [flag("a", "on", { type: "string", variants: { x: name, off: "" }, on: "x" })];
    const bytes = Buffer.from(frameText("change", server.step(put)).replaceAll("\n", "\r\n"));
    for (const stream of server.streams) {
      stream.socket?.setNoDelay(true);
      for (const byte of bytes) await new Promise((resolve) => stream.write(Buffer.of(byte), resolve));
    }
    await until("it is applied", () => flags.value("a", "") === name);
    expect(asked(server, "stream")).toHaveLength(1);
  });

  test("resync takes the state by GET and goes on from there", async () => {
    const server = await serve([flag("a", "off")]);
    const { flags } = follow(server);
    await flags.ready();
    const { generation, to: revision } = server.step([flag("a", "on")]);
    server.say("resync", { generation, revision, reason: "size" });
    await until("the state is applied", () => flags.isOn("a"));
    await until("it streams again", () => asked(server, "stream").length === 2);
    expect(asked(server, "state")).toHaveLength(1);
    expect(asked(server, "stream")[1]?.query.get("basis")).toBe(`${generation}.2`);
  });

  test("a compressed state is unpacked; one that was cut off or grows too large is no state", async () => {
    const server = await serve([flag("a", "on")]);
    const packed = gzipSync(JSON.stringify(server.snapshot()));
    const ask = (bytes: Buffer) =>
      new Promise((resolve) => {
        server.answer("state", (request, response) => {
          expect(request.headers["accept-encoding"]).toBe("gzip");
          response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip", "content-length": packed.length });
          if (bytes === packed) response.end(bytes);
          else response.write(bytes, () => response.destroy());
        });
        createTransport(new URL(server.url), SERVER_KEY).state("", undefined, resolve);
      });
    expect(await ask(packed)).toEqual({ kind: "state", text: JSON.stringify(server.snapshot()) });
    expect(await ask(packed.subarray(0, packed.length - 10))).toMatchObject({ kind: "lost" });
    const bomb = gzipSync(Buffer.alloc(17 * 1024 * 1024, 32));
    server.answer("state", (_request, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" }).end(bomb);
    });
    const told = await new Promise((resolve) => createTransport(new URL(server.url), SERVER_KEY).state("", undefined, resolve));
    expect(told).toEqual({ kind: "lost", cause: "oversize" });
  });

  test("bye is obeyed", async () => {
    const server = await serve([flag("a", "on")]);
    const { flags, lines } = follow(server);
    await flags.ready();
    server.say("bye", { reason: "drain", afterMs: 10, spreadMs: 0 });
    await until("it comes back", () => asked(server, "stream").length === 2 && flags.status.state === "live");
    expect(lines[1]).toMatch(/closes the stream \(drain\)/);
  });

  test("polls, with the ETag of what it holds", async () => {
    const server = await serve([flag("a", "on")]);
    const { flags, lines } = follow(server, { transport: "poll", pollMs: 1_000 });
    await flags.ready();
    expect(flags.isOn("a")).toBe(true);
    expect(flags.status.state).toBe("polling");
    await until("a second poll", () => asked(server, "state").length === 2);
    expect(asked(server, "state")[1]?.headers["if-none-match"]).toBe('"1700000000.1"');
    expect(asked(server, "stream")).toHaveLength(0);
    expect(lines).toEqual(["signalbox: polling development of Default, 1 flag"]);
  });
});

describe("answers of something else", () => {
  test("a refused key is one sentence with the key shortened; ready() does not wait for more", async () => {
    const server = await serve();
    server.answer("stream", (_asked, response) => {
      response.writeHead(401, { "content-type": "application/problem+json" });
      response.end(JSON.stringify({ detail: "The SDK key is not known here." }));
    });
    const { flags, lines } = follow(server);
    const status = await flags.ready({ timeoutMs: 60_000 });
    expect(status.state).toBe("unauthorized");
    expect(lines).toEqual([
      `signalbox: the server at ${server.url} refused the SDK key sb_server_development… (The SDK key is not known here.); check sdkKey; until then the calls answer with their defaults; next try in 5 min`,
    ]);
    expect(lines[0]).not.toContain("abcdef");
    expect(asked(server, "stream")).toHaveLength(1);
  });

  test.each([
    [
      "a login page",
      200,
      { "content-type": "text/html" },
      "<h1>Welcome to the hotel</h1>",
      /not a Signalbox server \(content type text\/html\)/,
    ],
    ["a failing server", 500, {}, "", /answers 500/],
    ["no Signalbox", 404, {}, "", /answers 404.*check url/],
    ["a redirect", 302, { location: "http://127.0.0.1:1/" }, "", /answers 302/],
  ])("%s leaves answers as they are, and it tries again", async (_name, status, headers, body, sentence) => {
    const server = await serve([flag("a", "on")]);
    const { flags, lines } = follow(server);
    await flags.ready();
    server.answer("stream", (_asked, response) => response.writeHead(status, headers).end(body));
    server.cut();
    await until("it is told", () => lines.some((line) => sentence.test(line)));
    expect(flags.isOn("a")).toBe(true);
    server.answer("stream", undefined);
    await until("it is live again", () => flags.status.state === "live");
  });

  test.each([
    ["7", 7_000, 7_000],
    [new Date(Date.now() + 600_000).toUTCString(), 500_000, 600_000],
  ])("Retry-After %s reaches the sync machine", async (value, atLeast, atMost) => {
    const server = await serve();
    server.answer("stream", (_asked, response) => response.writeHead(503, { "retry-after": value }).end());
    const transport = createTransport(new URL(server.url), SERVER_KEY);
    const more = await new Promise<{ status?: number; retryAfterMs?: number } | undefined>((resolve) => {
      transport.stream("", { open() {}, text() {}, lost: (_cause, told) => resolve(told) });
    });
    expect(more?.status).toBe(503);
    expect(more?.retryAfterMs).toBeGreaterThanOrEqual(atLeast);
    expect(more?.retryAfterMs).toBeLessThanOrEqual(atMost);
  });

  test("ready() resolves when the time is over", async () => {
    const server = await serve();
    server.answer("stream", () => {});
    const { flags } = follow(server);
    const status: Status = await flags.ready({ timeoutMs: 1 });
    expect(status.state).toBe("connecting");
  });
});

describe("usage", () => {
  test("what was asked is counted, by flag and variant, unknown keys apart", async () => {
    const server = await serve([flag("a", "on"), flag("b", "off")]);
    const { flags, lines } = follow(server, { instance: "one" });
    await flags.ready();
    for (let i = 0; i < 3; i++) flags.isOn("a");
    flags.isOn("b");
    flags.isOn("gone");
    flags.explain("a");
    await until("a report", () => asked(server, "usage").length === 1);
    expect(JSON.parse(asked(server, "usage")[0]?.body ?? "")).toEqual({
      instance: "one",
      app: "tests",
      sdk: `node/${VERSION}`,
      run: expect.any(String),
      batch: 1,
      evaluated: [
        { flag: "a", variant: "on", count: 3, revision: 1, at: expect.any(Number) },
        { flag: "b", variant: "off", count: 1, revision: 1, at: expect.any(Number) },
      ],
      unknown: [{ flag: "gone", count: 1 }],
    });
    expect(lines).toContain('signalbox: no flag "gone" in development of Default, the default of the call holds; check the key');
  });

  test("a report that fails is sent again as it was, before the next", async () => {
    const server = await serve([flag("a", "on")]);
    server.answer("usage", (_asked, response) => response.writeHead(503).end());
    const { flags } = follow(server);
    await flags.ready();
    flags.isOn("a");
    await flags.flush();
    server.answer("usage", undefined);
    flags.isOn("a");
    await flags.flush();
    const [first, again, next] = asked(server, "usage").map((request) => request.body);
    expect(again).toBe(first);
    expect(JSON.parse(next ?? "")).toMatchObject({ batch: 2, evaluated: [{ flag: "a", variant: "on", count: 1 }] });
  });
});

test("a flag and a group that cannot be read are reported once, and cost no other flag anything", async () => {
  const odd = flag("odd", "targeted", {
    rules: [{ id: "r", when: { op: "sounds-like" } as never, serve: { kind: "variant", variant: "on" } }],
  });
  const asks = flag("asks", "targeted", {
    rules: [{ id: "r", when: { op: "group", group: "g" }, serve: { kind: "variant", variant: "on" } }],
  });
  const group = { kind: "group", key: "g", fp: "00000000000000ff", when: { op: "sounds-like" } } as unknown as FlagEntry;
  const server = await serve([odd, asks, group, flag("good", "on")]);
  const { flags, lines } = follow(server);
  await flags.ready();
  for (let round = 0; round < 3; round++) {
    expect([flags.isOn("odd"), flags.isOn("asks"), flags.isOn("good")]).toEqual([false, false, true]);
    await flags.flush();
  }
  expect(lines.filter((line) => line.includes("cannot be read"))).toEqual([
    'signalbox: the flag "odd" cannot be read by this version (unknown operator "sounds-like"): it serves its off variant; update the SDK, or mend it in the admin UI',
    'signalbox: the group "g" cannot be read by this version (unknown operator "sounds-like"): who is in it is unknown; update the SDK, or mend it in the admin UI',
  ]);
});

test("explain says why, in a sentence and rule by rule", async () => {
  const rules = [
    { id: "r", name: "Staff", when: { op: "in", attribute: "plan", values: ["pro"] }, serve: { kind: "variant", variant: "on" } },
  ] as const;
  const server = await serve([flag("a", "targeted", { rules })]);
  const { flags } = follow(server);
  await flags.ready();
  const { trace, variant, revision } = flags.explain("a", { key: "u", plan: "pro" });
  expect({ variant, revision }).toEqual({ variant: "on", revision: 1 });
  expect(trace?.sentence).toBe('on: rule "Staff" applies, because plan is pro.');
  expect(trace?.rules[0]?.when).toEqual({ words: "plan is pro", verdict: "true", attribute: "plan", value: "pro" });
});

describe("early access", () => {
  test("joins and leaves with one request each, and passes the server's sentence on", async () => {
    const server = await serve();
    server.answer("early-access", (request, response) => {
      const [, group, verb] = request.path.split("/");
      if (group === "gone") {
        response.writeHead(404, { "content-type": "application/problem+json" });
        response.end(JSON.stringify({ detail: 'There is no early-access group "gone".' }));
        return;
      }
      response.writeHead(200, { "content-type": "application/json" });
      const row = { group: "beta", name: "Beta", description: "", joined: verb !== "leave" };
      response.end(JSON.stringify(verb ? { group, joined: verb === "join", generation: 1, revision: 2 } : { groups: [row] }));
    });
    const { flags } = follow(server);
    expect(await flags.earlyAccess.join("beta", 7)).toEqual({ group: "beta", joined: true, generation: 1, revision: 2 });
    expect(await flags.earlyAccess.leave("beta", "7")).toMatchObject({ joined: false });
    expect(await flags.earlyAccess.list("7")).toEqual([{ group: "beta", name: "Beta", description: "", by: "key", joined: true }]);
    await expect(flags.earlyAccess.join("gone", "7")).rejects.toThrow('There is no early-access group "gone".');
    await expect(flags.earlyAccess.join("beta", "")).rejects.toThrow(TypeError);
    const posts = server.requests.filter((request) => request.method === "POST").map((request) => [request.path, request.body]);
    expect(posts[0]).toEqual(["early-access/beta/join", '{"unit":"7"}']);
  });

  test("joining returns when this program has the change, so that the next read knows it", async () => {
    const server = await serve([flag("beta", "off")]);
    const { flags } = follow(server);
    await flags.ready();
    server.answer("early-access", (_request, response) => {
      const step = server.step([flag("beta", "on")]);
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ group: "beta", joined: true, generation: step.generation, revision: step.to }));
      // Later than the answer: it has reached the program by then.
      setImmediate(() => server.say("change", step));
    });
    await flags.earlyAccess.join("beta", "u1");
    expect(flags.isOn("beta", { key: "u1" })).toBe(true);
  });
});

describe("lifecycle", () => {
  test("close ends everything, twice is once, and reads go on", async () => {
    const server = await serve([flag("a", "on")]);
    const { flags } = follow(server);
    await flags.ready();
    flags.isOn("a");
    await Promise.all([flags.close(), flags.close()]);
    await flags.close();
    await until("the stream is gone", () => server.streams.size === 0);
    expect(flags.status.state).toBe("closed");
    expect(flags.isOn("a")).toBe(true);
    expect(asked(server, "usage")).toHaveLength(1);
  });

  test("close in a listener of change is safe", async () => {
    const server = await serve([flag("a", "on")]);
    const { flags } = follow(server);
    flags.on("change", () => void flags.close());
    await flags.ready();
    await until("it is closed", () => flags.status.state === "closed");
    expect(flags.isOn("a")).toBe(true);
  });

  test("a listener that throws is logged and stops nobody", async () => {
    const server = await serve([flag("a", "on")]);
    const { flags, lines } = follow(server);
    flags.on("change", () => {
      throw new Error("oops");
    });
    let told = 0;
    flags.on("change", () => told++);
    await flags.ready();
    expect(told).toBe(1);
    expect(lines).toContain('signalbox: a listener of "change" threw: oops');
  });

  test("a program ends by itself while it is connected", async () => {
    const server = await serve([flag("a", "on")]);
    const program = `
      import { createFlags } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
      const flags = createFlags({ url: ${JSON.stringify(server.url)}, sdkKey: "${SERVER_KEY}", logger: false });
      await flags.ready();
      console.log(flags.isOn("a"), flags.status.state);`;
    const tsx = ["--import", "tsx", "--input-type=module", "--eval", program];
    const child = spawn(process.execPath, tsx, { cwd: join(import.meta.dirname, ".."), stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    child.stderr.on("data", (chunk) => {
      output += chunk;
    });
    const [code] = await once(child, "close");
    expect(output.trim()).toBe("true live");
    expect(code).toBe(0);
  });
});
