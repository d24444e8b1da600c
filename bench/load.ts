import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadGoals } from "./goals.ts";
import { quartiles, type Timing } from "./measure.ts";
import { progress, runTask } from "./processes.ts";
import { CORE, JSON_ALONE, OURS, subject } from "./subjects.ts";
import { figure, table, times } from "./table.ts";
import { loadFlags } from "./workloads.ts";

export interface LoadOptions {
  readonly quick: boolean;
  /** Names of the peers that can be run. */
  readonly peers: readonly string[];
}

export interface LoadResult {
  /** Of core: from the text to the first right answer, with the digest verified. */
  readonly load: number;
  readonly heap: number;
  /** Through the SDK and a loopback connection. */
  readonly sdkLoad: number;
  /** JSON.parse alone on the same text. */
  readonly json: { readonly load: number; readonly heap: number };
  readonly ratios: { readonly load: number; readonly heap: number };
}

/** Of ours so many, because a virtual machine runs a process at one of two speeds: a few would compare the quick ones of one with the slow ones of another. */
const ROUNDS = { own: 31, peers: 5, quick: 9 };

export async function loading({ quick, peers }: LoadOptions): Promise<LoadResult> {
  const own = [JSON_ALONE, CORE, OURS];
  const folder = mkdtempSync(join(tmpdir(), "signalbox-bench-"));
  try {
    const flags = loadFlags();
    const files = new Map<string, string>();
    for (const name of [...own, ...peers]) {
      const file = join(folder, `${files.size}.json`);
      writeFileSync(file, (await subject(name === JSON_ALONE ? CORE : name)).wire(flags));
      files.set(name, file);
    }
    const runs = await loadInTurns(files, own, quick ? ROUNDS.quick : ROUNDS.own);
    progress("");
    return show(runs, files);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Run {
  readonly ms: number[];
  readonly heapMB: number[];
}

async function loadInTurns(files: ReadonlyMap<string, string>, own: readonly string[], rounds: number): Promise<Map<string, Run>> {
  const runs = new Map<string, Run>();
  const failed = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, file] of files) {
      if (failed.has(name) || (round >= ROUNDS.peers && !own.includes(name))) continue;
      progress(`round ${round + 1} of ${rounds}, ${name}`);
      const report = await runTask({ kind: "load", subject: name, file });
      if (!report.ok) {
        failed.add(name);
        console.log(`${name} is left out: ${report.why}`);
        continue;
      }
      const run = runs.get(name) ?? { ms: [], heapMB: [] };
      run.ms.push(report.result.ms ?? Number.NaN);
      run.heapMB.push(report.result.heapMB ?? Number.NaN);
      runs.set(name, run);
    }
  }
  return runs;
}

function show(runs: ReadonlyMap<string, Run>, files: ReadonlyMap<string, string>): LoadResult {
  const timing = (name: string): Timing => quartiles(runs.get(name)?.ms ?? []);
  const heapOf = (name: string): number => quartiles(runs.get(name)?.heapMB ?? []).median;
  const json = { load: timing(JSON_ALONE).median, heap: heapOf(JSON_ALONE) };
  console.log("10,000 flags of 2 rules: from the text to the first right answer, and what is held then; each in fresh processes.\n");
  console.log(
    table(
      ["", "text MB", "ms", "quartiles", "× JSON", "heap MB", "× JSON"],
      [...files].flatMap(([name, file]) => {
        if (!runs.has(name)) return [];
        const { low, median, high } = timing(name);
        // Of the SDK the measured process also holds the server, with its copy of the text.
        const heap = name === OURS ? Number.NaN : heapOf(name);
        const size = figure(statSync(file).size / 1e6);
        return [
          [name, size, figure(median), `${figure(low)}–${figure(high)}`, times(median / json.load), figure(heap), times(heap / json.heap)],
        ];
      }),
    ),
  );
  const load = timing(CORE).median;
  const heap = heapOf(CORE);
  const ratios = { load: load / json.load, heap: heap / json.heap };
  const verdict = (ratio: number, { must, aim }: { must: number; aim: number }): string =>
    `${times(ratio)}, must ${must}, aim ${aim}: ${ratio <= aim ? "aim" : ratio <= must ? "must" : "NOT YET"}`;
  console.log(`\nJSON is JSON.parse alone on Signalbox's text. ${CORE} applies the snapshot with its digest verified, and evaluates once;`);
  console.log(`"${OURS}" is the whole way through the SDK: connect, read the state over loopback, apply it, answer.`);
  console.log(`Load ${verdict(ratios.load, loadGoals.time)}. Heap ${verdict(ratios.heap, loadGoals.heap)}.`);
  return { load, heap, sdkLoad: timing(OURS).median, json, ratios };
}
