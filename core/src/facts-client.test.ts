import { describe, expect, test } from "vitest";
import { type Client, createClient, type Ports, type StreamListener } from "./client.ts";
import { digestOf } from "./digest.ts";
import { contextHash, createFacts, type FactsResult, unitTag } from "./facts.ts";
import type { Condition, Context, FlagEntry } from "./model.ts";
import type { ChangeFrame, FactsAnswer, FactsRequest } from "./protocol.ts";

interface Asked {
  readonly body: FactsRequest;
  dropped: boolean;
  done(result: FactsResult): void;
}

/** A page whose clock, timers and network the test holds in its hand. */
function createPage(random = () => 0.5) {
  let now = 0;
  let timers: { at: number; run: () => void }[] = [];
  const asked: Asked[] = [];
  const kept: FactsAnswer[] = [];
  const lines: string[] = [];
  const told: string[][] = [];
  let stream: StreamListener | undefined;
  const ports: Ports = {
    now: () => now,
    time: () => now,
    random,
    draw: () => 0.5,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    stream(_query, listener) {
      stream = listener;
      return () => {};
    },
    state: () => () => {},
    send: async () => "sent",
    context: () => client.facts?.context,
    holdFacts: (owner) => createFacts({ ...ports, askFacts, keepFacts: (answer) => void kept.push(answer) }, owner),
  };
  function askFacts(body: string, done: (result: FactsResult) => void): () => void {
    const one: Asked = {
      body: JSON.parse(body),
      dropped: false,
      done: (result) => {
        if (!one.dropped) done(result);
      },
    };
    asked.push(one);
    return () => {
      one.dropped = true;
    };
  }
  const client: Client = createClient(ports, {
    server: "http://signalbox",
    sdkKey: "sb_browser_production_x",
    app: "tests",
    instance: "one",
    sdk: "test/0",
    transport: "stream",
    pollMs: 15_000,
    logger: { info: () => {}, warn: (line) => lines.push(line) },
    unknownHint: "",
  });
  client.on("change", ({ keys }) => told.push([...keys]));
  let entries: readonly FlagEntry[] = [];
  let revision = 0;
  const frame = (event: string, data: object, id = "") => stream?.text(`event: ${event}\n${id}data: ${JSON.stringify(data)}\n\n`);
  const page = {
    client,
    asked,
    kept,
    lines,
    told,
    identify: (context: Context) => client.facts?.identify(context),
    /** Lets time pass, on a stream that is alive. */
    pass(ms: number): void {
      for (let left = ms; left > 10_000; left -= 10_000) {
        page.passQuietly(10_000);
        if (revision > 0) frame("ping", { generation: 1, head: revision, dbAgeMs: 0, at: 0 });
      }
      page.passQuietly(ms % 10_000 || Math.min(ms, 10_000));
    },
    passQuietly(ms: number): void {
      const end = now + ms;
      for (;;) {
        const [next] = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (!next) break;
        now = Math.max(now, next.at);
        timers = timers.filter((timer) => timer !== next);
        next.run();
      }
      now = end;
    },
    frame,
    /** Opens a stream that tells of kills and sends no state yet. */
    hello(head: number, killed: readonly string[]): void {
      stream?.open();
      frame("hello", {
        protocol: 1,
        generation: 1,
        head,
        factsAt: 0,
        heartbeatMs: 15_000,
        at: 0,
        emergency: killed.map((flag) => ({ id: flag, flag })),
      });
    },
    /** Opens a stream that sends the state. */
    open(at: number, flags: readonly FlagEntry[], factsAt = 0): void {
      const before = stream;
      before?.lost("ended");
      for (let ms = 0; stream === before && ms < 60_000; ms += 50) page.passQuietly(50);
      entries = flags;
      revision = at;
      stream?.open();
      frame("hello", { protocol: 1, generation: 1, head: revision, factsAt, heartbeatMs: 15_000, at: 0, emergency: [] });
      const state = { generation: 1, revision, digest: digestOf(entries), factsAt, environment: "production", project: "shop", entries };
      frame("snapshot", state);
    },
    change(from: number, put: readonly FlagEntry[], more: Partial<ChangeFrame> = {}): void {
      entries = [...entries.filter(({ key }) => !put.some((one) => one.key === key)), ...put];
      revision = from + 1;
      frame("change", { generation: 1, from, to: from + 1, digest: digestOf(entries), put, remove: [], ...more });
    },
    /** Answers the newest question. */
    answer(revision: number, holds: readonly number[], fails: readonly number[] = [], context: unknown = client.facts?.context): void {
      const body: FactsAnswer = { generation: 1, revision, contextHash: contextHash(context), true: holds, false: fails };
      asked.at(-1)?.done({ status: 200, text: JSON.stringify(body) });
    },
    refuse: (status: number, retryAfterMs?: number) => asked.at(-1)?.done({ status, text: '{"detail":"No."}', retryAfterMs }),
    on: (key = "beta", context?: Context) => client.isOn(key, context),
  };
  return page;
}

