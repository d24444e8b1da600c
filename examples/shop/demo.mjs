// Signalbox and the shop side by side, on ports and in a folder of their own, seeded through the HTTP API as anybody could. Each start
// begins afresh. Ctrl-C stops both.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const HOST = "127.0.0.1";
const START_MS_MAX = 30_000;
const STOP_MS_MAX = 5_000;
const PORTS_TRIED_MAX = 50;

const children = [];
let stopping = false;

/** Resolves when all children have ended; those that do not are ended. */
async function stop(code) {
  if (stopping) return;
  stopping = true;
  for (const { child } of children) child.kill("SIGTERM");
  const late = setTimeout(() => {
    for (const { child } of children) child.kill("SIGKILL");
  }, STOP_MS_MAX);
  await Promise.all(children.map(({ ended }) => ended));
  clearTimeout(late);
  process.exit(code);
}

function start(name, args, env) {
  const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output = (output + chunk).slice(-10_000);
    });
  }
  const ended = new Promise((resolve) => child.once("close", resolve));
  children.push({ child, ended });
  ended.then((code) => {
    if (stopping) return;
    console.error(`${name} ended by itself (${code}):\n${output}`);
    stop(1);
  });
}

/** The first free port from `first` on. */
async function freePort(first) {
  for (let port = first; port < first + PORTS_TRIED_MAX; port++) {
    const free = await new Promise((resolve) => {
      const probe = createServer();
      probe.once("error", () => resolve(false));
      probe.listen(port, HOST, () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
  throw new Error(`The ports ${first} to ${first + PORTS_TRIED_MAX - 1} are all taken; set DEMO_PORT and DEMO_SHOP_PORT to free ones.`);
}

function portFrom(name, otherwise) {
  const port = Number(process.env[name] || otherwise);
  if (Number.isInteger(port) && port > 0 && port < 65_500) return port;
  throw new Error(`${name} is "${process.env[name]}", expected a number from 1 to 65499.`);
}

async function answers(url) {
  const end = performance.now() + START_MS_MAX;
  while (performance.now() < end && !stopping) {
    const ok = await fetch(url).then(
      (response) => response.ok,
      () => false, // not listening yet
    );
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (!stopping) throw new Error(`${url} did not answer within ${START_MS_MAX / 1000} s.`);
}

async function request(url, method, body, headers = {}) {
  const response = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url} was answered ${response.status}: ${text}`);
  return { response, body: text === "" ? undefined : JSON.parse(text) };
}

/** Signs in by the first account and goes on with a token, as a program does. */
async function signIn(server, account) {
  const session = await request(`${server}/api/v1/session`, "POST", account, { origin: server });
  const cookie = session.response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const made = await request(
    `${server}/api/v1/tokens`,
    "POST",
    { name: "demo", scope: "admin", days: 1 },
    { origin: server, "x-signalbox-csrf": "1", cookie },
  );
  const headers = { authorization: `Bearer ${made.body.token}` };
  return async (method, path, body) => (await request(`${server}/api/v1/${path}`, method, body, headers)).body;
}

async function seed(api) {
  const project = "projects/default";
  const environment = `${project}/environments/development`;
  const configure = (flag, configuration) => api("PATCH", `${environment}/flags/${flag}/configuration`, configuration);
  const on = { kind: "variant", variant: "on" };

  await api("POST", `${environment}/groups`, {
    key: "early-adopters",
    kind: "early-access",
    name: "Early adopters",
    description: "Visitors of the shop who joined the beta",
  });

  await api("POST", `${project}/flags`, {
    key: "new-checkout",
    name: "New checkout",
    description: "Pay in one step, with shipping and tax shown. Rolled out by percentage of visitors.",
    tags: ["shop"],
    owner: "checkout team",
    browser: true,
  });
  await configure("new-checkout", { mode: "targeted", rules: [{ name: "Rollout", rollout: { percentage: 10 }, serve: on }] });

  await api("POST", `${project}/flags`, {
    key: "search",
    name: "Search",
    description: "The kill-switch of the search service: off, the shop works on without it.",
    tags: ["shop", "kill-switch"],
    owner: "search team",
    browser: true,
  });
  await configure("search", { mode: "on" });

  await api("POST", `${project}/flags`, {
    key: "beta-reviews",
    name: "Reviews (beta)",
    description: "Reviews on every product, for visitors who joined the beta.",
    tags: ["shop", "beta"],
    owner: "shop team",
    browser: true,
  });
  const joined = { op: "group", group: "early-adopters" };
  await configure("beta-reviews", { mode: "targeted", rules: [{ name: "Early adopters", when: joined, serve: on }] });

  return api("GET", `${environment}/sdk-keys`);
}

process.on("SIGINT", () => stop(0));
process.on("SIGTERM", () => stop(0));

try {
  const port = await freePort(portFrom("DEMO_PORT", 7170));
  const wanted = portFrom("DEMO_SHOP_PORT", 7171);
  const shopPort = await freePort(wanted === port ? wanted + 1 : wanted);
  // A folder for each port: a demo that runs beside this one keeps its own.
  const data = join(process.env.DEMO_DATA || join(root, "data-demo"), String(port));
  rmSync(data, { recursive: true, force: true });

  const account = { name: "demo", password: randomBytes(12).toString("base64url") };
  const server = `http://localhost:${port}`;
  start("Signalbox", ["server/bin/signalbox.js", "serve"], {
    PORT: String(port),
    HOST,
    SIGNALBOX_DATA: data,
    SIGNALBOX_PUBLIC_URL: server,
    SIGNALBOX_ADMIN_NAME: account.name,
    SIGNALBOX_ADMIN_PASSWORD: account.password,
  });
  await answers(`${server}/healthz`);

  const api = await signIn(server, account);
  const keys = await seed(api);
  start("The shop", ["--import", "tsx", "examples/shop/src/main.ts"], {
    PORT: String(shopPort),
    HOST,
    SIGNALBOX_URL: server,
    SIGNALBOX_SERVER_KEY: keys.server,
    SIGNALBOX_BROWSER_KEY: keys.browser,
  });
  const shop = `http://localhost:${shopPort}`;
  await answers(shop);
  const link = await api("POST", "sign-in-links");

  if (!stopping) {
    console.log(`shop   ${shop}`);
    console.log(`admin  ${link.url}  (signs in once, within 15 minutes; afterwards as "${account.name}" with ${account.password})`);
    console.log(`kill   ${server}/kill`);
  }
} catch (error) {
  if (!stopping) {
    console.error(error.message);
    await stop(1);
  }
}
