import { Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps, Agent as SecureAgent } from "node:https";
import { pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { EVENT_LENGTH_MAX, type LostCause, type Ports, readDetail, sendResult } from "@signalbox/core";

export interface Transport extends Pick<Ports, "stream" | "state" | "send"> {
  call(method: "GET" | "POST", path: string, body?: object): Promise<{ readonly status: number; readonly text: string }>;
  close(): void;
}

/** Answers other than a stream or a state are short; more than this is not read. */
const ANSWER_BYTES_MAX = 256 * 1024;
const SEND_MS_MAX = 5_000;
const CALL_MS_MAX = 10_000;
const SOCKETS_MAX = 4;

/**
 * The requests of the SDK, over node:http(s). Nothing here keeps a process alive unless `hold` says that somebody waits for it: sockets
 * and timers are unref'd (a stream by the global fetch would hold the process). Redirects are not followed, so the key goes to
 * the configured server and nowhere else.
 */
export function createTransport(url: URL, sdkKey: string): Transport {
  const secure = url.protocol === "https:";
  const base = url.pathname.replace(/\/+$/, "");
  // Acknowledgements and reports share connections, so that an acknowledgement of a kill needs no handshake.
  const agent = secure ? new SecureAgent(AGENT) : new Agent(AGENT);
  const headers = { authorization: `Bearer ${sdkKey}` };

  function open(method: "GET" | "POST", path: string, more: Record<string, string>, shared: boolean, hold: boolean): ClientRequest {
    const request = (secure ? requestHttps : requestHttp)({
      protocol: url.protocol,
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port === "" ? undefined : url.port,
      method,
      path: `${base}/sdk/v1/${path}`,
      headers: { ...headers, ...more },
      agent: shared ? agent : false,
    });
    request.on("socket", (socket) => {
      socket.setNoDelay(true);
      if (hold) socket.ref();
      else socket.unref();
    });
    return request;
  }

  /** One request with a short answer. Rejects if no whole answer comes within `timeoutMs`. */
  function ask(
    method: "GET" | "POST",
    path: string,
    body: string | undefined,
    hold: boolean,
    timeoutMs: number,
  ): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const more: Record<string, string> =
        body === undefined ? {} : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) };
      const request = open(method, path, more, true, hold);
      const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      if (!hold) timer.unref();
      const done = (finish: () => void) => {
        clearTimeout(timer);
        finish();
      };
      request.on("error", (error) => done(() => reject(error)));
      request.on("response", (response) => {
        collect(response, ANSWER_BYTES_MAX, (text) =>
          done(() =>
            text === undefined
              ? reject(new Error("the answer was cut off or too long"))
              : resolve({ status: response.statusCode ?? 0, text }),
          ),
        );
      });
      request.end(body);
    });
  }

  return {
    stream(query, listener) {
      const request = open("GET", `stream?${query}`, { accept: "text/event-stream", "cache-control": "no-cache" }, false, false);
      let over = false;
      const lost: typeof listener.lost = (cause, more) => {
        if (over) return;
        over = true;
        request.destroy();
        listener.lost(cause, more);
      };
      request.on("error", (error) => lost("network", { detail: describe(error) }));
      request.on("response", (response) => {
        const status = response.statusCode ?? 0;
        if (status !== 200) return refuse(response, lost);
        const type = response.headers["content-type"] ?? "";
        if (!type.startsWith("text/event-stream")) return lost("invalid", { detail: describeType(type) });
        // Characters are put together across chunks by the decoder, lines and frames by the reader.
        response.setEncoding("utf8");
        response.on("data", (piece: string) => {
          if (!over) listener.text(piece);
        });
        // A clean end and a reset mean the same: the stream is over.
        response.on("close", () => lost("ended"));
        response.on("error", () => lost("ended"));
        listener.open();
      });
      request.end();
      return () => {
        over = true;
        request.destroy();
      };
    },

    state(query, etag, listener) {
      const request = open(
        "GET",
        `state?${query}`,
        { accept: "application/json", "accept-encoding": "gzip", ...(etag ? { "if-none-match": etag } : {}) },
        false,
        false,
      );
      let over = false;
      const finish = (event: Parameters<typeof listener>[0]) => {
        if (over) return;
        over = true;
        listener(event);
      };
      const lost = (cause: LostCause, more?: object) => finish({ kind: "lost", cause, ...more });
      request.on("error", (error) => lost("network", { detail: describe(error) }));
      request.on("response", (response) => {
        const status = response.statusCode ?? 0;
        if (status === 304) {
          response.resume();
          return finish({ kind: "state" });
        }
        if (status !== 200) return refuse(response, lost);
        const type = response.headers["content-type"] ?? "";
        if (!/^application\/([a-z.]+\+)?json/.test(type)) {
          request.destroy();
          return lost("invalid", { detail: describeType(type) });
        }
        collect(unpacked(response), EVENT_LENGTH_MAX, (text, tooLong) => {
          if (text !== undefined) finish({ kind: "state", text });
          else lost(tooLong ? "oversize" : "ended");
        });
      });
      request.end();
      return () => {
        over = true;
        request.destroy();
      };
    },

    async send(path, body, hold) {
      // Twice: a kept connection may have been closed by the server just as it was taken.
      for (let attempt = 0; ; attempt++) {
        try {
          const { status } = await ask("POST", path, body, hold, SEND_MS_MAX);
          return sendResult(status);
        } catch {
          if (attempt === 1) return "failed"; // the caller keeps what it has and comes again
        }
      }
    },

    call: (method, path, body) => ask(method, path, body === undefined ? undefined : JSON.stringify(body), true, CALL_MS_MAX),
    close: () => agent.destroy(),
  };
}