let fingerprints = 0;
function flag(key: string, fields: Partial<FlagEntry> = {}): FlagEntry {
  fingerprints++;
  const fp = fingerprints.toString(16).padStart(16, "0");
  return { kind: "flag", key, fp, type: "boolean", off: "off", on: "on", mode: "targeted", salt: key, ...fields };
}

function when(condition: Condition): Pick<FlagEntry, "rules"> {
  return { rules: [{ id: "r", when: condition, serve: { kind: "variant", variant: "on" } }] };
}

const fact = (number: number): Condition => ({ op: "fact", fact: number });
const beta = (number = 7) => flag("beta", when(fact(number)));

/** A page for Ada, who has fact 7, at revision 5. */
function joined() {
  const page = createPage();
  page.identify({ key: "ada" });
  page.open(5, [beta(), flag("child", { mode: "on", requires: [{ flag: "beta", variants: ["on"] }] })]);
  page.pass(0);
  page.answer(5, [7]);
  expect(page.on()).toBe(true);
  page.told.length = 0;
  return page;
}

describe("asking", () => {
  test("happens only for flags that ask a fact, and tells what it changes, dependents too", () => {
    const page = createPage();
    page.identify({ key: "ada" });
    const plain = flag("plain", { mode: "on" });
    page.open(5, [plain, flag("off", { ...when(fact(1)), mode: "off" }), flag("killed", { ...when(fact(1)), killed: true })]);
    page.pass(60_000);
    expect(page.asked).toEqual([]);
    page.change(5, [beta(), flag("child", { mode: "on", requires: [{ flag: "beta", variants: ["on"] }] })]);
    page.pass(0);
    expect(page.asked.map(({ body }) => body)).toEqual([{ context: { key: "ada" }, generation: 1, at: 6 }]);
    expect([page.on(), page.on("child")]).toEqual([false, false]);
    page.told.length = 0;
    page.answer(6, [7]);
    expect([page.on(), page.on("child")]).toEqual([true, true]);
    expect(page.told).toEqual([["beta", "child"]]);
    expect(page.kept).toEqual([expect.objectContaining({ true: [7] })]);
    page.pass(60_000);
    expect(page.asked).toHaveLength(1);
  });

  test("facts hold for the context that they were answered for and no other", () => {
    const page = joined();
    expect(page.on("beta", { key: "ada" })).toBe(false);
    page.identify({ key: "bob" });
    expect(page.on()).toBe(false);
    page.pass(0);
    page.answer(5, [7], [], { key: "ada" });
    expect(page.on()).toBe(false);
    page.pass(30_000);
    expect(page.asked.at(-1)?.body.context).toEqual({ key: "bob" });
    page.answer(5, [], [7]);
    expect(page.on()).toBe(false);
    page.pass(60_000);
    expect(page.asked).toHaveLength(3);
  });

  test("an answer on its way for the context before is dropped, and the new one is asked at once", () => {
    const page = createPage();
    page.identify({ key: "ada" });
    page.open(5, [beta()]);
    page.pass(0);
    page.identify({ key: "bob" });
    page.pass(0);
    expect(page.asked.map(({ body, dropped }) => [body.context?.key, dropped])).toEqual([
      ["ada", true],
      ["bob", false],
    ]);
  });

  test("the same context again asks nothing, and a copy is held: what the app does to its object later changes nothing", () => {
    const page = joined();
    const context = { key: "ada" } as { key: string };
    page.identify(context);
    context.key = "bob";
    page.pass(60_000);
    expect([page.on(), page.asked.length, page.client.facts?.context]).toEqual([true, 1, { key: "ada" }]);
  });

  test("a server that says when to come back is not asked sooner, whatever the page does", () => {
    const page = createPage();
    page.identify({ key: "ada" });
    page.open(5, [beta()]);
    page.pass(0);
    page.refuse(429, 5_000);
    for (let i = 0; i < 10; i++) {
      page.identify({ key: i % 2 === 0 ? "bob" : "ada" });
      page.identify({ key: i % 2 === 0 ? "bob" : "ada" });
      page.pass(100);
    }
    expect(page.asked).toHaveLength(1);
    page.pass(5_000);
    expect(page.asked).toHaveLength(2);
  });

  test("what was refused is asked again for another context or with another signature, and not for the same", () => {
    const page = createPage();
    page.identify({ key: "ada" });
    page.open(5, [beta()]);
    page.pass(0);
    page.refuse(403);
    page.identify({ key: "ada" });
    page.pass(5_000);
    expect(page.asked).toHaveLength(1);
    page.client.facts?.identify({ key: "ada" }, { renewed: true });
    page.pass(0);
    expect(page.asked).toHaveLength(2);
    page.refuse(403);
    page.identify({ key: "bob" });
    page.pass(0);
    expect(page.asked).toHaveLength(3);
  });

  test("waits longer after each failure, as long as the server says, and five minutes when it is refused", () => {
    const page = createPage();
    page.identify({ key: "ada" });
    page.open(5, [beta()]);
    page.pass(0);
    const pauses: number[] = [];
    const fail = (run: () => void): void => {
      const { length } = page.asked;
      run();
      let ms = 0;
      for (; page.asked.length === length && ms < 1_000_000; ms += 50) page.pass(50);
      pauses.push(ms);
    };
    for (let i = 0; i < 3; i++) fail(() => page.asked.at(-1)?.done(undefined));
    fail(() => page.refuse(503));
    fail(() => page.refuse(429, 4_000));
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_500]);
    page.refuse(403);
    page.pass(20_000);
    expect(page.asked).toHaveLength(6);
    expect(page.lines.at(-1)).toBe("signalbox: facts are refused: No.");
  });

  test("ready waits for the facts, not for ever", async () => {
    const page = createPage();
    page.identify({ key: "ada" });
    page.pass(0);
    let ready = 0;
    void page.client.ready({ timeoutMs: 100_000 }).then(() => ready++);
    page.open(5, [beta()]);
    page.pass(0);
    await Promise.resolve();
    expect(ready).toBe(0);
    page.answer(5, [7]);
    await Promise.resolve();
    expect(ready).toBe(1);
  });
});

