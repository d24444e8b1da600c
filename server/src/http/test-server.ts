import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TokenCreated, TokenScope } from "../api-types.ts";
import { type RunningServer, startServer } from "../app.ts";
import { createLog } from "../log.ts";
import { readSettings } from "../settings.ts";
import { testDatabase } from "../store/test-postgres.ts";

export const NAME = "ana";
export const PASSWORD = "correct-horse-battery";

export interface TestServer extends RunningServer {
  /** The data folder. */
  readonly data: string;
  /** A Cookie header of a new session. */
  signIn(): Promise<string>;
  token(scope: TokenScope): Promise<string>;
  /** Sends JSON with a cookie and the headers of a page of this server. */
  send(method: string, path: string, cookie: string, body?: unknown): Promise<Response>;
  /** A flag, made and on in production. */
  flag(key: string): Promise<void>;
  /** Stops it and keeps its folder. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

/** A real server on a free port with a data folder of its own. Without `account` the first one is still to be named. */
export async function startTestServer({
  account = true,
  env = {},
}: {
  account?: boolean;
  env?: Record<string, string>;
} = {}): Promise<TestServer> {
  const data = mkdtempSync(join(tmpdir(), "signalbox-server-"));
  const first = account ? { SIGNALBOX_ADMIN_NAME: NAME, SIGNALBOX_ADMIN_PASSWORD: PASSWORD } : {};
  const database = await testDatabase(env.SIGNALBOX_DATA ?? data);
  const settings = readSettings({
    ...(database && { DATABASE_URL: database }),
    PORT: "0",
    SIGNALBOX_DATA: data,
    SIGNALBOX_HEARTBEAT: "off",
    ...first,
    ...env,
  });
  const server = await startServer(settings, { log: createLog(), version: "0.0.0-test" });
  const own = { origin: server.url, "x-signalbox-csrf": "1", "content-type": "application/json" };

  async function signIn(): Promise<string> {
    const answer = await fetch(`${server.url}/api/v1/session`, {
      method: "POST",
      headers: own,
      body: JSON.stringify({ name: NAME, password: PASSWORD }),
    });
    return cookieOf(answer);
  }
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= server.close();
    return stopped;
  };
  const send: TestServer["send"] = (method, path, cookie, body) =>
    fetch(server.url + path, { method, headers: { ...own, cookie }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });

  return {
    ...server,
    data,
    signIn,
    send,
    async token(scope) {
      const answer = await send("POST", "/api/v1/tokens", await signIn(), { name: "test", scope });
      return ((await answer.json()) as TokenCreated).token;
    },
    async flag(key) {
      const cookie = await signIn();
      await send("POST", "/api/v1/projects/default/flags", cookie, { key });
      const path = `/api/v1/projects/default/environments/production/flags/${key}`;
      const { configurationEtag } = (await (await send("GET", path, cookie)).json()) as { configurationEtag: string };
      const answer = await fetch(`${server.url}${path}/configuration`, {
        method: "PATCH",
        headers: { ...own, cookie, "if-match": configurationEtag },
        body: JSON.stringify({ mode: "on" }),
      });
      if (!answer.ok) throw new Error(await answer.text());
    },
    stop,
    async close() {
      await stop();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

/** The Cookie header that answers a Set-Cookie. */
export function cookieOf(answer: Response): string {
  return answer.headers.get("set-cookie")?.split(";")[0] ?? "";
}
