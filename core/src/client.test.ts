import { describe, expect, test } from "vitest";
import { type Client, type ClientOptions, createClient, type Ports, type StreamListener, shortened } from "./client.ts";
import { digestOf } from "./digest.ts";
import type { FlagEntry } from "./model.ts";
import type { SyncEvent } from "./sync.ts";

/** A client whose clock, timers and network the test holds in its hand. */
function createWorld(more: Partial<ClientOptions> = {}, draw: (flag: string) => number = () => 0.5) {
  let now = 0;
  let timers: { at: number; run: () => void }[] = [];
  const lines: string[] = [];
  const sent: { path: string; body: { evaluated?: unknown; unknown?: unknown } }[] = [];
  const states: ((event: SyncEvent) => void)[] = [];
  const streams: { query: string; listener: StreamListener; dropped: boolean }[] = [];
  let answer: "sent" | "refused" | "failed" = "sent";
  const ports: Ports = {
    now: () => now,
    time: () => now,
    random: () => 0.5,
    draw,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    stream(query, listener) {
      const stream = { query, listener, dropped: false };
      streams.push(stream);
      return () => {
        stream.dropped = true;
      };
    },
    state(_query, _etag, listener) {
      states.push(listener);
      return () => {};
    },
    async send(path, body) {
      sent.push({ path, body: JSON.parse(body) });
      return answer;
    },
    context: () => undefined,
  };
  const client: Client = createClient(ports, {
    server: "http://signalbox",
    sdkKey: "sb_server_development_secret",
    app: "tests",
    instance: "one",
    sdk: "test/0",
    transport: "stream",
    pollMs: 15_000,
    logger: { info: (line) => lines.push(line), warn: (line) => lines.push(line) },
    unknownHint: "",
    ...more,
  });
  const world = {
    client,
    lines,
    sent,
    streams,
    states,
    get timers() {
      return timers.length;
    },
    answer(next: typeof answer) {
      answer = next;
    },
    /** Lets time pass, timer by timer, and promises settle after each. */
    async pass(ms: number): Promise<void> {
      const end = now + ms;
      for (;;) {
        for (let i = 0; i < 10; i++) await Promise.resolve();
        const [next] = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (!next) break;
        now = Math.max(now, next.at);
        timers = timers.filter((timer) => timer !== next);
        next.run();
      }
      now = end;
    },
    /** Lets time pass until it connects. */
    async connecting(): Promise<void> {
      for (let i = 0; i < 1_000 && streams.at(-1)?.dropped !== false; i++) await world.pass(100);
    },
    /** Answers the newest stream with the state. */
    open(entries: readonly FlagEntry[] = [flag("a", 1)]): StreamListener {
      const listener = streams.at(-1)?.listener;
      if (!listener) throw new Error("no stream was opened");
      const snapshot = {
        generation: 1,
        revision: 1,
        digest: digestOf(entries),
        factsAt: 0,
        environment: "development",
        project: "Default",
        entries,
      };
      listener.open();
      listener.text(`event: hello\ndata: ${JSON.stringify({ generation: 1, head: 1 })}\n\n`);
      listener.text(`event: snapshot\ndata: ${JSON.stringify(snapshot)}\n\n`);
      return listener;
    },
  };
  return world;
}

function flag(key: string, fp: number): FlagEntry {
  return { kind: "flag", key, fp: fp.toString(16).padStart(16, "0"), type: "boolean", off: "off", on: "on", mode: "on", salt: key };
}