describe("when facts change", () => {
  test("an answer older than the change is dropped: the flag keeps its last answer until the next, ten seconds at most", () => {
    const page = joined();
    page.change(5, [], { factsAt: 6 });
    expect(page.on()).toBe(true);
    page.pass(1_000);
    expect(page.asked.at(-1)?.body).toMatchObject({ at: 6 });
    page.answer(5, [7]); // from a node that lags behind
    expect(page.on()).toBe(true);
    page.pass(1_000);
    expect(page.asked).toHaveLength(3);
    page.pass(7_900);
    expect([page.on(), page.told]).toEqual([true, []]);
    page.pass(200);
    expect([page.on(), page.on("child"), page.told]).toEqual([false, false, [["beta", "child"]]]);
    page.answer(6, [7]);
    expect([page.on(), page.told.length]).toEqual([true, 2]);
  });

  test("a condition that is edited gets another number, and the flag keeps its last answer meanwhile", () => {
    const page = joined();
    page.change(5, [beta(8)], { factsAt: 6 });
    expect(page.on()).toBe(true);
    page.pass(1_000);
    page.answer(6, [], [8]);
    expect(page.on()).toBe(false);
  });

  test("killed, archived and off are decided first, of the flag and of those that it requires", () => {
    for (const fields of [{ killed: true }, { archived: true }, { mode: "off" as const }]) {
      const page = joined();
      page.change(5, [{ ...beta(8), ...fields }], { factsAt: 6 });
      expect([page.on(), page.on("child")]).toEqual([false, false]);
    }
  });

  test("only pages whom it concerns ask again, each at its time", () => {
    const page = joined();
    const other = (unitTag("ada") + 1) % 256;
    page.frame("facts", { generation: 1, at: 6, units: [other], spreadMs: 4_000 });
    page.change(5, [], { factsAt: 6 });
    page.change(6, [], { factsAt: 7 });
    page.frame("facts", { generation: 1, at: 7, units: [other], spreadMs: 4_000 });
    page.pass(15_000);
    expect([page.asked.length, page.on()]).toEqual([1, true]);
    page.frame("facts", { generation: 1, at: 8, units: [unitTag("ada")], spreadMs: 4_000 });
    page.frame("facts", { generation: 1, at: 9, units: [other], spreadMs: 4_000 });
    page.pass(1_900);
    expect([page.asked.length, page.on()]).toEqual([1, true]);
    page.pass(200);
    expect(page.asked.at(-1)?.body).toMatchObject({ at: 9 });
    page.answer(9, [], [7]);
    expect([page.on(), page.told]).toEqual([false, [["beta", "child"]]]);
    page.frame("facts", { generation: 1, at: 10, units: [], all: true, spreadMs: 0 });
    page.pass(0);
    expect(page.asked).toHaveLength(3);
  });

  test("a fact that is new is asked for, however many changes went by that did not concern this page", () => {
    const page = joined();
    page.frame("facts", { generation: 1, at: 9, units: [(unitTag("ada") + 1) % 256], spreadMs: 0 });
    page.change(5, [flag("more", when(fact(12)))]);
    page.pass(1_000);
    expect([page.asked.length, page.on()]).toEqual([2, true]);
  });

  test("an answer says nothing of a fact that came while it was on its way", () => {
    const page = createPage();
    page.identify({ key: "ada" });
    page.open(20, [beta()]);
    page.pass(0);
    expect(page.asked.map(({ body }) => body.at)).toEqual([20]);
    page.change(20, [flag("next", when(fact(8)))]);
    page.answer(20, [7]);
    expect([page.on(), page.on("next")]).toEqual([true, false]);
    page.pass(1_000);
    expect(page.asked.map(({ body }) => body.at)).toEqual([20, 21]);
    page.answer(21, [7, 8]);
    expect([page.on(), page.on("next")]).toEqual([true, true]);
    page.pass(60_000);
    expect(page.asked).toHaveLength(2);
  });

  test("an answer that a change overtook is asked once more, soon and not as after a failure", async () => {
    const page = createPage(() => 0);
    page.identify({ key: "ada" });
    page.open(5, [beta()]);
    page.pass(0);
    page.frame("facts", { generation: 1, at: 6, units: [], all: true, spreadMs: 0 });
    let isReady = false;
    const ready = page.client.ready().then(() => {
      isReady = true;
    });
    page.answer(5, [7]);
    page.pass(499);
    await Promise.resolve();
    expect([page.asked.length, page.kept.length, isReady]).toEqual([1, 0, false]);
    page.pass(1);
    expect(page.asked.map(({ body }) => body.at)).toEqual([5, 6]);
    page.answer(6, [7]);
    await ready;
    expect(page.on()).toBe(true);
  });

  test("a listener may go on to another context: the answer is kept, and the next one is asked at once", () => {
    const page = createPage();
    page.identify({ key: "ada" });
    page.open(5, [beta()]);
    page.pass(0);
    page.client.on("change", () => page.identify({ key: "bob" }));
    page.answer(5, [7]);
    expect(page.kept).toEqual([expect.objectContaining({ true: [7] })]);
    page.pass(0);
    expect(page.asked.map(({ body }) => body.context)).toEqual([{ key: "ada" }, { key: "bob" }]);
  });

  test("what a request that was given up comes to counts for nothing", async () => {
    const page = createPage();
    page.identify({ key: "ada" });
    page.open(5, [beta()]);
    page.pass(0);
    page.identify({ key: "bob" });
    const [first] = page.asked;
    if (first) first.dropped = false;
    let isReady = false;
    const ready = page.client.ready().then(() => {
      isReady = true;
    });
    first?.done(undefined);
    await Promise.resolve();
    page.pass(0);
    expect([isReady, page.asked.length]).toEqual([false, 2]);
    page.answer(5, [7]);
    await ready;
    expect(page.on()).toBe(true);
  });

  test("facts of an earlier page answer at once, and are asked again once", () => {
    const page = createPage();
    const kept = { generation: 1, revision: 5, contextHash: contextHash({ key: "ada" }), true: [7], false: [] };
    page.client.facts?.identify({ key: "ada" }, { kept });
    page.open(5, [beta()]);
    expect(page.on()).toBe(true);
    page.pass(1_000);
    expect(page.asked).toHaveLength(1);
    page.refuse(503);
    expect(page.on()).toBe(true);
    page.pass(1_000);
    expect(page.asked).toHaveLength(2);
    page.answer(5, [], [7]);
    expect(page.on()).toBe(false);
    page.client.facts?.identify({ key: "ada" }, { kept: page.kept[0] });
    page.pass(60_000);
    expect(page.asked).toHaveLength(2);
  });

  test("what changed while there was no stream may concern anybody", () => {
    const page = joined();
    page.open(6, [beta()], 6);
    page.pass(1_000);
    expect(page.asked).toHaveLength(2);
    page.answer(6, [7]);
    page.open(7, [beta()], 6);
    page.pass(10_000);
    expect(page.asked).toHaveLength(2);
  });

  test("answers of another page or of joining are taken, if they are for this context and new enough", () => {
    const page = joined();
    page.change(5, [], { factsAt: 6 });
    const answer = { generation: 1, revision: 6, contextHash: contextHash({ key: "ada" }), true: [], false: [7] };
    for (const wrong of [
      { ...answer, revision: 5 },
      { ...answer, contextHash: contextHash({ key: "bob" }) },
      { ...answer, true: 7 },
      null,
      "x",
    ]) {
      page.client.facts?.take(wrong);
      expect(page.on()).toBe(true);
    }
    expect(page.client.facts?.take(answer)).toBe(true);
    expect(page.on()).toBe(false);
    page.pass(10_000);
    expect(page.asked).toHaveLength(1);
  });
});

