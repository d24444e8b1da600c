import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { now, onCore, owned, sleep } from "./remote.ts";

/** The built server in a process of its own, with an account, a token and a data folder that goes away. */
export interface BenchServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** The SDK key of an environment. */
  sdkKey(environment: string, projection: "server" | "browser"): Promise<string>;
  /** A request with the token; answers with the body and when it was there. Throws unless it is a success. */
  api<T = unknown>(method: string, path: string, body?: object): Promise<{ value: T; at: number }>;
  /** Flags in every environment, and the first of them on in production, where rules make the others of the wished size. */
  flags(count: number): Promise<void>;
  /** kill -9, and the same folder and port again. */
  restart(): Promise<void>;
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): void;
}

const ACCOUNT = { name: "bench", password: "a password for benchmarks" };
const ANY_NUMBER = "1000000";
export const PRODUCTION = "projects/default/environments/production";
/** The flag that is killed. */
export const FLAG = "checkout-000";

export async function startBenchServer(env: Record<string, string> = {}, core = 0): Promise<BenchServer> {
  const data = mkdtempSync(join(tmpdir(), "signalbox-bench-"));
  process.on("exit", () => rmSync(data, { recursive: true, force: true }));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const agent = new Agent({ keepAlive: true });
  let child: ChildProcess | undefined;
  let token = "";

  async function start(): Promise<void> {
    const [command, args] = onCore(core, process.execPath, [
      ...(process.env.BENCH_NODE_OPTIONS?.split(" ") ?? []),
      join(import.meta.dirname, "../server/bin/signalbox.js"),
      "serve",
    ]);
    const settings = {
      PORT: String(port),
      SIGNALBOX_DATA: data,
      SIGNALBOX_ADMIN_NAME: ACCOUNT.name,
      SIGNALBOX_ADMIN_PASSWORD: ACCOUNT.password,
      SIGNALBOX_STATE_PER_SECOND: ANY_NUMBER,
    };
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("SIGNALBOX_")));
    let said = "";
    child = owned(spawn(command, args, { env: { ...inherited, ...settings, ...env }, stdio: ["ignore", "pipe", "pipe"] }));
    child.stderr?.on("data", (piece) => {
      said = (said + piece).slice(-500);
    });
    for (let tries = 0; ; tries++) {
      const answers = await fetch(`${url}/healthz`).then(
        (answer) => answer.ok,
        () => false,
      );
      if (answers) return;
      if (child.exitCode !== null || tries > 4_000) throw new Error(`the server did not start: ${said}`);
      await sleep(5);
    }
  }

  const kill = () =>
    new Promise<void>((resolve) => {
      if (!child || child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once("exit", () => resolve());
      child.kill("SIGKILL");
    });

  function api<T>(method: string, path: string, body?: object): Promise<{ value: T; at: number }> {
    return new Promise((resolve, reject) => {
      const sent = request(
        `${url}/api/v1/${path}`,
        { method, agent, headers: { authorization: `Bearer ${token}`, "content-type": "application/json" } },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (piece: string) => {
            text += piece;
          });
          response.on("end", () => {
            const at = now();
            if (response.statusCode !== undefined && response.statusCode < 300) resolve({ value: JSON.parse(text || "null") as T, at });
            else reject(new Error(`${method} ${path} was answered ${response.statusCode}: ${text}`));
          });
        },
      );
      sent.on("error", reject);
      sent.end(body && JSON.stringify(body));
    });
  }

  await start();
  const headers = { "content-type": "application/json", origin: url };
  const session = await fetch(`${url}/api/v1/session`, { method: "POST", headers, body: JSON.stringify(ACCOUNT) });
  const cookie = session.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const body = JSON.stringify({ name: "bench", scope: "admin" });
  const made = await fetch(`${url}/api/v1/tokens`, { method: "POST", headers: { ...headers, "x-signalbox-csrf": "1", cookie }, body });
  token = ((await made.json()) as { token: string }).token;
  if (!token) throw new Error(`no token: ${made.status}`);

  return {
    url,
    port,
    get pid() {
      return child?.pid ?? 0;
    },
    async sdkKey(environment, projection) {
      const { value } = await api<unknown>("GET", `projects/default/environments/${environment}/sdk-keys`);
      const key = new RegExp(`sb_${projection}_[\\w-]+`).exec(JSON.stringify(value))?.[0];
      if (!key) throw new Error(`no ${projection} key for ${environment}`);
      return key;
    },
    api,
    async flags(count) {
      const keys = flagKeys(count);
      for (let index = 0; index < count; index += 20) {
        await Promise.all(keys.slice(index, index + 20).map((key) => api("POST", "projects/default/flags", { key })));
      }
      await api("PATCH", `${PRODUCTION}/flags/${FLAG}/configuration`, { mode: "on" }).catch(async (error: Error) => {
        if (!error.message.includes("IF_MATCH")) throw error;
        const { value } = await api<{ configurationEtag: string }>("GET", `${PRODUCTION}/flags/${FLAG}`);
        const answer = await fetch(`${url}/api/v1/${PRODUCTION}/flags/${FLAG}/configuration`, {
          method: "PATCH",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json", "if-match": value.configurationEtag },
          body: JSON.stringify({ mode: "on" }),
        });
        if (!answer.ok) throw new Error(await answer.text());
      });
    },
    async restart() {
      await kill();
      await start();
    },
    kill,
    start,
    stop: () => void child?.kill("SIGKILL"),
  };
}

/** `FLAG` and so on: up to 1,000 of one length. */
export function flagKeys(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `checkout-${String(index).padStart(3, "0")}`);
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === "object" ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}
