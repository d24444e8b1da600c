import { resolve } from "node:path";
import { accountName, password } from "./auth/schema.ts";
import type { StreamLimits } from "./delivery/admission.ts";
import { HOPS_MAX, NO_PROXIES, parseTrustedProxies, type TrustedProxies } from "./http/client-address.ts";

export interface Settings {
  readonly host: string;
  /** 0 lets the system choose one. */
  readonly port: number;
  /** The data folder, absolute. */
  readonly data: string;
  /** Of PostgreSQL, with the password in it: never to be shown. Undefined: SQLite in the data folder. */
  readonly databaseUrl: string | undefined;
  /** Without a slash at the end; undefined: made from host and port. */
  readonly publicUrl: string | undefined;
  /** The first account, for machines without a browser; used only while there is none. */
  readonly firstAccount: { readonly name: string; readonly password: string } | undefined;
  readonly setupToken: string | undefined;
  readonly limits: Limits;
  /** Whether the heartbeat switch measures the way of a change all the time. */
  readonly heartbeat: boolean;
  /** Opens `/metrics` and nothing else; undefined: only tokens and sessions do. */
  readonly metricsToken: string | undefined;
  /** Whose X-Forwarded-For is believed. */
  readonly trustedProxies: TrustedProxies;
}

export interface Limits {
  readonly streams: StreamLimits;
  /** Requests for the state with one SDK key. */
  readonly statePerSecond: number;
}

/** Something outside the program is not as it has to be. The message is for the person who starts it: what, and what to do. */
export class StartProblem extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StartProblem";
  }
}

type Env = Readonly<Record<string, string | undefined>>;

/** Reads the settings from environment variables; an empty one counts as absent. Throws StartProblem for the first bad value. */
export function readSettings(env: Env, workingDirectory = process.cwd()): Settings {
  const read = (name: string) => (env[name]?.trim() ? env[name]?.trim() : undefined);
  return {
    host: read("HOST") ?? "127.0.0.1",
    port: portOf(read("PORT") ?? "7070"),
    data: resolve(workingDirectory, read("SIGNALBOX_DATA") ?? "./data"),
    databaseUrl: databaseUrlOf("DATABASE_URL", read("DATABASE_URL")),
    publicUrl: publicUrlOf(read("SIGNALBOX_PUBLIC_URL")),
    firstAccount: firstAccountOf(read("SIGNALBOX_ADMIN_NAME"), env.SIGNALBOX_ADMIN_PASSWORD || undefined),
    setupToken: secretOf("SIGNALBOX_SETUP_TOKEN", read("SIGNALBOX_SETUP_TOKEN")),
    metricsToken: secretOf("SIGNALBOX_METRICS_TOKEN", read("SIGNALBOX_METRICS_TOKEN")),
    limits: limitsOf(read),
    heartbeat: heartbeatOf(read("SIGNALBOX_HEARTBEAT") ?? "on"),
    trustedProxies: trustedProxiesOf(read("TRUSTED_PROXIES")),
  };
}

function heartbeatOf(text: string): boolean {
  if (text === "on" || text === "off") return text === "on";
  throw new StartProblem(`SIGNALBOX_HEARTBEAT is "${text}", expected on or off.`);
}

const LIMIT_MAX = 1_000_000;

/** Each has a default that fits one node; those for a key and for an address are, when absent, as large as the node's. */
function limitsOf(read: (name: string) => string | undefined): Limits {
  const limit = (name: string, otherwise: number): number => {
    const text = read(name);
    if (text === undefined) return otherwise;
    const value = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= 1 && value <= LIMIT_MAX)) {
      throw new StartProblem(`${name} is "${text}", expected a whole number from 1 to ${LIMIT_MAX}: for example ${name}=${otherwise}.`);
    }
    return value;
  };
  const openMax = limit("SIGNALBOX_STREAMS_MAX", 20_000);
  const newPerSecondMax = limit("SIGNALBOX_STREAMS_PER_SECOND", 500);
  const streamsOf = (whose: "KEY" | "ADDRESS") => ({
    openMax: limit(`SIGNALBOX_STREAMS_MAX_PER_${whose}`, openMax),
    newPerSecondMax: limit(`SIGNALBOX_STREAMS_PER_SECOND_PER_${whose}`, newPerSecondMax),
  });
  return {
    streams: { openMax, newPerSecondMax, perKey: streamsOf("KEY"), perAddress: streamsOf("ADDRESS") },
    statePerSecond: limit("SIGNALBOX_STATE_PER_SECOND", 500),
  };
}

function trustedProxiesOf(text: string | undefined): TrustedProxies {
  if (text === undefined) return NO_PROXIES;
  const trusted = parseTrustedProxies(text);
  if (trusted) return trusted;
  throw new StartProblem(
    `TRUSTED_PROXIES is "${text}", expected how many proxies stand before this server (0 to ${HOPS_MAX}), or their addresses: for example TRUSTED_PROXIES=1, or TRUSTED_PROXIES=10.0.0.0/8,127.0.0.1.`,
  );
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new StartProblem(`PORT is "${text}", expected a number from 0 to 65535: for example PORT=7080.`);
  return port;
}

/** Throws StartProblem for what is no address of PostgreSQL, without a word of it: it may hold a password. */
export function databaseUrlOf(name: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol)) return text;
  throw new StartProblem(`${name} is no address of PostgreSQL: it looks like postgres://user:password@host:5432/database.`);
}

function publicUrlOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol) || url.pathname !== "/" || url.search || url.hash || url.username) {
    throw new StartProblem(
      `SIGNALBOX_PUBLIC_URL is "${text}", expected a scheme and a host without a path: for example https://flags.example.com.`,
    );
  }
  return url.origin;
}

function firstAccountOf(name: string | undefined, secret: string | undefined): Settings["firstAccount"] {
  if (name === undefined && secret === undefined) return undefined;
  if (name === undefined || secret === undefined) {
    throw new StartProblem("SIGNALBOX_ADMIN_NAME and SIGNALBOX_ADMIN_PASSWORD go together: set both, or neither and use the set-up link.");
  }
  if (!accountName.safeParse(name).success) {
    throw new StartProblem(
      `SIGNALBOX_ADMIN_NAME is "${name}", expected 1 to 100 letters, digits, dots, dashes, underscores, plus or at signs.`,
    );
  }
  if (!password.safeParse(secret).success) {
    throw new StartProblem(`SIGNALBOX_ADMIN_PASSWORD has ${secret.length} characters, expected 12 to 128.`);
  }
  return { name, password: secret };
}

const SECRET_CHARACTERS_MIN = 20;

function secretOf(name: string, token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  if (!/^[A-Za-z0-9._~-]{20,200}$/.test(token)) {
    throw new StartProblem(
      `${name} must have ${SECRET_CHARACTERS_MIN} to 200 letters, digits, dots, dashes, underscores or tildes: make one with "openssl rand -hex 24".`,
    );
  }
  return token;
}
