/** Parts for the tests of delivery: a clock that is turned by hand, a feed in memory, and a client that writes raw bytes. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { digestOf, type Entry, type EntryId, entryId, type FlagEntry, type Position, type Projection } from "@signalbox/core";
import type { Log } from "../log.ts";
import type { Clock } from "./clock.ts";
import type { Commit, EnvironmentInfo, FactsChange, Feed, ProjectedState, SdkKeyInfo } from "./feed.ts";
import type { Arrival } from "./instances.ts";
import type { StreamListenerDeps } from "./stream.ts";

export interface ManualClock extends Clock {
  /** Lets time pass, timer by timer, and lets sockets move between them. */
  advance(ms: number): Promise<void>;
}

/** `startsAt`: what it takes the date to be, ms since 1970. */
export function manualClock(startsAt = 1_700_000_001_000): ManualClock {
  let at = 1_000;
  const timers = new Set<{ due: number; run: () => void }>();
  return {
    now: () => startsAt - 1_000 + at,
    monotonic: () => at,
    after(ms, run) {
      const timer = { due: at + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      const end = at + ms;
      for (;;) {
        const next = [...timers].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
        if (!next) break;
        timers.delete(next);
        at = Math.max(at, next.due);
        next.run();
        await turn();
      }
      at = end;
      await turn();
    },
  };
}

/** One turn of the event loop: what was written is on its way, callbacks have run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Waits for a condition, turn by turn; the test's own time limit bounds it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

export function collectingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const add = (_fields: object, message: string) => void lines.push(message);
  return { lines, info: add, warn: add, error: add };
}

export const PRODUCTION: EnvironmentInfo = {
  id: 2,
  key: "production",
  name: "Production",
  production: true,
  projectId: 1,
  projectKey: "default",
};

export function booleanFlag(key: string, fp: string, extra: Partial<FlagEntry> = {}): FlagEntry {
  return { kind: "flag", key, fp: fp.padStart(16, "0"), type: "boolean", off: "off", on: "on", mode: "off", salt: key, ...extra };
}

interface Edit {
  readonly put?: readonly Entry[];
  readonly remove?: readonly EntryId[];
  /** Whether browsers see it; yes when absent. */
  readonly browser?: boolean;
  readonly action?: string;
  readonly target?: string;
  readonly facts?: FactsChange;
}

export interface TestFeed extends Feed {
  commit(edit: Edit): Commit;
  /** What a restored database does: another generation, whose revisions may be lower. */
  restore(position: Position): void;
  readonly head: Position;
}

