import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digestOf } from "./digest.ts";
import type { FlagEntry, Position } from "./model.ts";
import type { ChangeFrame, SnapshotFrame } from "./protocol.ts";
import { createState, flagKeys } from "./state.ts";
import { CONNECT_MS_MAX, createSync, type Phase, type Sync, type SyncAction, type SyncEvent, type SyncOptions, stepSync } from "./sync.ts";

const OPTIONS: SyncOptions = { transport: "stream", pollMs: 15_000, server: "http://signalbox", key: "sb_server_x…" };

/** A machine with a clock that the test moves. */
function machine(more: Partial<SyncOptions> = {}) {
  let sync = createSync(createState(), { ...OPTIONS, ...more });
  let now = 1_000;
  const it = {
    get sync(): Sync {
      return sync;
    },
    get now(): number {
      return now;
    },
    pass(ms: number): void {
      now += ms;
    },
    take(event: SyncEvent, random = 0.5): readonly SyncAction[] {
      const step = stepSync(sync, event, { now, random });
      sync = step.sync;
      return step.actions;
    },
    frame(event: string, data: unknown, random = 0.5): readonly SyncAction[] {
      return it.take({ kind: "frame", event, data: typeof data === "string" ? data : JSON.stringify(data) }, random);
    },
  };
  return it;
}

const kinds = (actions: readonly SyncAction[]) => actions.map((action) => action.kind);
const find = <K extends SyncAction["kind"]>(actions: readonly SyncAction[], kind: K) =>
  actions.find((action): action is Extract<SyncAction, { kind: K }> => action.kind === kind);

function flag(key: string, fp: number): FlagEntry {
  return { kind: "flag", key, fp: fp.toString(16).padStart(16, "0"), type: "boolean", off: "off", on: "on", mode: "on", salt: key };
}

const GENERATION = 1_700_000_000;
function snapshot(revision: number, entries: readonly FlagEntry[] = [flag("a", revision)]): SnapshotFrame {
  return {
    generation: GENERATION,
    revision,
    digest: digestOf(entries),
    factsAt: 0,
    environment: "development",
    project: "Default",
    entries,
  };
}
function change(from: number, to: number, more: Partial<ChangeFrame> = {}): ChangeFrame {
  const entry = flag("a", to);
  return { generation: GENERATION, from, to, digest: digestOf([entry]), put: [entry], remove: [], ...more };
}
const hello = (head: number) => ({ protocol: 1, generation: GENERATION, head, heartbeatMs: 15_000, emergency: [] });
const ping = (head: number) => ({ generation: GENERATION, head, dbAgeMs: 0, at: 0 });

/** A machine that is live at revision 1. */
function live(more: Partial<SyncOptions> = {}) {
  const it = machine(more);
  it.take({ kind: "start" });
  it.take({ kind: "open" });
  it.frame("hello", hello(1));
  it.frame("snapshot", snapshot(1));
  expect(it.sync.status).toBe("live");
  return it;
}

describe("connecting", () => {
  test("start connects without a basis, and the first snapshot makes it live", () => {
    const it = machine();
    expect(it.take({ kind: "start" })).toEqual([{ kind: "connect" }, { kind: "timer", inMs: CONNECT_MS_MAX }]);
    it.take({ kind: "open" });
    expect(it.sync.status).toBe("connecting");
    it.frame("hello", hello(1));
    const actions = it.frame("snapshot", snapshot(1));
    expect(find(actions, "changed")?.keys).toEqual(["a"]);
    expect(find(actions, "status")?.status).toBe("live");
  });

  test("a basis at the head is live with hello alone, also when the server speaks a newer protocol", () => {
    const it = live();
    it.take({ kind: "lost", cause: "ended" });
    expect(it.sync.status).toBe("stale");
    it.pass(600);
    expect(find(it.take({ kind: "timer" }), "connect")?.basis).toEqual({ generation: GENERATION, revision: 1 });
    it.take({ kind: "open" });
    it.frame("hello", { ...hello(1), protocol: 99, news: "unknown" });
    expect(it.sync.status).toBe("live");
  });

  test("a connection that does not open is given up", () => {
    const it = machine();
    it.take({ kind: "start" });
    it.pass(CONNECT_MS_MAX);
    const actions = it.take({ kind: "timer" });
    expect(kinds(actions)).toEqual(["disconnect", "timer", "problem"]);
    expect(find(actions, "problem")?.code).toBe("timeout");
  });
});

