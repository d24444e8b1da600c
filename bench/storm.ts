import { readFileSync } from "node:fs";
import { deliveryGoals, verdict } from "./delivery-goals.ts";
import { progress } from "./processes.ts";
import { now, percentile, sleep, startRemote } from "./remote.ts";
import { type BenchServer, FLAG, PRODUCTION, startBenchServer } from "./server.ts";
import { figure, table } from "./table.ts";

const ADMIN_EVERY_MS = 50;
const STORM_MS_MAX = 120_000;

export interface StormResult {
  readonly figures: Readonly<Record<"storm-converged" | "storm-admin-p99", number>>;
  readonly floors: Readonly<Record<string, number>>;
  readonly ratios: Readonly<Record<string, number>>;
}

/** The node is killed with everybody connected, started again, and a flag is killed at once: until all hold that. Admission as it is by default. */
export async function storm({ quick }: { quick: boolean }): Promise<StormResult> {
  const count = quick ? 1_000 : 10_000;
  const perSecond = 500;
  const server = await startBenchServer();
  await server.flags(50);
  const clients = startRemote("./storm-clients.ts", 1);
  progress(`opening ${count} streams at ${perSecond} a second`);
  await clients.call("start", { port: server.port, sdkKey: await server.sdkKey("production", "server"), count });
  await clients.call("forget");
  const rssBefore = rssMB(server.pid);

  progress("the server is killed and started again");
  await server.kill();
  const began = now();
  await server.start();
  const startedMs = now() - began;
  const admin = watchAdmin(server);
  const { value } = await server.api<object>("POST", `${PRODUCTION}/flags/${FLAG}/kill`, { reason: "storm" });
  const revision = Number(/"revision":(\d+)/.exec(JSON.stringify(value))?.[1]);
  let live = 0;
  while (live < count) {
    await sleep(100);
    live = await clients.call<number>("live", { revision });
    progress(`${live} of ${count} are back after ${figure((now() - began) / 1_000)} s`);
    if (now() - began > STORM_MS_MAX) break;
  }
  const seconds = (now() - began) / 1_000;
  const adminMs = await admin.stop();
  const arrivals = await clients.call<{ accepted: number; busiest: number; refusals: number }>("arrivals");
  const rss = rssMB(server.pid);
  clients.stop();
  server.stop();
  progress("");
  if (live < count) throw new Error(`after ${figure(seconds)} s only ${live} of ${count} were back`);
  const p99 = percentile(adminMs, 0.99);
  console.log(
    `A node with ${count.toLocaleString("en")} streams is killed (kill -9) and started again; core's clients come back by themselves.\n`,
  );
  console.log(
    table(
      ["", ""],
      [
        ["ready to serve again, s", figure(startedMs / 1_000)],
        ["all live, and holding a kill made after the start, s", figure(seconds)],
        [`most streams taken on in any second (limit ${perSecond}, and as many at once)`, String(arrivals.busiest)],
        ["refusals until all were in", String(arrivals.refusals)],
        [`admin API meanwhile, p99 of ${adminMs.length} requests, ms`, figure(p99)],
        ["resident before and after, MB", `${figure(rssBefore)} ${figure(rss)}`],
      ],
    ),
  );
  console.log("");
  console.log(verdict("storm-converged", seconds, deliveryGoals["storm-converged"]));
  console.log(verdict("storm-admin-p99", p99, deliveryGoals["storm-admin-p99"]));
  console.log(
    `storm-accepted: ${arrivals.busiest} in the busiest second, must be at most ${2 * perSecond}: ${arrivals.busiest <= 2 * perSecond ? "reached" : "NOT YET"}`,
  );
  return { figures: { "storm-converged": seconds, "storm-admin-p99": p99 }, floors: {}, ratios: {} };
}

/** Somebody uses the admin API all the while. */
function watchAdmin(server: BenchServer): { stop(): Promise<number[]> } {
  const took: number[] = [];
  let stopped = false;
  const run = (async () => {
    while (!stopped) {
      const began = now();
      await server.api("GET", `${PRODUCTION}/flags/${FLAG}`);
      took.push(now() - began);
      await sleep(ADMIN_EVERY_MS);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await run;
      return took.sort((a, b) => a - b);
    },
  };
}

function rssMB(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1_024;
  } catch {
    return Number.NaN; // no such file on this system
  }
}
