import { now, percentile, serveCalls } from "./remote.ts";
import type { Receipts } from "./stream-clients.ts";

/** Real Node SDKs as built, each with a connection of its own, that note when an answer changes. In a process of its own. */
const built = new URL("../sdk-node/dist/index.js", import.meta.url).pathname;
const { createFlags } = (await import(built)) as typeof import("../sdk-node/src/index.ts");
type Flags = ReturnType<typeof createFlags>;

const instances: Flags[] = [];
let wanted: boolean | undefined;
let flag = "";
let times: number[] = [];
let done = () => {};

function look(flags: Flags, seen: Set<Flags>): void {
  if (wanted === undefined || seen.has(flags) || flags.isOn(flag, { key: "somebody" }) !== wanted) return;
  seen.add(flags);
  times.push(now());
  if (seen.size === instances.length) done();
}
let seen = new Set<Flags>();

serveCalls({
  async start({ url, sdkKey, count, key }: { url: string; sdkKey: string; count: number; key: string }) {
    flag = key;
    for (let i = 0; i < count; i++) {
      const flags = createFlags({ url, sdkKey, app: "bench", logger: false });
      flags.on("change", () => look(flags, seen));
      instances.push(flags);
    }
    for (const flags of instances) {
      const { revision, problem } = await flags.ready({ timeoutMs: 30_000 });
      if (revision === undefined) throw new Error(`an SDK has no state: ${problem}`);
    }
  },
  /** From now on: when `isOn` answers with this in every instance. */
  arm({ on }: { on: boolean }) {
    wanted = on;
    times = [];
    seen = new Set();
    for (const flags of instances) look(flags, seen);
  },
  async receipts(): Promise<Receipts> {
    if (seen.size < instances.length) {
      await new Promise<void>((resolve) => {
        done = resolve;
        setTimeout(resolve, 20_000).unref();
      });
    }
    const sorted = [...times].sort((a, b) => a - b);
    return {
      count: sorted.length,
      first: sorted[0] ?? Number.NaN,
      median: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      last: sorted.at(-1) ?? Number.NaN,
    };
  },
});
