import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DATABASE_USER, startPostgres } from "../server/src/store/test-postgres.ts";
import { install, peersFolder } from "./peers.ts";
import { now, onCore, owned, sleep } from "./remote.ts";
import { FLAG, flagKeys, freePort } from "./server.ts";

export const unleashFolder = join(peersFolder, "unleash-server");
const NODE_MAJOR = 22;
const START_MS_MAX = 60_000;
/** It gives out what was written up to a second later. */
const GIVEN_OUT_MS_MAX = 10_000;
const ACCOUNT = { username: "bench", password: "A password 4 benchmarks" };
/** Project, environment and a secret; who has them is said at the start. */
const ADMIN_TOKEN = "*:*.bench-admin";
const SDK_TOKEN = "default:production.bench-sdk";
const ANY_NUMBER = "1000000000";

/** unleash-server with a PostgreSQL of its own: the other product, where a server is compared. */
export interface UnleashServer {
  readonly url: string;
  /** With it programs ask for the state of production. */
  readonly token: string;
  /** The state as programs get it. */
  state(): Promise<{ text: string; etag: string }>;
  /** Flags so named and switched in production, the first of them on, as in `BenchServer`; when programs can have them. */
  flags(count: number): Promise<void>;
  /** Switches the first flag in production; when that was answered. */
  switchFlag(on: boolean): Promise<number>;
  /** What it answers on the route where its SDK would have a stream instead of asking again and again. */
  streamStatus(): Promise<number>;
  stop(): Promise<void>;
}

/** Started, or undefined and one line that says why not. */
export async function unleashIfPossible(): Promise<UnleashServer | undefined> {
  try {
    install(unleashFolder);
    return await startUnleash(node());
  } catch (error) {
    return leftOut(error);
  }
}

/** What goes wrong with it costs its own figures only. */
export function leftOut(error: unknown): undefined {
  console.log(`Unleash is left out: ${(error as Error).message.trim().replaceAll(/\s*\n\s*/g, ", ")}`);
}

/** The Node that it needs, as npm provides it for some systems; else this one, if it is new enough. */
function node(): string {
  const provided = join(unleashFolder, `node_modules/node-${process.platform}-${process.arch}/bin/node`);
  if (existsSync(provided)) return provided;
  if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR) return process.execPath;
  throw new Error(`it needs Node ${NODE_MAJOR}, which is not provided for ${process.platform} ${process.arch}; this is ${process.version}`);
}

async function startUnleash(node: string): Promise<UnleashServer> {
  const postgres = await startPostgres();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const [command, args] = onCore(0, node, [
    "--disable-warning=ExperimentalWarning",
    "--disable-warning=DeprecationWarning",
    "--import",
    join(import.meta.dirname, "no-network.ts"),
    join(unleashFolder, "node_modules/unleash-server/dist/server.js"),
  ]);
  const env = {
    PATH: process.env.PATH,
    NODE_ENV: "production",
    HTTP_HOST: "127.0.0.1",
    PORT: String(port),
    UNLEASH_URL: url,
    DATABASE_HOST: "127.0.0.1",
    DATABASE_PORT: String(postgres.port),
    DATABASE_NAME: "postgres",
    DATABASE_USERNAME: DATABASE_USER,
    DATABASE_PASSWORD: "",
    DATABASE_SSL: "false",
    CHECK_VERSION: "false",
    SEND_TELEMETRY: "false",
    UNLEASH_DEFAULT_ADMIN_USERNAME: ACCOUNT.username,
    UNLEASH_DEFAULT_ADMIN_PASSWORD: ACCOUNT.password,
    INIT_ADMIN_API_TOKENS: ADMIN_TOKEN,
    INIT_BACKEND_API_TOKENS: SDK_TOKEN,
    SDK_API_RATE_LIMIT_PER_MINUTE: ANY_NUMBER,
    TOKEN_AUTHENTICATION_RATE_LIMIT_PER_MINUTE: ANY_NUMBER,
  };
  const child = owned(spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] }));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (piece) => {
      said = (said + piece).slice(-2_000);
    });
  }
  const complaint = () => {
    const lines = said.trim().split("\n");
    return lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? "";
  };
  async function stop(): Promise<void> {
    child.kill("SIGKILL");
    await ended;
    await postgres.stop();
  }

  async function ask(path: string, options: RequestInit = {}): Promise<Response> {
    const answer = await fetch(`${url}/${path}`, options);
    if (answer.ok) return answer;
    throw new Error(`Unleash answered ${path} with ${answer.status}: ${(await answer.text()).slice(0, 500)}`);
  }
  const json = { "content-type": "application/json" };
  const asProgram = { headers: { authorization: SDK_TOKEN } };
  const featuresOf = (text: string) => (JSON.parse(text) as { features: readonly { name: string; enabled: boolean }[] }).features;

  try {
    await until(
      START_MS_MAX,
      () => `unleash-server did not start: ${complaint()}`,
      async () => {
        if (child.exitCode !== null) throw new Error(`unleash-server ended: ${complaint()}`);
        return fetch(`${url}/health`).then(
          ({ ok }) => ok,
          () => false,
        );
      },
    );
    // It lets a person import flags, not a token.
    const session = await ask("auth/simple/login", { method: "POST", headers: json, body: JSON.stringify(ACCOUNT) });
    await session.text(); // its head comes before the session is stored, its end after
    const cookie = session.headers
      .getSetCookie()
      .map((each) => each.split(";")[0])
      .join("; ");
    const server: UnleashServer = {
      url,
      token: SDK_TOKEN,
      async state() {
        const answer = await ask("api/client/features", asProgram);
        return { text: await answer.text(), etag: answer.headers.get("etag") ?? "" };
      },
      async flags(count) {
        const body = JSON.stringify(imported(flagKeys(count)));
        await ask("api/admin/features-batch/import", { method: "POST", headers: { ...json, cookie }, body });
        await until(
          GIVEN_OUT_MS_MAX,
          () => `Unleash did not give out ${count} flags`,
          async () => {
            const given = featuresOf((await server.state()).text);
            return given.length === count && given.some(({ name, enabled }) => name === FLAG && enabled);
          },
        );
      },
      async switchFlag(on) {
        const path = `api/admin/projects/default/features/${FLAG}/environments/production/${on ? "on" : "off"}`;
        const answer = await ask(path, { method: "POST", headers: { authorization: ADMIN_TOKEN } });
        await answer.arrayBuffer();
        return now();
      },
      async streamStatus() {
        const answer = await fetch(`${url}/api/client/streaming`, asProgram);
        await answer.body?.cancel();
        return answer.status;
      },
      stop,
    };
    return server;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** As its export has it. A flag that exists already is as it is here afterwards. */
function imported(keys: readonly string[]): object {
  const environment = "production";
  const data = {
    features: keys.map((name) => ({ name, type: "release", project: "default" })),
    featureStrategies: keys.map((featureName) => ({
      featureName,
      name: "flexibleRollout",
      parameters: { rollout: "100", stickiness: "default", groupId: featureName },
      constraints: [],
      segments: [],
    })),
    featureEnvironments: keys.map((name) => ({ name, featureName: name, environment, enabled: name === FLAG })),
    contextFields: [],
    featureTags: [],
    tagTypes: [],
    segments: [],
  };
  return { project: "default", environment, data };
}

async function until(msMax: number, otherwise: () => string, holds: () => Promise<boolean>): Promise<void> {
  const began = now();
  while (!(await holds())) {
    if (now() - began > msMax) throw new Error(otherwise());
    await sleep(50);
  }
}