describe("usage", () => {
  test("leaves 200 ms after the first evaluation, then every 10 s; a flag that is new goes within a second", async () => {
    const world = createWorld();
    await world.pass(0);
    world.open([flag("a", 1), flag("b", 2)]);
    world.client.isOn("a");
    await world.pass(199);
    expect(world.sent).toHaveLength(0);
    await world.pass(1);
    expect(world.sent).toHaveLength(1);
    world.client.isOn("a");
    await world.pass(500);
    expect(world.sent).toHaveLength(1);
    world.client.isOn("b");
    await world.pass(500);
    expect(world.sent.map(({ body }) => body.evaluated).at(-1)).toEqual([
      { flag: "a", variant: "on", count: 1, revision: 1, at: 200 },
      { flag: "b", variant: "on", count: 1, revision: 1, at: 200 },
    ]);
    world.client.isOn("b");
    await world.pass(9_999);
    expect(world.sent).toHaveLength(2);
    await world.pass(1);
    expect(world.sent).toHaveLength(3);
    await world.pass(60_000);
    expect(world.sent).toHaveLength(3);
  });

  test("what fails is kept and sent again as it was, what is refused is not sent again and said to be lost", async () => {
    const world = createWorld();
    await world.pass(0);
    world.open();
    world.answer("failed");
    world.client.isOn("a");
    await world.pass(200);
    world.client.isOn("a");
    await world.pass(10_000);
    expect(world.sent.map(({ body }) => body)).toEqual([world.sent[0]?.body, world.sent[0]?.body]);
    world.answer("refused");
    await world.pass(10_000);
    expect(world.sent).toHaveLength(4);
    expect(world.lines.at(-1)).toBe("signalbox: 1 evaluation is counted nowhere: the server refused the report");
    world.answer("sent");
    world.client.isOn("a");
    await world.pass(10_000);
    expect(world.sent).toHaveLength(5);
    expect(world.sent.at(-1)?.body.evaluated).toMatchObject([{ flag: "a", variant: "on", count: 1 }]);
  });

  test("nothing is counted before there is a state, and an unknown key is said once", async () => {
    const world = createWorld();
    await world.pass(0);
    world.client.isOn("a");
    await world.pass(60_000);
    expect(world.sent).toHaveLength(0);
    await world.connecting();
    world.open();
    for (let i = 0; i < 3; i++) {
      world.client.isOn("gone");
      await world.pass(10_000);
    }
    expect(world.lines.filter((line) => line.includes('"gone"'))).toHaveLength(1);
    expect(world.sent.map(({ body }) => body.unknown)).toEqual(Array(3).fill([{ flag: "gone", count: 1 }]));
  });
});

describe("lines", () => {
  test("a week without the server is a line now and then, and one when it is back", async () => {
    const world = createWorld();
    await world.pass(0);
    world.open();
    expect(world.lines).toEqual(["signalbox: connected to development of Default, 1 flag"]);
    const hours = 7 * 24;
    world.streams.at(-1)?.listener.lost("ended");
    for (let minute = 0; minute < hours * 60; minute += 10) {
      await world.pass(600_000);
      await world.connecting();
      world.streams.at(-1)?.listener.lost("network");
    }
    expect(world.client.isOn("a")).toBe(true);
    expect(world.lines.length).toBeGreaterThan(3);
    expect(world.lines.length).toBeLessThan(hours * 6 * 2 + 5);
    // Of the connection, of the report, and of the minute that ends.
    expect(world.timers).toBeLessThanOrEqual(3);
    await world.pass(60_000);
    await world.connecting();
    world.open();
    expect(world.lines.at(-1)).toBe("signalbox: connected to development of Default, 1 flag");
    expect(world.client.status.problem).toBeUndefined();
  });

  test("a connection that comes and goes says each thing once in a minute", async () => {
    const world = createWorld();
    await world.pass(0);
    for (let i = 0; i < 20; i++) {
      world.open();
      world.streams.at(-1)?.listener.lost("ended");
      await world.pass(2_500);
    }
    expect(world.lines.filter((line) => line.includes("ended")).length).toBeLessThanOrEqual(1);
    expect(world.lines.filter((line) => line.includes("connected to")).length).toBeLessThanOrEqual(2);
  });

  test("a key is shortened to what it stands for", () => {
    expect(shortened("sb_server_development_abc_def")).toBe("sb_server_development…");
    expect(shortened("nonsense-that-is-secret")).toBe("nonsen…");
  });
});

