import { afterEach, expect, test } from "vitest";
import { createDelivery } from "./delivery.ts";
import { openTestStore, type TestStore } from "./test-store.ts";
import { arrival, collectingLog, manualClock } from "./test-support.ts";

const open: TestStore[] = [];
afterEach(async () => {
  for (const parts of open.splice(0)) await parts.close();
});

function deliver(parts: TestStore) {
  const clock = manualClock();
  const log = collectingLog();
  const delivery = createDelivery({ feed: parts.store.feed, store: parts.store, clock, log });
  return { clock, log, delivery };
}

test("a receipt survives a restart as it was last known, also one that was not complete", async () => {
  const parts = await openTestStore();
  await parts.createFlag("search");
  const { delivery, clock } = deliver(parts);
  for (const instance of ["a", "b"]) delivery.instances.join(arrival(instance, { environment: parts.development }));
  const revision = await parts.kill("search");
  await clock.advance(4);
  const { generation } = parts.store.feed.state(parts.development.id, "server");
  delivery.instances.acknowledge(parts.development.id, "server", { instance: "a", generation, revision });
  const before = await delivery.receipts.of(parts.development.id, revision);
  expect(before).toMatchObject({ acknowledged: 1, connected: 2, complete: false, open: true });
  await delivery.receipts.close();

  const again = await parts.reopen();
  open.push(again);
  const next = deliver(again);
  const after = await next.delivery.receipts.of(again.development.id, revision);
  expect(after).toEqual({ ...before, open: false });
  // Nothing is waited for that cannot come.
  expect(await next.delivery.receipts.settled(again.development.id, revision, 10_000)).toEqual(after);
});

test("receipts are written behind, within a second, and not with each acknowledgement", async () => {
  const parts = await openTestStore();
  open.push(parts);
  await parts.createFlag("search");
  const { delivery, clock } = deliver(parts);
  let writes = 0;
  const transaction = parts.store.transaction.bind(parts.store);
  Object.assign(parts.store, {
    transaction(run: never) {
      writes += 1;
      return transaction(run);
    },
  });
  for (let index = 0; index < 50; index += 1) delivery.instances.join(arrival(`i${index}`, { environment: parts.development }));
  const revision = await parts.kill("search");
  const { generation } = parts.store.feed.state(parts.development.id, "server");
  for (let index = 0; index < 50; index += 1) {
    delivery.instances.acknowledge(parts.development.id, "server", { instance: `i${index}`, generation, revision });
    await clock.advance(1);
  }
  expect(writes).toBe(0);
  await clock.advance(1_000);
  expect(writes).toBe(1);
  await delivery.receipts.close();
  expect(await deliver(parts).delivery.receipts.of(parts.development.id, revision)).toMatchObject({ acknowledged: 50, complete: true });
});

test("receipts that cannot be written are tried again, and cost no write", async () => {
  const parts = await openTestStore();
  open.push(parts);
  await parts.createFlag("search");
  const { delivery, clock, log } = deliver(parts);
  const transaction = parts.store.transaction.bind(parts.store);
  let full = true;
  Object.assign(parts.store, {
    transaction: (run: never) => (full ? Promise.reject(new Error("disk full")) : transaction(run)),
  });
  const revision = await parts.kill("search");
  await clock.advance(1_000);
  expect(log.lines).toEqual(["receipts could not be written, trying again"]);
  full = false;
  await clock.advance(5_000);
  await delivery.receipts.close();
  expect(await deliver(parts).delivery.receipts.of(parts.development.id, revision)).toMatchObject({ complete: true });
});
