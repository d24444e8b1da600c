import { fork } from "node:child_process";
import { join } from "node:path";
import type { Report, Task } from "./child.ts";

const TASK_MS_MAX = 120_000;

/** Runs one task in a process of its own. Never rejects: a subject that fails costs its own figures only. */
export function runTask(task: Task): Promise<Report> {
  return new Promise((resolve) => {
    const child = fork(join(import.meta.dirname, "child.ts"), [JSON.stringify(task)], {
      execArgv: ["--expose-gc", "--import", "tsx", ...(process.env.BENCH_NODE_OPTIONS?.split(" ") ?? [])],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-500);
    });
    const timer = setTimeout(() => child.kill(), TASK_MS_MAX);
    child.on("message", (report: Report) => resolve(report));
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      resolve({ ok: false, why: `it ended with ${signal ?? code}: ${said.trim().split("\n").at(-1) ?? ""}` });
    });
  });
}

/** One line that is overwritten, for people who wait. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
