import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isNewer, type Position, parsePosition } from "@signalbox/core";
import { problem } from "../errors.ts";
import type { Identity } from "../http/route.ts";
import type { Usage } from "../usage/usage.ts";
import type { Delivery } from "./delivery.ts";
import { createAdminEvents } from "./events.ts";
import { writeProblem } from "./raw-problem.ts";
import { RawStream } from "./raw-stream.ts";
import { createKeyCheck, type SdkKeys } from "./sdk-key.ts";
import { createTokenBuckets } from "./token-bucket.ts";

/** Streams that are open at one time, and how many are taken on in a second; a client past that is told when to come back. */
const STREAMS = { openMax: 20_000, newPerSecondMax: 500 };

const STREAM_PATH = "/sdk/v1/stream";
const EVENTS_PATH = "/api/v1/events";

export interface StreamListenerDeps {
  readonly delivery: Delivery;
  readonly keys: SdkKeys;
  readonly usage: Usage;
  /** Who sends this request, by session or token; undefined when nobody that we know. */
  readonly authenticate: (req: IncomingMessage) => Promise<Identity | undefined>;
  /** How many streams are open at most, and how many are taken on in a second. */
  readonly limits?: { readonly openMax: number; readonly newPerSecondMax: number };
}

export interface StreamListener {
  /** True when it took the request: the caller then leaves both objects alone. */
  (req: IncomingMessage, res: ServerResponse): boolean;
  /** Takes no more streams, says `bye` on those that are open, and resolves when all are closed. */
  close(bye: { spreadMs: number; afterMs?: number }): Promise<void>;
}

/**
 * The `request` listener before all others. It answers the two endless routes on their raw sockets, and guards their
 * connections: whatever else a client sends on a connection with an endless answer destroys it, also when the pipelined request is
 * for another route, because that answer could never be sent.
 */
export function createStreamListener({ delivery, keys, usage, authenticate, limits = STREAMS }: StreamListenerDeps): StreamListener {
  const { feed, clock, log, fanOut, instances, receipts } = delivery;
  const checkKey = createKeyCheck({ keys, clock, log });
  const admission = createTokenBuckets(clock, { perSecond: limits.newPerSecondMax, burst: limits.newPerSecondMax });
  const events = createAdminEvents({ delivery, usage, authenticate });
  /** Sockets whose answer is endless. */
  const taken = new WeakSet<object>();
  let draining = false;

  function listener(req: IncomingMessage, res: ServerResponse): boolean {
    if (taken.has(req.socket)) {
      req.socket.destroy();
      return true;
    }
    const [path, query] = splitTarget(req.url ?? "");
    if (path !== STREAM_PATH && path !== EVENTS_PATH) return false;
    if (!res.socket) {
      // Pipelined behind an answer that is not finished: there is no socket to take.
      req.socket.destroy();
      return true;
    }
    // A page may read the problem of the SDK route; nothing in it is secret, and no credentials are taken from a browser.
    const cors: Record<string, string> = path === STREAM_PATH ? { "access-control-allow-origin": "*" } : {};
    try {
      if (req.method !== "GET") {
        throw problem("METHOD_NOT_ALLOWED", `${path} takes GET, not ${req.method}.`, { headers: { allow: "GET" } });
      }
      if (draining) throw overloaded("The server is shutting down", 1);
      taken.add(req.socket);
      if (path === EVENTS_PATH) events.open(req, res);
      else openStream(req, res, new URLSearchParams(query));
    } catch (error) {
      taken.delete(req.socket);
      writeProblem({ req, res, log }, error, cors);
    }
    return true;
  }

  function openStream(req: IncomingMessage, res: ServerResponse, query: URLSearchParams): void {
    const { environment, projection } = checkKey({
      authorization: req.headers.authorization,
      origin: req.headers.origin,
      query: query.get("key") ?? undefined,
    });
    if (fanOut.open >= limits.openMax) throw overloaded(`${limits.openMax} streams are open, no more are taken`, retrySeconds());
    if (!admission.take("new")) throw overloaded(`More than ${limits.newPerSecondMax} streams were opened in a second`, retrySeconds());

    const basis = basisOf(query.get("basis")) ?? basisOf(headerOf(req, "last-event-id"));
    const stream = RawStream.open(req, res, clock, projection === "browser" ? { "access-control-allow-origin": "*" } : {});
    if (!stream) return;
    const leave = instances.join({
      instance: named(query.get("instance"), 64) ?? randomUUID(),
      app: named(query.get("app"), 100) ?? "unnamed",
      sdk: named(query.get("sdk"), 50) ?? "unknown",
      kind: projection,
      environment,
      // What it says to hold counts as applied, if it can be true.
      basis: basis && !isNewer(basis, feed.state(environment.id, projection)) ? basis : undefined,
    });
    req.socket.once("close", leave);
    fanOut.add(stream, environment, projection, basis);
  }

  return Object.assign(listener, {
    async close(bye: { spreadMs: number; afterMs?: number }) {
      draining = true;
      events.close();
      // Whoever waits for a receipt is answered with what is known.
      receipts.close();
      await fanOut.close(bye);
    },
  });
}

function overloaded(what: string, seconds: number) {
  return problem("OVERLOADED", `${what}; try again in ${seconds} s.`, { headers: { "retry-after": String(seconds) } });
}

/** Drawn, so that those who were refused together do not come back together. */
function retrySeconds(): number {
  return 5 + Math.floor(Math.random() * 26);
}

/** Names are for people to read. One that is too long or not clean is mended, not refused: a program never goes without its flags for it. */
function named(text: string | null, charactersMax: number): string | undefined {
  if (text === null) return undefined;
  // biome's rule against control characters in patterns does not apply to \p{Cc}.
  const clean = text
    .replace(/\p{Cc}+/gu, " ")
    .trim()
    .slice(0, charactersMax);
  return clean === "" ? undefined : clean;
}

/** A basis that is no position is as good as none: the client gets a snapshot. */
function basisOf(text: string | null | undefined): Position | undefined {
  return text === null || text === undefined ? undefined : parsePosition(text);
}

/** The first value of a header. */
export function headerOf(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function splitTarget(target: string): [path: string, query: string] {
  const at = target.indexOf("?");
  return at < 0 ? [target, ""] : [target.slice(0, at), target.slice(at + 1)];
}
