import { createFlags } from "../flags/flags.ts";
import { openStore } from "./store.ts";

/**
 * Writes until it is killed, and prints each acknowledgement as a line `revision flag`: what the test that runs it may rely on.
 * The folder comes as argument, and the address of a PostgreSQL if it is to be one.
 */
const [, , directory = "", databaseUrl] = process.argv;
const store = await openStore({ directory, databaseUrl });
const flags = createFlags({ store, usage: { seen: () => null, perMinute: () => 0, hiddenAsked: () => null, samples: () => [] } });
const head = store.feed.state(store.feed.environments()[0]?.id ?? 0, "server").revision;

async function writer(lane: number): Promise<void> {
  for (let i = 0; ; i++) {
    const key = `flag-${head}-${lane}-${i}`;
    const { revision } = await flags.create("default", { key, browser: i % 2 === 0 }, { by: `lane ${lane}` });
    process.stdout.write(`${revision} ${key}\n`);
  }
}
await Promise.all([writer(0), writer(1), writer(2)]);
