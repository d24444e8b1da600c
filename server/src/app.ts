import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import { sql } from "drizzle-orm";
import { type Auth, createAuth } from "./auth/auth.ts";
import type { Descriptors } from "./delivery/admission.ts";
import { systemClock } from "./delivery/clock.ts";
import { createDelivery } from "./delivery/delivery.ts";
import { guardDescriptors } from "./delivery/descriptors.ts";
import { watchEventLoop } from "./delivery/event-loop.ts";
import { writeProblem } from "./delivery/raw-problem.ts";
import { READABLE } from "./delivery/sdk-key.ts";
import { createStreamListener, headerOf } from "./delivery/stream.ts";
import { noHeartbeat, startHeartbeat } from "./heartbeat/heartbeat.ts";
import { createClientAddress } from "./http/client-address.ts";
import { HEAD_BYTES_MAX, refusalOf } from "./http/gate.ts";
import type { Identity } from "./http/route.ts";
import { createRouter } from "./http/router.ts";
import type { Log } from "./log.ts";
import { createMetrics } from "./metrics/metrics.ts";
import { type Settings, StartProblem } from "./settings.ts";
import { queryRows } from "./store/database.ts";
import { openStore, type Store } from "./store/store.ts";
import { uiFolder } from "./ui/ui.ts";
import { createUsage } from "./usage/usage.ts";

export interface RunningServer {
  /** Where people reach it. */
  readonly url: string;
  readonly port: number;
  /** Which database is open: "better-sqlite3 12.9.0 (SQLite 3.53.0)". */
  readonly driver: string;
  /** The link that names the first account; undefined once it exists. */
  setupUrl(): Promise<string | undefined>;
  /** Takes no more requests, says goodbye to streams, lets answers finish, writes what is open. */
  close(): Promise<void>;
}

/** Requests that are still running when the server closes get this long, then their connections are cut. */
const DRAIN_MS_MAX = 5_000;
/** Connections that fall idle meanwhile are closed this often. */
const IDLE_LOOK_MS = 50;
/** A request's head, and the whole of it, must be here in this time; looked at every two seconds (node looks every thirty). */
const LIMITS = { maxHeaderSize: HEAD_BYTES_MAX, headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 2_000 };

/**
 * The composition root: opens the store, wires the parts, listens. Throws StartProblem, StoreUnusable or SqliteUnavailable with
 * a sentence for the person who starts it; then nothing stays open.
 */
export async function startServer(settings: Settings, { log, version }: { log: Log; version: string }): Promise<RunningServer> {
  let answer: Answer = starting;
  const server = createServer(LIMITS, (req, res) => answer(req, res));
  const descriptors = guardDescriptors(server);
  // First the port: a second start on the same port should say so, and not complain about the data folder of the first.
  const port = await listen(server, settings);
  try {
    const store = await openStore({ directory: settings.data, databaseUrl: settings.databaseUrl, heartbeat: settings.heartbeat, log });
    try {
      const url = settings.publicUrl ?? localUrl(settings.host, port);
      const app = await wire({ store, url, port, settings, log, version, descriptors });
      await app.auth.prepare();
      const { firstAccount } = settings;
      if (firstAccount) await app.auth.ensureFirstAccount(firstAccount.name, firstAccount.password);
      answer = app.answer;
      return {
        url,
        port,
        driver: store.driver,
        setupUrl: app.auth.setupUrl,
        async close() {
          const closed = stopListening(server);
          await app.close();
          await closed;
          await store.close();
        },
      };
    } catch (error) {
      await store.close();
      throw error;
    }
  } catch (error) {
    await stopListening(server);
    throw error;
  }
}

type Answer = (req: IncomingMessage, res: ServerResponse) => void;

interface Wired {
  readonly auth: Auth;
  readonly answer: Answer;
  close(): Promise<void>;
}

interface WireDeps {
  readonly store: Store;
  readonly url: string;
  readonly port: number;
  readonly settings: Settings;
  readonly log: Log;
  readonly version: string;
  readonly descriptors: Descriptors;
}

