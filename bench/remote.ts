import { type ChildProcess, spawn } from "node:child_process";

/** A process of its own whose functions are called over IPC, held to one core where the system can. */
export interface Remote {
  readonly pid: number;
  call<T>(name: string, args?: object): Promise<T>;
  stop(): void;
}

interface Call {
  readonly id: number;
  readonly name: string;
  readonly args: object;
}
type Answer = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: string };

/** Milliseconds on the machine's one monotonic clock: comparable between processes. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** The command that holds a process to a core: server and clients on one each, or on a core of a small machine they would share. */
export function onCore(core: number | undefined, command: string, args: readonly string[]): [string, string[]] {
  return core === undefined || process.platform !== "linux" ? [command, [...args]] : ["taskset", ["-c", String(core), command, ...args]];
}

const started = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of started) child.kill("SIGKILL");
});

/** Keeps a process from outliving this one. */
export function owned<C extends ChildProcess>(child: C): C {
  started.add(child);
  child.on("exit", () => started.delete(child));
  return child;
}

export function startRemote(file: string, core?: number): Remote {
  const [command, args] = onCore(core, process.execPath, ["--import", "tsx", new URL(file, import.meta.url).pathname]);
  const child = owned(spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] }));
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let calls = 0;
  child.on("message", (answer: Answer) => {
    const call = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ("error" in answer) call?.reject(new Error(answer.error));
    else call?.resolve(answer.value as never);
  });
  child.on("exit", (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`${file} ended with ${signal ?? code}`));
    waiting.clear();
  });
  return {
    pid: child.pid ?? 0,
    call: (name, args = {}) =>
      new Promise((resolve, reject) => {
        const call: Call = { id: calls++, name, args };
        waiting.set(call.id, { resolve, reject });
        child.send(call);
      }),
    stop: () => void child.kill("SIGKILL"),
  };
}

/** In the started process: what can be called. */
// biome-ignore lint/suspicious/noExplicitAny: each function knows the form of what it is sent by its own caller in this folder
export function serveCalls(functions: Readonly<Record<string, (args: any) => unknown>>): void {
  process.on("message", async ({ id, name, args }: Call) => {
    try {
      process.send?.({ id, value: await functions[name]?.(args) });
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? error.message : String(error) });
    }
  });
}

export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
