import { describe, expect, test } from "vitest";
import { createClient, type StreamListener } from "../src/client.ts";
import { createState } from "../src/state.ts";
import type { SyncEvent } from "../src/sync.ts";
import { type Asked, casesFor, type Observed, readFiles, runSdkCase, type SdkCase, type World } from "./run.ts";

/** The longest that a machine may wait before it asks again: a server may send it away for an hour. */
const WAIT_MS_MAX = 2 * 3_600_000;

/** The client of both SDKs over a network and a clock that the case holds in its hand. */
function createWorld({ start = {} }: SdkCase): World {
  let now = 0;
  let timers: { at: number; run: () => void }[] = [];
  let drawn = 0;
  const requests: Asked[] = [];
  const changes: string[][] = [];
  const pending = new Map<Asked, { stream?: StreamListener; state?: (event: SyncEvent) => void }>();
  let open: { listener: StreamListener; decoder: InstanceType<typeof TextDecoder>; dropped: boolean } | undefined;
  const dropped = new Set<Asked>();

  function ask(path: string, query: string, more: Partial<Asked> = {}): Asked {
    const asked: Asked = { path, query: new URLSearchParams(query), headers: {}, body: "", ...more };
    requests.push(asked);
    return asked;
  }
  const client = createClient(
    {
      now: () => now,
      time: () => now,
      // Low, high and in between in turns, so that no case holds by a lucky draw.
      random: () => [0, 0.999, 0.5][drawn++ % 3] ?? 0,
      draw: () => 0.5,
      after(ms, run) {
        const timer = { at: now + ms, run };
        timers.push(timer);
        return () => {
          timers = timers.filter((other) => other !== timer);
        };
      },
      stream(query, listener) {
        const asked = ask("stream", query);
        pending.set(asked, { stream: listener });
        return () => {
          dropped.add(asked);
          if (open?.listener === listener) open.dropped = true;
        };
      },
      state(query, etag, listener) {
        const asked = ask("state", query, { headers: etag === undefined ? {} : { "if-none-match": etag } });
        pending.set(asked, { state: listener });
        return () => void dropped.add(asked);
      },
      async send(path, body) {
        ask(path, "", { body });
        return "sent";
      },
      context: () => undefined,
    },
    {
      server: "http://signalbox",
      sdkKey: "sb_server_development_contract",
      app: "contract",
      instance: "contract-1",
      sdk: "core/0",
      transport: start.transport ?? "stream",
      pollMs: start.pollMs ?? 15_000,
      logger: { info() {}, warn() {} },
      unknownHint: "",
      state: createState(),
    },
  );
  client.on("change", ({ keys }) => changes.push([...keys].sort()));

  async function settle(): Promise<void> {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }
  /** Runs the next timer that is due by `end`; false if there is none. */
  async function next(end: number): Promise<boolean> {
    await settle();
    const [timer] = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
    if (!timer) return false;
    now = Math.max(now, timer.at);
    timers = timers.filter((other) => other !== timer);
    timer.run();
    await settle();
    return true;
  }

  return {
    runner: "core",
    requests,
    now: () => now,
    async eventually(look) {
      const end = now + WAIT_MS_MAX;
      for (;;) {
        await settle();
        const why = await look();
        if (why === undefined) return;
        // Only a request is waited for: what an SDK knows, it knows when the bytes are there.
        if (!why.startsWith("no request") || !(await next(end))) throw new Error(why);
      }
    },
    answer(asked, answer) {
      const { stream, state } = pending.get(asked) ?? {};
      if (dropped.has(asked)) throw new Error("the SDK has given this request up");
      if (answer.kind === "stream") {
        if (!stream) throw new Error("only a request to stream is answered with a stream");
        open = { listener: stream, decoder: new TextDecoder("utf-8", { ignoreBOM: true }), dropped: false };
        stream.open();
        return;
      }
      const lost = (event: Extract<SyncEvent, { kind: "lost" }>) => (stream ? stream.lost(event.cause, event) : state?.(event));
      if (answer.kind === "reset") return lost({ kind: "lost", cause: "network" });
      const { status, headers, body } = answer;
      const seconds = Number(headers["retry-after"] ?? 0);
      if (status === 304) state?.({ kind: "state" });
      else if (status !== 200) lost({ kind: "lost", cause: "refused", status, ...(seconds > 0 ? { retryAfterMs: seconds * 1_000 } : {}) });
      else state?.({ kind: "state", text: body });
    },
    async write(pieces) {
      for (const piece of pieces) if (open && !open.dropped) open.listener.text(open.decoder.decode(piece, { stream: true }));
      await settle();
    },
    end() {
      if (open && !open.dropped) open.listener.lost("ended");
      open = undefined;
    },
    async pass(ms) {
      const end = now + ms;
      while (await next(end));
      now = end;
    },
    async tell(what) {
      if (what === "close") void client.close();
      else client.tell({ kind: what });
      await settle();
    },
    async observe(flags, context): Promise<Observed> {
      const { state, generation, revision, problem } = client.status;
      return {
        status: state,
        position: revision === undefined ? null : `${generation}.${revision}`,
        problem: problem !== undefined,
        changes,
        answers: Object.fromEntries(flags.map((flag) => [flag, client.explain(flag, context).value ?? null])),
      };
    },
  };
}

describe("the contract of an SDK, on the client that both SDKs are made of", () => {
  test.each(casesFor("core"))("$title", ({ file, one }) => runSdkCase(file, one, createWorld(one)));
});

test("there are at least 120 cases, each with a name of its own", () => {
  const names = readFiles().flatMap(({ topic, cases }) => cases.map(({ name }) => `${topic}: ${name}`));
  expect(names.length).toBeGreaterThanOrEqual(120);
  expect(new Set(names).size).toBe(names.length);
});
