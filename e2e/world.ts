import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterEach } from "vitest";

/** Real processes for the whole-system tests: each is started on a free port, waited for, and ended by its own id. */

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** How long any condition may take before a test says which one did not come. */
export const WAIT_MS_MAX = 15_000;

export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  waitMs = WAIT_MS_MAX,
): Promise<T> {
  const end = performance.now() + waitMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited ${waitMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export function folder(name: string): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `signalbox-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
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

export interface Program {
  readonly pid: number;
  /** Everything printed so far, both streams. */
  output(): string;
  /** Resolves with the exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export function run(command: string, args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}): Program {
  const child: ChildProcess = spawn(command, args, {
    cwd: options.cwd ?? root,
    env: { ...cleanEnvironment(), ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const collect = (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-200_000);
  };
  child.stdout?.on("data", collect);
  child.stderr?.on("data", collect);
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  return {
    pid: child.pid ?? 0,
    output: () => text,
    ended,
    async stop(signal = "SIGTERM") {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await ended;
    },
  };
}

/** No setting of the machine that runs the tests reaches the programs under test. */
function cleanEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(SIGNALBOX_|PORT$|HOST$|VITEST|NODE_ENV$|NODE_OPTIONS$)/.test(name));
  return Object.fromEntries(kept.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

export interface Server extends Program {
  readonly url: string;
  readonly port: number;
  /** The one-time set-up link that it printed; empty when an account exists. */
  readonly setupLink: string;
}

export const ACCOUNT = { name: "ana", password: "correct horse battery" } as const;

/** Starts `signalbox serve` as a user would and waits until it serves. */
export async function startServer(options: { data: string; port?: number; env?: Record<string, string> }): Promise<Server> {
  const port = options.port ?? (await freePort());
  const program = run(process.execPath, ["server/bin/signalbox.js", "serve"], {
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
  const setupLink = /http:\S+\/setup#token=\S+/.exec(program.output())?.[0] ?? "";
  return { ...program, url, port, setupLink };
}

export const withAccount = { SIGNALBOX_ADMIN_NAME: ACCOUNT.name, SIGNALBOX_ADMIN_PASSWORD: ACCOUNT.password };

/** A client of the admin API with a token of the first account. */
export interface Api {
  readonly token: string;
  get<T = unknown>(path: string): Promise<T>;
  send<T = unknown>(method: "POST" | "PATCH" | "DELETE" | "PUT", path: string, body?: unknown, etag?: string): Promise<T>;
  answer(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
}

export async function signIn(url: string, scope: "admin" | "operator" | "kill" = "admin"): Promise<Api> {
  const session = await fetch(`${url}/api/v1/session`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: url },
    body: JSON.stringify(ACCOUNT),
  });
  if (!session.ok) throw new Error(`signing in: ${session.status} ${await session.text()}`);
  const cookie = session.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const made = await fetch(`${url}/api/v1/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: url, "x-signalbox-csrf": "1", cookie },
    body: JSON.stringify({ name: "tests", scope }),
  });
  if (!made.ok) throw new Error(`making a token: ${made.status} ${await made.text()}`);
  const { token } = (await made.json()) as { token: string };
  return client(url, token);
}

export function client(url: string, token: string): Api {
  const answer: Api["answer"] = (method, path, body, headers = {}) =>
    fetch(path.startsWith("/") ? url + path : `${url}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  async function read<T>(response: Response): Promise<T> {
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${response.url}: ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }
  return {
    token,
    answer,
    get: async (path) => read(await answer("GET", path)),
    send: async (method, path, body, etag) => read(await answer(method, path, body, etag === undefined ? {} : { "if-match": etag })),
  };
}

export const environmentPath = (environment: string) => `projects/default/environments/${environment}`;

/** Headless Chromium with everything off that would look for a network. */
export function openBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Signs in as the first account, as a person does, up to the list of flags. */
export async function signInOn(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/sign-in`);
  await page.getByLabel("Name").fill(ACCOUNT.name);
  await page.getByLabel(/^Password/).fill(ACCOUNT.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/default/development/**");
}

/** A page of the admin UI, signed in, in a context of its own. */
export async function openAdmin(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage();
  page.setDefaultTimeout(WAIT_MS_MAX);
  await signInOn(page, url);
  return page;
}

/** After a failed test: what the person would have seen, in `e2e/artifacts`. */
export function keepPictures(pages: () => Readonly<Record<string, Page | undefined>>): void {
  afterEach(async ({ task }) => {
    if (task.result?.state !== "fail") return;
    const artifacts = join(root, "e2e/artifacts");
    mkdirSync(artifacts, { recursive: true });
    for (const [name, page] of Object.entries(pages())) {
      if (page && !page.isClosed()) await page.screenshot({ path: join(artifacts, `${name}.png`), fullPage: true });
    }
  });
}
