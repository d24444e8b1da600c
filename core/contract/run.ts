import { readdirSync, readFileSync } from "node:fs";

/** A file of cases of what an SDK does when a server says something; README.md beside this file explains the form. */
export interface SdkFile {
  readonly specVersion: 1;
  readonly side: "sdk";
  readonly topic: string;
  /** Frames that cases name. `data` is sent as JSON, `text` as it is. */
  readonly frames: { readonly [name: string]: NamedFrame };
  readonly cases: readonly SdkCase[];
}

export type NamedFrame =
  | { readonly event: string; readonly id?: string; readonly crc?: string; readonly data: unknown }
  | { readonly event: string; readonly id?: string; readonly crc?: string; readonly text: string };

export type Runner = "core" | "node" | "browser";

export interface SdkCase {
  readonly name: string;
  readonly why?: string;
  /** Where it runs; everywhere when absent. `core` is the client over a network and a clock that are not real. */
  readonly runs?: readonly Runner[];
  readonly start?: {
    readonly transport?: "stream" | "poll";
    readonly pollMs?: number;
    readonly context?: { readonly [attribute: string]: unknown };
  };
  /** For whom `answers` are asked; nobody when absent. */
  readonly context?: { readonly [attribute: string]: unknown };
  readonly steps: readonly SdkStep[];
}

export type SdkStep =
  | { readonly request: RequestWanted }
  | { readonly answer: Answer }
  | { readonly say: string | readonly string[]; readonly chunk?: number }
  | { readonly send: string; readonly times?: number; readonly chunk?: number }
  | { readonly sendBase64: string; readonly chunk?: number }
  | { readonly end: "clean" | "reset" }
  | { readonly pass: number }
  | { readonly tell: "wake" | "sleep" | "close" }
  | { readonly expect: Wanted };

export interface RequestWanted {
  readonly to: "stream" | "state" | "ack" | "facts";
  /** The query field `basis`; null: there is none. */
  readonly basis?: string | null;
  /** The header If-None-Match; null: there is none. */
  readonly etag?: string | null;
  /** Fields that the JSON body has. */
  readonly body?: object;
  /** Fields that the query has; "*": any text that is not empty. */
  readonly query?: { readonly [name: string]: string };
  /** It comes so many ms after the step before: not sooner; and not later, where the clock is not real. */
  readonly afterMs?: readonly [min: number, max: number];
}

export type Answer =
  /** 200 with server-sent events, and the body stays open. */
  | "stream"
  /** The connection is reset before any answer. */
  | "reset"
  | {
      readonly status?: number;
      readonly headers?: { readonly [name: string]: string };
      /** Repeated `times` times. */
      readonly body?: string;
      readonly times?: number;
      /** The name of a frame whose data is the body, as JSON with its position as ETag. */
      readonly state?: string;
      readonly gzip?: boolean;
      /** Only so many bytes of the body are sent, then the connection is reset. */
      readonly cutAt?: number;
    };

export interface Wanted {
  readonly status?: string;
  /** `generation.revision`; null: no state. */
  readonly position?: string | null;
  /** The values that flags serve; null: the caller's default holds. */
  readonly answers?: { readonly [flag: string]: unknown };
  /** All changes told so far, in order: the flag keys of each, sorted. */
  readonly changes?: readonly (readonly string[])[];
  /** How many requests were made so far. */
  readonly requests?: { readonly [path: string]: number };
  /** A problem is known, or none is. */
  readonly problem?: boolean;
}

export interface Asked {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly body: string;
}

export interface Observed {
  readonly status: string;
  readonly position: string | null;
  readonly problem: boolean;
  readonly changes: readonly (readonly string[])[];
  readonly answers: { readonly [flag: string]: unknown };
}