test("answers that a page came with hold until the state and the facts are there", () => {
  const page = createPage();
  const on = { served: true, variant: "on", value: true, reason: { kind: "STATIC" } } as const;
  const given = { contextHash: contextHash({ key: "ada" }), flags: { beta: on, plain: on } };
  page.client.facts?.identify({ key: "ada" }, { given });
  expect([page.on(), page.on("plain"), page.on("beta", { key: "bob" })]).toEqual([true, true, false]);
  page.open(5, [beta(), flag("plain")]);
  expect([page.on(), page.on("plain")]).toEqual([true, false]);
  page.pass(0);
  page.answer(5, [], [7]);
  expect(page.on()).toBe(false);
  page.client.facts?.identify({ key: "bob" }, { given });
  expect(page.on()).toBe(false);
});

test("answers that a page came with never hold over a kill", () => {
  const page = createPage();
  const on = { served: true, variant: "on", value: true, reason: { kind: "STATIC" } } as const;
  page.client.facts?.identify({ key: "ada" }, { given: { contextHash: contextHash({ key: "ada" }), flags: { beta: on, plain: on } } });
  page.pass(0);
  page.hello(5, ["beta"]);
  expect([page.on(), page.on("plain")]).toEqual([false, true]);
});

test("a context without JSON is evaluated, and its facts stay unknown", () => {
  const page = createPage();
  const circle: { key: string; self?: unknown } = { key: "ada" };
  circle.self = circle;
  page.identify(circle);
  page.open(5, [beta(), flag("all", when({ op: "all", of: [] }))]);
  page.pass(60_000);
  expect([page.on(), page.on("all"), page.asked.length]).toEqual([false, true, 0]);
});
