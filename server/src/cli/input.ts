import { open } from "node:fs/promises";
import { UsageProblem } from "./options.ts";

/** Where a command reads what is too long for a command line. */
export interface Input {
  stdin(bytesMax?: number): Promise<string>;
  /** Throws UsageProblem when it cannot be read. */
  file(path: string, bytesMax?: number): Promise<string>;
}

type Contexts = readonly Readonly<Record<string, unknown>>[];

/** As many as the server compares at once, and what it takes in one body. */
const CONTEXTS_MAX = 10_000;
const INPUT_BYTES_MAX = 8 * 1024 * 1024;

/** `-` is the standard input, `@path` a file, anything else the JSON itself. */
export async function readJson(text: string, option: string, input: Input): Promise<unknown> {
  const source = await sourceOf(text, input);
  try {
    return JSON.parse(source);
  } catch {
    throw new UsageProblem(`${option} is ${quoted(source)}, which is not JSON: put it in single quotes, such as '{"key":"u1"}'.`);
  }
}

export async function readContext(text: string, input: Input): Promise<Record<string, unknown>> {
  const context = await readJson(text, "--context", input);
  if (isContext(context)) return context;
  throw new UsageProblem(`--context is ${quoted(JSON.stringify(context))}, expected one JSON object, such as '{"key":"u1","plan":"pro"}'.`);
}

/** A file (`-` for the standard input) with a JSON list of contexts, or one context on each line. */
export async function readContexts(path: string, input: Input): Promise<Contexts> {
  const text = path === "-" ? await input.stdin() : await input.file(path.replace(/^@/, ""));
  const contexts = text.trimStart().startsWith("[") ? listIn(text) : linesIn(text);
  if (contexts.length === 0) throw new UsageProblem("--contexts holds no context: write one JSON object on each line, or a JSON list.");
  if (contexts.length > CONTEXTS_MAX) {
    throw new UsageProblem(`--contexts holds ${contexts.length} contexts, the most is ${CONTEXTS_MAX}: compare them in several files.`);
  }
  return contexts;
}

function listIn(text: string): Contexts {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    throw new UsageProblem(`--contexts begins as a JSON list but is none (${error instanceof Error ? error.message : "it ends early"}).`);
  }
  return (list as unknown[]).map((one, index) => {
    if (isContext(one)) return one;
    throw new UsageProblem(
      `Context ${index + 1} of --contexts is ${quoted(JSON.stringify(one))}, expected a JSON object such as {"key":"u1"}.`,
    );
  });
}

function linesIn(text: string): Contexts {
  const contexts: Record<string, unknown>[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    contexts.push(contextIn(line, index + 1));
  }
  return contexts;
}

function contextIn(line: string, place: number): Record<string, unknown> {
  let context: unknown;
  try {
    context = JSON.parse(line);
  } catch {
    context = undefined; // said below
  }
  if (isContext(context)) return context;
  throw new UsageProblem(`Line ${place} of --contexts is ${quoted(line.trim())}, expected one JSON object such as {"key":"u1"}.`);
}

/** `-` is the standard input, anything else a file. */
export function readFile(path: string, input: Input, bytesMax: number): Promise<string> {
  return path === "-" ? input.stdin(bytesMax) : input.file(path.replace(/^@/, ""), bytesMax);
}

async function sourceOf(text: string, input: Input): Promise<string> {
  if (text === "-") return input.stdin();
  return text.startsWith("@") ? input.file(text.slice(1)) : text;
}

function isContext(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const QUOTED_MAX = 60;

function quoted(text: string): string {
  return JSON.stringify(text.length > QUOTED_MAX ? `${text.slice(0, QUOTED_MAX)}…` : text);
}

export const input: Input = {
  async stdin(bytesMax = INPUT_BYTES_MAX) {
    if (process.stdin.isTTY) process.stderr.write("Reading the standard input; end it with Ctrl-D.\n");
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of process.stdin) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes > bytesMax) throw tooLarge("The standard input", bytesMax);
    }
    return Buffer.concat(chunks).toString("utf8");
  },
  async file(path, bytesMax = INPUT_BYTES_MAX) {
    try {
      const file = await open(path);
      try {
        if ((await file.stat()).size > bytesMax) throw tooLarge(`The file "${path}"`, bytesMax);
        return await file.readFile("utf8");
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof UsageProblem) throw error;
      const reason = error instanceof Error && "code" in error ? String(error.code) : String(error);
      throw new UsageProblem(`The file "${path}" cannot be read (${reason}): check its name.`);
    }
  },
};

function tooLarge(what: string, bytesMax: number): UsageProblem {
  return new UsageProblem(`${what} has more than ${bytesMax / (1024 * 1024)} MiB, the most that the server takes: send it in parts.`);
}
