import { request } from "node:http";
import { sipHash } from "@signalbox/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FlagWritten, SdkKeys } from "../api-types.ts";
import { manualClock, turn } from "../delivery/test-support.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { createWriteQueue } from "../store/queue.ts";
import { openStore } from "../store/store.ts";
import { createJoinLane, JOINS_TOGETHER_MAX, JOINS_WAITING_MAX, PAGES_WAITING_MAX } from "./join-lane.ts";
import type { Participation } from "./participate.ts";

const one = (unit: string, joining = true): Participation => ({ group: "beta", unit, joining, vouched: true });

/** A lane whose batches are committed by hand of the clock: each is numbered, and answers with its number. */
function lane(clock = manualClock()) {
  const batches: string[][] = [];
  const made = createJoinLane<number>(clock, async (batch) => {
    batches.push(batch.map(({ unit, joining }) => `${joining ? "+" : "-"}${unit}`));
    if (batch.some(({ unit }) => unit === "disk-full")) throw new Error("the disk is full");
    const settled = batch.map(({ unit }) =>
      unit === "refused" ? ({ kind: "refused", error: new Error("not you") } as const) : ({ kind: "done", value: batches.length } as const),
    );
    return { changed: batch.some(({ unit }) => unit !== "same"), settled };
  });
  return { add: made.add, batches, clock };
}