describe("backoff", () => {
  test("full jitter from 0.5 s, doubled up to 30 s, never sooner than half a second after the last try", () => {
    for (const random of [0, 0.5, 0.999]) {
      const it = machine();
      it.take({ kind: "start" });
      for (const cap of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
        const inMs = find(it.take({ kind: "lost", cause: "network" }, random), "timer")?.inMs ?? 0;
        expect(inMs).toBe(Math.ceil(500 + random * cap));
        it.pass(inMs);
        it.take({ kind: "timer" });
      }
    }
  });

  test("a stream that was good for a minute starts anew; a shorter one comes back within four seconds", () => {
    const it = live();
    for (let i = 0; i < 8; i++) {
      it.take({ kind: "lost", cause: "network" });
      it.pass(60_000);
      it.take({ kind: "timer" });
    }
    it.take({ kind: "open" });
    it.frame("hello", hello(1));
    it.pass(1_000);
    expect(find(it.take({ kind: "lost", cause: "ended" }, 0.999), "timer")?.inMs).toBeLessThanOrEqual(4_000);
    it.pass(4_000);
    it.take({ kind: "timer" });
    it.take({ kind: "open" });
    it.frame("hello", hello(1));
    it.pass(60_000);
    expect(find(it.take({ kind: "lost", cause: "ended" }, 0.999), "timer")?.inMs).toBeLessThanOrEqual(500);
  });

  test.each([401, 403])("a refused key (%i) slows down to five minutes, is told, and never stops", (status) => {
    const it = live();
    it.take({ kind: "lost", cause: "ended" });
    for (let i = 0; i < 5; i++) {
      it.pass(600_000);
      it.take({ kind: "timer" });
      const actions = it.take({ kind: "lost", cause: "refused", status }, 0);
      expect(it.sync.status).toBe("unauthorized");
      expect(find(actions, "timer")?.inMs).toBe(270_000);
      expect(find(actions, "problem")?.sentence).toContain("next try in 5 min");
      expect(it.take({ kind: "wake" })).toEqual([]);
    }
    it.pass(600_000);
    it.take({ kind: "timer" });
    it.take({ kind: "open" });
    it.frame("hello", hello(1));
    expect(it.sync.status).toBe("live");
  });

  test("Retry-After and bye are kept to, and not cut short by waking up", () => {
    const it = live();
    expect(find(it.frame("bye", { reason: "drain", afterMs: 2_000, spreadMs: 10_000 }, 0.25), "timer")?.inMs).toBe(4_500);
    expect(it.take({ kind: "wake" })).toEqual([]);
    it.pass(4_500);
    expect(kinds(it.take({ kind: "timer" }))).toContain("connect");
    const actions = it.take({ kind: "lost", cause: "refused", status: 503, retryAfterMs: 60_000 }, 0);
    expect(find(actions, "timer")?.inMs).toBe(60_000);
    expect(it.take({ kind: "wake" })).toEqual([]);
  });

  test("waking up while it waits after a failure tries at once", () => {
    const it = live();
    it.take({ kind: "lost", cause: "network" });
    it.pass(501);
    expect(kinds(it.take({ kind: "wake" }))).toContain("connect");
  });
});

