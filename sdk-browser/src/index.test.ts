import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Change } from "@signalbox/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { flag, type ScriptedServer, startScriptedServer } from "../../sdk-node/src/scripted-server.ts";
import { type BrowserFlags, type BrowserFlagsOptions, createFlags } from "./index.ts";
import { VERSION } from "./version.ts";

// What needs a page is tested in Chromium; here run the parts that Node has as well: fetch and streams, over real sockets.

const BROWSER_KEY = "sb_browser_development_k1_abcdefabcdef";
const open: { close(): Promise<void> }[] = [];
const stored = new Map<string, string>();

beforeEach(() => {
  stored.clear();
  Object.defineProperty(globalThis, "localStorage", {
    configurable: true,
    value: { getItem: (name: string) => stored.get(name) ?? null, setItem: (name: string, text: string) => void stored.set(name, text) },
  });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  Reflect.deleteProperty(globalThis, "localStorage");
});

async function serve(...flags: Parameters<typeof startScriptedServer>): Promise<ScriptedServer> {
  const server = await startScriptedServer(...flags);
  open.push(server);
  return server;
}

function follow(server: { readonly url: string }, more: Partial<BrowserFlagsOptions> = {}): { flags: BrowserFlags; lines: string[] } {
  const lines: string[] = [];
  const logger = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
  const flags = createFlags({ url: server.url, sdkKey: BROWSER_KEY, app: "tests", logger, ...more });
  open.unshift(flags);
  return { flags, lines };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const nameOf = (server: ScriptedServer) => `signalbox:${server.url}:${BROWSER_KEY}`;
const asked = (server: ScriptedServer, path: string) => server.requests.filter((request) => request.path === path);
const forPro = [{ id: "r", when: { op: "in", attribute: "plan", values: ["pro"] }, serve: { kind: "variant", variant: "on" } }] as const;

describe("createFlags", () => {
  test.each([
    [{ sdkKey: BROWSER_KEY }, /url is missing/],
    [{ url: "http://localhost" }, /sdkKey is missing/],
    [{ url: "http://localhost", sdkKey: "sb_server_development_x" }, /secret/],
  ])("refuses %j with a sentence", (options, message) => {
    expect(() => createFlags(options as unknown as BrowserFlagsOptions)).toThrow(TypeError);
    expect(() => createFlags(options as unknown as BrowserFlagsOptions)).toThrow(message);
  });

  test("connects with the key in the query, so that no preflight is needed", async () => {
    const server = await serve([flag("a", "on")]);
    const { flags, lines } = follow(server);
    await flags.ready();
    await until("it is live", () => flags.status.state === "live");
    const [stream] = asked(server, "stream");
    expect(stream?.query.get("key")).toBe(BROWSER_KEY);
    expect(stream?.query.get("sdk")).toBe(`browser/${VERSION}`);
    expect(stream?.headers.authorization).toBeUndefined();
    flags.isOn("a");
    flags.isOn("gone");
    await flags.flush();
    const [usage] = asked(server, "usage");
    expect(usage?.headers["content-type"]).toMatch(/^text\/plain/);
    expect(JSON.parse(usage?.body ?? "")).toMatchObject({ app: "tests", evaluated: [{ flag: "a", variant: "on", count: 1 }] });
    expect(lines).toEqual([
      "signalbox: connected to development of Default, 1 flag",
      'signalbox: no flag "gone" in development of Default, the default of the call holds; check the key, and that the flag is marked for browsers',
    ]);
  });

  test("VERSION is that of the package", () => {
    expect(JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")).version).toBe(VERSION);
  });
});

describe("context", () => {
  test("identify changes for whom reads answer; a given context goes before it", async () => {
    const server = await serve([flag("a", "targeted", { rules: forPro })]);
    const { flags } = follow(server, { context: { key: "ana", plan: "free" } });
    await flags.ready();
    expect(flags.isOn("a")).toBe(false);
    expect(flags.isOn("a", { key: "bob", plan: "pro" })).toBe(true);
    flags.identify({ key: "ana", plan: "pro" });
    expect(flags.isOn("a")).toBe(true);
  });

  test("a random percentage is drawn once for each revision", async () => {
    const rules = [{ id: "r", rollout: { to: 50_000, random: true }, serve: { kind: "variant", variant: "on" } }] as const;
    const server = await serve([flag("a", "targeted", { rules })]);
    const { flags } = follow(server);
    await flags.ready();
    const first = flags.isOn("a");
    for (let i = 0; i < 100; i++) expect(flags.isOn("a")).toBe(first);
  });

  test("early access says where it is joined", async () => {
    const server = await serve();
    const { flags } = follow(server);
    await expect(flags.earlyAccess.join("beta")).rejects.toThrow(/app's own server/);
  });
});

describe("following", () => {
  test("changes arrive, a kill is acknowledged", async () => {
    const server = await serve([flag("a", "on")]);
    const { flags } = follow(server);
    await flags.ready();
    const changes: Change[] = [];
    flags.on("change", (change) => changes.push(change));
    server.say("change", server.step([flag("a", "on", { killed: true })], { ack: true }));
    await until("it is applied and acknowledged", () => !flags.isOn("a") && asked(server, "ack").length === 1);
    expect(changes.map((change) => change.keys)).toEqual([["a"]]);
    expect(asked(server, "ack")[0]?.query.get("key")).toBe(BROWSER_KEY);
  });

  test("the next page begins with the last state, resumes from it, and keeps it while the server is gone", async () => {
    const server = await startScriptedServer([flag("a", "on")]);
    const first = follow(server);
    await first.flags.ready();
    await until("it is kept", () => stored.has(nameOf(server)));
    await first.flags.close();
    const second = follow(server);
    expect(second.flags.status.state).toBe("cached");
    expect(second.flags.isOn("a")).toBe(true);
    await until("it is live", () => second.flags.status.state === "live");
    expect(asked(server, "stream")[1]?.query.get("basis")).toBe("1700000000.1");
    await second.flags.close();
    await server.close();
    const third = follow(server);
    expect((await third.flags.ready()).state).toBe("cached");
    expect(third.flags.isOn("a")).toBe(true);
  });

  test("a kept state that does not add up is no state", async () => {
    const server = await serve([flag("a", "on")]);
    const { flags } = follow(server);
    await flags.ready();
    await until("it is kept", () => stored.has(nameOf(server)));
    await flags.close();
    const name = nameOf(server);
    const text = stored.get(name) ?? "";
    for (const wrong of ["", "{", "[]", "null", text.replace(/"digest":"./, '"digest":"f'), text.replace('"entries":[', '"entries":[7,')]) {
      stored.set(name, wrong);
      const next = follow({ url: server.url });
      expect(next.flags.status.state).toBe("connecting");
      await next.flags.close();
    }
  });

  test("a storage that is forbidden costs nothing but the early start", async () => {
    Object.defineProperty(globalThis, "localStorage", {
      configurable: true,
      get() {
        throw new Error("forbidden");
      },
    });
    const server = await serve([flag("a", "on")]);
    const { flags, lines } = follow(server);
    await flags.ready();
    expect(flags.isOn("a")).toBe(true);
    expect(lines).toEqual(["signalbox: connected to development of Default, 1 flag"]);
  });

  test("a login page in between leaves answers as they are", async () => {
    const server = await serve([flag("a", "on")]);
    const { flags, lines } = follow(server);
    await flags.ready();
    server.answer("stream", (_asked, response) => response.writeHead(200, { "content-type": "text/html" }).end("<h1>Welcome</h1>"));
    server.cut();
    await until("it is told", () => lines.some((line) => line.includes("not a Signalbox server")));
    expect(flags.isOn("a")).toBe(true);
    server.answer("stream", undefined);
    await until("it is live again", () => flags.status.state === "live");
  });
});
