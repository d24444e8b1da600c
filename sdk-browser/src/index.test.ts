import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Change, contextHash } from "@signalbox/core";
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
    value: {
      getItem: (name: string) => stored.get(name) ?? null,
      setItem: (name: string, text: string) => void stored.set(name, text),
      removeItem: (name: string) => stored.delete(name),
    },
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
});

describe("facts", () => {
  const asksFact = [{ id: "r", when: { op: "fact", fact: 7 }, serve: { kind: "variant", variant: "on" } }] as const;
  const base64url = (text: string) => Buffer.from(text).toString("base64url");
  const token = (context: object, exp: number) => `${base64url(JSON.stringify({ context, exp }))}.${"A".repeat(43)}`;
  const LATER = Date.now() / 1_000 + 3_600;

  /** A server on which fact 7 holds for Ada. */
  async function knowing(): Promise<ScriptedServer> {
    const server = await serve([flag("beta", "targeted", { rules: asksFact })]);
    server.answer("facts", ({ body }, response) => {
      const { context, token } = JSON.parse(body);
      const who = context ?? JSON.parse(Buffer.from(token.split(".")[0], "base64url").toString()).context;
      const { generation, revision } = server.snapshot();
      const [holds, fails] = who.key === "ada" ? [[7], []] : [[], [7]];
      response.end(JSON.stringify({ generation, revision, contextHash: contextHash(who), true: holds, false: fails }));
    });
    return server;
  }
  const bodies = (server: ScriptedServer) => asked(server, "facts").map(({ body }) => JSON.parse(body));

  test("are there when it is ready, and asked anew for whom the page is for next", async () => {
    const server = await knowing();
    const { flags } = follow(server, { context: { key: "ada" } });
    await flags.ready();
    expect([flags.isOn("beta"), flags.isOn("beta", { key: "ada" })]).toEqual([true, false]);
    const changes: Change[] = [];
    flags.on("change", (change) => changes.push(change));
    await flags.identify({ key: "bob" });
    expect([flags.isOn("beta"), changes]).toEqual([false, []]);
    await flags.identify({ key: "ada" });
    expect([flags.isOn("beta"), changes.map(({ keys }) => keys)]).toEqual([true, [["beta"]]]);
    const [{ method, headers, query }] = asked(server, "facts") as [ScriptedServer["requests"][number]];
    // No preflight: a POST of text/plain with the key in the query.
    expect([method, headers["content-type"], query.get("key")]).toEqual(["POST", "text/plain;charset=UTF-8", BROWSER_KEY]);
  });

  test("identify waits for the facts of its own context, also when it drops a request for another", async () => {
    const server = await knowing();
    const { flags } = follow(server, { context: { key: "bob" } });
    await flags.ready();
    const answers: (() => void)[] = [];
    server.answer("facts", ({ body }, response) => {
      const { context } = JSON.parse(body);
      const text = JSON.stringify({ ...server.snapshot(), contextHash: contextHash(context), true: [7], false: [] });
      answers.push(() => response.end(text));
    });
    flags.identify({ key: "eve" });
    await until("it is asked", () => answers.length === 1);
    const known = flags.identify({ key: "ada" }).then(() => flags.isOn("beta"));
    await until("it is asked", () => answers.length === 2);
    answers[1]?.();
    expect(await known).toBe(true);
  });

  test("are waited for on a page that begins with a kept state too, and not while the server is gone", async () => {
    const server = await knowing();
    const first = follow(server, { context: { key: "bob" } });
    await first.flags.ready();
    await until("the state is kept", () => stored.has(nameOf(server)));
    await first.flags.close();
    const second = follow(server, { context: { key: "bob" } });
    expect([second.flags.status.state, (await second.flags.ready()).state]).toEqual(["cached", "cached"]); // what was kept answers for Bob
    await second.flags.identify({ key: "ada" });
    expect([second.flags.status.state, second.flags.isOn("beta")]).toEqual(["live", true]);
    await second.flags.close();
    await server.close();
    const third = follow(server, { context: { key: "eve" } });
    let isOver = false;
    void third.flags.ready({ timeoutMs: 60_000 }).then(() => {
      isOver = true;
    });
    await until("it has found out that the server is gone", () => isOver);
    expect([third.flags.status.state, third.flags.isOn("beta")]).toEqual(["cached", false]);
  });

  test("are kept for the next page under a hash, and the context is not", async () => {
    const server = await knowing();
    const { flags } = follow(server, { context: { key: "ada" } });
    await flags.ready();
    await until("the state is kept", () => stored.has(nameOf(server)));
    await flags.close();
    const again = follow(server, { context: { key: "ada" } }).flags;
    expect([again.status.state, again.isOn("beta")]).toEqual(["cached", true]);
    await until("it is live", () => again.status.state === "live");
    // And asked again, once: an address may have changed since.
    await until("they are asked again", () => bodies(server).length === 2);
    expect([again.isOn("beta"), bodies(server)[1]]).toEqual([true, expect.objectContaining({ context: { key: "ada" } })]);
    const other = follow(server, { context: { key: "bob" } }).flags;
    expect(other.isOn("beta")).toBe(false);
    expect([...stored.values()].join()).not.toContain("ada");
  });

  test("what a page's own server has answered holds until then", async () => {
    const server = await knowing();
    server.answer("stream", () => {});
    const flags = { beta: ["on", true], theme: ["dark", "black"] } as const;
    const bootstrap = { contextHash: contextHash({ key: "ada" }), flags };
    const page = follow(server, { context: { key: "ada" }, bootstrap }).flags;
    expect([page.isOn("beta"), page.value("theme", "white"), page.variant("theme")]).toEqual([true, "black", "dark"]);
    expect(follow(server, { context: { key: "bob" }, bootstrap }).flags.isOn("beta")).toBe(false);
  });

  test("a signed context is sent as it is, and renewed when it has ended or is refused", async () => {
    const server = await knowing();
    let renewed = 0;
    const refreshToken = async () => token({ key: "ada" }, LATER + ++renewed);
    const first = token({ key: "ada" }, 1);
    const { flags } = follow(server, { context: { token: first }, refreshToken });
    await flags.ready();
    expect(flags.isOn("beta")).toBe(true);
    expect(bodies(server).map((body) => [body.token, body.context])).toEqual([[token({ key: "ada" }, LATER + 1), undefined]]);

    const knows = async (server: ScriptedServer, text: string) => bodies(server).filter((body) => body.token === text).length;
    const refused = token({ key: "bob" }, LATER);
    let refusals = 0;
    const strict = await serve([flag("beta", "targeted", { rules: asksFact })]);
    strict.answer("facts", ({ body }, response) => {
      refusals++;
      const { context } = JSON.parse(Buffer.from(JSON.parse(body).token.split(".")[0], "base64url").toString());
      if (context.key === "bob") response.writeHead(401, { "content-type": "application/problem+json" }).end('{"detail":"It is over."}');
      else response.end(JSON.stringify({ ...strict.snapshot(), contextHash: contextHash(context), true: [7], false: [] }));
    });
    const other = follow(strict, { context: { token: refused }, refreshToken }).flags;
    await other.ready();
    expect([other.isOn("beta"), refusals, await knows(strict, refused)]).toEqual([true, 2, 1]);
  });

  test("a token that is none is refused at once; one that the server refuses leaves facts unknown, and says so", async () => {
    const server = await knowing();
    expect(() => follow(server, { context: { token: "x" } })).toThrow(
      "token is no signed context; let your server make it with signContext",
    );
    server.answer("facts", (_asked, response) => response.writeHead(401).end('{"detail":"It is over."}'));
    const { flags, lines } = follow(server, { context: { token: token({ key: "ada" }, LATER) } });
    await flags.ready();
    expect(flags.isOn("beta")).toBe(false);
    expect(lines).toContain("signalbox: facts are refused: It is over.");
  });

  test("early access is listed, joined and left for the page's context, and known at the next read", async () => {
    const server = await knowing();
    const { flags } = follow(server, { context: { key: "bob" } });
    await flags.ready();
    let member = false;
    server.answer("early-access", ({ path, body }, response) => {
      const { context } = JSON.parse(body);
      const [, group, verb] = path.split("/");
      if (verb === undefined) {
        response.end(JSON.stringify({ groups: [{ group: "beta", name: "Beta", description: "New", by: "key", joined: member }] }));
        return;
      }
      if (group !== "beta") {
        response.writeHead(404).end(JSON.stringify({ detail: `There is no group "${group}".` }));
        return;
      }
      member = verb === "join";
      const { generation, revision } = server.snapshot();
      const facts = {
        generation,
        revision: revision + 1,
        contextHash: contextHash(context),
        true: member ? [7] : [],
        false: member ? [] : [7],
      };
      response.end(JSON.stringify({ group, joined: member, generation, revision: revision + 1, facts }));
    });
    expect(await flags.earlyAccess.list()).toEqual([{ group: "beta", name: "Beta", description: "New", by: "key", joined: false }]);
    expect(await flags.earlyAccess.join("beta")).toMatchObject({ group: "beta", joined: true });
    expect(flags.isOn("beta")).toBe(true);
    await flags.earlyAccess.leave("beta");
    expect(flags.isOn("beta")).toBe(false);
    await expect(flags.earlyAccess.join("nope")).rejects.toThrow('signalbox: There is no group "nope".');
    await server.close();
    await expect(flags.earlyAccess.join("beta")).rejects.toThrow(/could not be asked about early access; try again/);
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

  test("a state that cannot be kept leaves none behind, so that a kill which it holds is not forgotten", async () => {
    const server = await serve([flag("a", "on")]);
    const { flags } = follow(server);
    await flags.ready();
    await until("it is kept", () => stored.has(nameOf(server)));
    const tags = Array.from({ length: 11 }, () => "x".repeat(100_000));
    server.say("change", server.step([flag("a", "on", { killed: true, tags } as object)]));
    await until("the older state is gone", () => !flags.isOn("a") && !stored.has(nameOf(server)));
    server.say("change", server.step([flag("a", "on")]));
    await until("it is kept again", () => stored.has(nameOf(server)));
    localStorage.setItem = () => {
      throw new Error("full");
    };
    server.say("change", server.step([flag("a", "on", { killed: true })]));
    await until("the older state is gone", () => !flags.isOn("a") && !stored.has(nameOf(server)));
  });

  test.each(["pagehide", "visibilitychange"])("a page that goes away (%s) keeps the kill that it has just heard of", async (event) => {
    const page = Object.assign(new EventTarget(), { visibilityState: "hidden" });
    const around = new EventTarget();
    const addEventListener = around.addEventListener.bind(around);
    Object.assign(globalThis, { document: page, addEventListener });
    try {
      const server = await serve([flag("a", "on")]);
      const { flags } = follow(server);
      await flags.ready();
      await until("it is kept", () => stored.has(nameOf(server)));
      const kept = new Promise<string | undefined>((resolve) => {
        flags.on("change", () => {
          (event === "pagehide" ? around : page).dispatchEvent(new Event(event));
          resolve(stored.get(nameOf(server)));
        });
      });
      server.say("change", server.step([flag("a", "on", { killed: true })]));
      expect(JSON.parse((await kept) ?? "{}").entries).toEqual([expect.objectContaining({ killed: true })]);
      await flags.close();
    } finally {
      Reflect.deleteProperty(globalThis, "document");
      Reflect.deleteProperty(globalThis, "addEventListener");
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