describe("an open stream", () => {
  test("45 s of silence end it; any byte counts", () => {
    const it = live();
    it.pass(44_000);
    it.take({ kind: "heard" });
    it.pass(44_000);
    expect(it.take({ kind: "timer" })).toEqual([{ kind: "timer", inMs: 1_000 }]);
    it.pass(1_000);
    expect(kinds(it.take({ kind: "timer" }))).toEqual(["disconnect", "timer", "problem", "status"]);
    expect(it.sync.status).toBe("stale");
  });

  test("a head ahead of what was sent for two seconds means a lost frame", () => {
    const it = live();
    expect(it.frame("ping", ping(2))).toEqual([{ kind: "timer", inMs: 2_000 }]);
    it.pass(2_000);
    expect(kinds(it.take({ kind: "timer" }))).toContain("disconnect");
    it.pass(1_000);
    expect(find(it.take({ kind: "timer" }), "connect")).toEqual({ kind: "connect" });
  });

  test("a head ahead is forgotten when the frame comes", () => {
    const it = live();
    it.frame("ping", ping(2));
    it.pass(1_000);
    it.frame("change", change(1, 2));
    it.pass(1_000);
    expect(kinds(it.take({ kind: "timer" }))).toEqual(["timer"]);
  });

  test("after a suspension it looks again at once", () => {
    const it = live();
    expect(it.take({ kind: "wake" })).toEqual([]);
    it.pass(30_000);
    expect(kinds(it.take({ kind: "wake" }))).toEqual(["disconnect", "connect", "timer", "status"]);
  });

  test("sleep lets go, wake resumes", () => {
    const it = live();
    expect(kinds(it.take({ kind: "sleep" }))).toEqual(["disconnect", "clearTimer", "status"]);
    expect(it.take({ kind: "timer" })).toEqual([]);
    expect(find(it.take({ kind: "wake" }), "connect")?.basis).toEqual({ generation: GENERATION, revision: 1 });
  });

  test("a frame that asks for it is acknowledged before it is told, and again when it comes again", () => {
    const it = live();
    const position = { generation: GENERATION, revision: 2 };
    expect(it.frame("change", change(1, 2, { ack: true }))).toEqual([
      { kind: "acknowledge", position },
      { kind: "changed", keys: ["a"] },
    ]);
    expect(it.frame("change", change(1, 2, { ack: true }))).toEqual([{ kind: "acknowledge", position }]);
  });

  test("what changes nothing tells nobody", () => {
    const it = live();
    expect(it.frame("change", change(1, 2, { put: [], digest: digestOf([flag("a", 1)]) }))).toEqual([]);
    expect(it.sync.state.position?.revision).toBe(2);
  });

  test("events that it does not know are passed over", () => {
    const it = live();
    expect(it.frame("later", "{")).toEqual([]);
    expect(it.frame("news", { a: 1 })).toEqual([]);
  });

  test("an emergency kill counts at once and until a state settles it", () => {
    const it = live();
    const kill = { id: "k1", flag: "a", at: 0 };
    expect(it.frame("emergency", { emergency: [kill] })).toEqual([{ kind: "changed", keys: ["a"] }]);
    expect(it.frame("hello", { ...hello(1), emergency: [kill] }).filter((action) => action.kind === "changed")).toEqual([]);
    expect([...it.sync.state.emergency]).toEqual(["a"]);
    it.frame("change", change(1, 2, { settled: ["k1"] }));
    expect([...it.sync.state.emergency]).toEqual([]);
  });
});

