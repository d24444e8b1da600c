import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ChangeFrame, digestOf, type FlagEntry, type SnapshotFrame } from "@signalbox/core";

/**
 * For tests: a server on a real socket that says what the test tells it to, also what a real one never would. It holds a small truth
 * (flags at a position) from which it can make right frames.
 */
export interface ScriptedServer {
  readonly url: string;
  /** Every request so far. */
  readonly requests: readonly Asked[];
  /** Streams that are open now. */
  readonly streams: ReadonlySet<ServerResponse>;
  /** Answers requests of one path from now on; undefined: as a right server would. */
  answer(path: "stream" | "state" | "usage" | "ack" | "early-access" | "facts", handler: Handler | undefined): void;
  snapshot(): SnapshotFrame;
  /** Changes the truth and returns the step. */
  step(put: readonly FlagEntry[], more?: Partial<ChangeFrame>): ChangeFrame;
  /** Writes a frame to every open stream. */
  say(event: string, data: unknown): void;
  hello(response: ServerResponse): void;
  /** Cuts every stream. */
  cut(): void;
  close(): Promise<void>;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Handler = (asked: Asked, response: ServerResponse) => void;

let fingerprints = 0;
/** A boolean flag with a fingerprint of its own. */
export function flag(key: string, mode: FlagEntry["mode"], more: Partial<FlagEntry> = {}): FlagEntry {
  const fp = (++fingerprints).toString(16).padStart(16, "0");
  return { kind: "flag", key, fp, type: "boolean", off: "off", on: "on", mode, salt: key, ...more };
}

export const frameText = (event: string, data: unknown) =>
  `event: ${event}\ndata: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;

export async function startScriptedServer(flags: readonly FlagEntry[] = [], port = 0): Promise<ScriptedServer> {
  const requests: Asked[] = [];
  const streams = new Set<ServerResponse>();
  const handlers = new Map<string, Handler>();
  const entries = new Map(flags.map((entry) => [entry.key, entry]));
  const generation = 1_700_000_000;
  let revision = 1;

  const snapshot = (): SnapshotFrame => ({
    generation,
    revision,
    digest: digestOf(entries.values()),
    factsAt: 0,
    environment: "development",
    project: "Default",
    entries: [...entries.values()],
  });

  const script: ScriptedServer = {
    url: "",
    requests,
    streams,
    answer(path, handler) {
      if (handler) handlers.set(path, handler);
      else handlers.delete(path);
    },
    snapshot,
    step(put, more = {}) {
      for (const entry of put) entries.set(entry.key, entry);
      revision++;
      return { generation, from: revision - 1, to: revision, digest: digestOf(entries.values()), put, remove: [], ...more };
    },
    say(event, data) {
      for (const stream of streams) stream.write(frameText(event, data));
    },
    hello(response) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const hello = { protocol: 1, environment: "development", project: "Default", production: false, projection: "server" };
      response.write(frameText("hello", { ...hello, generation, head: revision, factsAt: 0, heartbeatMs: 15_000, at: 0, emergency: [] }));
      streams.add(response);
    },
    cut() {
      for (const stream of streams) stream.destroy();
    },
    async close() {
      script.cut();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };

  const right: Record<string, Handler> = {
    stream(asked, response) {
      script.hello(response);
      if (asked.query.get("basis") !== `${generation}.${revision}`) response.write(frameText("snapshot", snapshot()));
    },
    state(asked, response) {
      const etag = `"${generation}.${revision}"`;
      if (asked.headers["if-none-match"] === etag) response.writeHead(304).end();
      else response.writeHead(200, { "content-type": "application/json", etag }).end(JSON.stringify(snapshot()));
    },
    usage: (_asked, response) => response.writeHead(204).end(),
    ack: (_asked, response) => response.writeHead(204).end(),
  };

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://scripted");
    const chunks: Buffer[] = [];
    response.on("close", () => streams.delete(response));
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const path = url.pathname.replace("/sdk/v1/", "");
      const asked: Asked = {
        method: request.method ?? "",
        path,
        query: url.searchParams,
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      requests.push(asked);
      const name = path.split("/")[0] ?? "";
      const handler = handlers.get(name) ?? right[name];
      if (handler) handler(asked, response);
      else response.writeHead(404).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const bound = server.address() as AddressInfo;
  return Object.assign(script, { url: `http://127.0.0.1:${bound.port}` });
}
