import { relative } from "node:path";
import { startServer } from "./app.ts";
import { createLog } from "./log.ts";
import { readSettings, StartProblem } from "./settings.ts";
import { SqliteUnavailable } from "./store/driver.ts";
import { StoreUnusable } from "./store/rows.ts";
import { version } from "./version.ts";

/**
 * Runs the server until it is told to stop (SIGINT, SIGTERM). Resolves with the exit code. What the person who starts it has to
 * mend is one sentence without a stack; a second signal ends the process at once.
 */
export async function serve(env: NodeJS.ProcessEnv): Promise<number> {
  try {
    const settings = readSettings(env);
    // Before anything is printed: whoever reads "ready" may stop it at once, and even then it must close properly.
    const stopped = stopSignal();
    const server = await startServer(settings, { log: createLog(), version });
    const where = settings.databaseUrl ? server.driver : `SQLite by ${server.driver.replace(/ \(.*\)$/, "")}`;
    const setupUrl = await server.setupUrl();
    const ready = `Signalbox is ready: ${server.url} (${where}, data in ${shown(settings.data)})`;
    // In one write, so that a program that waits for the first line has the second too.
    console.log(setupUrl ? `${ready}\nName the first account: ${setupUrl}` : ready);
    await stopped;
    // What is waited for while it closes hangs on timers that keep no process alive; without this one Node could end in the middle (code 13).
    const alive = setInterval(() => {}, 1_000);
    await server.close().finally(() => clearInterval(alive));
    return 0;
  } catch (error) {
    if (error instanceof StartProblem || error instanceof StoreUnusable || error instanceof SqliteUnavailable) {
      console.error(error.message);
      return 1;
    }
    throw error;
  }
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve();
      });
    }
  });
}

/** Relative where that is shorter to read. */
function shown(folder: string): string {
  const path = relative(process.cwd(), folder);
  return path === "" ? "." : path.startsWith("..") ? folder : `./${path}`;
}