describe("doubt", () => {
  const wrong: [string, string, unknown][] = [
    ["a gap", "change", change(5, 6)],
    ["a digest that does not fit", "change", change(1, 2, { digest: "00000000000000ff" })],
    ["a snapshot whose digest does not fit", "snapshot", { ...snapshot(2), digest: "00000000000000ff" }],
    ["half a frame", "change", '{"generation":17'],
    ["a frame of nonsense", "change", null],
    ["an entry without a fingerprint", "change", { ...change(1, 2), put: [{ kind: "flag", key: "a" }] }],
    ["a hello without a position", "hello", {}],
    ["a resync to what it holds", "resync", { generation: GENERATION, revision: 1, reason: "size" }],
  ];
  test.each(wrong)("%s touches nothing, drops the stream and asks for a snapshot", (_name, event, data) => {
    const it = live();
    const actions = it.frame(event, data);
    expect(kinds(actions)).toEqual(["disconnect", "timer", "problem", "status"]);
    expect(it.sync.state.position).toEqual({ generation: GENERATION, revision: 1 });
    expect(it.sync.state.digest).toBe(snapshot(1).digest);
    it.pass(1_000);
    expect(find(it.take({ kind: "timer" }), "connect")).toEqual({ kind: "connect" });
  });

  test("three in a row make it poll with pauses of a minute, and try the stream again later", () => {
    const it = live();
    for (let i = 0; i < 3; i++) {
      it.frame("change", change(7, 8));
      if (i === 2) break;
      it.pass(5_000);
      it.take({ kind: "timer" });
      it.take({ kind: "open" });
      it.frame("hello", hello(1));
      it.frame("snapshot", snapshot(1)); // a snapshot that fits does not end the row: the next change may be wrong again
    }
    const begun = it.now;
    let polls = 0;
    for (;;) {
      it.pass(72_000);
      const actions = it.take({ kind: "timer" });
      if (kinds(actions).includes("connect")) break;
      expect(kinds(actions)).toContain("fetchState");
      polls++;
      const pause = find(it.take({ kind: "state", text: JSON.stringify(snapshot(1 + polls)) }), "timer")?.inMs ?? 0;
      expect(pause).toBeGreaterThanOrEqual(54_000);
      expect(it.sync.status).toBe("polling");
    }
    expect(polls).toBeGreaterThan(1);
    expect(it.now - begun).toBeLessThan(600_000);
    it.take({ kind: "open" });
    it.frame("hello", hello(1 + polls));
    it.frame("change", change(1 + polls, 2 + polls));
    expect(it.sync).toMatchObject({ status: "live", doubts: 0 });
  });

  test("a stream that opens and says nothing is left for polling at once, and tried again after minutes", () => {
    const it = machine();
    it.take({ kind: "start" });
    it.take({ kind: "open" });
    it.pass(5_000);
    expect(find(it.take({ kind: "timer" }), "problem")?.sentence).toContain("proxy");
    it.pass(2_000);
    expect(kinds(it.take({ kind: "timer" }))).toContain("fetchState");
    it.take({ kind: "state", text: JSON.stringify(snapshot(1)) });
    expect(it.sync.status).toBe("polling");
    it.pass(70_000);
    expect(kinds(it.take({ kind: "timer" }))).toContain("fetchState");
    it.take({ kind: "state", text: JSON.stringify(snapshot(1)) });
    it.pass(450_000);
    expect(kinds(it.take({ kind: "timer" }))).toContain("connect");
  });

  test("a stream whose head never comes is asked around: the state by GET, a stream once more, then polling", () => {
    const it = machine();
    it.take({ kind: "start" });
    it.pass(CONNECT_MS_MAX);
    it.take({ kind: "timer" });
    it.pass(5_000);
    expect(kinds(it.take({ kind: "timer" }))).toContain("fetchState");
    it.take({ kind: "state", text: JSON.stringify(snapshot(1)) });
    it.pass(1_000);
    // It may have been the server that stood still for a while.
    expect(kinds(it.take({ kind: "timer" }))).toContain("connect");
    it.pass(CONNECT_MS_MAX);
    expect(find(it.take({ kind: "timer" }), "problem")?.sentence).toContain("proxy");
    it.pass(5_000);
    expect(kinds(it.take({ kind: "timer" }))).toContain("fetchState");
  });

  test("an older state from a node that lags behind is ignored", () => {
    const it = live();
    it.frame("change", change(1, 2));
    expect(it.frame("snapshot", snapshot(1))).toEqual([]);
    expect(it.frame("ping", ping(1))).toEqual([]);
    expect(it.sync.state.position?.revision).toBe(2);
  });

  test("a newer generation with a lower revision is newer", () => {
    const it = live();
    it.frame("change", change(1, 2));
    it.frame("snapshot", { ...snapshot(1), generation: GENERATION + 1 });
    expect(it.sync.state.position).toEqual({ generation: GENERATION + 1, revision: 1 });
  });

  test("a server that is behind what is held is asked again, without giving up anything", () => {
    const it = live();
    const actions = it.frame("resync", { generation: GENERATION, revision: 0, reason: "ahead" });
    expect(kinds(actions)).toEqual(["disconnect", "timer", "problem", "status"]);
    it.pass(2_000);
    expect(find(it.take({ kind: "timer" }), "connect")?.basis).toEqual({ generation: GENERATION, revision: 1 });
  });
});

