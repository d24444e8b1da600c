import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { freePort } from "./server.ts";

/** Where Debian keeps it: not in the path. */
const DEBIAN = "/usr/lib/postgresql";
const START_MS_MAX = 30_000;
export const DATABASE_USER = "bench";

export interface Postgres {
  readonly port: number;
  /** Ends it and takes its folder away. */
  stop(): Promise<void>;
}

/** The system's PostgreSQL in a folder of its own, with its default settings, for this machine alone. Throws where there is none. */
export async function startPostgres(): Promise<Postgres> {
  const programs = findPrograms();
  const user = unprivileged();
  const folder = mkdtempSync(join(tmpdir(), "signalbox-bench-postgres-"));
  let child: ChildProcess | undefined;
  const removeFolder = () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  // SIGQUIT and not SIGKILL: it takes the processes that it started with it.
  const onExit = () => {
    child?.kill("SIGQUIT");
    removeFolder();
  };
  process.on("exit", onExit);
  if (user) chownSync(folder, user.uid, user.gid);
  const options = { ...user, cwd: folder, env: { PATH: process.env.PATH, LC_ALL: "C" } };
  const stdio: ["ignore", "ignore", "pipe"] = ["ignore", "ignore", "pipe"];
  const data = join(folder, "data");
  execFileSync(
    join(programs, "initdb"),
    ["-D", data, "-U", DATABASE_USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
    options,
  );
  const port = await freePort();
  const postgres = spawn(join(programs, "postgres"), ["-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", ""], { ...options, stdio });
  child = postgres;
  const ended = new Promise<void>((resolve) => postgres.once("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let said = "";
    const fail = () => reject(new Error(`PostgreSQL did not start: ${said.trim().split("\n").at(-1)}`));
    const timer = setTimeout(fail, START_MS_MAX);
    postgres.once("error", reject);
    postgres.once("exit", fail);
    postgres.stderr.on("data", (piece) => {
      said = (said + piece).slice(-2_000);
      if (!said.includes("ready to accept connections")) return;
      clearTimeout(timer);
      resolve();
    });
  });
  return {
    port,
    async stop() {
      postgres.kill("SIGQUIT");
      await ended;
      child = undefined;
      process.off("exit", onExit);
      removeFolder();
    },
  };
}

function findPrograms(): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...versions.map((version) => join(DEBIAN, version, "bin"))];
  const found = folders.find((folder) => ["initdb", "postgres"].every((program) => existsSync(join(folder, program))));
  if (found === undefined) throw new Error("PostgreSQL (initdb and postgres) is not installed here");
  return found;
}

/** PostgreSQL refuses to run as root; its package brings a user for it. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (which: string) => Number(execFileSync("id", [which, "postgres"], { stdio: ["ignore", "pipe", "ignore"] }));
  try {
    return { uid: id("-u"), gid: id("-g") };
  } catch (error) {
    throw new Error("PostgreSQL does not run as root, and there is no user postgres here", { cause: error });
  }
}
