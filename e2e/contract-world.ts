import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import type { Asked, SdkCase, WholeAnswer, World } from "../core/contract/run.ts";

/** How long anything may take that a case waits for. */
const WAIT_MS_MAX = 30_000;

/** The SDK of one case, wherever it runs. */
export interface Subject extends Pick<World, "tell" | "observe"> {
  close(): Promise<void>;
}

/** One case on real sockets: a server that says what the case tells it to, and an SDK that asks it. */
export async function openWorld(
  runner: "node" | "browser",
  one: SdkCase,
  start: (url: string) => Promise<Subject>,
): Promise<World & { close(): Promise<void> }> {
  const requests: Asked[] = [];
  const responses = new Map<Asked, ServerResponse>();
  const lookMs = runner === "node" ? 5 : 30;
  let open: ServerResponse | undefined;
  // Acknowledgements and reports are taken at once, unless the case answers them itself.
  const answersAcks = one.steps.some((step, at) => "request" in step && step.request.to === "ack" && "answer" in (one.steps[at + 1] ?? {}));

  const server = createServer((request, response) => {
    const address = new URL(request.url ?? "/", "http://contract");
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      // A request that a page must ask leave for is recorded under a name of its own, and gets no leave.
      const path = request.method === "OPTIONS" ? "preflight" : address.pathname.replace(/^\/(sdk\/v1\/)?/, "");
      const asked = { path, query: address.searchParams, headers: request.headers, body: Buffer.concat(chunks).toString() };
      responses.set(asked, response);
      requests.push(asked);
      if (path === "usage" || (path === "ack" && !answersAcks)) response.writeHead(204, CORS).end();
      else if (!["stream", "state", "ack", "facts"].includes(path)) response.writeHead(404).end();
    });
  });
  await listen(server);
  const subject = await start(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);

  return {
    runner,
    requests,
    now: () => performance.now(),
    async eventually(look) {
      const end = performance.now() + WAIT_MS_MAX;
      for (;;) {
        const why = await look();
        if (why === undefined) return;
        if (performance.now() > end) throw new Error(`after ${WAIT_MS_MAX} ms: ${why}`);
        await new Promise((resolve) => setTimeout(resolve, lookMs));
      }
    },
    answer(asked, answer) {
      const response = responses.get(asked);
      if (!response) throw new Error("unreachable: each request has a response");
      if (answer.kind === "stream") {
        open = response.writeHead(200, { ...CORS, "content-type": "text/event-stream", "cache-control": "no-cache" });
        open.flushHeaders();
      } else if (answer.kind === "reset") response.socket?.resetAndDestroy();
      else answerWhole(response, answer);
    },
    async write(pieces) {
      for (const piece of pieces) {
        open?.write(piece);
        // Each piece leaves by itself; what the network puts together again is another matter.
        if (pieces.length > 1) await new Promise((resolve) => setImmediate(resolve));
      }
    },
    end(how) {
      if (how === "clean") open?.end();
      else open?.socket?.resetAndDestroy();
    },
    async pass() {
      // Time passes by itself here; cases that need a length of it run on the clock that is not real.
    },
    tell: (what) => subject.tell(what),
    observe: (flags, context) => subject.observe(flags, context),
    async close() {
      await subject.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A page may read everything, as from a Signalbox server. */
const CORS = { "access-control-allow-origin": "*", "access-control-expose-headers": "etag, retry-after" };

function answerWhole(response: ServerResponse, { status, headers, body, gzip, cutAt }: Extract<WholeAnswer, { kind: "whole" }>): void {
  const bytes = gzip ? gzipSync(body) : Buffer.from(body);
  const bodiless = status === 204 || status === 304;
  response.writeHead(status, {
    ...CORS,
    ...headers,
    ...(gzip ? { "content-encoding": "gzip" } : {}),
    ...(bodiless ? {} : { "content-length": bytes.length }),
  });
  if (cutAt === undefined) response.end(bodiless ? undefined : bytes);
  else response.write(bytes.subarray(0, cutAt), () => response.socket?.destroy());
}

async function listen(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
}

/** A page that has the built browser SDK as `window.sdk`, on an origin of its own. */
export async function servePage(bundle: Buffer): Promise<{ url: string; close(): void }> {
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    if (request.url === "/sdk.js") response.writeHead(200, { "content-type": "text/javascript" }).end(bundle);
    else
      response
        .writeHead(200, { "content-type": "text/html" })
        .end("<!doctype html><title>contract</title><script type=module>import * as sdk from '/sdk.js'; window.sdk = sdk;</script>");
  });
  await listen(server);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Runs at most `atOnce` of them at a time, in order; a promise for each. */
export function atMost<T>(atOnce: number, all: readonly T[], run: (one: T) => Promise<void>): ReadonlyMap<T, Promise<void>> {
  const running: Promise<void>[] = [];
  return new Map(
    all.map((one, index) => {
      const before = index < atOnce ? Promise.resolve() : running[index - atOnce];
      // Only the place in the row is waited for: what became of the one before is told by its own promise.
      const mine = Promise.resolve(before)
        .catch(() => {})
        .then(() => run(one));
      mine.catch(() => {});
      running.push(mine);
      return [one, mine];
    }),
  );
}