const AGENT = { keepAlive: true, maxSockets: SOCKETS_MAX, maxFreeSockets: 1 } as const;

type Lost = (cause: LostCause, more?: { status?: number; retryAfterMs?: number; detail?: string }) => void;

/** An answer that is not 200: its problem sentence, if it brings one, says more than the status. */
function refuse(response: IncomingMessage, lost: Lost): void {
  const status = response.statusCode ?? 0;
  const retryAfterMs = readRetryAfter(response.headers["retry-after"]);
  collect(response, ANSWER_BYTES_MAX, (text) => {
    const detail = text === undefined ? undefined : readDetail(text);
    lost("refused", { status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }), ...(detail === undefined ? {} : { detail }) });
  });
}

/** The body as it was before compression. A body that was cut off is an error of the stream, never a shorter body. */
function unpacked(response: IncomingMessage): Readable {
  if (response.headers["content-encoding"] !== "gzip") return response;
  // The callback is the price of pipeline; `collect` hears of the error by itself.
  return pipeline(response, createGunzip(), () => {});
}

/** Reads a body of at most `bytesMax`; undefined if it is longer or cut off. Calls back exactly once. */
function collect(response: Readable, bytesMax: number, done: (text: string | undefined, tooLong: boolean) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let over = false;
  const finish = (text: string | undefined, tooLong: boolean) => {
    if (over) return;
    over = true;
    done(text, tooLong);
  };
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= bytesMax) {
      chunks.push(chunk);
      return;
    }
    finish(undefined, true);
    response.destroy();
  });
  response.on("end", () => finish(Buffer.concat(chunks).toString("utf8"), false));
  response.on("error", () => finish(undefined, false));
  response.on("close", () => finish(undefined, false));
}

/** Seconds, or a date. */
function readRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return ms > 0 ? ms : undefined;
}

const describeType = (type: string) => (type === "" ? "an answer without a content type" : `content type ${type.slice(0, 100)}`);

function describe(error: Error & { code?: string }): string {
  return error.code ?? error.message;
}
