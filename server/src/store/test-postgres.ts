import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** Where Debian keeps it: not in the path. */
const DEBIAN = "/usr/lib/postgresql";
const START_MS_MAX = 30_000;
export const DATABASE_USER = "signalbox";

export interface Postgres {
  readonly port: number;
  /** What behaves as a new, empty database, and its address. */
  createDatabase(): Promise<string>;
  /** Ends it at once, as kill -9 of all its processes would. */
  crash(): Promise<void>;
  /** Starts it again on the same port and data. */
  restart(): Promise<void>;
  /** Ends it and takes its folder away. */
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** Whether a commit is flushed to the disk; its default is on. */
  readonly fsync?: boolean;
}

/** Why there is no PostgreSQL here; undefined where there is. */
export function missingPostgres(): string | undefined {
  try {
    findPrograms();
    unprivileged();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The system's PostgreSQL in a folder of its own, for this machine alone. Throws where there is none. */
export async function startPostgres({ fsync = true }: PostgresOptions = {}): Promise<Postgres> {
  const programs = findPrograms();
  const user = unprivileged();
  const folder = mkdtempSync(join(tmpdir(), "signalbox-postgres-"));
  let child: ChildProcess | undefined;
  let ended: Promise<void> = Promise.resolve();
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

  async function start(): Promise<void> {
    const args = ["-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", "", ...(fsync ? [] : ["-c", "fsync=off"])];
    const postgres = spawn(join(programs, "postgres"), args, { ...options, stdio });
    child = postgres;
    ended = new Promise<void>((resolve) => postgres.once("exit", () => resolve()));
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
  }
  /** SIGQUIT: its processes end without a checkpoint and without a word, and the next start recovers. */
  async function crash(): Promise<void> {
    child?.kill("SIGQUIT");
    await ended;
    child = undefined;
  }
  await start();
  let made = 0;
  return {
    port,
    async createDatabase() {
      made += 1;
      return createSchema(`postgres://${DATABASE_USER}@127.0.0.1:${port}/postgres`, `s${made}`);
    },
    crash,
    restart: start,
    async stop() {
      await crash();
      process.off("exit", onExit);
      removeFolder();
    },
  };
}

const ofFolders = new Map<string, string>();

/**
 * Where the tests of the whole server keep their data: in SQLite when undefined; or with TEST_POSTGRES, the address of a server, in a place
 * there for each data folder.
 */
export async function testDatabase(folder: string): Promise<string | undefined> {
  const address = process.env.TEST_POSTGRES;
  if (!address) return undefined;
  const url = ofFolders.get(folder) ?? (await createSchema(address, `t${process.pid}_${ofFolders.size}`));
  ofFolders.set(folder, url);
  return url;
}

/** A schema of its own is as good as a database, and made at once. */
async function createSchema(address: string, name: string): Promise<string> {
  const { default: connect } = await import("postgres");
  const sql = connect(address, { max: 1 });
  await sql.unsafe(`create schema ${name}`);
  await sql.end();
  return `${address}?search_path=${name}`;
}

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === "object" ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
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
