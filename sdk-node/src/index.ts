import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { basename } from "node:path";
import { type Context, createClient, createState, explain, type Flags, type Logger, SILENT } from "@signalbox/core";
import { contextStore } from "./context-hook.ts";
import { dehydrate } from "./dehydrate.ts";
import { createEarlyAccess, type EarlyAccess } from "./early-access.ts";
import { regex } from "./regex.ts";
import { createTransport } from "./transport.ts";
import { VERSION } from "./version.ts";

export type {
  Change,
  Context,
  EarlyAccessGroup,
  Events,
  Explanation,
  Flags,
  Json,
  Logger,
  Membership,
  Reason,
  Status,
  SyncStatus,
  Trace,
} from "@signalbox/core";
export type { EarlyAccess } from "./early-access.ts";
export { type SignOptions, signContext } from "./sign-context.ts";

export interface NodeFlagsOptions {
  /** Of the Signalbox server: `http://localhost:7070`. */
  readonly url: string;
  /** A server key of one environment: `sb_server_development_...`. */
  readonly sdkKey: string;
  /** What this program is called in the admin UI; the name in package.json, or of the folder, when absent. */
  readonly app?: string;
  /** The version of this program, shown beside its name; the one in package.json when npm started it. */
  readonly appVersion?: string;
  /** The machine that it runs on, as the admin UI shows it; its host name when absent. `false`: not told. */
  readonly host?: string | false;
  /** What this running copy is called in receipts; host, process id and four random digits when absent. */
  readonly instance?: string;
  /** Where sentences go: by default one line when it connects and one for each problem, on stderr. `false`: nowhere. */
  readonly logger?: Logger | false;
  /** `stream` (default): changes arrive as they are made. `poll`: every `pollMs`, where streams are not possible. */
  readonly transport?: "stream" | "poll";
  /** With `transport: "poll"`; at least 1000, 15000 when absent. */
  readonly pollMs?: number;
}

/** Flags of one environment, held in memory and followed. */
export interface NodeFlags extends Flags, AsyncDisposable {
  readonly earlyAccess: EarlyAccess;
  /**
   * The answers of these flags for a context, as JSON to be written into a page: `bootstrap` of @signalbox/browser. Names the flags, because
   * this program sees also those that browsers may not hear of. Throws TypeError for a context that has no JSON.
   */
  dehydrate(context: Context, keys: readonly string[]): string;
}

/**
 * Starts following the flags of one environment. Returns at once and does no I/O before it returns; until the first state arrives
 * (`await flags.ready()`) reads answer with their defaults. Never throws for reasons of the network, and never keeps the process alive.
 *
 * @throws TypeError or RangeError when an option is missing or wrong.
 */
export function createFlags(options: NodeFlagsOptions): NodeFlags {
  const given: Partial<NodeFlagsOptions> = options ?? {};
  const url = checkedUrl(given.url);
  const sdkKey = checkedKey(given.sdkKey);
  const server = url.origin + url.pathname.replace(/\/+$/, "");
  const transport = createTransport(url, sdkKey);
  const logger = given.logger === false ? SILENT : (given.logger ?? STDERR);
  const client = createClient(
    {
      now: () => performance.now(),
      time: Date.now,
      random: Math.random,
      draw: Math.random,
      after(ms, run, hold) {
        const timer = setTimeout(run, ms);
        if (!hold) timer.unref();
        return () => clearTimeout(timer);
      },
      stream: transport.stream,
      state: transport.state,
      send: transport.send,
      context: () => contextStore()?.get(),
      explain,
    },
    {
      server,
      sdkKey,
      app: checkedName("app", given.app, 100) ?? defaultApp(),
      appVersion: mended(given.appVersion ?? process.env.npm_package_version, 50),
      instance: checkedName("instance", given.instance, 64) ?? defaultInstance(),
      host: given.host === false ? undefined : mended(given.host ?? hostname(), 100),
      sdk: `node/${VERSION}`,
      transport: checkedTransport(given.transport),
      pollMs: checkedPollMs(given.pollMs),
      logger,
      unknownHint: "",
      state: createState({ regex }),
    },
  );

  const leave = countIn(`${server} ${sdkKey}`, logger);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    if (closed === undefined) leave();
    closed ??= client.close().finally(transport.close);
    return closed;
  };
  const flags: NodeFlags = {
    isOn: client.isOn,
    value: client.value,
    variant: client.variant,
    explain: client.explain,
    all: client.all,
    get status() {
      return client.status;
    },
    ready: client.ready,
    on: client.on,
    flush: client.flush,
    close,
    earlyAccess: createEarlyAccess(transport, server, client),
    dehydrate: (context, keys) => dehydrate(client, context, keys),
    [ASYNC_DISPOSE]: close,
  };
  return flags;
}

