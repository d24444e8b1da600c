import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { createGunzip } from "node:zlib";
import { createFlags } from "@signalbox/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Api,
  environmentPath,
  folder,
  freePort,
  type Program,
  run,
  type Server,
  signIn,
  startServer,
  until,
  withAccount,
} from "./world.ts";

/** Real nginx and haproxy in front of a real server, with what they do unless told otherwise. */

function installed(program: string): boolean {
  try {
    execFileSync(program, ["-v"], { stdio: "ignore", env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
    return true;
  } catch {
    const missing = `${program} is not installed (apt-get install ${program})`;
    if (process.env.REQUIRE_SERVICES === "1") throw new Error(missing);
    console.log(`its tests are left out: ${missing}`);
    return false;
  }
}

const home = folder("proxies");
let server: Server;
let api: Api;
let serverKey: string;
let browserKey: string;

beforeAll(async () => {
  const data = folder("proxied");
  server = await startServer({ data: data.path, env: withAccount });
  api = await signIn(server.url);
  const keys = JSON.stringify(await api.get(`${environmentPath("production")}/sdk-keys`));
  serverKey = /sb_server_production_[\w-]+/.exec(keys)?.[0] ?? "";
  browserKey = /sb_browser_production_[\w-]+/.exec(keys)?.[0] ?? "";
});
afterAll(async () => {
  await server?.stop();
  home.remove();
});

/** A flag that is on in production, for browsers too. */
async function flagOn(key: string): Promise<void> {
  await api.send("POST", "projects/default/flags", { key, browser: true });
  const path = `${environmentPath("production")}/flags/${key}`;
  const { configurationEtag } = await api.get<{ configurationEtag: string }>(path);
  await api.send("PATCH", `${path}/configuration`, { mode: "on", browser: true }, configurationEtag);
}
const kill = (key: string) => api.send("POST", `${environmentPath("production")}/flags/${key}/kill`, { reason: "test" });

const PROXIES: Readonly<Record<string, { start(port: number, timeoutSeconds?: number): Program }>> = {
  nginx: {
    start(port, timeoutSeconds) {
      const at = join(home.path, `nginx-${port}`);
      const own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${at}-${name};`).join("\n");
      writeFileSync(
        `${at}.conf`,
        `daemon off; pid ${at}.pid; error_log stderr; worker_processes 1;
events {}
http {
  access_log off;
  ${own}
  gzip on; gzip_types text/event-stream application/json; gzip_proxied any; gzip_min_length 0;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${server.port};
      ${timeoutSeconds === undefined ? "" : `proxy_read_timeout ${timeoutSeconds}s;`}
    }
  }
}
`,
      );
      return run("nginx", ["-e", "stderr", "-c", `${at}.conf`], { env: { PATH: `${process.env.PATH}:/usr/sbin` } });
    },
  },
  haproxy: {
    start(port, timeoutSeconds = 50) {
      const file = join(home.path, `haproxy-${port}.cfg`);
      // As Debian installs it: 5 s to connect, 50 s of silence on either side. Without timeouts haproxy warns, and nothing would be proved.
      writeFileSync(
        file,
        `defaults
  mode http
  timeout connect 5s
  timeout client ${timeoutSeconds}s
  timeout server ${timeoutSeconds}s
frontend in
  bind 127.0.0.1:${port}
  default_backend out
backend out
  server signalbox 127.0.0.1:${server.port}
`,
      );
      return run("haproxy", ["-db", "-f", file], { env: { PATH: `${process.env.PATH}:/usr/sbin` } });
    },
  },
};

async function proxied(name: string, timeoutSeconds?: number): Promise<{ url: string; proxy: Program }> {
  const port = await freePort();
  const proxy = PROXIES[name]?.start(port, timeoutSeconds);
  if (!proxy) throw new Error(`no proxy ${name}`);
  const url = `http://127.0.0.1:${port}`;
  await until(`${name} passes /healthz on`, async () => {
    const over = await Promise.race([proxy.ended, Promise.resolve(undefined)]);
    if (over !== undefined) throw new Error(`${name} ended with ${over}:\n${proxy.output()}`);
    return fetch(`${url}/healthz`).then(
      (answer) => answer.ok,
      () => false,
    );
  });
  return { url, proxy };
}

/** The stream as a page asks for it: compressed, if the proxy does that. */
function readStream(url: string): { text(): string; encoding(): string | undefined; isOver(): boolean; close(): void } {
  let text = "";
  let encoding: string | undefined;
  let over = false;
  const sent = request(`${url}/sdk/v1/stream?key=${browserKey}`, { headers: { "accept-encoding": "gzip" }, agent: false }, (response) => {
    encoding = response.headers["content-encoding"];
    const body = encoding === "gzip" ? response.pipe(createGunzip()) : response;
    body.on("data", (piece: Buffer) => {
      text += piece.toString();
    });
    body.on("error", () => {}); // cut by close()
    response.on("close", () => {
      over = true;
    });
  });
  sent.on("error", () => {
    over = true;
  });
  sent.end();
  return { text: () => text, encoding: () => encoding, isOver: () => over, close: () => void sent.destroy() };
}

describe.concurrent.each(Object.keys(PROXIES).map((name) => ({ name })))("behind $name with its defaults", ({ name }) => {
  const isHere = installed(name);

  test.runIf(isHere)("a kill arrives over the stream, at once, and is acknowledged", async () => {
    const { url, proxy } = await proxied(name);
    const flag = `${name}-kill`;
    await flagOn(flag);
    const flags = createFlags({ url, sdkKey: serverKey, app: `behind-${name}`, logger: false });
    const page = readStream(url);
    try {
      const { state } = await flags.ready({ timeoutMs: 10_000 });
      expect(state).toBe("live");
      expect(flags.isOn(flag, { key: "ann" })).toBe(true);
      await until("the page has its snapshot", () => page.text().includes("event: snapshot"), 5_000);
      await kill(flag);
      await until("the SDK answers off", () => !flags.isOn(flag, { key: "ann" }), 5_000);
      await until("the page hears of the kill", () => /event: change\n(?:[^\n]+\n)*data: .*"killed":true/.test(page.text()), 5_000);
      expect(flags.status.state).toBe("live");
      // Compression collects, unless each piece is flushed: so it must have been on.
      if (name === "nginx") expect(page.encoding()).toBe("gzip");
      await until("the kill is acknowledged through the proxy", async () => {
        const { revision, instances } = await api.get<{ revision: number; instances: { app: string; revision: number | null }[] }>(
          `${environmentPath("production")}/instances`,
        );
        return instances.some((instance) => instance.app === `behind-${name}` && instance.revision === revision);
      });
    } finally {
      page.close();
      await flags.close();
      await proxy.stop();
    }
  });

  // Defaults are 60 s and 50 s, four and three pings: a proxy with 20 s tells the same in less time.
  test.runIf(isHere)("pings keep a stream open on which nothing else happens", { timeout: 90_000 }, async () => {
    const { url, proxy } = await proxied(name, 20);
    const page = readStream(url);
    try {
      await until("the stream has begun", () => page.text().includes("event: snapshot"), 5_000);
      await until("three pings have come: twice the proxy's patience", () => page.text().split("event: ping").length > 3, 70_000);
      expect(page.isOver()).toBe(false);
    } finally {
      page.close();
      await proxy.stop();
    }
  });
});
