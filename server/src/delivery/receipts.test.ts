import { isSampled, type Projection } from "@signalbox/core";
import { describe, expect, test } from "vitest";
import { createInstances } from "./instances.ts";
import { createReceipts } from "./receipts.ts";
import { arrival, booleanFlag, createTestFeed, manualClock, PRODUCTION } from "./test-support.ts";

function start() {
  const clock = manualClock();
  const feed = createTestFeed();
  const instances = createInstances(clock);
  const receipts = createReceipts({ feed, instances, clock });
  const join = (instance: string, kind: Projection = "server", revision?: number) =>
    instances.join(
      arrival(instance, { app: `app-${instance}`, kind, basis: revision === undefined ? undefined : { generation: 7, revision } }),
    );
  const kill = (browser = true) => feed.commit({ put: [booleanFlag("search", "a1")], action: "flag.kill", browser }).to;
  const ack = (instance: string, revision: number, generation = 7, kind: Projection = "server") =>
    instances.acknowledge(PRODUCTION.id, kind, { instance, generation, revision });
  const of = (revision: number) => receipts.open(PRODUCTION.id, revision);
  return { clock, feed, instances, receipts, join, kill, ack, of };
}

describe("a receipt", () => {
  test("opens for every revision", () => {
    const { feed, of } = start();
    feed.commit({ put: [booleanFlag("search", "a1")] });
    feed.commit({ put: [booleanFlag("search", "a2")], action: "flag.kill" });
    feed.commit({ put: [booleanFlag("search", "a3")], action: "flag.restore" });
    expect(of(1)).toMatchObject({ action: "flag.configure", target: "search" });
    expect(of(4)).toBeUndefined();
    expect(of(2)).toMatchObject({
      action: "flag.kill",
      target: "search",
      by: "ada",
      storedMs: 1.3,
      environment: "production",
      revision: 2,
    });
    expect(of(3)).toMatchObject({ action: "flag.restore" });
  });

  test("counts each program once, with the time from the commit by the server's clock", async () => {
    const { clock, join, kill, ack, of } = start();
    join("a");
    join("b", "browser");
    const revision = kill();
    expect(of(revision)).toMatchObject({
      connected: 2,
      acknowledged: 0,
      slowestMs: null,
      complete: false,
      sentence: "0 of 2 connected programs have applied it; waiting for app-a, app-b",
    });
    await clock.advance(1.26);
    ack("a", revision);
    await clock.advance(3);
    ack("a", revision);
    expect(of(revision)).toMatchObject({ acknowledged: 1, slowestMs: 1.3, missing: [{ instance: "b", app: "app-b", reason: "waiting" }] });
    ack("b", revision + 3, 7, "browser");
    expect(of(revision)).toMatchObject({
      acknowledged: 2,
      slowestMs: 4.3,
      complete: true,
      missing: [],
      sentence: "2 of 2 connected programs have applied it, slowest 4.3 ms",
    });
  });

  test("rounds what took long to whole milliseconds", async () => {
    const { clock, join, kill, ack, of } = start();
    join("a");
    const revision = kill();
    await clock.advance(41.6);
    ack("a", revision);
    expect(of(revision)?.sentence).toBe("1 of 1 connected program has applied it, slowest 42 ms");
  });

  test("takes neither an older revision nor an older generation, and takes a newer generation", () => {
    const { join, kill, ack, of } = start();
    join("a");
    const revision = kill();
    ack("a", revision - 1);
    ack("a", revision + 5, 6);
    expect(of(revision)).toMatchObject({ acknowledged: 0 });
    ack("a", 0, 8);
    expect(of(revision)).toMatchObject({ acknowledged: 1 });
  });

  test("does not take acknowledgements of programs that are not connected", () => {
    const { join, kill, ack, of } = start();
    const leave = join("a");
    const revision = kill();
    leave();
    expect(ack("a", revision)).toBe(false);
    expect(ack("stranger", revision)).toBe(false);
    expect(of(revision)).toMatchObject({ connected: 1, acknowledged: 0 });
  });

  test("names a program that has gone until it comes back holding the revision", () => {
    const { join, kill, ack, of } = start();
    join("a");
    const leave = join("b");
    const revision = kill();
    ack("a", revision);
    leave();
    expect(of(revision)).toMatchObject({ complete: false, missing: [{ instance: "b", reason: "gone", counted: true }] });
    expect(of(revision)?.sentence).toMatch(/^1 of 2 connected programs have applied it, slowest 0 ms; waiting for app-b \(gone\)$/);
    const leaveAgain = join("b", "server", revision - 1);
    expect(of(revision)).toMatchObject({ complete: false, missing: [{ instance: "b", reason: "waiting" }] });
    leaveAgain();
    join("b", "server", revision);
    expect(of(revision)).toMatchObject({ complete: true, acknowledged: 2 });
  });

  test("keeps counting a program that acknowledged and then went", () => {
    const { join, kill, ack, of } = start();
    const leave = join("a");
    const revision = kill();
    ack("a", revision);
    leave();
    expect(of(revision)).toMatchObject({ complete: true, acknowledged: 1, missing: [] });
  });

  test("does not count programs that connect later", () => {
    const { join, kill, ack, of } = start();
    join("a");
    const revision = kill();
    join("late");
    ack("late", revision);
    expect(of(revision)).toMatchObject({ connected: 1, acknowledged: 0 });
  });

  test("says when nobody is connected, and when nobody who is can see the flag", () => {
    const { join, kill, of } = start();
    const first = kill();
    expect(of(first)).toMatchObject({ connected: 0, complete: true, slowestMs: null });
    expect(of(first)?.sentence).toBe("No program is connected; each will apply it when it connects");
    join("page", "browser");
    const hidden = kill(false);
    expect(of(hidden)).toMatchObject({ connected: 0, complete: true });
    expect(of(hidden)?.sentence).toBe("No connected program can see this change; each that can will apply it when it connects");
  });

  test("names at most three programs in its sentence and a hundred in all", () => {
    const { join, kill, of } = start();
    for (let index = 0; index < 120; index += 1) join(`i${index}`);
    const revision = kill();
    expect(of(revision)?.missing).toHaveLength(100);
    expect(of(revision)?.sentence).toBe("0 of 120 connected programs have applied it; waiting for app-i0, app-i1, app-i2 and 117 more");
  });

  test("is forgotten when a hundred newer ones exist; who waits for it is answered", async () => {
    const { join, kill, of, receipts } = start();
    join("a");
    const first = kill();
    const waiting = receipts.settled(PRODUCTION.id, first, 10_000);
    for (let index = 0; index < 99; index += 1) kill();
    expect(of(first)).toBeDefined();
    kill();
    expect(of(first)).toBeUndefined();
    expect(await waiting).toMatchObject({ revision: first, complete: false });
  });
});

