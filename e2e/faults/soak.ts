import { parseArgs } from "node:util";
import { type Fleet, type Seen, startFleet } from "./fleet.ts";
import { descriptors, freeze, residentMib, startWorld, thaw } from "./processes.ts";
import { startFaultProxy } from "./proxy.ts";
import { randomOf } from "./random.ts";

/**
 * A day of a fleet's life in half an hour: `npm run soak`, `--minutes 5` for less. Restarts, machines that sleep, lines that break, programs
 * that come and go, changes and kills all the time. Says how memory and descriptors of the server and of a program went, and ends with 1 if
 * the heap of the program grows by 1 MB an hour or more after the warm-up, if descriptors pile up, or if anything threw.
 */

const { values } = parseArgs({ options: { minutes: { type: "string", default: "30" }, seed: { type: "string", default: "1" } } });
const minutes = Number(values.minutes);
const random = randomOf(Number(values.seed));
const SDKS = 40;
const FLAGS = ["f0", "f1", "f2", "f3"];
const SAMPLES = 30;
/** What is filled once (compiled code, rings, statistics) is filled by then. */
const WARM_UP = 1 / 3;
const SLOPE_MB_PER_HOUR_MAX = 1;
const DESCRIPTORS_MORE_MAX = 20;

interface Sample {
  readonly minute: number;
  readonly heapMb: number;
  readonly fleetFds: number;
  readonly serverMb: number;
  readonly serverFds: number;
  readonly revision: number;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const threw: string[] = [];
const last = new Map<string, Seen>();

const world = await startWorld();
for (const key of FLAGS) await world.flag(key);
const proxies = await Promise.all(Array.from({ length: 8 }, () => startFaultProxy(world.server.port)));
const fleet: Fleet = startFleet({
  name: "soak",
  urls: proxies.map(({ url }) => url),
  sdkKey: world.keys.server,
  flags: FLAGS,
  count: SDKS,
  seen: (seen) => void last.set(seen.sdk, seen),
  threw: (what) => threw.push(what),
});

const startedAt = performance.now();
const minute = () => (performance.now() - startedAt) / 60_000;
const samples: Sample[] = [];
let changes = 0;
let restarts = 0;

async function live(): Promise<void> {
  while (minute() < minutes) {
    const key = FLAGS[Math.floor(random() * FLAGS.length)] ?? "f0";
    const what = Math.floor(random() * 40);
    try {
      if (what === 0 && minute() > restarts * (minutes / 8)) {
        // A server that starts anew has a small heap, so restarts are few and the last third has none.
        if (minute() < minutes * 0.6) {
          await world.restart(random() < 0.5 ? "SIGTERM" : "SIGKILL");
          restarts += 1;
        }
      } else if (what === 1) {
        freeze(world.server.pid);
        await pause(500);
        thaw(world.server.pid);
      } else if (what === 2) {
        fleet.freeze();
        await pause(1_000);
        fleet.thaw();
      } else if (what < 8) {
        const proxy = proxies[Math.floor(random() * proxies.length)];
        if (what === 3) proxy?.cut();
        else if (what === 4) proxy?.reset();
        else await proxy?.set(what === 5 ? { delayMs: 50 } : {});
      } else if (what < 12) fleet.rejoin(Math.floor(random() * SDKS));
      else if (what < 14) await world.kill(key);
      else if (what < 17) await world.restore(key);
      else await world.turn(key, random() < 0.5);
      changes += what >= 12 ? 1 : 0;
    } catch {
      // refused while it starts anew: that is what a soak is about
    }
    await pause(50 + random() * 200);
    // Here and not by a timer: while a server starts anew there is none to look at.
    if (minute() >= ((samples.length + 1) * minutes) / SAMPLES) await sample();
  }
}

async function sample(): Promise<void> {
  samples.push({
    minute: minute(),
    heapMb: (await fleet.heap()) / 1e6,
    fleetFds: descriptors(fleet.pid),
    serverMb: residentMib(world.server.pid) * 1.048576,
    serverFds: descriptors(world.server.pid),
    revision: Math.max(0, ...[...last.values()].map(({ revision }) => revision)),
  });
}

await live();
for (const proxy of proxies) await proxy.set({});

const row = (cells: readonly string[]) => cells.map((cell, i) => cell.padStart([7, 16, 16, 12, 12, 9][i] ?? 10)).join("");
console.log(row(["minute", "program heap MB", "descriptors", "server MB", "descriptors", "revision"]));
for (const [i, one] of samples.entries()) {
  if (i % 3 !== 2) continue;
  console.log(
    row([
      one.minute.toFixed(1),
      one.heapMb.toFixed(2),
      String(one.fleetFds),
      one.serverMb.toFixed(1),
      String(one.serverFds),
      String(one.revision),
    ]),
  );
}
const warm = samples.filter((one) => one.minute > minutes * WARM_UP);
const heapSlope = slopePerHour(warm.map((one) => [one.minute, one.heapMb]));
const more = (of: (one: Sample) => number) => Math.max(...warm.map(of)) - Math.min(...warm.map(of));
console.log(
  `${minutes} min, ${changes} changes, ${restarts} restarts, ${SDKS} SDKs: heap ${heapSlope.toFixed(2)} MB/h after the warm-up, ` +
    `descriptors within ${more((one) => one.fleetFds)} (program) and ${more((one) => one.serverFds)} (server), ${threw.length} throws`,
);
await fleet.stop();
for (const proxy of proxies) await proxy.close();
await world.stop();
// Over few minutes the noise of a collection is more than the slope: then the figure is told and not judged.
const judged = minutes >= 15;
if (threw.length > 0) console.log(threw.slice(0, 10).join("\n"));
const failed =
  threw.length > 0 ||
  (judged && heapSlope >= SLOPE_MB_PER_HOUR_MAX) ||
  more((one) => one.fleetFds) > 2 * DESCRIPTORS_MORE_MAX ||
  more((one) => one.serverFds) > 4 * DESCRIPTORS_MORE_MAX;
process.exit(failed ? 1 : 0);

/** Least squares. */
function slopePerHour(points: readonly (readonly [minute: number, value: number])[]): number {
  const mean = (list: readonly number[]) => list.reduce((sum, one) => sum + one, 0) / Math.max(1, list.length);
  const [x, y] = [mean(points.map(([at]) => at)), mean(points.map(([, value]) => value))];
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  const joint = points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0);
  return spread === 0 ? 0 : (joint / spread) * 60;
}
