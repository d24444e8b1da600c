import { type ChildProcess, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { freeze, thaw } from "./processes.ts";

/** What one SDK was seen to hold: where it stands, and a digit for each flag, 1 when it is on for everybody. */
export interface Seen {
  readonly sdk: string;
  readonly generation: number;
  readonly revision: number;
  readonly on: string;
  readonly status: string;
}

export interface Fleet {
  readonly pid: number;
  readonly process: ChildProcess;
  freeze(): void;
  thaw(): void;
  /** Closes the SDK with this number and makes a new one in its place. */
  rejoin(sdk: number): void;
  /** Bytes of its heap after a collection, without compiled code. */
  heap(): Promise<number>;
  stop(): Promise<void>;
}

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), "fleet.mjs");

/** Starts a process with `count` SDKs, spread over the addresses. */
export function startFleet(options: {
  readonly name: string;
  readonly urls: readonly string[];
  readonly sdkKey: string;
  readonly flags: readonly string[];
  readonly count: number;
  seen(seen: Seen): void;
  /** A read threw, or something was not caught. */
  threw(what: string): void;
}): Fleet {
  const { name, urls, sdkKey, flags, count, seen, threw } = options;
  const child = spawn(process.execPath, ["--expose-gc", PROGRAM, urls.join(","), sdkKey, flags.join(","), String(count), name], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const heaps: ((bytes: number) => void)[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [kind, sdk = "", generation, revision, on = "", status = ""] = line.split(" ");
    if (kind === "s") seen({ sdk, generation: Number(generation), revision: Number(revision), on, status });
    else if (kind === "h") heaps.shift()?.(Number(sdk));
    else threw(line);
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const pid = child.pid ?? 0;
  return {
    pid,
    process: child,
    freeze: () => freeze(pid),
    thaw: () => thaw(pid),
    rejoin: (sdk) => void child.stdin.write(`join ${sdk}\n`),
    heap() {
      child.stdin.write("heap\n");
      return new Promise((resolve) => heaps.push(resolve));
    },
    async stop() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