describe("waiting for a receipt", () => {
  test("ends when the last program has applied it", async () => {
    const { join, kill, ack, receipts } = start();
    join("a");
    const revision = kill();
    const waiting = receipts.settled(PRODUCTION.id, revision, 10_000);
    ack("a", revision);
    expect(await waiting).toMatchObject({ complete: true });
  });

  test("ends after the time asked for, at most 10 s, with what is known", async () => {
    const { clock, join, kill, receipts } = start();
    join("a");
    const revision = kill();
    let answered = 0;
    for (const waitMs of [50, 1_000_000]) void receipts.settled(PRODUCTION.id, revision, waitMs).then(() => (answered += 1));
    await clock.advance(49);
    expect(answered).toBe(0);
    await clock.advance(1);
    expect(answered).toBe(1);
    await clock.advance(9_950);
    expect(answered).toBe(2);
  });

  test("is not needed for a receipt that is complete, and not possible for one that does not exist", async () => {
    const { kill, receipts } = start();
    expect(await receipts.settled(PRODUCTION.id, kill(), 10_000)).toMatchObject({ complete: true });
    expect(await receipts.settled(PRODUCTION.id, 99, 10_000)).toBeUndefined();
  });

  test("ends when the server closes", async () => {
    const { join, kill, receipts } = start();
    join("a");
    const waiting = receipts.settled(PRODUCTION.id, kill(), 10_000);
    receipts.close();
    expect(await waiting).toMatchObject({ complete: false });
  });
});

test("listeners hear of a receipt when it opens and each time that it changes", () => {
  const { join, kill, ack, receipts } = start();
  const heard: number[] = [];
  receipts.listen((_environment, revision) => heard.push(revision));
  const leave = join("a");
  join("b");
  const revision = kill();
  ack("b", revision);
  ack("b", revision);
  leave();
  expect(heard).toEqual([revision, revision, revision]);
});

describe("what a receipt says of time", () => {
  test("half, 95 of 100, 99 of 100 and all of those that answered had done so by then", async () => {
    const { clock, join, kill, ack, of } = start();
    for (let index = 0; index < 200; index += 1) join(`i${index}`);
    const revision = kill();
    for (let index = 0; index < 200; index += 1) {
      await clock.advance(1);
      ack(`i${index}`, revision);
    }
    expect(of(revision)).toMatchObject({ p50Ms: 100, p95Ms: 190, p99Ms: 198, slowestMs: 200, complete: true });
  });
});

