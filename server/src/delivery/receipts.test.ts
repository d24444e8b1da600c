import type { Projection } from "@signalbox/core";
import { describe, expect, test } from "vitest";
import { createInstances } from "./instances.ts";
import { createReceipts } from "./receipts.ts";
import { booleanFlag, createTestFeed, manualClock, PRODUCTION } from "./test-support.ts";

function start() {
  const clock = manualClock();
  const feed = createTestFeed();
  const instances = createInstances(clock);
  const receipts = createReceipts({ feed, instances, clock });
  const join = (instance: string, kind: Projection = "server", revision?: number) =>
    instances.join({
      instance,
      app: `app-${instance}`,
      sdk: "node 0.1.0",
      kind,
      environment: PRODUCTION,
      basis: revision === undefined ? undefined : { generation: 7, revision },
    });
  const kill = (browser = true) => feed.commit({ put: [booleanFlag("search", "a1")], action: "flag.kill", browser }).to;
  const ack = (instance: string, revision: number, generation = 7) =>
    instances.acknowledge(PRODUCTION.id, { instance, generation, revision });
  const of = (revision: number) => receipts.of(PRODUCTION.id, revision);
  return { clock, feed, instances, receipts, join, kill, ack, of };
}

describe("a receipt", () => {
  test("opens for kills and restores and for nothing else", () => {
    const { feed, of } = start();
    feed.commit({ put: [booleanFlag("search", "a1")] });
    feed.commit({ put: [booleanFlag("search", "a2")], action: "flag.kill" });
    feed.commit({ put: [booleanFlag("search", "a3")], action: "flag.restore" });
    expect(of(1)).toBeUndefined();
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
    expect(of(revision)).toMatchObject({ acknowledged: 1, slowestMs: 1.3, missing: [{ instance: "b", app: "app-b", gone: false }] });
    ack("b", revision + 3);
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
    expect(of(revision)).toMatchObject({ complete: false, missing: [{ instance: "b", gone: true }] });
    expect(of(revision)?.sentence).toMatch(/^1 of 2 connected programs have applied it, slowest 0 ms; waiting for app-b \(gone\)$/);
    const leaveAgain = join("b", "server", revision - 1);
    expect(of(revision)).toMatchObject({ complete: false, missing: [{ instance: "b", gone: false }] });
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
    expect(of(hidden)?.sentence).toBe("No connected program can see this flag; each that can will apply it when it connects");
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

test("an instance with two connections leaves with the last of them", () => {
  const { join, instances } = start();
  const first = join("a");
  const second = join("a");
  first();
  first();
  expect(instances.connected(PRODUCTION.id)).toHaveLength(1);
  second();
  expect(instances.connected(PRODUCTION.id)).toHaveLength(0);
});
