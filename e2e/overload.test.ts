import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createFlags } from "@signalbox/node";
import { afterEach, describe, expect, test } from "vitest";
import { type Api, environmentPath, folder, freePort, root, run, signIn, startServer, until, withAccount } from "./world.ts";

/** What a server does when too much is asked of it, and when it is told to stop. */

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const production = environmentPath("production");

async function serverKey(api: Api): Promise<string> {
  return /sb_server_production_[\w-]+/.exec(JSON.stringify(await api.get(`${production}/sdk-keys`)))?.[0] ?? "";
}

async function flagOn(api: Api, key: string): Promise<void> {
  await api.send("POST", "projects/default/flags", { key });
  const { configurationEtag } = await api.get<{ configurationEtag: string }>(`${production}/flags/${key}`);
  await api.send("PATCH", `${production}/flags/${key}/configuration`, { mode: "on" }, configurationEtag);
}

interface Raw {
  readonly socket: Socket;
  /** The first line of the answer; empty before it. */
  status(): string;
  text(): string;
  isClosed(): boolean;
}

function ask(port: number, method: string, path: string, sdkKey: string, body = ""): Raw {
  const socket = connect(port, "127.0.0.1");
  cleanups.push(() => socket.destroy());
  let text = "";
  let closed = false;
  socket.on("error", () => {}); // a reset is one of the ways in which a server refuses
  socket.on("close", () => {
    closed = true;
  });
  socket.on("data", (piece) => {
    text += piece;
  });
  const length = body === "" ? "" : `content-type: application/json\r\ncontent-length: ${body.length}\r\n`;
  socket.write(`${method} ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${sdkKey}\r\n${length}\r\n${body}`);
  return { socket, status: () => text.split("\r\n")[0] ?? "", text: () => text, isClosed: () => closed };
}

describe("too much", () => {
  test("a kill is stored and arrives while streams, states and reports are refused", async () => {
    const data = folder("flood");
    cleanups.push(() => data.remove());
    const limits = { SIGNALBOX_STREAMS_PER_SECOND: "5", SIGNALBOX_STATE_PER_SECOND: "5" };
    const server = await startServer({ data: data.path, env: { ...withAccount, ...limits } });
    cleanups.push(() => server.stop());
    const api = await signIn(server.url);
    const sdkKey = await serverKey(api);
    await flagOn(api, "checkout");
    const flags = createFlags({ url: server.url, sdkKey, app: "shop", logger: false });
    cleanups.push(() => flags.close());
    await flags.ready({ timeoutMs: 10_000 });
    expect(flags.isOn("checkout", { key: "ann" })).toBe(true);

    // A flood that goes on: whoever is answered or cut asks again.
    let isFlooding = true;
    const refused = { stream: 0, state: 0 };
    const flood = async (kind: "stream" | "state") => {
      while (isFlooding) {
        const raw = ask(server.port, "GET", `/sdk/v1/${kind}`, sdkKey);
        await until(`${kind} is answered`, () => raw.status() !== "" || raw.isClosed());
        if (/ (503|429) /.test(raw.status())) refused[kind] += 1;
        if (kind === "state") raw.socket.destroy();
      }
    };
    const floods = [...Array.from({ length: 20 }, () => flood("stream")), ...Array.from({ length: 20 }, () => flood("state"))];
    await until("both kinds are refused", () => refused.stream > 20 && refused.state > 20);
    for (let round = 0; round < 5; round += 1) {
      const before = { ...refused };
      // Nothing of the flood makes it wait or fails it: it throws unless it is answered 200.
      await api.send("POST", `${production}/flags/checkout/kill`, { reason: "flood" });
      await until("the program answers off", () => !flags.isOn("checkout", { key: "ann" }));
      await api.send("POST", `${production}/flags/checkout/restore`, { reason: "flood" });
      await until("the program answers on again", () => flags.isOn("checkout", { key: "ann" }));
      await until("the flood goes on", () => refused.stream > before.stream && refused.state > before.state);
    }
    isFlooding = false;
    await Promise.all(floods);
  });

  test("streams end before the limit of open files does: kills and the admin API still get in", async () => {
    const data = folder("descriptors");
    cleanups.push(() => data.remove());
    const port = await freePort();
    const program = run("sh", ["-c", `ulimit -n 320 && exec "${process.execPath}" "${join(root, "server/bin/signalbox.js")}" serve`], {
      env: { PORT: String(port), SIGNALBOX_DATA: data.path, ...withAccount },
    });
    cleanups.push(() => program.stop());
    const url = `http://localhost:${port}`;
    await until("the server answers", () =>
      fetch(`${url}/healthz`).then(
        (answer) => answer.ok,
        () => false,
      ),
    );
    const api = await signIn(url);
    const sdkKey = await serverKey(api);
    await flagOn(api, "checkout");
    const streams: Raw[] = [];
    while (!streams.some((raw) => raw.status().includes(" 503 "))) {
      if (streams.length > 320) throw new Error("more streams than files were taken on");
      const raw = ask(port, "GET", "/sdk/v1/stream", sdkKey);
      streams.push(raw);
      await until("the stream is answered", () => raw.status() !== "");
    }
    expect(streams.length).toBeGreaterThan(50);
    expect(streams.at(-1)?.text()).toContain("limit of open files");
    await api.send("POST", `${production}/flags/checkout/kill`, { reason: "no files left" });
    await until("every open stream has the kill", () => streams.slice(0, -1).every((raw) => raw.text().includes('"killed":true')));
    expect(program.output()).not.toContain("EMFILE");
  });
});

describe("SIGTERM", () => {
  test("says bye with a spread, finishes running writes or does not acknowledge them, and ends within 30 s", async () => {
    const data = folder("drain");
    cleanups.push(() => data.remove());
    const server = await startServer({ data: data.path, env: { ...withAccount, SIGNALBOX_STREAMS_PER_SECOND: "10" } });
    cleanups.push(() => server.stop("SIGKILL"));
    const api = await signIn(server.url);
    const sdkKey = await serverKey(api);
    const streams = Array.from({ length: 10 }, () => ask(server.port, "GET", "/sdk/v1/stream", sdkKey));
    for (const raw of streams) await until("the stream is open", () => raw.text().includes("event: snapshot"));
    // Somebody holds a connection and says nothing: it must not keep the server.
    const idle = connect(server.port, "127.0.0.1");
    cleanups.push(() => idle.destroy());
    idle.on("error", () => {});

    const acknowledged: string[] = [];
    let isWriting = true;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let index = 0; isWriting; index += 1) {
        const key = `w${writer}-${index}`;
        const answer = await api.answer("POST", "projects/default/flags", { key }).catch(() => undefined);
        if (answer?.status === 201) acknowledged.push(key);
        else return;
      }
    });
    await until("writes are running", () => acknowledged.length > 10);
    const began = performance.now();
    await server.stop("SIGTERM");
    const tookMs = performance.now() - began;
    isWriting = false;
    await Promise.all(writers);
    expect(await server.ended).toBe(0);
    expect(tookMs).toBeLessThan(30_000);
    for (const raw of streams)
      expect(raw.text()).toMatch(/event: bye\ncrc: [0-9a-f]{8}\ndata: {"reason":"drain","afterMs":\d+,"spreadMs":2000}\n\n$/);

    const again = await startServer({ data: data.path });
    cleanups.push(() => again.stop());
    const kept = await (await signIn(again.url)).get<{ flags: { key: string }[] }>(`${production}/flags`);
    const keys = new Set(kept.flags.map(({ key }) => key));
    expect(acknowledged.filter((key) => !keys.has(key))).toEqual([]);
  });
});