/** One environment in memory that keeps the contract of Feed: contiguous commits, immutable states, a bounded ring. */
export function createTestFeed(ringMax = 1_000): TestFeed {
  let position: Position = { generation: 7, revision: 0 };
  const entries: Record<Projection, ReadonlyMap<EntryId, Entry>> = { server: new Map(), browser: new Map() };
  let factsAt = 0;
  let ring: Commit[] = [];
  const listeners = new Set<(commit: Commit) => void>();
  const stateOf = (projection: Projection): ProjectedState => ({
    ...position,
    digest: digestOf(entries[projection].values()),
    factsAt,
    entries: entries[projection],
  });
  // Made once for each revision, as a store does: whoever asks gets a pointer.
  let states = { server: stateOf("server"), browser: stateOf("browser") };
  return {
    get head() {
      return position;
    },
    environments: () => [PRODUCTION],
    state: (_environmentId, projection) => states[projection],
    settings: () => ({ secureMode: false, signingVersion: 1, signingRetired: 0, privateAttributes: [], sampleContexts: false }),
    commitsSince(_environmentId, revision) {
      if (revision === position.revision) return [];
      const first = ring[0]?.from;
      if (first === undefined || revision < first || revision > position.revision) return undefined;
      return ring.slice(revision - first);
    },
    onCommit(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    commit({ put = [], remove = [], browser = true, action = "flag.configure", target = "search", facts }) {
      const from = position.revision;
      position = { generation: position.generation, revision: from + 1 };
      if (facts) factsAt = from + 1;
      const change = (projection: Projection) => {
        if (projection === "browser" && !browser) return { digest: states[projection].digest, put: [], remove: [] };
        const next = new Map(entries[projection]);
        for (const id of remove) next.delete(id);
        for (const entry of put) next.set(entryId(entry), entry);
        entries[projection] = next;
        return { digest: digestOf(next.values()), put, remove };
      };
      const commit: Commit = {
        environmentId: PRODUCTION.id,
        generation: position.generation,
        from,
        to: from + 1,
        at: 1_700_000_000_000,
        storedMs: 1.25,
        by: "ada",
        action,
        target,
        reason: null,
        kill: action === "flag.kill",
        projections: { server: change("server"), browser: { ...change("browser"), ...(facts && { facts }) } },
      };
      states = { server: stateOf("server"), browser: stateOf("browser") };
      ring = [...ring, commit].slice(-ringMax);
      for (const listener of listeners) listener(commit);
      return commit;
    },
    restore(to) {
      position = to;
      states = { server: stateOf("server"), browser: stateOf("browser") };
      ring = [];
    },
  };
}

/** A key of its own for each environment and kind. */
export function keyOf(projection: Projection, environment = PRODUCTION): SdkKeyInfo {
  return { id: 2 * environment.id + (projection === "server" ? 0 : 1), environment, projection, origins: [] };
}

/** A store of keys to which every text is this one key. */
export function anyKey(projection: Projection): StreamListenerDeps["keys"] {
  const key = keyOf(projection);
  return { find: () => key, ended: () => undefined, onEnded: () => () => {} };
}

/** A program as it names itself when it connects. */
export function arrival(instance: string, more: Partial<Arrival> = {}): Arrival {
  const named = { instance, app: "shop", appVersion: "1.0.0", sdk: "node/0.1.0", host: "rack-7", kind: "server", acks: "all" } as const;
  return { ...named, environment: PRODUCTION, sdkKeyId: 1, basis: undefined, ...more };
}

export interface TestServer {
  readonly port: number;
  /** The server's ends of all connections so far. */
  readonly sockets: readonly Socket[];
  close(): Promise<void>;
}

/** A real server on a free port of the loopback; what the listener does not take is answered 200 "other". */
export async function serve(listener: (req: IncomingMessage, res: ServerResponse) => boolean): Promise<TestServer> {
  const sockets: Socket[] = [];
  const server = createServer((req, res) => {
    if (!listener(req, res)) res.end("other");
  });
  server.on("connection", (socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    sockets,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Frame {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string;
  readonly json: Record<string, unknown>;
}

export interface RawClient {
  readonly socket: Socket;
  /** Everything received, head included. */
  text(): string;
  head(): string;
  frames(): Frame[];
  isClosed(): boolean;
  write(text: string): void;
}

/** Sends these bytes as they are and collects what comes back. */
export function rawClient(port: number, request: string, options: { reading?: boolean } = {}): RawClient {
  const socket = connect(port, "127.0.0.1");
  let received = Buffer.alloc(0);
  let closed = false;
  socket.on("error", () => {}); // a reset is one of the ways in which these connections end; `isClosed` tells
  socket.on("close", () => {
    closed = true;
  });
  if (options.reading === false) socket.pause();
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
  });
  if (options.reading === false) socket.pause();
  socket.write(request);
  const text = () => received.toString("utf8");
  return {
    socket,
    text,
    head: () => text().split("\r\n\r\n")[0] ?? "",
    frames() {
      const body = received.indexOf("\r\n\r\n");
      return body < 0 ? [] : readFrames(received.subarray(body + 4));
    },
    isClosed: () => closed,
    write: (more) => void socket.write(more),
  };
}

function readFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (const block of bytes.toString("utf8").split("\n\n").slice(0, -1)) {
    const field = (name: string) =>
      block
        .split("\n")
        .find((line) => line.startsWith(`${name}: `))
        ?.slice(name.length + 2);
    const data = field("data") ?? "";
    frames.push({ event: field("event") ?? "message", id: field("id"), data, json: JSON.parse(data) });
  }
  return frames;
}

export function get(target: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({ host: "localhost", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${target} HTTP/1.1\r\n${lines.join("")}\r\n`;
}
