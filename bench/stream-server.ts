import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createDelivery } from "../server/src/delivery/delivery.ts";
import { createStreamListener } from "../server/src/delivery/stream.ts";
import { anyKey, booleanFlag, collectingLog, createTestFeed } from "../server/src/delivery/test-support.ts";
import { now, serveCalls } from "./remote.ts";
import { FRAME_BYTES } from "./stream-frame.ts";

/** What is measured: the server's own delivery around a feed in memory, or the least that node can do. In a process of its own. */

const ANY_NUMBER = 1_000_000;

const feed = createTestFeed();
let committedAt = 0;
// Heard before delivery hears of it: what the feed itself does for a commit is the store's time.
feed.onCommit(() => {
  committedAt = now();
});
const sockets = new Set<Socket>();
let floor = false;
let revision = 0;

function change(bytes: number) {
  revision += 1;
  const fp = revision.toString(16);
  const filler = (length: number) => ({ variants: { on: "x".repeat(Math.max(0, length)), off: "" } });
  // The frame around an empty filler has about this many bytes.
  return booleanFlag("checkout", fp, filler(bytes - FRAME_AROUND));
}
const FRAME_AROUND = 255;

const frame = (bytes: number) => Buffer.from(`event: change\nid: 7.1\ndata: ${"x".repeat(bytes - 31)}\n\n`);

serveCalls({
  async start({ isFloor }: { isFloor: boolean }): Promise<number> {
    floor = isFloor;
    const delivery = createDelivery({ feed, log: collectingLog() });
    const listener = createStreamListener({
      delivery,
      keys: anyKey("server"),
      usage: { onUsage: () => () => {} },
      authenticate: async () => undefined,
      limits: { openMax: ANY_NUMBER, newPerSecondMax: ANY_NUMBER },
    });
    const head = { "content-type": "text/event-stream", "cache-control": "no-cache", connection: "close" };
    const server = createServer((req, res) => {
      if (!floor) {
        listener(req, res);
        return;
      }
      res.shouldKeepAlive = false;
      res.useChunkedEncodingByDefault = false;
      res.chunkedEncoding = false;
      res.writeHead(200, head);
      res.flushHeaders();
      req.socket.setNoDelay(true);
      req.socket.write("event: hello\ndata: {}\n\n");
    });
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", 4_096, resolve));
    return (server.address() as AddressInfo).port;
  },
  /** Sends one change to everybody; answers when that began. */
  broadcast({ bytes = FRAME_BYTES }: { bytes?: number }): number {
    if (floor) {
      const shared = frame(bytes);
      const at = now();
      for (const socket of sockets) socket.write(shared);
      return at;
    }
    feed.commit({ put: [change(bytes)] });
    return committedAt;
  },
  /** Sockets that hold bytes which the kernel does not take. */
  stuck: () => [...sockets].filter((socket) => socket.writableLength > 0).length,
  open: () => sockets.size,
  rssBytes: () => process.memoryUsage.rss(),
});