describe("the lane of those who join and leave", () => {
  it("commits the first at once and gathers the others, one batch in a second", async () => {
    const { add, batches, clock } = lane();
    const first = add(one("a"));
    const second = add(one("b"));
    await clock.advance(0);
    expect(await Promise.all([first, second])).toEqual([1, 1]);
    const later = [add(one("c")), add(one("d", false)), add(one("e"))];
    await clock.advance(999);
    expect(batches).toHaveLength(1);
    await clock.advance(1);
    expect(await Promise.all(later)).toEqual([2, 2, 2]);
    expect(batches).toEqual([
      ["+a", "+b"],
      ["+c", "-d", "+e"],
    ]);
  });

  it("does one step of a unit after the other, and the same step once", async () => {
    const { add, batches, clock } = lane();
    const answers = Promise.all([add(one("a")), add(one("a")), add(one("a", false)), add(one("a")), add(one("b"))]);
    await clock.advance(2_000);
    expect(await answers).toEqual([1, 1, 2, 3, 1]);
    expect(batches).toEqual([["+a", "+b"], ["-a"], ["+a"]]);
  });

  it("lets nobody wait for a step that changed nothing", async () => {
    const { add, clock } = lane();
    void add(one("same"));
    await clock.advance(0);
    const next = add(one("a"));
    await clock.advance(0);
    expect(await next).toBe(2);
  });

  it("tells each its own refusal, and all of a batch when nothing was stored; then it goes on", async () => {
    const { add, clock } = lane();
    const settled = Promise.allSettled([add(one("a")), add(one("refused"))]);
    await clock.advance(0);
    expect(await settled).toMatchObject([{ value: 1 }, { reason: { message: "not you" } }]);
    const failed = Promise.allSettled([add(one("b")), add(one("disk-full"))]);
    await clock.advance(1_000);
    expect(await failed).toMatchObject([{ reason: { message: "the disk is full" } }, { reason: { message: "the disk is full" } }]);
    const after = add(one("c"));
    await clock.advance(1_000);
    expect(await after).toBe(3);
  });

  it("takes a thousand together, lets ten thousand wait, and tells the next when to come back", async () => {
    const { add, batches, clock } = lane();
    const all = Array.from({ length: JOINS_WAITING_MAX }, (_, index) => add(one(`u${index}`)));
    await expect(add(one("late"))).rejects.toMatchObject({
      code: "OVERLOADED",
      status: 503,
      message: expect.stringContaining("try again in 10 s"),
      extra: { headers: { "retry-after": "10" } },
    });
    await clock.advance(0);
    void add(one("late"));
    await clock.advance(9_000);
    expect(await Promise.all(all)).toHaveLength(JOINS_WAITING_MAX);
    expect(batches.map((batch) => batch.length)).toEqual(Array.from({ length: 10 }, () => JOINS_TOGETHER_MAX));
    await clock.advance(1_000);
    expect(batches.at(-1)).toEqual(["+late"]);
  });

  it("keeps places for those who come through the app's own server", async () => {
    const { add, clock } = lane();
    const page = (index: number) => add({ ...one(`p${index}`), vouched: false });
    const pages = Array.from({ length: PAGES_WAITING_MAX }, (_, index) => page(index));
    await expect(page(-1)).rejects.toMatchObject({ code: "OVERLOADED", message: expect.stringMatching(/^8000 are waiting/) });
    const vouched = add(one("a"));
    await clock.advance(9_000);
    await Promise.all([...pages, vouched]);
  });

  it("is not filled by one unit", async () => {
    const { add, clock } = lane();
    const steps = Array.from({ length: 20 }, (_, index) => add(one("a", index % 2 === 0)));
    await expect(add(one("a"))).rejects.toMatchObject({ code: "RATE_LIMITED", status: 429 });
    void add(one("b"));
    await clock.advance(19_000);
    expect(await Promise.all(steps)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    const again = add(one("a"));
    await clock.advance(1_000);
    expect(await again).toBe(21);
  });
});

it("in the write queue a kill goes ahead of edits, and edits ahead of those who join", async () => {
  const queue = createWriteQueue();
  const order: string[] = [];
  const run = (name: string, lane: "kill" | "edit" | "join") => queue.run(() => void order.push(name), lane);
  await Promise.all([run("join 1", "join"), run("join 2", "join"), run("edit 1", "edit"), run("kill", "kill"), run("edit 2", "edit")]);
  await turn();
  expect(order).toEqual(["kill", "edit 1", "edit 2", "join 1", "join 2"]);
});

describe("a flood of pages that join", () => {
  const E = "/api/v1/projects/default/environments/development";
  const JOINING = 1_000;
  let server: TestServer;
  let cookie: string;
  let keys: SdkKeys;
  beforeAll(async () => {
    server = await startTestServer();
    cookie = await server.signIn();
    keys = (await (await server.send("GET", `${E}/sdk-keys`, cookie)).json()) as SdkKeys;
    await server.send("POST", `${E}/groups`, cookie, { key: "beta", kind: "early-access" });
    await server.send("POST", "/api/v1/projects/default/flags", cookie, { key: "search" });
  });
  afterAll(() => server.close());

  interface Answer {
    readonly joined: boolean;
    readonly revision: number;
  }

  /** From an address of its own: all of 127.0.0.0/8 is this machine. */
  function join(index: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request(
        `http://127.0.0.1:${server.port}/sdk/v1/early-access/beta/join?key=${keys.browser}`,
        { method: "POST", headers: { "content-type": "text/plain" }, localAddress: `127.0.${1 + (index >> 7)}.${1 + (index & 127)}` },
        async (answer) => {
          const text = Buffer.concat(await answer.toArray()).toString();
          if (answer.statusCode === 200) resolve(JSON.parse(text) as Answer);
          else reject(new Error(text));
        },
      );
      sent.on("error", reject);
      sent.end(JSON.stringify({ context: { key: `visitor-${index}` } }));
    });
  }

  it("is a handful of revisions, each answer true, and a kill is not behind it", async () => {
    let answered = 0;
    const startedAt = performance.now();
    const joins = Array.from({ length: JOINING }, (_, index) =>
      join(index).finally(() => {
        answered += 1;
      }),
    );
    await joins[0];
    const killed = (await (await server.send("POST", `${E}/flags/search/kill`, cookie, {})).json()) as FlagWritten;
    expect(killed.changed).toBe(true);
    expect(answered).toBeLessThan(JOINING);
    const answers = await Promise.all(joins);
    const seconds = (performance.now() - startedAt) / 1_000;

    await server.stop();
    const store = await openStore({ directory: server.data });
    const beta = store.project("default")?.environments[0]?.groups.get("beta") ?? expect.fail("no group");
    expect(beta.list).toHaveLength(JOINING);
    const rows = store.db.all<{ revision: number; action: string; after: string }>(
      "select revision, action, after from audit where action = 'early-access.join' order by id",
    );
    // One at once, then one in each second, however long this machine takes to make a thousand connections.
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.length).toBeLessThanOrEqual(1 + Math.ceil(seconds));
    const added = new Map(rows.map(({ revision, after }) => [revision, new Set((JSON.parse(after) as { added: string[] }).added)]));
    for (const [index, { joined, revision }] of answers.entries()) {
      expect(joined).toBe(true);
      expect(added.get(revision)?.has(sipHash(beta.hashKey, `visitor-${index}`))).toBe(true);
    }
    expect(killed.revision).toBeLessThan(rows.at(-1)?.revision ?? 0);
    await store.close();
  }, 30_000);
});
