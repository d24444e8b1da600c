import { connect } from "node:net";
import { type Client, createClient, type Ports, SILENT } from "@signalbox/core";
import { now, serveCalls, sleep } from "./remote.ts";

/** Thousands of clients with core's own machine: its backoff, its jitter, its spread. Only the socket is plainer than the SDK's. */
const clients: Client[] = [];
const CONNECTING_MAX = 100;
/** When streams were taken on, by the clock of the server, as `hello` tells it: this process is too busy to tell the time of an arrival. */
let accepted: number[] = [];
let refusals = 0;

function ports(port: number, sdkKey: string): Ports {
  return {
    now,
    time: () => Date.now(),
    random: Math.random,
    draw: Math.random,
    after(ms, run) {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    stream(query, listener) {
      const socket = connect(port, "127.0.0.1");
      let over = false;
      let head = "";
      let isOpen = false;
      let isGreeted = false;
      const greet = (text: string) => {
        const at = /"at":(\d+)/.exec(text)?.[1];
        if (at === undefined) return;
        isGreeted = true;
        accepted.push(Number(at));
      };
      const lost: typeof listener.lost = (cause, more) => {
        if (over) return;
        over = true;
        socket.destroy();
        listener.lost(cause, more);
      };
      socket.setEncoding("utf8");
      socket.on("error", (error) => lost("network", { detail: error.message }));
      socket.on("close", () => lost("ended"));
      // The decoder is set: pieces are text.
      socket.on("data", (piece: string) => {
        if (over) return;
        if (isOpen) {
          if (!isGreeted) greet(piece);
          return listener.text(piece);
        }
        head += piece;
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        const status = Number(head.slice(9, 12));
        if (status !== 200) {
          refusals += 1;
          const retryAfter = Number(/retry-after: (\d+)/i.exec(head)?.[1]);
          return lost("refused", { status, ...(retryAfter > 0 && { retryAfterMs: 1_000 * retryAfter }) });
        }
        isOpen = true;
        listener.open();
        const rest = head.slice(end + 4);
        if (rest !== "") {
          greet(rest);
          listener.text(rest);
        }
        head = "";
      });
      socket.write(`GET /sdk/v1/stream?${query} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${sdkKey}\r\n\r\n`);
      return () => {
        over = true;
        socket.destroy();
      };
    },
    state: (_query, _etag, listener) => {
      listener({ kind: "lost", cause: "network" });
      return () => {};
    },
    // Acknowledgements are measured by `kill`.
    send: async () => "sent",
    context: () => undefined,
  };
}

serveCalls({
  async start({ port, sdkKey, count }: { port: number; sdkKey: string; count: number }) {
    for (let i = 0; i < count; i++) {
      while (clients.filter((client, at) => at >= i - 2 * CONNECTING_MAX && client.status.state !== "live").length >= CONNECTING_MAX)
        await sleep(2);
      const client = createClient(ports(port, sdkKey), {
        server: "bench",
        sdkKey,
        app: "bench",
        instance: `storm-${i}`,
        sdk: "bench/0",
        transport: "stream",
        pollMs: 60_000,
        logger: SILENT,
        unknownHint: "",
      });
      clients.push(client);
    }
    while (clients.some((client) => client.status.state !== "live")) await sleep(20);
  },
  forget() {
    accepted = [];
    refusals = 0;
  },
  /** How many are live at this revision or beyond. */
  live: ({ revision }: { revision: number }) =>
    clients.filter(({ status }) => status.state === "live" && (status.revision ?? -1) >= revision).length,
  /** Streams taken on in the busiest second, and answers that were refusals. */
  arrivals() {
    let busiest = 0;
    let first = 0;
    const sorted = [...accepted].sort((a, b) => a - b);
    for (let last = 0; last < sorted.length; last++) {
      while ((sorted[last] ?? 0) - (sorted[first] ?? 0) > 1_000) first += 1;
      busiest = Math.max(busiest, last - first + 1);
    }
    return { accepted: accepted.length, busiest, refusals };
  },
});