/** What runs one case: an SDK that is started, and the server that it asks. */
export interface World {
  readonly runner: Runner;
  /** All requests so far. */
  readonly requests: readonly Asked[];
  /** Time by the clock that the SDK waits by. */
  now(): number;
  /** Waits until it holds; an explanation while it does not. */
  eventually(look: () => Promise<string | undefined> | string | undefined): Promise<void>;
  answer(asked: Asked, answer: WholeAnswer): void;
  /** On the stream that was opened last. Each piece arrives by itself. */
  write(pieces: readonly Uint8Array[]): Promise<void>;
  end(how: "clean" | "reset"): void;
  pass(ms: number): Promise<void>;
  tell(what: "wake" | "sleep" | "close"): Promise<void>;
  observe(flags: readonly string[], context: SdkCase["context"]): Promise<Observed>;
}

export type WholeAnswer =
  | { readonly kind: "stream" }
  | { readonly kind: "reset" }
  | {
      readonly kind: "whole";
      readonly status: number;
      readonly headers: { readonly [name: string]: string };
      readonly body: string;
      readonly gzip: boolean;
      readonly cutAt: number | undefined;
    };

/** All cases of SDKs that a runner takes, by file. */
export function readSdkFiles(): readonly SdkFile[] {
  return readFiles().filter((file): file is SdkFile => file.side === "sdk");
}

export function casesFor(runner: Runner): readonly { file: SdkFile; one: SdkCase; title: string }[] {
  return readSdkFiles().flatMap((file) =>
    file.cases
      .filter(({ runs }) => runs === undefined || runs.includes(runner))
      .map((one) => ({ file, one, title: `${file.topic}: ${one.name}` })),
  );
}

