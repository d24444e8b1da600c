import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deliveryGoals, verdict } from "./delivery-goals.ts";
import { importing } from "./import.ts";
import { progress } from "./processes.ts";
import { median, now, percentile, sleep } from "./remote.ts";
import { FLAG, PRODUCTION, startBenchServer } from "./server.ts";
import { figure, table, times } from "./table.ts";

const DEVELOPMENT = PRODUCTION.replace("production", "development");
const FLAGS = 5_000;
/** Pairs of toggles and bare appends, in turns. */
const TOGGLES = 2_000;
const IDLE_MS = 10_000;

export interface WriteResult {
  readonly figures: Record<"toggle-p50" | "toggle-p99" | "list-5000" | "start-5000" | "idle-rss" | "import-5000-block", number>;
  readonly floors: Record<"toggle-p50" | "toggle-p99", number>;
  readonly ratios: Record<"toggle-p50" | "toggle-p99", number>;
}

/**
 * A durable, audited toggle through the API, one after the other, against as many bytes appended to a file and flushed (fdatasync) in the same
 * folder, in turns; then 5,000 flags: their list, filtered, the time of a start, the memory of a server that has nothing to do, and
 * how long others wait while they are imported.
 */
export async function writing({ quick }: { quick: boolean }): Promise<WriteResult> {
  const server = await startBenchServer();
  progress("toggles and bare appends");
  await server.flags(1);
  const toggled: number[] = [];
  const appended: number[] = [];
  const folder = mkdtempSync(join(tmpdir(), "signalbox-bench-append-"));
  const file = openSync(join(folder, "log"), "a");
  try {
    let bytes = Buffer.alloc(0);
    for (let i = -50; i < (quick ? 300 : TOGGLES); i += 1) {
      const mode = i % 2 === 0 ? "on" : "off";
      const start = now();
      const { at, value } = await server.api<object>("PATCH", `${DEVELOPMENT}/flags/${FLAG}/configuration`, { mode });
      // What a toggle says: its answer has the flag as it is, which is longer than its change-set and its audit row together.
      if (bytes.length === 0) bytes = Buffer.alloc(JSON.stringify(value).length, 120);
      const between = now();
      writeSync(file, bytes);
      fdatasyncSync(file);
      const end = now();
      if (i < 0) continue;
      toggled.push(at - start);
      appended.push(end - between);
    }
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }

  progress(`${FLAGS} flags`);
  const flags = quick ? 500 : FLAGS;
  for (let made = 0; made < flags - 1; made += 20) {
    const keys = Array.from({ length: Math.min(20, flags - 1 - made) }, (_, n) => `area-${(made + n) % 50}-flag-${made + n}`);
    await Promise.all(keys.map((key) => server.api("POST", "projects/default/flags", { key, tags: [`team-${key.length % 7}`] })));
  }
  progress("the list, filtered");
  const listed: number[] = [];
  for (let i = -5; i < 50; i += 1) {
    const start = now();
    const { at } = await server.api("GET", `${DEVELOPMENT}/flags?search=area-${(i + 5) % 50}-`);
    if (i >= 0) listed.push(at - start);
  }
  progress("starts");
  const starts: number[] = [];
  for (let i = 0; i < (quick ? 3 : 7); i += 1) {
    await server.kill();
    const start = now();
    await server.start();
    starts.push(now() - start);
  }
  progress("at rest");
  await sleep(IDLE_MS);
  const rss = residentMb(server.pid);
  server.stop();
  progress("an import");
  const imported = await importing(flags);
  progress("");

  const sorted = (values: number[]) => values.sort((a, b) => a - b);
  const part = (values: number[], share: number) => percentile(sorted(values), share);
  const floors = { "toggle-p50": part(appended, 0.5), "toggle-p99": part(appended, 0.99) };
  const figures = {
    "toggle-p50": part(toggled, 0.5),
    "toggle-p99": part(toggled, 0.99),
    "list-5000": median(listed),
    "start-5000": median(starts),
    "idle-rss": rss,
    "import-5000-block": imported.block,
  };
  const ratios = { "toggle-p50": figures["toggle-p50"] / floors["toggle-p50"], "toggle-p99": figures["toggle-p99"] / floors["toggle-p99"] };
  console.log(`A durable, audited toggle through the API, ${toggled.length} in turns with as many bytes appended and flushed: ms.\n`);
  console.log(
    table(
      ["", "p50", "p99"],
      [
        ["append + fdatasync", figure(floors["toggle-p50"]), figure(floors["toggle-p99"])],
        ["toggle", figure(figures["toggle-p50"]), figure(figures["toggle-p99"])],
        ["times the floor", times(ratios["toggle-p50"]), times(ratios["toggle-p99"])],
      ],
    ),
  );
  console.log(
    `\n${flags} flags: a filtered list in ${figure(figures["list-5000"])} ms, healthy ${figure(figures["start-5000"])} ms after the start, ${figure(rss)} MB at rest.`,
  );
  console.log(
    `Imported in ${figure(imported.took)} s; others waited ${figure(imported.block)} ms at most, a kill ${figure(imported.kill)} ms.\n`,
  );
  for (const name of ["toggle-p50", "toggle-p99", "list-5000", "start-5000", "idle-rss", "import-5000-block"] as const) {
    console.log(verdict(name, figures[name], deliveryGoals[name]));
  }
  console.log(verdict("toggle-p50, against the floor", ratios["toggle-p50"], { must: 5, unit: "× floor" }));
  return { figures, floors, ratios };
}

/** In MB of a million bytes, as Linux counts it. */
function residentMb(pid: number): number {
  const [, kib = "NaN"] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return (Number(kib) * 1024) / 1e6;
}