describe("programs that are not counted", () => {
  test("one that polls is named until it polls holding the revision", () => {
    const { instances, join, kill, ack, of } = start();
    join("a");
    instances.polled(arrival("cron", { app: "cron", basis: { generation: 7, revision: 0 } }));
    const revision = kill();
    ack("a", revision);
    expect(of(revision)).toMatchObject({
      connected: 1,
      complete: true,
      aside: { polling: 1 },
      missing: [{ instance: "cron", transport: "poll", reason: "polling", counted: false }],
      sentence: "1 of 1 connected program has applied it, slowest 0 ms; not counted: 1 polls and applies it then",
    });
    instances.polled(arrival("cron", { basis: { generation: 7, revision } }));
    expect(of(revision)).toMatchObject({ missing: [], aside: { polling: 0 } });
  });

  test("one that is silent at the commit, until it is heard holding the revision", async () => {
    const { clock, join, kill, ack, of, instances } = start();
    join("a");
    join("b");
    await clock.advance(40_000);
    ack("b", 0);
    await clock.advance(10_000);
    expect(instances.connected(PRODUCTION.id)).toBe(1);
    const revision = kill();
    expect(of(revision)).toMatchObject({ connected: 1, aside: { silent: 1 } });
    expect(of(revision)?.missing.find(({ instance }) => instance === "a")).toMatchObject({
      reason: "silent",
      counted: false,
      why: "connected, but silent for 50 s; it may be stuck",
    });
    ack("b", revision);
    expect(of(revision)?.complete).toBe(true);
    ack("a", revision);
    expect(of(revision)).toMatchObject({ missing: [], aside: { silent: 0 } });
    expect(instances.connected(PRODUCTION.id)).toBe(2);
  });

  test("one that falls silent after the commit keeps the receipt incomplete and is named so", async () => {
    const { clock, join, kill, of } = start();
    join("a");
    const revision = kill();
    await clock.advance(12_000);
    expect(of(revision)?.missing[0]).toMatchObject({ reason: "waiting", why: "connected, has not answered; last heard from 12 s ago" });
    await clock.advance(40_000);
    expect(of(revision)).toMatchObject({ complete: false, connected: 1, missing: [{ reason: "silent", counted: true }] });
    expect(of(revision)?.sentence).toMatch(/waiting for app-a \(silent\)$/);
  });

  test("an older SDK is waited for at a kill, which it acknowledges, and not at other writes", () => {
    const { instances, feed, kill, ack, of } = start();
    instances.join(arrival("old", { acks: "kills", sdk: "node/0.0.9" }));
    const { to } = feed.commit({ put: [booleanFlag("search", "a7")] });
    expect(of(to)).toMatchObject({ connected: 0, complete: true, aside: { oldSdk: 1 }, missing: [{ reason: "old-sdk", counted: false }] });
    const revision = kill();
    expect(of(revision)).toMatchObject({ connected: 1, complete: false, missing: [{ reason: "old-sdk", counted: true }] });
    ack("old", revision);
    expect(of(revision)).toMatchObject({ complete: true });
  });

  test("a stream without a name is never waited for: nobody could acknowledge for it", () => {
    const { instances, kill, of } = start();
    instances.join(arrival("made-up", { acks: "none" }));
    expect(of(kill())).toMatchObject({ connected: 0, complete: true, aside: { oldSdk: 1 }, missing: [] });
  });

  test("pages outside the sample are a number", () => {
    const { instances, kill, ack, of } = start();
    for (let index = 0; index < 1_000; index += 1) {
      instances.join(arrival(`page-${index}`, { kind: "browser", ackSample: 0.1 }));
    }
    const revision = kill();
    const receipt = of(revision);
    const { connected = 0 } = receipt ?? {};
    expect(connected).toBeGreaterThan(50);
    expect(connected).toBeLessThan(150);
    expect(receipt?.aside.notSampled).toBe(1_000 - connected);
    for (let index = 0; index < 1_000; index += 1) if (isSampled(`page-${index}`, 0.1)) ack(`page-${index}`, revision, 7, "browser");
    expect(of(revision)).toMatchObject({ complete: true, missing: [] });
  });
});

describe("memory of receipts", () => {
  test("is bounded: with many programs that never answer the oldest receipts are left as they are", () => {
    const { join, kill, of } = start();
    for (let index = 0; index < 10_000; index += 1) join(`i${index}`);
    const revisions = Array.from({ length: 60 }, () => kill());
    const known = revisions.filter((revision) => of(revision));
    expect(known).toEqual(revisions.slice(-50));
  });
});

test("an instance with two connections leaves with the last of them", () => {
  const { join, instances } = start();
  const first = join("a");
  const second = join("a");
  first();
  first();
  expect(instances.connected(PRODUCTION.id)).toBe(1);
  second();
  expect(instances.connected(PRODUCTION.id)).toBe(0);
});
