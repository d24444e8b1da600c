import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import {
  applySnapshot,
  createRegexEngine,
  createState,
  digestOf,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  type FlagType,
  type Re2,
  type SnapshotFrame,
  type State,
  type StateOptions,
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
  /** As for `evaluate`, but `random` is what is drawn and `now` the time, in ms since 1970; null or absent: there is none. */
  readonly options?: Omit<EvaluateOptions, "random" | "clock" | "facts" | "overrides"> & {
    readonly random?: number | null;
    readonly now?: number | null;
  };
  /** The type that the caller asks for; any when absent. */
  readonly ask?: FlagType;
  /** `none`: before the first snapshot. */
  readonly state?: "none";
  /** Flag keys under an emergency kill. */
  readonly emergency?: readonly string[];
  readonly expect: Expectation;
  /** What a program without an engine for regular expressions answers, as browsers are. The same when absent. */
  readonly withoutRegex?: Expectation;
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

/** True for a plain case, and for one that needs besides no more than these options, at least one of them. */
export function needsOnly(...options: readonly ("now" | "random")[]): (one: VectorCase) => boolean {
  const known: readonly string[] = options;
  return (one) => {
    if (one.options === undefined || one.state !== undefined || one.emergency !== undefined) return isPlain(one);
    const given = Object.entries(one.options);
    return given.length > 0 && given.every(([name, value]) => value !== null && known.includes(name));
  };
}

export interface RunOptions {
  /** The cases to ask; all when absent. */
  readonly wanted?: (one: VectorCase) => boolean;
  /** False: the subject has no engine for regular expressions. */
  readonly regex?: boolean;
}

/** Asks the subject the cases, one after the other. */
export async function runVectors(
  files: ReadonlyMap<string, VectorFile>,
  subject: Subject,
  { wanted = () => true, regex: hasRegex = true }: RunOptions = {},
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [topic, file] of files) {
    for (const one of file.cases.filter(wanted)) {
      const expected = hasRegex ? one.expect : (one.withoutRegex ?? one.expect);
      outcomes.push({ topic, name: one.name, expected, actual: fieldsOf(await subject(one, file), expected) });
    }
  }
  return outcomes;
}

/** The engine that Node programs have. */
export const regex = createRegexEngine(() => createRequire(import.meta.url)("re2js") as Re2);

/** The subject of this package: a snapshot applied to a state, and `evaluate`. */
export function createCoreSubject(options: StateOptions = { regex }): Subject {
  const states = new Map<VectorFile, State>();
  return (one, file) => {
    let state = one.emergency || one.state ? undefined : states.get(file);
    if (!state) {
      state = createState(options);
      if (one.state !== "none") applySnapshot(state, snapshotOf(file));
      setEmergency(
        state,
        (one.emergency ?? []).map((flag) => ({ id: `kill of ${flag}`, flag, at: 0 })),
      );
      if (!one.emergency && !one.state) states.set(file, state);
    }
    const { random, now, ...rest } = one.options ?? {};
    const evaluation = evaluate(state, one.flag, one.context, {
      ...rest,
      ...(typeof random === "number" && { random: () => random }),
      ...(typeof now === "number" && { clock: () => now }),
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
