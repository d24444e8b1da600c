import type { Report } from "./child.ts";
import { goals } from "./goals.ts";
import { type Pace, quartiles, type Timing } from "./measure.ts";
import { progress, runTask } from "./processes.ts";
import { GROUP_LIST, OURS } from "./subjects.ts";
import { figure, table, times } from "./table.ts";
import { workloads } from "./workloads.ts";

export interface EvalOptions {
  readonly quick: boolean;
  /** Names of the peers that can be run. */
  readonly peers: readonly string[];
}

/** Machine-readable: ns by workload, and what they are compared with. */
export interface EvalResult {
  readonly ns: Readonly<Record<string, number>>;
  readonly floors: Readonly<Record<string, number>>;
  readonly ratios: Readonly<Record<string, number>>;
  readonly peers: Readonly<Record<string, { readonly name: string; readonly ns: number; readonly timesFaster: number }>>;
  readonly bytes: Readonly<Record<string, number>>;
}

const FLOORS = ["floor", "floor-index"];
const PACE: Pace = { warmUpMs: 250, samples: 50 };
const QUICK: Pace = { warmUpMs: 250, samples: 30 };
/** Processes of each subject and workload: more for those whose ratio is judged most closely. */
const ROUNDS = { own: 5, peers: 3, quick: 3 };

type Way = "one" | "all";
/** The medians and quartiles of the processes of one subject at one workload. */
type Runs = Map<string, Timing[]>;

export async function evaluation({ quick, peers: available }: EvalOptions): Promise<EvalResult> {
  const runs: Runs = new Map();
  const failures = new Map<string, string>();
  const pace = quick ? QUICK : PACE;
  const own = [OURS, ...FLOORS];
  const ownRounds = quick ? ROUNDS.quick : ROUNDS.own;
  for (let round = 0; round < ownRounds; round++) {
    for (const { name: workload } of workloads) {
      // Side by side in time, so that a machine that slows down slows all of them.
      const others = round < ROUNDS.peers ? available : [];
      const list = workload === "W5" && !quick ? [GROUP_LIST] : [];
      for (const subject of [...own, ...list, ...others]) {
        if (failures.has(subject)) continue;
        progress(`round ${round + 1} of ${ownRounds}, ${workload}, ${subject}`);
        const report = await runTask({ kind: "eval", subject, workload, pace: others.includes(subject) ? QUICK : pace });
        if (report.ok) keep(runs, subject, workload, report.result);
        else failures.set(subject, report.why);
      }
    }
  }
  const bytes = await allocations(quick);
  progress("");
  for (const [subject, why] of failures) console.log(`${subject} is left out: ${why}`);
  const result = judge(runs, available, bytes);
  show(runs, available, result);
  return result;
}

function keep(runs: Runs, subject: string, workload: string, { one, all }: Extract<Report, { ok: true }>["result"]): void {
  for (const [way, timing] of [
    ["one", one],
    ["all", all],
  ] as const) {
    if (!timing) continue;
    const name = id(subject, workload, way);
    runs.set(name, [...(runs.get(name) ?? []), timing]);
  }
}

async function allocations(quick: boolean): Promise<Record<string, number>> {
  const bytes: Record<string, number> = {};
  for (const { name: workload, flags } of workloads) {
    if (flags.length > 1 || quick) continue;
    progress(`allocation, ${workload}`);
    const report = await runTask({ kind: "bytes", subject: OURS, workload });
    if (report.ok && report.result.bytes !== undefined) bytes[workload] = report.result.bytes;
  }
  return bytes;
}

const id = (subject: string, workload: string, way: Way) => `${subject}/${workload}/${way}`;

/** The median of the processes' medians; from the lowest quartile of any of them to the highest. */
function combined(runs: Runs, subject: string, workload: string, way: Way): Timing | undefined {
  const all = runs.get(id(subject, workload, way));
  if (!all) return undefined;
  const { median } = quartiles(all.map((timing) => timing.median));
  return { low: Math.min(...all.map(({ low }) => low)), median, high: Math.max(...all.map(({ high }) => high)) };
}

/** The quicker of its ways. */
function best(runs: Runs, subject: string, workload: string): { way: Way; timing: Timing } | undefined {
  const ways = (["one", "all"] as const).flatMap((way) => {
    const timing = combined(runs, subject, workload, way);
    return timing ? [{ way, timing }] : [];
  });
  return ways.sort((a, b) => a.timing.median - b.timing.median)[0];
}

/** The floor of many flags makes an object of all answers, as the goals were set; a loop that keeps none of them would be no answer to W6. */
function floorTiming(runs: Runs, floor: string, workload: string): Timing | undefined {
  return combined(runs, floor, workload, "all") ?? combined(runs, floor, workload, "one");
}

