/**
 * How long one answer takes, against the floor, inside one run: `node --import tsx bench/evaluate.ts` (add `--expose-gc` after `node` for
 * the bytes that an answer allocates). Subjects and workloads take turns, so that a machine which slows down slows all of them. Times
 * are medians; only the ratios mean anything on another machine.
 */
import { type Condition, evaluate, type FlagEntry, loadEntries, type Rule, type State, ZERO64 } from "@signalbox/core";
import { type FloorFlag, floorIsOn } from "./floor.ts";

interface Workload {
  readonly name: string;
  readonly flag: FlagEntry;
  readonly floor: FloorFlag;
  /** Of 10,000 people, how many get it: both subjects must agree with this within a few. */
  readonly share: number;
}

type Person = Readonly<Record<string, unknown>>;

const PEOPLE = 10_000;
const ROUNDS = 30;
const ANSWERS = 300_000;

const people: Person[] = Array.from({ length: PEOPLE }, (_, i) => ({
  key: `user-${i}`,
  plan: i % 5 === 0 ? "pro" : "free",
  country: ["de", "fr", "at", "ch", "it"][i % 5],
  staff: i % 100 === 0,
}));

function flag(rules: readonly Rule[], fields: Partial<FlagEntry> = {}): FlagEntry {
  return {
    kind: "flag",
    key: "checkout",
    fp: ZERO64,
    type: "boolean",
    off: "off",
    on: "on",
    mode: "targeted",
    salt: "checkout",
    rules,
    ...fields,
  };
}

const on: Rule["serve"] = { kind: "variant", variant: "on" };
const inCountries: Condition = { op: "in", attribute: "country", values: ["de", "fr", "at", "ch", "nl"] };
const listed = Array.from({ length: 10_000 }, (_, i) => `user-${i * 2}`);
const everyone = 100_000;

const workloads: readonly Workload[] = [
  { name: "W1 on/off", flag: flag([], { mode: "on" }), floor: { enabled: true, seed: 1, rules: [{ to: everyone }] }, share: 1 },
  {
    name: "W2 25 % by key",
    flag: flag([{ id: "r1", rollout: { to: 25_000 }, serve: on }]),
    floor: { enabled: true, seed: 1, rules: [{ to: 25_000 }] },
    share: 0.25,
  },
  {
    name: "W3 attribute in 5, then 50 %",
    flag: flag([{ id: "r1", when: inCountries, rollout: { to: 50_000 }, serve: on }]),
    floor: { enabled: true, seed: 1, rules: [{ attribute: "country", values: new Set(["de", "fr", "at", "ch", "nl"]), to: 50_000 }] },
    share: 0.4,
  },
  {
    name: "W5 list of 10,000 keys",
    flag: flag([{ id: "r1", when: { op: "in", attribute: "key", values: listed }, serve: on }]),
    floor: { enabled: true, seed: 1, rules: [{ attribute: "key", values: new Set(listed), to: everyone }] },
    share: 0.5,
  },
];

function core(state: State): (person: Person) => boolean {
  return (person) => {
    const answer = evaluate(state, "checkout", person);
    return answer.served && answer.value === true;
  };
}

function floor(flags: ReadonlyMap<string, FloorFlag>): (person: Person) => boolean {
  return (person) => floorIsOn(flags, "checkout", person);
}

/** The last count of answers that were on: keeps the loop from being optimized away. */
let counted = 0;

function nanosPerAnswer(isOn: (person: Person) => boolean, answers: number): number {
  let count = 0;
  const start = process.hrtime.bigint();
  for (let done = 0; done < answers; done += PEOPLE) {
    for (const person of people) if (isOn(person)) count++;
  }
  const end = process.hrtime.bigint();
  counted = count;
  return Number(end - start) / answers;
}

/** The median of several measurements: the engine itself allocates now and then. */
function bytesPerAnswer(isOn: (person: Person) => boolean): string {
  const { gc } = globalThis;
  if (!gc) return "–";
  const measured = Array.from({ length: 9 }, () => {
    gc();
    const before = process.memoryUsage().heapUsed;
    nanosPerAnswer(isOn, ANSWERS);
    return (process.memoryUsage().heapUsed - before) / ANSWERS;
  });
  return median(measured).toFixed(2);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function quartiles(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): string => (sorted[Math.floor(sorted.length * part)] ?? Number.NaN).toFixed(1);
  return `${at(0.25)}–${at(0.75)}`;
}

const rows = workloads.map((workload) => ({
  workload,
  core: { isOn: core(loadEntries([workload.flag])), times: [] as number[] },
  floor: { isOn: floor(new Map([["checkout", workload.floor]])), times: [] as number[] },
}));

for (const { workload, core, floor } of rows) {
  for (const { isOn } of [core, floor]) {
    nanosPerAnswer(isOn, PEOPLE);
    if (Math.abs(counted / PEOPLE - workload.share) > 0.02) {
      throw new Error(`${workload.name}: ${counted} of ${PEOPLE} people got it, expected about ${workload.share * PEOPLE}`);
    }
  }
}
for (let round = 0; round < ROUNDS; round++) {
  for (const { core, floor } of rows) {
    // The first rounds warm up.
    const nanos = [nanosPerAnswer(core.isOn, ANSWERS), nanosPerAnswer(floor.isOn, ANSWERS)] as const;
    if (round < 5) continue;
    core.times.push(nanos[0]);
    floor.times.push(nanos[1]);
  }
}
console.log(
  `Node ${process.version}, ${ROUNDS - 5} rounds of ${ANSWERS.toLocaleString("en")} answers, ns per answer (lower to upper quartile)`,
);
console.table(
  rows.map(({ workload, core, floor }) => ({
    workload: workload.name,
    core: `${median(core.times).toFixed(1)} (${quartiles(core.times)})`,
    floor: `${median(floor.times).toFixed(1)} (${quartiles(floor.times)})`,
    ratio: Number((median(core.times) / median(floor.times)).toFixed(2)),
    "bytes per answer": bytesPerAnswer(core.isOn),
  })),
);
