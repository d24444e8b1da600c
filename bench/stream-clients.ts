import { connect, type Socket } from "node:net";
import { now, percentile, serveCalls, sleep } from "./remote.ts";

/** Thousands of raw sockets that read a stream and note when an event came. Runs in a process of its own. */

export interface OpenStreams {
  readonly port: number;
  readonly count: number;
  /** The whole head of the request; `%i` is replaced by the number of the stream. */
  readonly request: string;
  readonly perSecond?: number;
  /** Bytes a second that each reads; 0: none after the first frames. Absent: as fast as they come. */
  readonly bytesPerSecond?: number;
  /** Streams of another kind are not counted among the receipts. */
  readonly counted?: boolean;
}

export interface Receipts {
  readonly count: number;
  /** Times on the machine's clock, ms. */
  readonly first: number;
  readonly median: number;
  readonly p99: number;
  readonly last: number;
}

const sockets: Socket[] = [];
const CONNECTING_MAX = 100;
const OPEN_MS_MAX = 120_000;
/** "event: change": what it begins with is enough to tell it from pings, and costs nothing. */
const CHANGE = Buffer.from("event: c");

let counted = 0;
let times: number[] = [];
let wanted = Number.POSITIVE_INFINITY;
let enough = () => {};

function received(at: number): void {
  times.push(at);
  if (times.length >= wanted) enough();
}

async function open({ port, count, request, perSecond, bytesPerSecond, counted: isCounted = true }: OpenStreams): Promise<number> {
  const shared = Buffer.allocUnsafe(bytesPerSecond === undefined ? 64 * 1024 : Math.max(1, bytesPerSecond));
  let greeted = 0;
  let connecting = 0;
  let failed = "";
  const end = now() + OPEN_MS_MAX;
  const began = now();
  for (let i = 0; i < count; i++) {
    while (connecting >= CONNECTING_MAX || (perSecond !== undefined && i > ((now() - began) / 1_000) * perSecond)) {
      if (failed !== "" || now() > end) throw new Error(failed || `only ${greeted} of ${count} streams opened`);
      await sleep(1);
    }
    connecting += 1;
    let isGreeted = false;
    const socket = connect({
      port,
      host: "127.0.0.1",
      onread: {
        buffer: shared,
        callback(length, buffer) {
          if (!isGreeted) {
            const text = Buffer.from(buffer.buffer, buffer.byteOffset, length).toString();
            // Who reads slowly has only the first byte of it.
            if (!"HTTP/1.1 200".startsWith(text.slice(0, 12))) failed = text.slice(0, 300);
            isGreeted = true;
            greeted += 1;
            connecting -= 1;
          } else if (isCounted && CHANGE.equals((buffer as Buffer).subarray(0, CHANGE.length))) received(now());
          if (bytesPerSecond === undefined) return true;
          if (bytesPerSecond > 0) setTimeout(() => socket.resume(), 1_000);
          return false;
        },
      },
    });
    socket.on("error", (error) => {
      if (!isGreeted) failed = error.message;
    });
    socket.write(request.replace("%i", String(sockets.length)));
    sockets.push(socket);
  }
  while (greeted < count) {
    if (failed !== "" || now() > end) throw new Error(failed || `only ${greeted} of ${count} streams opened`);
    await sleep(5);
  }
  if (isCounted) counted += count;
  return sockets.length;
}

serveCalls({
  open,
  /** From now on receipts are noted. */
  arm() {
    times = [];
  },
  /** When every counted stream (or `atLeast` of them) has had its change since `arm`. */
  async receipts({ atLeast = counted, timeoutMs = 20_000 }: { atLeast?: number; timeoutMs?: number }): Promise<Receipts> {
    if (times.length < atLeast) {
      await new Promise<void>((resolve) => {
        wanted = atLeast;
        enough = resolve;
        setTimeout(resolve, timeoutMs).unref();
      });
      wanted = Number.POSITIVE_INFINITY;
    }
    const sorted = [...times].sort((a, b) => a - b);
    return {
      count: sorted.length,
      first: sorted[0] ?? Number.NaN,
      median: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      last: sorted.at(-1) ?? Number.NaN,
    };
  },
  close() {
    for (const socket of sockets.splice(0)) socket.destroy();
    counted = 0;
  },
});
