import { now, percentile, serveCalls, sleep } from "./remote.ts";
import type { Receipts } from "./stream-clients.ts";

/** Real Node SDKs as built, each with a connection of its own, that note when an answer changes. In a process of its own. */
const built = new URL("../sdk-node/dist/index.js", import.meta.url).pathname;
const { createFlags } = (await import(built)) as typeof import("../sdk-node/src/index.ts");

/** Asks an SDK for the answer that is waited for. */
type Ask = () => boolean;

const instances: Ask[] = [];
let wanted: boolean | undefined;
let times: number[] = [];
let seen = new Set<Ask>();
let done = () => {};

function look(ask: Ask): void {
  if (wanted === undefined || seen.has(ask) || ask() !== wanted) return;
  seen.add(ask);
  times.push(now());
  if (seen.size === instances.length) done();
}

async function allTimes(): Promise<number[]> {
  if (seen.size < instances.length) {
    await new Promise<void>((resolve) => {
      done = resolve;
      setTimeout(resolve, 20_000).unref();
    });
  }
  return [...times].sort((a, b) => a - b);
}

/** What is used of the SDK of Unleash: its types are not there until it is installed. */
interface UnleashSdk {
  connect(options: { url: string; token: string; refreshMs: number }): Promise<{
    isEnabled(flag: string): boolean;
    on(event: "changed", listener: () => void): void;
  }>;
}

serveCalls({
  async start({ url, sdkKey, count, key }: { url: string; sdkKey: string; count: number; key: string }) {
    const made = Array.from({ length: count }, () => createFlags({ url, sdkKey, app: "bench", logger: false }));
    for (const flags of made) {
      const ask = () => flags.isOn(key, { key: "somebody" });
      flags.on("change", () => look(ask));
      instances.push(ask);
    }
    for (const flags of made) {
      const { revision, problem } = await flags.ready({ timeoutMs: 30_000 });
      if (revision === undefined) throw new Error(`an SDK has no state: ${problem}`);
    }
  },
  /** The other product's, each started at a moment of its own, evenly over the interval at which they ask. */
  async startUnleash({ url, token, count, refreshMs, key }: { url: string; token: string; count: number; refreshMs: number; key: string }) {
    const sdk = new URL("./peers/unleash-server/sdk.js", import.meta.url).pathname;
    const { connect } = (await import(sdk)) as UnleashSdk;
    const began = now();
    for (let i = 0; i < count; i++) {
      await sleep(began + (i * refreshMs) / count - now());
      const unleash = await connect({ url, token, refreshMs });
      const ask = () => unleash.isEnabled(key);
      unleash.on("changed", () => look(ask));
      instances.push(ask);
    }
  },
  /** From now on: when `isOn` answers with this in every instance. */
  arm({ on }: { on: boolean }) {
    wanted = on;
    times = [];
    seen = new Set();
    for (const ask of instances) look(ask);
  },
  /** When it did, each of them. */
  times: allTimes,
  async receipts(): Promise<Receipts> {
    const sorted = await allTimes();
    return {
      count: sorted.length,
      first: sorted[0] ?? Number.NaN,
      median: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      last: sorted.at(-1) ?? Number.NaN,
    };
  },
});