async function wire({ store, url, port, settings, log, version, descriptors }: WireDeps): Promise<Wired> {
  const auth = createAuth({ store, publicUrl: url, setupToken: settings.setupToken });
  const metrics = createMetrics();
  const delivery = createDelivery({ feed: store.feed, store, log, watch: metrics.watch });
  const eventLoop = watchEventLoop(systemClock);
  const usage = await createUsage({ store, log });
  const clientAddress = createClientAddress(settings.trustedProxies);
  const streams = createStreamListener({
    delivery,
    keys: store.sdkKeys,
    usage,
    authenticate: (req) => identityOf(auth, req),
    onRightsChange: auth.onChange,
    limits: settings.limits.streams,
    clientAddress,
    statePerSecond: settings.limits.statePerSecond,
    descriptors,
    eventLoop,
  });
  let stopping = false;
  const address = { host: ownHost(settings.host), port };
  const heartbeat = settings.heartbeat ? startHeartbeat({ store, delivery, log, address }) : noHeartbeat;
  metrics.follow({ delivery, eventLoop, descriptors, heartbeat, readDatabase: () => queryRows(store.db, sql`select 1`) });
  const router = createRouter({
    store,
    auth,
    delivery,
    heartbeat,
    usage,
    metrics,
    metricsToken: settings.metricsToken,
    log,
    version,
    publicUrl: url,
    sdkDirectory: sdkFolder(),
    clientAddress,
    isStopping: () => stopping,
  });
  const respond = getRequestListener(router.fetch);
  return {
    auth,
    answer(req, res) {
      const refusal = refusalOf(req);
      if (refusal) writeProblem({ req, res, log }, refusal, req.url?.startsWith("/sdk/") ? READABLE : {});
      // Endless answers are written to their raw sockets, before anything that would wrap them.
      else if (!streams(req, res)) void respond(req, res);
    },
    async close() {
      stopping = true;
      await heartbeat.close();
      await streams.close();
      await usage.close();
      metrics.close();
    },
  };
}

/** Only the events for open pages ask this, again and again while they are open. */
async function identityOf(auth: Auth, req: IncomingMessage): Promise<Identity | undefined> {
  return (await auth.identify(req.method ?? "GET", (name) => headerOf(req, name), false)).identity;
}

/** An address for all interfaces is none to connect to. */
function ownHost(host: string): string {
  return host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
}

/** Beside the bundle, where the build puts the SDKs. */
function sdkFolder(): string {
  return join(dirname(uiFolder()), "sdk");
}

const starting: Answer = (_req, res) => {
  res.writeHead(503, { "content-type": "text/plain", "retry-after": "1" }).end("Signalbox is starting.\n");
};

function listen(server: Server, { host, port }: Settings): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenProblem(error, host, port)));
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

function listenProblem(error: NodeJS.ErrnoException, host: string, port: number): StartProblem {
  const sentences: Readonly<Record<string, string>> = {
    EADDRINUSE: `Port ${port} is taken by another program: stop that one, or choose another port with PORT=${port === 65_535 ? port - 1 : port + 1}.`,
    EACCES: `Port ${port} needs more rights than this user has: choose one above 1023 with PORT=7070.`,
    EADDRNOTAVAIL: `This machine has no address ${host}: set HOST to one that it has, 127.0.0.1 or 0.0.0.0 for all.`,
    ENOTFOUND: `The name ${host} cannot be resolved: set HOST to an address of this machine, for example 127.0.0.1.`,
  };
  return new StartProblem(sentences[error.code ?? ""] ?? `Cannot listen on ${host}:${port} (${error.message}): check HOST and PORT.`, {
    cause: error,
  });
}

/** People and browsers write localhost for their own machine; an address for all interfaces is none to go to. */
function localUrl(host: string, port: number): string {
  const isOwn = ["127.0.0.1", "::1", "0.0.0.0", "::", "localhost"].includes(host);
  return new URL(`http://${isOwn ? "localhost" : host.includes(":") ? `[${host}]` : host}:${port}`).origin;
}

/** Resolves when every connection is closed; those that are busy for longer than the drain are cut. */
function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MS);
    const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS_MAX);
    server.close(() => {
      clearInterval(idle);
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
