import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, type Entry, type EntryId, entryId } from "@signalbox/core";
import { expect, test } from "vitest";
import type { Commit } from "../delivery/feed.ts";
import { createFlags } from "../flags/flags.ts";
import { openStore } from "../store/store.ts";
import { missingPostgres, startPostgres } from "../store/test-postgres.ts";
import { NO_USAGE } from "../store/test-project.ts";
import { createEnvironment, deleteEnvironment } from "./decide.ts";

const ANN = { by: "ann" };
const ROUNDS = 12;

const missing = missingPostgres();

test("environments that come and go under writes leave every digest right, in the change log, in memory and on the disk", async () => {
  await churn();
}, 60_000);

test.skipIf(missing !== undefined)(
  `the same on PostgreSQL${missing ? ` (left out: ${missing})` : ""}`,
  async () => {
    const postgres = await startPostgres({ fsync: false });
    try {
      await churn(await postgres.createDatabase());
    } finally {
      await postgres.stop();
    }
  },
  120_000,
);

async function churn(databaseUrl?: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "signalbox-churn-"));
  let store = await openStore({ directory, databaseUrl });
  const flags = createFlags({ store, usage: NO_USAGE });
  /** What a program would hold that follows an environment from its first revision on. */
  const held = new Map<number, { revision: number; entries: Map<EntryId, Entry> }>();
  const wrong: string[] = [];
  store.feed.onCommit(({ environmentId, from, to, projections: { server } }: Commit) => {
    const mine = held.get(environmentId) ?? { revision: 0, entries: new Map<EntryId, Entry>() };
    held.set(environmentId, mine);
    if (mine.revision !== from) wrong.push(`${environmentId}: ${from} after ${mine.revision}`);
    mine.revision = to;
    for (const id of server.remove) mine.entries.delete(id);
    for (const entry of server.put) mine.entries.set(entryId(entry), entry);
    if (digestOf(mine.entries.values()) !== server.digest) wrong.push(`${environmentId} at ${to}: the digest is not that of the entries`);
  });

  for (const key of ["a", "b", "c"]) await flags.create("default", { key, browser: key === "a" }, ANN);
  let done = false;
  const writers = ["a", "b", "c"].map(async (key, index) => {
    for (let i = 0; !done; i += 1) {
      const place = { project: "default", environment: "development" };
      if (i % 3 === index) await flags.kill(place, key, ANN);
      else if (i % 3 === 0) await flags.restore(place, key, ANN);
      else await flags.configure(place, key, { mode: i % 2 === 0 ? "on" : "off" }, ANN);
      if (i % 5 === 4) await flags.create("default", { key: `${key}-${i}` }, ANN);
    }
  });
  const write = (decide: Parameters<typeof store.write>[1]) => store.write({ project: "default", ...ANN }, decide);
  for (let round = 0; round < ROUNDS; round += 1) {
    const key = `e${round % 4}`;
    await write((current) => createEnvironment(current, { key, ...(round % 2 === 0 && { copyOf: "development" }) }));
    await flags.configure({ project: "default", environment: key }, "a", { mode: "on" }, ANN);
    if (round % 3 !== 0) await write((current) => deleteEnvironment(current, key, key, undefined));
  }
  done = true;
  await Promise.all(writers);
  expect(wrong).toEqual([]);

  const digests = () =>
    Object.fromEntries(
      store.feed
        .environments()
        .map(({ id, key }) => [key, [store.feed.state(id, "server").digest, store.feed.state(id, "browser").digest]]),
    );
  const before = digests();
  for (const { id, key } of store.feed.environments()) {
    expect(digestOf(held.get(id)?.entries.values() ?? []), key).toBe(store.feed.state(id, "server").digest);
  }
  await store.close();
  // The start rebuilds every environment from its rows and refuses one whose digest does not fit.
  store = await openStore({ directory, databaseUrl });
  expect(digests()).toEqual(before);
  await store.close();
  rmSync(directory, { recursive: true });
}