describe("resync and polling", () => {
  test("resync takes the state by GET, acknowledges it and goes on from there", () => {
    const it = live();
    it.pass(1_000);
    expect(kinds(it.frame("resync", { generation: GENERATION, revision: 3, reason: "size" }))).toEqual([
      "disconnect",
      "fetchState",
      "timer",
    ]);
    expect(it.sync.status).toBe("live");
    const actions = it.take({ kind: "state", text: JSON.stringify(snapshot(3)) });
    expect(kinds(actions)).toEqual(["acknowledge", "changed", "connect", "timer", "status"]);
    expect(find(actions, "connect")?.basis).toEqual({ generation: GENERATION, revision: 3 });
  });

  test("a resync answered by a node that lags behind is tried again with a pause", () => {
    const it = live();
    it.frame("resync", { generation: GENERATION, revision: 3, reason: "size" });
    expect(kinds(it.take({ kind: "state", text: JSON.stringify(snapshot(2)) }))).toEqual(["acknowledge", "changed", "timer", "status"]);
    expect(it.sync.phase).toBe("waiting");
  });

  test("polls at its pace, and is stale only when a poll fails", () => {
    const it = machine({ transport: "poll" });
    expect(kinds(it.take({ kind: "start" }))).toEqual(["fetchState", "timer"]);
    it.take({ kind: "state", text: JSON.stringify(snapshot(1)) });
    expect(it.sync.status).toBe("polling");
    it.pass(16_500);
    expect(find(it.take({ kind: "timer" }), "fetchState")?.basis).toEqual({ generation: GENERATION, revision: 1 });
    expect(find(it.take({ kind: "state" }), "timer")?.inMs).toBe(15_000);
    expect(it.sync.status).toBe("polling");
    it.pass(16_500);
    it.take({ kind: "timer" });
    it.take({ kind: "lost", cause: "network" });
    expect(it.sync.status).toBe("stale");
  });
});

describe("the table", () => {
  const events: fc.Arbitrary<SyncEvent> = fc.oneof(
    fc.constantFrom<SyncEvent["kind"]>("start", "open", "heard", "timer", "wake", "sleep").map((kind) => ({ kind }) as SyncEvent),
    fc.record({ kind: fc.constant("close" as const) }),
    fc.record({
      kind: fc.constant("lost" as const),
      cause: fc.constantFrom("network", "refused", "timeout", "invalid", "ended", "oversize"),
    }),
    fc.record({ kind: fc.constant("lost" as const), cause: fc.constant("refused" as const), status: fc.integer({ min: 100, max: 599 }) }),
    fc.record({
      kind: fc.constant("state" as const),
      text: fc.oneof(
        fc.json(),
        fc.nat(5).map((revision) => JSON.stringify(snapshot(revision))),
      ),
    }),
    fc.record({
      kind: fc.constant("frame" as const),
      event: fc.constantFrom("hello", "snapshot", "change", "resync", "ping", "bye", "emergency", "other"),
      data: fc.oneof(
        fc.json(),
        fc.string(),
        fc.constantFrom(hello(3), snapshot(1), snapshot(3), change(1, 2), change(2, 3), ping(2), {}).map((data) => JSON.stringify(data)),
      ),
    }),
  );

  test("whatever happens: nothing throws, the position never falls, it is never left without a way on, and closed is closed", () => {
    const seen = new Set<Phase>();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(events, fc.nat(100_000), fc.double({ min: 0, max: 0.999, noNaN: true })), { maxLength: 60 }),
        fc.constantFrom("stream" as const, "poll" as const),
        (schedule, transport) => {
          const it = machine({ transport });
          let connected = true;
          let timed = true;
          let before: Position | undefined;
          it.take({ kind: "start" });
          for (const [event, ms, random] of schedule) {
            it.pass(ms);
            const wasClosed = it.sync.phase === "closed";
            if (event.kind === "timer") timed = false;
            const actions = it.take(event, random);
            for (const action of actions) {
              if (action.kind === "connect" || action.kind === "fetchState") {
                // At most one connection: the shell has been told to drop the old one, or it ended by itself.
                connected = true;
              } else if (action.kind === "disconnect") connected = false;
              else if (action.kind === "timer") {
                expect(action.inMs).toBeGreaterThanOrEqual(0);
                expect(action.inMs).toBeLessThanOrEqual(3_700_000);
                timed = true;
              } else if (action.kind === "clearTimer") timed = false;
            }
            if (wasClosed) expect(actions).toEqual([]);
            const { phase, state } = it.sync;
            seen.add(phase);
            if (phase !== "closed" && phase !== "asleep") expect(timed || event.kind === "timer").toBe(true);
            if (phase === "closed" || phase === "asleep") expect([connected, timed]).toEqual([false, false]);
            if (before) expect(state.position && compare(state.position, before)).toBeGreaterThanOrEqual(0);
            before = state.position;
          }
        },
      ),
      { numRuns: 500 },
    );
    expect([...seen].sort()).toEqual(["asleep", "closed", "connecting", "fetching", "streaming", "waiting"]);
  });
});