function judge(runs: Runs, available: readonly string[], bytes: Record<string, number>): EvalResult {
  const result = { ns: {}, floors: {}, ratios: {}, peers: {}, bytes } as {
    ns: Record<string, number>;
    floors: Record<string, number>;
    ratios: Record<string, number>;
    peers: Record<string, EvalResult["peers"][string]>;
    bytes: Record<string, number>;
  };
  for (const { name } of workloads) {
    const goal = goals[name];
    const ours = best(runs, OURS, name);
    const floor = goal && floorTiming(runs, goal.floor, name)?.median;
    if (!ours || floor === undefined) continue;
    result.ns[name] = ours.timing.median;
    result.floors[name] = floor;
    result.ratios[name] = ours.timing.median / floor;
    const [fastest] = available
      .flatMap((peer) => {
        const ns = best(runs, peer, name)?.timing.median;
        return ns === undefined ? [] : [{ name: peer, ns, timesFaster: ns / ours.timing.median }];
      })
      .sort((a, b) => a.ns - b.ns);
    if (fastest) result.peers[name] = fastest;
  }
  for (const [name, way] of [
    ["W6 loop", "one"],
    ["W6 all", "all"],
  ] as const) {
    const { ours, floor } = alike(runs, way);
    result.ratios[name] = ours / floor;
  }
  return result;
}

/** W6 in one way of ours and the floor's same way. */
function alike(runs: Runs, way: Way): { ours: number; floor: number } {
  const ns = (subject: string) => combined(runs, subject, "W6", way)?.median ?? Number.NaN;
  return { ours: ns(OURS), floor: ns("floor") };
}

function show(runs: Runs, available: readonly string[], result: EvalResult): void {
  console.log(
    `Node ${process.version}. ns for one answer, W6 for 200; in brackets times the floor. Only the ratios mean anything on another machine.\n`,
  );
  const subjects = [OURS, ...FLOORS, ...available].filter((subject) => best(runs, subject, "W1"));
  console.log(
    table(
      ["", ...workloads.map(({ name }) => name)],
      subjects.map((subject) => [
        subject,
        ...workloads.map(({ name }) => {
          const timing = FLOORS.includes(subject) ? floorTiming(runs, subject, name) : best(runs, subject, name)?.timing;
          const ns = timing?.median ?? Number.NaN;
          return `${figure(ns)} (${times(ns / (floorTiming(runs, "floor", name)?.median ?? Number.NaN))})`;
        }),
      ]),
    ),
  );
  console.log("\nSignalbox against what is demanded of it; W1 to W5 through isOn(), counting what it is asked:\n");
  const headings = ["", "ns", "quartiles", "floor", "ratio", "must", "aim", "", "fastest peer", "ns", "faster", "must", "", "B/answer"];
  console.log(
    table(
      headings,
      workloads.flatMap(({ name }) => goalRow(runs, name, result)),
    ),
  );
  const [loop, all] = (["one", "all"] as const).map((way) => {
    const { ours, floor } = alike(runs, way);
    return `${figure(ours)} ns (floor ${figure(floor)}, ${times(ours / floor)})`;
  });
  const quicker = best(runs, OURS, "W6")?.way === "all" ? "all()" : "a loop over isOn()";
  console.log(`\nW6 is ${quicker}, against a floor that makes an object of all answers. Like with like: all() ${all}; loops ${loop}.`);
  console.log("W4 is measured against floor-index, a Map to bits for each attribute.");
  const listed = combined(runs, GROUP_LIST, "W5", "one");
  if (listed) console.log(`W5 with the list as a group by list (keyed hashes): ${figure(listed.median)} ns.`);
}

function goalRow(runs: Runs, name: string, result: EvalResult): string[][] {
  const goal = goals[name];
  const ours = best(runs, OURS, name);
  const ratio = result.ratios[name];
  if (!goal || !ours || ratio === undefined) return [];
  const peer = result.peers[name];
  const bytes = result.bytes[name];
  return [
    [
      name,
      figure(ours.timing.median),
      `${figure(ours.timing.low)}–${figure(ours.timing.high)}`,
      figure(result.floors[name] ?? Number.NaN),
      times(ratio),
      String(goal.must),
      String(goal.aim),
      ratio <= goal.aim ? "aim" : ratio <= goal.must ? "must" : "NOT YET",
      peer?.name ?? "–",
      peer ? figure(peer.ns) : "–",
      peer ? times(peer.timesFaster) : "–",
      String(goal.peerMust),
      !peer ? "–" : peer.timesFaster >= goal.peerMust ? "must" : "NOT YET",
      bytes === undefined ? "–" : bytes.toFixed(2),
    ],
  ];
}
