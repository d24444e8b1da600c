import type { Reader } from "./subject.ts";
import type { Workload } from "./workloads.ts";
import { PEOPLE, people } from "./workloads.ts";

/** ns of one answer, or of all flags for one person. */
export interface Timing {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

export interface Measured {
  readonly one?: Timing;
  /** The same by the call that answers for all flags at once. */
  readonly all?: Timing;
  /** Bytes that one answer leaves behind; asked for only. */
  readonly bytes?: number;
}

export interface Pace {
  readonly warmUpMs: number;
  readonly samples: number;
}

const SAMPLE_MS = 4;
const BYTES_CALLS = 10_000_000;
const BYTES_CHUNK = 100_000;

/** Asks `answers` times, going on where it stopped, and returns how many said yes: so that no answer can be optimized away. */
type Ask = (answers: number) => number | Promise<number>;

/** What was answered in all. The process reports it, so somebody reads it. */
export const consumed = { on: 0 };

export async function timeAll(reader: Reader, { flags }: Workload, pace: Pace): Promise<Measured> {
  const contexts = people.map((person) => reader.context(person));
  const keys = flags.map(({ key }) => key);
  const one = await time(askFor(reader, keys, contexts), pace);
  if (keys.length === 1 || !reader.all) return { one };
  return { one, all: await time(askForAll(reader, keys, contexts), pace) };
}

function askFor(reader: Reader, keys: readonly string[], contexts: readonly unknown[]): Ask {
  const [key] = keys;
  if (key === undefined) throw new Error("no flags");
  const single = keys.length === 1;
  if (reader.async) return single ? askSlowly(reader, key, contexts) : askEachSlowly(reader, keys, contexts);
  return single ? askQuickly(reader, key, contexts) : askEach(reader, keys, contexts);
}

// Four loops that look alike: one that could do all of it would measure what it decides itself.

function askQuickly(reader: Reader, key: string, contexts: readonly unknown[]): Ask {
  const { ask } = reader;
  let at = 0;
  return (answers) => {
    let on = 0;
    for (let i = 0; i < answers; i++) {
      if (ask(key, contexts[at])) on++;
      at = at + 1 === PEOPLE ? 0 : at + 1;
    }
    return on;
  };
}

function askEach(reader: Reader, keys: readonly string[], contexts: readonly unknown[]): Ask {
  const { ask } = reader;
  let at = 0;
  return (answers) => {
    let on = 0;
    for (let i = 0; i < answers; i++) {
      const context = contexts[at];
      for (const key of keys) if (ask(key, context)) on++;
      at = at + 1 === PEOPLE ? 0 : at + 1;
    }
    return on;
  };
}

function askSlowly(reader: Reader, key: string, contexts: readonly unknown[]): Ask {
  const { ask } = reader;
  let at = 0;
  return async (answers) => {
    let on = 0;
    for (let i = 0; i < answers; i++) {
      if (await ask(key, contexts[at])) on++;
      at = at + 1 === PEOPLE ? 0 : at + 1;
    }
    return on;
  };
}

function askEachSlowly(reader: Reader, keys: readonly string[], contexts: readonly unknown[]): Ask {
  const { ask } = reader;
  let at = 0;
  return async (answers) => {
    let on = 0;
    for (let i = 0; i < answers; i++) {
      const context = contexts[at];
      for (const key of keys) if (await ask(key, context)) on++;
      at = at + 1 === PEOPLE ? 0 : at + 1;
    }
    return on;
  };
}

function askForAll(reader: Reader, keys: readonly string[], contexts: readonly unknown[]): Ask {
  const last = keys.at(-1) ?? "";
  let at = 0;
  const next = () => {
    const context = contexts[at];
    at = at + 1 === PEOPLE ? 0 : at + 1;
    return reader.all?.(context);
  };
  const isOn = (all: unknown): boolean => reader.isOnIn?.(all, last) === true;
  if (!reader.async) {
    return (answers) => {
      let on = 0;
      for (let i = 0; i < answers; i++) if (isOn(next())) on++;
      return on;
    };
  }
  return async (answers) => {
    let on = 0;
    for (let i = 0; i < answers; i++) if (isOn(await next())) on++;
    return on;
  };
}

async function time(ask: Ask, { warmUpMs, samples }: Pace): Promise<Timing> {
  let answers = 1;
  let warm = 0;
  for (;;) {
    const ms = await run(ask, answers);
    warm += ms;
    // One answer of the slowest takes longer than a sample should.
    if (warm > warmUpMs && ((ms > SAMPLE_MS / 2 && ms < SAMPLE_MS * 2) || warm > warmUpMs * 4)) break;
    answers = Math.max(1, Math.round(answers * Math.min(10, SAMPLE_MS / Math.max(ms, 0.01))));
  }
  const times: number[] = [];
  for (let i = 0; i < samples; i++) times.push(((await run(ask, answers)) * 1e6) / answers);
  return quartiles(times);
}

async function run(ask: Ask, answers: number): Promise<number> {
  const elapsed = stopwatch();
  const given = ask(answers);
  consumed.on += typeof given === "number" ? given : await given;
  const ms = elapsed();
  // As in a program, timers get their turn: what a subject does besides, such as reporting what it counted, happens between samples.
  await new Promise(setImmediate);
  return ms;
}

/**
 * Answers the ms since it was made: by the clock, or by the time that this process had a processor if that is less. So neither other
 * programs on the machine count, nor what the engine does beside on threads of its own.
 */
export function stopwatch(): () => number {
  const cpu = process.cpuUsage();
  const start = performance.now();
  return () => {
    const wall = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    return Math.min(wall, (user + system) / 1_000);
  };
}

export function quartiles(values: readonly number[]): Timing {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN;
  return { low: at(0.25), median: at(0.5), high: at(0.75) };
}

/**
 * Bytes per answer, by `heapUsed` over ten million calls. In chunks, because a collection would hide what it has taken away: chunks in
 * which one ran are left out. What reading `heapUsed` itself allocates, some hundred bytes for each chunk, is in the result.
 */
export async function bytesPerAnswer(reader: Reader, { flags }: Workload): Promise<number> {
  const [flag] = flags;
  if (!flag || reader.async) return Number.NaN;
  const ask = askQuickly(
    reader,
    flag.key,
    people.map((person) => reader.context(person)),
  );
  consumed.on += await ask(BYTES_CHUNK * 10);
  globalThis.gc?.();
  let bytes = 0;
  let calls = 0;
  for (let done = 0; done < BYTES_CALLS; done += BYTES_CHUNK) {
    const before = process.memoryUsage().heapUsed;
    consumed.on += await ask(BYTES_CHUNK);
    const grown = process.memoryUsage().heapUsed - before;
    if (grown < 0) continue;
    bytes += grown;
    calls += BYTES_CHUNK;
  }
  return calls === 0 ? Number.NaN : bytes / calls;
}