const compare = (a: Position, b: Position) => a.generation - b.generation || a.revision - b.revision;

/**
 * A server and a network that lose, cut, repeat, delay and corrupt. The server keeps the log of one environment; what an SDK holds must
 * always be one of its revisions whole (inv-S2), never fall (inv-S3), and reach the head once the network is good (inv-C1).
 */
describe("over a network that is not to be trusted", () => {
  type Fault = "none" | "drop" | "cut" | "repeat" | "corrupt" | "refuse" | "restore";
  const step = fc.record({
    write: fc.option(fc.record({ key: fc.constantFrom("a", "b", "c", "d"), remove: fc.boolean() })),
    fault: fc.constantFrom<Fault>("none", "none", "none", "drop", "cut", "repeat", "corrupt", "refuse", "restore"),
    random: fc.double({ min: 0, max: 0.999, noNaN: true }),
    waitMs: fc.nat(5_000),
  });

  test("the state is always one whole revision, never falls, and converges; each change is told exactly once", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (schedule) => {
        const it = machine();
        let generation = GENERATION;
        let revision = 0;
        let fps = 0;
        let entries = new Map<string, FlagEntry>();
        const history = new Map<string, string>();
        const log: { from: Map<string, FlagEntry>; to: Map<string, FlagEntry> }[] = [];
        const record = () => history.set(`${generation}.${revision}`, digestOf(entries.values()));
        record();

        // The connection: where the server believes the client to be, and what is on the way.
        let cursor: number | undefined;
        let streaming = false;
        let wire: { event: string; data: string }[] = [];
        let timerAt = Number.POSITIVE_INFINITY;
        let fetching = false;
        let told = 0;
        let toldAt: Position | undefined;
        const corrupted = schedule.some(({ fault }) => fault === "corrupt");

        const whole = (): SnapshotFrame => ({ ...snapshot(revision, [...entries.values()]), generation });
        function perform(actions: readonly SyncAction[]): void {
          for (const action of actions) {
            if (action.kind === "timer") timerAt = it.now + action.inMs;
            if (action.kind === "disconnect" || action.kind === "connect" || action.kind === "fetchState") {
              streaming = false;
              fetching = false;
              wire = [];
            }
            if (action.kind === "fetchState") fetching = true;
            if (action.kind === "changed") {
              told++;
              const { position } = it.sync.state;
              // Each change once: what is told lies beyond all that was told before. (A corrupted number may lie about where it is.)
              if (toldAt && !corrupted) expect(position && compare(position, toldAt)).toBeGreaterThan(0);
              toldAt = position;
            }
            if (action.kind === "connect") {
              streaming = true;
              const known =
                action.basis?.generation === generation && action.basis.revision <= revision ? action.basis.revision : undefined;
              wire = [
                { event: "open", data: "" },
                { event: "hello", data: JSON.stringify({ ...hello(revision), generation }) },
              ];
              cursor = known;
              if (known === undefined) {
                wire.push({ event: "snapshot", data: JSON.stringify(whole()) });
                cursor = revision;
              }
              send();
            }
          }
        }

        /** What the server sends to bring the connection to the head. */
        function send(): void {
          if (!streaming || cursor === undefined || cursor === revision) return;
          const put: FlagEntry[] = [];
          const remove: string[] = [];
          const before = log[cursor]?.from ?? entries;
          for (const [key, entry] of entries) if (before.get(key)?.fp !== entry.fp) put.push(entry);
          for (const key of before.keys()) if (!entries.has(key)) remove.push(`flag:${key}`);
          const frame: ChangeFrame = { generation, from: cursor, to: revision, digest: digestOf(entries.values()), put, remove };
          wire.push({ event: "change", data: JSON.stringify(frame) });
          cursor = revision;
        }

        function deliver(fault: Fault, random: number): void {
          const next = wire.shift();
          if (!streaming || next === undefined) return;
          if (fault === "drop" && next.event !== "open") return;
          if (fault === "cut") {
            streaming = false;
            perform(it.take({ kind: "lost", cause: "ended" }, random));
          } else if (fault === "refuse" && next.event === "open") {
            streaming = false;
            perform(it.take({ kind: "lost", cause: "refused", status: 503 }, random));
          } else if (next.event === "open") perform(it.take({ kind: "open" }, random));
          else {
            const at = Math.floor(random * next.data.length);
            const data = fault === "corrupt" ? next.data.slice(0, at) + next.data.slice(at + 1) : next.data;
            perform(it.frame(next.event, data, random));
            if (fault === "repeat" && streaming) perform(it.frame(next.event, next.data, random));
          }
        }

        let before: Position | undefined;
        function check(fault: Fault): void {
          const { position, digest } = it.sync.state;
          if (before) expect(position && compare(position, before)).toBeGreaterThanOrEqual(0);
          // A corrupted frame may be well-formed and lie about its number; the digest of the content still has to fit.
          if (position && fault !== "corrupt" && history.has(`${position.generation}.${position.revision}`)) {
            expect(digest).toBe(history.get(`${position.generation}.${position.revision}`));
          }
          expect(digestOf(it.sync.state.entries.values())).toBe(digest);
          before = position;
        }

        function tick(waitMs: number, fault: Fault, random: number): void {
          it.pass(waitMs);
          if (fetching) {
            fetching = false;
            perform(
              it.take(fault === "none" ? { kind: "state", text: JSON.stringify(whole()) } : { kind: "lost", cause: "network" }, random),
            );
          }
          deliver(fault, random);
          if (it.now >= timerAt) {
            timerAt = Number.POSITIVE_INFINITY;
            perform(it.take({ kind: "timer" }, random));
          }
          check(fault);
        }

        perform(it.take({ kind: "start" }));
        for (const { write, fault, random, waitMs } of schedule) {
          if (write) {
            const from = entries;
            entries = new Map(entries);
            if (write.remove) entries.delete(write.key);
            else entries.set(write.key, flag(write.key, ++fps));
            log[revision] = { from, to: entries };
            revision++;
            record();
            send();
          }
          if (fault === "restore") {
            // The database is restored from a backup: a new generation at an earlier revision.
            generation++;
            revision = Math.max(0, revision - 2);
            entries = log[revision]?.from ?? entries;
            log.length = revision;
            record();
            if (streaming) perform(it.take({ kind: "lost", cause: "ended" }, random));
          }
          tick(waitMs, fault, random);
        }

        // From here on the network is good: it must come to the head, and stay, by itself.
        const reached = () => {
          const { position } = it.sync.state;
          return position?.generation === generation && position.revision === revision && ["live", "polling"].includes(it.sync.status);
        };
        for (let i = 0; i < 500 && !reached(); i++) {
          if (wire.length === 0 && !fetching && streaming)
            wire.push({ event: "ping", data: JSON.stringify({ ...ping(revision), generation }) });
          tick(1_000, "none", 0.5);
        }
        expect(reached()).toBe(true);
        expect(it.sync.state.digest).toBe(digestOf(entries.values()));
        expect(flagKeys(it.sync.state).sort()).toEqual([...entries.keys()].sort());

        const toldBefore = told;
        expect(it.sync.state.position).toBeDefined();
        for (let i = 0; i < 5; i++) tick(1_000, "none", 0.5);
        expect(told).toBe(toldBefore);
      }),
      { numRuns: 500 },
    );
  });
});
