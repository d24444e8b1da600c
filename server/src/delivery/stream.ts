import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isNewer, type Position, parsePosition } from "@signalbox/core";
import { problem } from "../errors.ts";
import { type ClientAddress, createClientAddress, NO_PROXIES } from "../http/client-address.ts";
import type { Identity } from "../http/route.ts";
import type { SdkKeys } from "../store/sdk-keys.ts";
import type { Usage } from "../usage/usage.ts";
import { createAdmission, type Descriptors, type StreamLimits } from "./admission.ts";
import type { Delivery } from "./delivery.ts";
import { type EventLoop, watchEventLoop } from "./event-loop.ts";
import { createAdminEvents } from "./events.ts";
import { readProgram } from "./program.ts";
import { writeProblem } from "./raw-problem.ts";
import { RawStream } from "./raw-stream.ts";
import { createReceiptStreams } from "./receipt-stream.ts";
import { createKeyCheck, type KnownKeys, READABLE, readableBy } from "./sdk-key.ts";
import { createStateRoute } from "./state-route.ts";

/** A client past these is told when to come back. */
const STREAMS: StreamLimits = { openMax: 20_000, newPerSecondMax: 500 };
/** After a restart programs come back at four fifths of the rate of admission, so that few are refused; none waits over a minute. */
const COMING_BACK = { partOfRate: 0.8, spreadMsMin: 2_000, spreadMsMax: 60_000 };

const STREAM_PATH = "/sdk/v1/stream";
const EVENTS_PATH = "/api/v1/events";
const STATE_PATH = "/sdk/v1/state";
const USAGE_PATH = "/sdk/v1/usage";

export interface StreamListenerDeps {
  readonly delivery: Delivery;
  readonly keys: KnownKeys & Pick<SdkKeys, "onEnded">;
  readonly usage: Pick<Usage, "onUsage">;
  /** Who sends this request, by session or token; undefined when nobody that we know. */
  readonly authenticate: (req: IncomingMessage) => Promise<Identity | undefined>;
  /** Tells when somebody may more or less than before. */
  readonly onRightsChange?: (listener: () => void) => () => void;
  readonly limits?: StreamLimits;
  /** Where a request comes from; without it from where its connection does. */
  readonly clientAddress?: ClientAddress;
  /** Requests for the state with one SDK key in a second. */
  readonly statePerSecond?: number;
  readonly descriptors?: Pick<Descriptors, "connectionsMax">;
  readonly eventLoop?: Pick<EventLoop, "overloaded" | "stop">;
}

export interface StreamListener {
  /** True when it took the request: the caller then leaves both objects alone. */
  (req: IncomingMessage, res: ServerResponse): boolean;
  /**
   * Takes no more streams, says `bye` on those that are open, and resolves when all are closed. It tells clients to come back after
   * `afterMs` plus a random part of a spread that keeps them within the admission rate, 2 s to 60 s.
   */
  close(bye?: { afterMs?: number }): Promise<void>;
}

/**
 * The `request` listener before all others. It answers the two endless routes on their raw sockets, the state from bytes that are
 * ready, and guards the connections of the endless ones: whatever else a client sends on a connection with an endless answer destroys it, also when the pipelined request is
 * for another route, because that answer could never be sent.
 */