describe("life cycle", () => {
  test("what a dropped connection still says is not heard", async () => {
    const world = createWorld();
    await world.pass(0);
    const old = world.open();
    old.lost("ended");
    await world.pass(2_000);
    expect(world.streams).toHaveLength(2);
    old.text("event: bye\ndata: {}\n\n");
    old.lost("network");
    world.open();
    expect(world.client.status.state).toBe("live");
    expect(world.streams[1]?.query).toContain("basis=1.1");
  });

  test("close drops the stream and leaves no timer, and ready() answers after it", async () => {
    const world = createWorld();
    await world.pass(0);
    world.open();
    world.client.isOn("a");
    await world.client.close();
    expect(world.streams[0]?.dropped).toBe(true);
    expect(world.timers).toBe(0);
    expect((await world.client.ready()).state).toBe("closed");
    world.client.isOn("a");
    await world.pass(60_000);
    expect(world.sent).toHaveLength(1);
  });

  test("whoever waits for a position is told when it is there, when the time is over, and when the client closes", async () => {
    const world = createWorld();
    await world.pass(0);
    world.open();
    expect(await world.client.reached({ generation: 1, revision: 1 }, 1_000)).toBe(true);
    const late = world.client.reached({ generation: 1, revision: 9 }, 1_000);
    await world.pass(1_000);
    expect(await late).toBe(false);
    const waiting = world.client.reached({ generation: 1, revision: 9 }, 1_000);
    await world.client.close();
    expect(await waiting).toBe(false); // no time has passed
    expect(world.timers).toBe(0);
  });

  test("a flag that can neither be read nor serve is reported, also when nothing else is asked for", async () => {
    const world = createWorld();
    await world.pass(0);
    world.open([{ ...flag("odd", 1), type: "text" as never }]);
    expect(world.client.value("odd", "default")).toBe("default");
    await world.pass(10_000);
    expect(world.lines.filter((line) => line.includes("cannot be read"))).toHaveLength(1);
  });

  test("a random percentage is drawn under the key of the flag that has it, whoever asks", async () => {
    const drawn: string[] = [];
    const world = createWorld({}, (key) => {
      drawn.push(key);
      return 0;
    });
    await world.pass(0);
    const rules = [{ id: "r", rollout: { to: 50_000, random: true }, serve: { kind: "variant", variant: "on" } }] as const;
    world.open([
      { ...flag("inner", 1), mode: "targeted", rules },
      { ...flag("outer", 2), mode: "targeted", rules, requires: [{ flag: "inner", variants: ["on"] }] },
    ]);
    expect(world.client.isOn("outer")).toBe(true);
    expect(drawn).toEqual(["inner", "outer"]);
  });

  test("a schedule follows the server's clock, also while the server is gone and whatever this machine takes the time to be", async () => {
    const world = createWorld(); // its own clock says 1970
    await world.pass(0);
    const at = Date.UTC(2026, 11, 1);
    const over = { kind: "steps", points: [{ at: at + 60_000, to: 100_000 }] } as const;
    const rules = [{ id: "r", rollout: { to: 0, over }, serve: { kind: "variant", variant: "on" } }] as const;
    const stream = world.open([{ ...flag("a", 1), mode: "targeted", rules }]);
    stream.text(`event: ping\ndata: ${JSON.stringify({ generation: 1, head: 1, dbAgeMs: 0, at })}\n\n`);
    stream.lost("network");
    expect(world.client.isOn("a")).toBe(false);
    await world.pass(59_999);
    expect(world.client.isOn("a")).toBe(false);
    await world.pass(1);
    expect(world.client.isOn("a")).toBe(true);
  });

  test("a state that was never confirmed is stale for a flag that says how old it may be", async () => {
    const world = createWorld();
    await world.pass(0);
    world.open([{ ...flag("a", 1), maxStaleMs: 60_000 }]);
    expect(world.client.isOn("a")).toBe(true);
    world.streams.at(-1)?.listener.lost("network");
    await world.pass(60_000);
    expect(world.client.isOn("a")).toBe(true);
    await world.pass(1);
    expect(world.client.explain("a").reason).toEqual({ kind: "STALE" });
  });

  test("a port that throws costs one attempt", async () => {
    const world = createWorld({
      logger: {
        info() {},
        warn() {
          throw new Error("disk full");
        },
      },
    });
    await world.pass(0);
    world.open();
    expect(world.client.isOn("a")).toBe(true);
  });
});

describe("a resync", () => {
  /** What is acknowledged of a state that a GET brings after a change that was to be acknowledged within 2 s. */
  async function acknowledged(terms: { ackSample: number } | { leaseMs: number }) {
    const world = createWorld();
    const times: [revision: number, ms: number][] = [];
    await world.pass(0);
    const stream = world.open();
    stream.text(`event: hello\ndata: ${JSON.stringify({ generation: 1, head: 1, ...terms })}\n\n`);
    const entries = [flag("a", 3)];
    const change = { generation: 1, from: 1, to: 2, digest: digestOf([flag("a", 2)]), put: [flag("a", 2)], remove: [], ack: true };
    stream.text(`event: change\ndata: ${JSON.stringify({ ...change, ackSpreadMs: 2_000 })}\n\n`);
    await world.pass(3_000);
    const before = world.sent.length;
    stream.text(`event: resync\ndata: ${JSON.stringify({ generation: 1, revision: 3, reason: "size" })}\n\n`);
    const snapshot = { generation: 1, revision: 3, digest: digestOf(entries), factsAt: 0, environment: "e", project: "p", entries };
    world.states.at(-1)?.({ kind: "state", text: JSON.stringify(snapshot) });
    for (let ms = 0; ms <= 3_000; ms += 500) {
      const seen = times.length;
      for (const { path, body } of world.sent.slice(before + seen))
        if (path === "ack") times.push([(body as { revision: number }).revision, ms]);
      await world.pass(500);
    }
    return times;
  }

  test("is acknowledged by the pages of the sample only, spread like the kill before it", async () => {
    expect(await acknowledged({ ackSample: 0 })).toEqual([]);
    expect(await acknowledged({ ackSample: 1 })).toEqual([[3, 1_000]]);
  });

  test("is acknowledged at once by programs that hold a lease", async () => {
    expect(await acknowledged({ leaseMs: 15_000 })).toEqual([[3, 0]]);
  });
});
