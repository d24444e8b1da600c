import { readFileSync } from "node:fs";
import { check } from "./check.ts";
import { bytesPerAnswer, consumed, type Measured, type Pace, stopwatch, timeAll } from "./measure.ts";
import { refused } from "./no-network.ts";
import type { Reader } from "./subject.ts";
import { JSON_ALONE, subject } from "./subjects.ts";
import { askedFlag, askedPerson, workloads } from "./workloads.ts";

/** A measured process: one subject, one task, one message back. */
export type Task =
  | { readonly kind: "eval"; readonly subject: string; readonly workload: string; readonly pace: Pace }
  | { readonly kind: "bytes"; readonly subject: string; readonly workload: string }
  | { readonly kind: "load"; readonly subject: string; readonly file: string };

export interface Loaded {
  /** From the text to the first right answer. */
  readonly ms: number;
  /** What is held after a collection, without the text. */
  readonly heapMB: number;
}

export type Report =
  | { readonly ok: true; readonly result: Measured & Partial<Loaded>; readonly consumed: number }
  | { readonly ok: false; readonly why: string };

async function evaluate(name: string, workloadName: string, pace: Pace | undefined): Promise<Measured> {
  const workload = workloads.find(({ name }) => name === workloadName);
  if (!workload) throw new Error(`no workload ${workloadName}`);
  const { open, wire } = await subject(name);
  const reader = await open(wire(workload.flags));
  await reader.settled?.();
  await check(reader, workload.flags);
  const measured = pace ? await timeAll(reader, workload, pace) : { bytes: await bytesPerAnswer(reader, workload) };
  await reader.close?.();
  return measured;
}

async function load(name: string, file: string): Promise<Loaded> {
  const opened = name === JSON_ALONE ? undefined : await subject(name);
  const before = heap();
  let text = readFileSync(file, "utf8");
  const elapsed = stopwatch();
  const kept: Reader | object = opened ? await opened.open(text) : JSON.parse(text);
  const on = "ask" in kept ? await kept.ask(askedFlag, kept.context(askedPerson)) : true;
  const ms = elapsed();
  if (on !== true) throw new Error(`the first answer is ${String(on)}, which is wrong`);
  text = ""; // who still needs it has kept it, and pays for it
  const heapMB = (heap() - before) / 1e6;
  held.push(kept);
  return { ms, heapMB };
}

/** Keeps what is measured from being collected before it is. */
const held: unknown[] = [];

function heap(): number {
  for (let i = 0; i < 4; i++) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function run(task: Task): Promise<Report> {
  try {
    const result =
      task.kind === "load"
        ? await load(task.subject, task.file)
        : await evaluate(task.subject, task.workload, task.kind === "eval" ? task.pace : undefined);
    if (refused.size > 0) return { ok: false, why: `it tried to reach ${[...refused].join(", ")}` };
    return { ok: true, result, consumed: consumed.on };
  } catch (error) {
    return { ok: false, why: error instanceof Error ? error.message : String(error) };
  }
}

const report = await run(JSON.parse(process.argv[2] ?? "{}") as Task);
// Some subjects keep a process alive; this one is done when its message has left.
process.send?.(report, undefined, undefined, () => process.exit());
