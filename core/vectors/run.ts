import { readdirSync, readFileSync } from "node:fs";
import {
  applySnapshot,
  createState,
  digestOf,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  type FlagType,
  type SnapshotFrame,
  type State,
  setEmergency,
  typeMatches,
} from "../src/index.ts";

/** A file of vectors; README.md beside this file explains the form. */
export interface VectorFile {
  readonly specVersion: 1;
  readonly snapshot: Pick<SnapshotFrame, "entries">;
  readonly cases: readonly VectorCase[];
}

export interface VectorCase {
  readonly name: string;
  readonly flag: string;
  readonly context?: unknown;
  /** As for `evaluate`, but `random` is what is drawn and `now` the time, in ms since 1970. */
  readonly options?: Omit<EvaluateOptions, "random" | "clock" | "overrides"> & { readonly random?: number; readonly now?: number };
  /** The type that the caller asks for; any when absent. */
  readonly ask?: FlagType;
  /** `none`: before the first snapshot. */
  readonly state?: "none";
  /** Flag keys under an emergency kill. */
  readonly emergency?: readonly string[];
  readonly expect: Expectation;
}

export interface Expectation {
  readonly served: boolean;
  readonly variant?: string;
  readonly value?: unknown;
  readonly reason: Evaluation["reason"];
}

/** What answers the cases: `evaluate` itself, the server's preview, a built SDK. */
export type Subject = (one: VectorCase, file: VectorFile) => Evaluation | Promise<Evaluation>;

export interface Outcome {
  readonly topic: string;
  readonly name: string;
  /** What the case expects, and the same fields of what the subject answered: compare these two. */
  readonly expected: Expectation;
  readonly actual: Expectation;
}

/** All files of this folder, by topic. */
export function readVectors(): ReadonlyMap<string, VectorFile> {
  const folder = new URL(".", import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return new Map(names.sort().map((name) => [name.slice(0, -".json".length), JSON.parse(readFileSync(new URL(name, folder), "utf8"))]));
}

/** True for a case that any program with an SDK can run: it needs a server that serves the snapshot, a flag, a context and a type, no more. */
export function isPlain(one: VectorCase): boolean {
  return one.options === undefined && one.state === undefined && one.emergency === undefined;
}

/** Asks the subject every case that `wanted` lets through, one after the other. */
export async function runVectors(
  files: ReadonlyMap<string, VectorFile>,
  subject: Subject,
  wanted = (_one: VectorCase) => true,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [topic, file] of files) {
    for (const one of file.cases.filter(wanted)) {
      const evaluation = await subject(one, file);
      outcomes.push({ topic, name: one.name, expected: one.expect, actual: fieldsOf(evaluation, one.expect) });
    }
  }
  return outcomes;
}

/** The subject of this package: a snapshot applied to a state, and `evaluate`. */
export function createCoreSubject(): Subject {
  const states = new Map<VectorFile, State>();
  return (one, file) => {
    let state = one.emergency || one.state ? undefined : states.get(file);
    if (!state) {
      state = createState();
      if (one.state !== "none") applySnapshot(state, snapshotOf(file));
      setEmergency(
        state,
        (one.emergency ?? []).map((flag) => ({ id: `kill of ${flag}`, flag, at: 0 })),
      );
      if (!one.emergency && !one.state) states.set(file, state);
    }
    const { random, now, ...options } = one.options ?? {};
    const evaluation = evaluate(state, one.flag, one.context, {
      ...options,
      ...(random !== undefined && { random: () => random }),
      ...(now !== undefined && { clock: () => now }),
    });
    if (one.ask === undefined || !evaluation.served || typeMatches(evaluation.value, one.ask)) return evaluation;
    return { served: false, reason: { kind: "ERROR", code: "TYPE_MISMATCH" } };
  };
}

/** The frame that a server would send for the file's entries. */
export function snapshotOf({ snapshot: { entries } }: VectorFile): SnapshotFrame {
  return { generation: 1, revision: 1, digest: digestOf(entries), factsAt: 0, environment: "vectors", project: "vectors", entries };
}

function fieldsOf(evaluation: Evaluation, expected: Expectation): Expectation {
  if (!evaluation.served) return { served: false, reason: evaluation.reason };
  const { variant, value, reason } = evaluation;
  return "value" in expected ? { served: true, variant, value, reason } : { served: true, variant, reason };
}