export function readFiles(): readonly { readonly side: string; readonly topic: string; readonly cases: readonly { name: string }[] }[] {
  const folder = new URL(".", import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return names.sort().map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")));
}

/** Runs a case. Rejects with the step and what was different. */
export async function runSdkCase(file: SdkFile, one: SdkCase, world: World): Promise<void> {
  const taken = new Set<Asked>();
  let last: Asked | undefined;
  let since = world.now();
  for (const [index, step] of one.steps.entries()) {
    try {
      await take(step);
    } catch (error) {
      const where = `step ${index + 1} ${JSON.stringify(step).slice(0, 200)}`;
      throw new Error(`${where}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }

  async function take(step: SdkStep): Promise<void> {
    if ("expect" in step) return world.eventually(() => differs(step.expect));
    if ("request" in step) {
      const { request } = step;
      await world.eventually(() => {
        last = world.requests.find((asked) => asked.path === request.to && !taken.has(asked) && isMeant(request, asked));
        return last ? undefined : `no request to ${request.to} came`;
      });
      if (!last) throw new Error("unreachable: it was found");
      taken.add(last);
      const wrong = wrongRequest(request, last, world.now() - since, world.runner);
      if (wrong !== undefined) throw new Error(wrong);
      return;
    }
    if ("answer" in step) {
      if (!last) throw new Error("a case answers a request that it awaited");
      world.answer(last, whole(step.answer));
    } else if ("say" in step) {
      const names = typeof step.say === "string" ? [step.say] : step.say;
      await world.write(chunks(Buffer.from(names.map((name) => frameText(file, name)).join("")), step.chunk));
    } else if ("send" in step) await world.write(chunks(Buffer.from(step.send.repeat(step.times ?? 1)), step.chunk));
    else if ("sendBase64" in step) await world.write(chunks(Buffer.from(step.sendBase64, "base64"), step.chunk));
    else if ("end" in step) world.end(step.end);
    else if ("pass" in step) await world.pass(step.pass);
    else await world.tell(step.tell);
    since = world.now();
  }

  function whole(answer: Answer): WholeAnswer {
    if (answer === "stream" || answer === "reset") return { kind: answer };
    const { status = 200, headers = {}, body = "", times = 1, state, gzip = false, cutAt } = answer;
    if (state === undefined) return { kind: "whole", status, headers, body: body.repeat(times), gzip, cutAt };
    const { data } = frameOf(file, state) as { data: { generation: number; revision: number } };
    const head = { "content-type": "application/json", etag: `"${data.generation}.${data.revision}"`, ...headers };
    return { kind: "whole", status, headers: head, body: JSON.stringify(data), gzip, cutAt };
  }

  async function differs(wanted: Wanted): Promise<string | undefined> {
    const { requests = {}, ...seen } = wanted;
    for (const [path, count] of Object.entries(requests)) {
      const made = world.requests.filter((asked) => asked.path === path).length;
      if (made !== count) return `${made} requests to ${path} were made, not ${count}`;
    }
    const observed = await world.observe(Object.keys(wanted.answers ?? {}), one.context);
    for (const [field, value] of Object.entries(seen)) {
      const got = observed[field as keyof Observed];
      if (!same(value, got)) return `${field} is ${JSON.stringify(got)}, not ${JSON.stringify(value)}`;
    }
    return undefined;
  }
}

/** Acknowledgements of other positions come between those that a case is about. */
function isMeant(wanted: RequestWanted, asked: Asked): boolean {
  return wanted.to !== "ack" || wanted.body === undefined || hasFields(wanted.body, readJson(asked.body));
}

function wrongRequest(wanted: RequestWanted, asked: Asked, waitedMs: number, runner: Runner): string | undefined {
  const basis = asked.query.get("basis");
  if (wanted.basis !== undefined && basis !== wanted.basis) return `the basis is ${basis}, not ${wanted.basis}`;
  const etag = asked.headers["if-none-match"] ?? null;
  if (wanted.etag !== undefined && etag !== wanted.etag) return `If-None-Match is ${etag}, not ${wanted.etag}`;
  if (wanted.body !== undefined && !hasFields(wanted.body, readJson(asked.body))) {
    return `the body is ${asked.body}, without ${JSON.stringify(wanted.body)}`;
  }
  for (const [name, value] of Object.entries(wanted.query ?? {})) {
    const got = asked.query.get(name);
    if (value === "*" ? !got : got !== value) return `the query field ${name} is ${got}, not ${value}`;
  }
  const [min = 0, max = Number.POSITIVE_INFINITY] = wanted.afterMs ?? [];
  // A real clock may be asked a little before the timer's own; how late it is says nothing about the SDK.
  if (waitedMs < (runner === "core" ? min : min - 50)) return `it came after ${waitedMs} ms, sooner than ${min}`;
  if (runner === "core" && waitedMs > max) return `it came after ${waitedMs} ms, later than ${max}`;
  return undefined;
}

function frameOf(file: SdkFile, name: string): NamedFrame {
  const frame = file.frames[name];
  if (frame === undefined) throw new Error(`the file has no frame "${name}"`);
  return frame;
}

export function frameText(file: SdkFile, name: string): string {
  const frame = frameOf(file, name);
  const id = frame.id === undefined ? "" : `id: ${frame.id}\n`;
  const crc = frame.crc === undefined ? "" : `crc: ${frame.crc}\n`;
  return `event: ${frame.event}\n${id}${crc}data: ${"text" in frame ? frame.text : JSON.stringify(frame.data)}\n\n`;
}

function chunks(bytes: Buffer, size: number | undefined): Uint8Array[] {
  if (size === undefined) return [bytes];
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the mismatch is told by the caller
  }
}

/** Whether `actual` has all that `wanted` names, objects by their fields, lists whole. */
export function hasFields(wanted: unknown, actual: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null || Array.isArray(wanted)) return same(wanted, actual);
  if (typeof actual !== "object" || actual === null) return false;
  return Object.entries(wanted).every(([field, value]) => hasFields(value, (actual as Record<string, unknown>)[field]));
}

const same = (a: unknown, b: unknown) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inside]) => [key, sorted(inside)]),
  );
}
