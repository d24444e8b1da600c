import { execFileSync } from "node:child_process";
import { createServer, type Server as TcpServer } from "node:net";
import { createFlags, type NodeFlags, type NodeFlagsOptions } from "@signalbox/node";
import { type Api, environmentPath, folder, freePort, run, type Server, signIn, startServer, until, withAccount } from "../world.ts";

/** Only processes that a test started get one of these. */
export const freeze = (pid: number) => process.kill(pid, "SIGSTOP");
export const thaw = (pid: number) => process.kill(pid, "SIGCONT");

/** True when a program can be started here. */
export function has(command: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${command}`], { stdio: "ignore" });
    return true;
  } catch {
    return false; // it is not installed
  }
}

export const LONG = process.env.LONG === "1";

/** A server of one's own with an account, a token and the keys of development. */
export interface World {
  server: Server;
  readonly data: string;
  readonly api: Api;
  readonly keys: { readonly server: string; readonly browser: string };
  /** Makes a flag that is on for everybody in development; `browser`: marked for browsers. */
  flag(key: string, browser?: boolean): Promise<void>;
  /** Turns a flag of development on or off; resolves with the revision. */
  turn(key: string, on: boolean): Promise<number>;
  kill(key: string): Promise<number>;
  restore(key: string): Promise<number>;
  revision(): Promise<number>;
  /** An SDK in this process. */
  follow(options?: Partial<NodeFlagsOptions>): Follower;
  /** Ends the server with this signal, and starts it again on the same port and folder. */
  restart(signal?: NodeJS.Signals, env?: Record<string, string>): Promise<void>;
  stop(): Promise<void>;
}

export interface Follower {
  readonly flags: NodeFlags;
  /** What it said. */
  readonly lines: string[];
}

const DEVELOPMENT = environmentPath("development");

export async function startWorld(
  options: { data?: string; env?: Record<string, string>; command?: readonly string[] } = {},
): Promise<World> {
  const own = options.data === undefined ? folder("faults") : undefined;
  const data = options.data ?? own?.path ?? "";
  const env = { ...withAccount, ...options.env };
  const server = await (options.command ? startUnder(options.command, { data, env }) : startServer({ data, env }));
  const api = await signIn(server.url);
  const keys = await api.get<World["keys"]>(`${DEVELOPMENT}/sdk-keys`);
  const followers: NodeFlags[] = [];
  const at = (key: string) => `${DEVELOPMENT}/flags/${key}`;
  const revisionOf = async (answer: Promise<{ revision: number }>) => (await answer).revision;
  const world: World = {
    server,
    data,
    api,
    keys,
    async flag(key, browser = false) {
      await api.send("POST", "projects/default/flags", { key, browser });
      await world.turn(key, true);
    },
    turn: (key, on) => revisionOf(api.send("PATCH", `${at(key)}/configuration`, { mode: on ? "on" : "off" })),
    kill: (key) => revisionOf(api.send("POST", `${at(key)}/kill`, { reason: "test" })),
    restore: (key) => revisionOf(api.send("POST", `${at(key)}/restore`, { reason: "test" })),
    revision: async () => (await api.get<{ revision: number }>(`${DEVELOPMENT}/flags`)).revision,
    follow(more = {}) {
      const lines: string[] = [];
      const say = (line: string) => lines.push(line);
      const given = { url: server.url, sdkKey: keys.server, app: "faults", logger: { info: say, warn: say }, ...more };
      const flags = createFlags(given);
      followers.push(flags);
      return { flags, lines };
    },
    async restart(signal = "SIGKILL", more = {}) {
      await world.server.stop(signal);
      world.server = await startServer({ data, port: server.port, env: { ...env, ...more } });
    },
    async stop() {
      await Promise.all(followers.map((flags) => flags.close()));
      await world.server.stop("SIGKILL");
      own?.remove();
    },
  };
  return world;
}

/** Waits until the program is at the server's head; `ready()` of its own would give up sooner than a busy machine takes. */
export async function live({ flags }: Pick<Follower, "flags">): Promise<void> {
  await until("the program is live", () => ["live", "polling"].includes(flags.status.state), 60_000);
}

/** Starts the server under another program: `strace`, `faketime`. */
export async function startUnder(
  command: readonly string[],
  options: { data: string; env?: Record<string, string>; port?: number },
): Promise<Server> {
  const [first = "", ...rest] = command;
  const port = options.port ?? (await freePort());
  const program = run(first, [...rest, process.execPath, "server/bin/signalbox.js", "serve"], {
    env: { PORT: String(port), SIGNALBOX_DATA: options.data, ...options.env },
  });
  const url = `http://localhost:${port}`;
  await until("the server answers /healthz", async () => {
    const over = await Promise.race([program.ended, Promise.resolve(undefined)]);
    if (over !== undefined) throw new Error(`the server ended with ${over}:\n${program.output()}`);
    return fetch(`${url}/healthz`).then(
      (answer) => answer.ok,
      () => false,
    );
  });
  return { ...program, url, port, setupLink: "" };
}

/** A server that takes connections and says nothing. */
export function silentServer(): Promise<{ readonly url: string; readonly accepted: number; close(): void }> {
  const sockets = new Set<import("node:net").Socket>();
  let accepted = 0;
  const server: TcpServer = createServer((socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve({
        url: `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`,
        get accepted() {
          return accepted;
        },
        close() {
          for (const socket of sockets) socket.destroy();
          server.close();
        },
      });
    });
  });
}

/** How many descriptors a process holds. */
export function descriptors(pid: number): number {
  return execFileSync("ls", [`/proc/${pid}/fd`])
    .toString()
    .trim()
    .split("\n").length;
}

/** Resident memory in MiB. */
export function residentMib(pid: number): number {
  const line = /VmRSS:\s+(\d+)/.exec(execFileSync("cat", [`/proc/${pid}/status`]).toString());
  return Number(line?.[1] ?? 0) / 1024;
}