export function createStreamListener(deps: StreamListenerDeps): StreamListener {
  const { delivery, keys, usage, authenticate, limits = STREAMS } = deps;
  const { feed, clock, log, fanOut, instances, receipts, watch } = delivery;
  const eventLoop = deps.eventLoop ?? watchEventLoop(clock);
  const descriptors = deps.descriptors ?? { connectionsMax: Number.POSITIVE_INFINITY };
  const { clientAddress = createClientAddress(NO_PROXIES) } = deps;
  /** Limits go by the connection where a proxy that is trusted names no address. */
  const addressOf = (req: IncomingMessage) =>
    clientAddress(req.socket.remoteAddress, headerOf(req, "x-forwarded-for")) ?? req.socket.remoteAddress ?? "";
  const checkKey = createKeyCheck({ keys, clock, log });
  const admission = createAdmission({ limits, clock, eventLoop, descriptors, watch });
  const answerState = createStateRoute({ delivery, checkKey, perSecond: deps.statePerSecond ?? 500 });
  const { onRightsChange } = deps;
  const events = createAdminEvents({ delivery, usage, authenticate, ...(onRightsChange && { onRightsChange }) });
  const receiptStreams = createReceiptStreams({ delivery, authenticate });
  /** Sockets whose answer is endless. */
  const taken = new WeakSet<object>();
  let draining = false;
  const stopEnded = keys.onEnded(fanOut.end);

  function listener(req: IncomingMessage, res: ServerResponse): boolean {
    if (taken.has(req.socket)) {
      req.socket.destroy();
      return true;
    }
    const [path, query] = splitTarget(req.url ?? "");
    if (path === STATE_PATH) return state(req, res, query);
    const isReceipt = receiptStreams.takes(path);
    if (path !== STREAM_PATH && path !== EVENTS_PATH && !isReceipt) return path === USAGE_PATH && shedUsage(req, res);
    if (!res.socket) {
      // Pipelined behind an answer that is not finished: there is no socket to take.
      req.socket.destroy();
      return true;
    }
    // A page may read the problem of the SDK route; nothing in it is secret, and no credentials are taken from a browser.
    const cors = path === STREAM_PATH ? READABLE : {};
    try {
      if (req.method !== "GET") {
        throw problem("METHOD_NOT_ALLOWED", `${path} takes GET, not ${req.method}.`, { headers: { allow: "GET" } });
      }
      if (hasBody(req)) throw problem("BAD_REQUEST", `${path} takes no body; send the request without one.`);
      if (draining) {
        watch.shed("stream", "draining");
        throw problem("OVERLOADED", "The server is shutting down; try again in 1 s.", { headers: { "retry-after": "1" } });
      }
      taken.add(req.socket);
      if (path === EVENTS_PATH) events.open(req, res);
      else if (isReceipt) receiptStreams.open(req, res, path);
      else openStream(req, res, new URLSearchParams(query));
    } catch (error) {
      taken.delete(req.socket);
      writeProblem({ req, res, log }, error, cors);
    }
    return true;
  }

  function state(req: IncomingMessage, res: ServerResponse, query: string): boolean {
    // Another method is no route at all, which hono says.
    if (req.method !== "GET" && req.method !== "HEAD") return false;
    const refuse = (error: unknown) => writeProblem({ req, res, log }, error, READABLE);
    try {
      void answerState(req, res, query)?.catch(refuse);
    } catch (error) {
      refuse(error);
    }
    return true;
  }

  /** Counts of evaluations can wait, flags cannot: an SDK keeps what was refused and sends it with the next report. */
  function shedUsage(req: IncomingMessage, res: ServerResponse): boolean {
    if (!eventLoop.overloaded || req.method !== "POST") return false;
    watch.shed("usage", "event-loop");
    const refusal = problem("OVERLOADED", "The server is overloaded; send the report again in 30 s.", { headers: { "retry-after": "30" } });
    writeProblem({ req, res, log }, refusal, READABLE);
    return true;
  }

  function openStream(req: IncomingMessage, res: ServerResponse, query: URLSearchParams): void {
    const { origin } = req.headers;
    const key = checkKey({
      authorization: req.headers.authorization,
      origin,
      query: query.get("key") ?? undefined,
    });
    const { environment, projection } = key;
    const leaveAdmission = admission.enter(key, addressOf(req));
    const basis = basisOf(query.get("basis")) ?? basisOf(headerOf(req, "last-event-id"));
    const stream = RawStream.open(req, res, clock, projection === "browser" ? readableBy(key, origin) : {});
    if (!stream) {
      leaveAdmission();
      return;
    }
    const program = readProgram(query, key);
    const ackSample = projection === "browser" ? instances.ackSample(environment.id) : 1;
    const leaveInstances = instances.join(
      // Assigned and not spread, which would cost each stream a description of its form.
      Object.assign(program, {
        instance: program.instance ?? randomUUID(),
        ackSample,
        // What it says to hold counts as applied, if it can be true.
        basis: basis && !isNewer(basis, feed.state(environment.id, projection)) ? basis : undefined,
      }),
    );
    // `on` and not `once`, which keeps a wrapper: a socket closes only once.
    req.socket.on("close", () => {
      leaveAdmission();
      leaveInstances();
    });
    // node:http keeps the request as long as its answer lasts. What it said is read by now, and would be a kilobyte for each stream.
    req.headers = {};
    req.rawHeaders = [];
    fanOut.add(stream, key, basis, ackSample);
  }

  return Object.assign(listener, {
    async close({ afterMs }: { afterMs?: number } = {}) {
      draining = true;
      stopEnded();
      eventLoop.stop();
      events.close();
      receiptStreams.close();
      // Whoever waits for a receipt is answered with what is known.
      const receiptsWritten = receipts.close();
      const { partOfRate, spreadMsMin, spreadMsMax } = COMING_BACK;
      const neededMs = (1_000 * fanOut.open) / (partOfRate * limits.newPerSecondMax);
      const spreadMs = Math.round(Math.min(spreadMsMax, Math.max(spreadMsMin, neededMs)));
      await fanOut.close({ spreadMs, ...(afterMs !== undefined && { afterMs }) });
      await receiptsWritten;
    },
  });
}

/** A body that came with the head would be left unread, and its socket paused: the end of the connection would never be seen. */
function hasBody(req: IncomingMessage): boolean {
  return req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) > 0;
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