/** How many are open for each server and key in this process. */
const openFor = new Map<string, number>();
let saidTwice = false;

/** Each instance holds a stream and a state of its own, so a second one for the same key is mostly a mistake. Returns what takes it out. */
function countIn(name: string, logger: Logger): () => void {
  const before = openFor.get(name) ?? 0;
  openFor.set(name, before + 1);
  if (before > 0 && !saidTwice) {
    saidTwice = true;
    try {
      logger.warn(
        "signalbox: createFlags was called again for the same key in this process; make one and share it, each holds a connection",
      );
    } catch {
      // a logger that throws must not keep a program from its flags
    }
  }
  return () => {
    const left = (openFor.get(name) ?? 1) - 1;
    if (left > 0) openFor.set(name, left);
    else openFor.delete(name);
  };
}

// Node 20 before 20.5 knows no Symbol.asyncDispose; compilers that offer `await using` there fall back to the same name.
const ASYNC_DISPOSE: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");

// stderr, because the output of a program is its own.
const STDERR: Logger = { info: (message) => console.error(message), warn: (message) => console.error(message) };

function checkedUrl(value: unknown): URL {
  const wrong = (what: string) =>
    new TypeError(
      `signalbox: url is ${what}, expected the address of the Signalbox server, as in createFlags({ url: "http://localhost:7070", sdkKey })`,
    );
  if (typeof value !== "string" || value === "") throw wrong(value === undefined || value === "" ? "missing" : typeof value);
  if (!URL.canParse(value)) throw wrong(JSON.stringify(value));
  const url = new URL(value);
  if (url.protocol !== "http:" && url.protocol !== "https:") throw wrong(JSON.stringify(value));
  return url;
}

function checkedKey(value: unknown): string {
  const where = "find it in the admin UI under SDK keys";
  if (typeof value !== "string" || value === "") throw new TypeError(`signalbox: sdkKey is missing; ${where} (sb_server_...)`);
  if (value.startsWith("sb_browser_")) {
    throw new TypeError(
      `signalbox: sdkKey is a browser key, which sees only flags marked for browsers; a Node program takes the environment's server key (sb_server_...), ${where}`,
    );
  }
  if (!/^[\x21-\x7e]{1,300}$/.test(value)) {
    throw new TypeError(`signalbox: sdkKey holds characters that no SDK key has; copy it again, ${where}`);
  }
  return value;
}

function checkedName(name: string, value: unknown, lengthMax: number): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && value !== "" && value.length <= lengthMax) return value;
  throw new TypeError(`signalbox: ${name} is ${JSON.stringify(value)}, expected a text of 1 to ${lengthMax} characters`);
}

/** What is only shown is cut rather than refused: no program goes without its flags for it. */
function mended(value: unknown, lengthMax: number): string | undefined {
  return value === undefined || value === null || value === "" ? undefined : String(value).slice(0, lengthMax);
}

function checkedTransport(value: unknown): "stream" | "poll" {
  if (value === undefined || value === "stream" || value === "poll") return value ?? "stream";
  throw new TypeError(`signalbox: transport is ${JSON.stringify(value)}, expected "stream" or "poll"`);
}

function checkedPollMs(value: unknown): number {
  if (value === undefined) return 15_000;
  if (typeof value === "number" && value >= 1_000 && value <= 86_400_000) return value;
  throw new RangeError(`signalbox: pollMs is ${String(value)}, expected 1000 (a second) to 86400000 (a day)`);
}

function defaultApp(): string {
  const name = process.env.npm_package_name || basename(process.cwd());
  return name.slice(0, 100) || "node";
}

function defaultInstance(): string {
  const host =
    hostname()
      .replace(/[^A-Za-z0-9.-]/g, "")
      .slice(0, 40) || "host";
  return `${host}-${process.pid}-${randomBytes(2).toString("hex")}`;
}
