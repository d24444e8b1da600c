import { deliveryGoals, verdict } from "./delivery-goals.ts";
import { progress } from "./processes.ts";
import { median, type Remote, sleep, startRemote } from "./remote.ts";
import type { OpenStreams, Receipts } from "./stream-clients.ts";
import { FRAME_BYTES } from "./stream-frame.ts";
import { figure, table } from "./table.ts";

/** Rounds that are counted, after some that are not. */
const ROUNDS = { warmUp: 3, counted: 30 };
/** More than the least time between two frames. */
const PAUSE_MS = 300;

export const REQUEST = "GET /sdk/v1/stream?instance=raw-%i&app=bench HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer key\r\n\r\n";

interface Side {
  readonly server: Remote;
  readonly clients: Remote;
  readonly rssPerStreamKB: number;
  readonly rounds: { first: number; median: number; last: number }[];
}

export interface StreamResult {
  readonly figures: Readonly<Record<"broadcast-last" | "broadcast-first" | "rss-per-stream", number>>;
  readonly floors: Readonly<Record<"broadcast-last" | "broadcast-first" | "rss-per-stream", number>>;
  readonly ratios: Readonly<Record<string, number>>;
  readonly slow: SlowResult;
}

/** A change to everybody, against a loop of `socket.write` with one Buffer on sockets of node:http: in turns, servers and clients on a core each. */
export async function streaming({ quick }: { quick: boolean }): Promise<StreamResult> {
  const count = quick ? 1_000 : 10_000;
  const sides = { floor: await openSide(true, count), ours: await openSide(false, count) };
  for (let round = -ROUNDS.warmUp; round < ROUNDS.counted; round++) {
    for (const [name, side] of Object.entries(sides)) {
      progress(`broadcast, round ${round + 1} of ${ROUNDS.counted}, ${name}`);
      await side.clients.call("arm");
      const at = await side.server.call<number>("broadcast", { bytes: FRAME_BYTES });
      const { count: reached, ...receipts } = await side.clients.call<Receipts>("receipts");
      if (reached !== count) throw new Error(`a broadcast of ${name} reached ${reached} of ${count}`);
      if (round >= 0) side.rounds.push({ first: receipts.first - at, median: receipts.median - at, last: receipts.last - at });
      await sleep(PAUSE_MS);
    }
  }
  for (const { server, clients } of Object.values(sides)) {
    clients.stop();
    server.stop();
  }
  const slow = await slowReaders({ count: quick ? 400 : 2_000 });
  progress("");
  return show(count, sides, slow);
}

async function openSide(isFloor: boolean, count: number): Promise<Side> {
  progress(`opening ${count} streams, ${isFloor ? "floor" : "Signalbox"}`);
  const server = startRemote("./stream-server.ts", 0);
  const clients = startRemote("./stream-clients.ts", 1);
  const port = await server.call<number>("start", { isFloor });
  // What the first streams cost is the program's, not theirs.
  await clients.call("open", { port, count: 100, request: REQUEST, counted: false } satisfies OpenStreams);
  await clients.call("close");
  while ((await server.call<number>("open")) > 0) await sleep(20);
  await sleep(500);
  const before = await server.call<number>("rssBytes");
  await clients.call("open", { port, count, request: REQUEST } satisfies OpenStreams);
  await sleep(2_000);
  const after = await server.call<number>("rssBytes");
  return { server, clients, rssPerStreamKB: (after - before) / count / 1_024, rounds: [] };
}

function show(count: number, { floor, ours }: { floor: Side; ours: Side }, slow: SlowResult): StreamResult {
  const of = (side: Side) => ({
    "broadcast-last": median(side.rounds.map(({ last }) => last)),
    "broadcast-first": median(side.rounds.map(({ first }) => first)),
    "rss-per-stream": side.rssPerStreamKB,
  });
  const [figures, floors] = [of(ours), of(floor)];
  const ratios = {
    "broadcast-last": figures["broadcast-last"] / floors["broadcast-last"],
    "broadcast-first": figures["broadcast-first"] / floors["broadcast-first"],
    "rss-per-stream": figures["rss-per-stream"] / floors["rss-per-stream"],
  };
  const middle = (side: Side) => median(side.rounds.map((round) => round.median));
  console.log(
    `A change of ${FRAME_BYTES} bytes to ${count.toLocaleString("en")} streams: ms from the commit to the client's receipt, ${ROUNDS.counted} rounds in turns.\n`,
  );
  console.log(
    table(
      ["", "first", "median", "last", "kB resident per stream"],
      (
        [
          ["node socket.write loop", floor, floors],
          ["Signalbox", ours, figures],
        ] as const
      ).map(([name, side, values]) => [
        name,
        figure(values["broadcast-first"]),
        figure(middle(side)),
        figure(values["broadcast-last"]),
        figure(values["rss-per-stream"]),
      ]),
    ),
  );
  console.log("");
  for (const name of ["broadcast-last", "broadcast-first"] as const) console.log(verdict(name, ratios[name], deliveryGoals[name]));
  console.log(verdict("rss-per-stream", figures["rss-per-stream"], deliveryGoals["rss-per-stream"]));
  console.log(
    `\nReaders that are slow: of ${slow.count.toLocaleString("en")} streams ${slow.stalled} read nothing and ${slow.slow} read 1 kB a second, with more waiting for them than the kernel takes.`,
  );
  console.log(
    `The others' p99: ${figure(slow.p99Alone)} ms alone, ${figure(slow.p99)} ms beside them; the server grew by ${figure(slow.grownMB)} MB.`,
  );
  console.log(verdict("slow-readers-p99", slow.p99 / slow.p99Alone, deliveryGoals["slow-readers-p99"]));
  console.log(verdict("slow-readers-memory", slow.grownMB, deliveryGoals["slow-readers-memory"]));
  return { figures, floors, ratios, slow };
}

export interface SlowResult {
  readonly count: number;
  readonly stalled: number;
  readonly slow: number;
  readonly p99Alone: number;
  readonly p99: number;
  readonly grownMB: number;
}

/** Times that the slow readers come and go: a machine's mood changes between two blocks of rounds, and must not be taken for theirs. */
const SLOW_BLOCKS = 4;
const SLOW_ROUNDS = { warmUp: 3, counted: 10 };

/**
 * The same streams with and without some that do not keep up, in blocks that take turns; before the others are measured beside them, more
 * is sent to the slow ones than the kernel takes. They are connected first, so they stand before the others in every broadcast. Of each
 * round the p99 of its receipts, of these the median.
 */
async function slowReaders({ count }: { count: number }): Promise<SlowResult> {
  const [stalled, slow] = [Math.ceil(count / 100), Math.ceil(count / 20)];
  const server = startRemote("./stream-server.ts", 0);
  const bad = startRemote("./stream-clients.ts", 1);
  const good = startRemote("./stream-clients.ts", 1);
  const port = await server.call<number>("start", { isFloor: false });
  const healthy = count - stalled - slow;
  const p99s = { alone: [] as number[], beside: [] as number[] };
  let grownMB = 0;
  for (let block = 0; block < SLOW_BLOCKS; block++) {
    // Who comes first changes with the block.
    for (const kind of block % 2 === 0 ? (["alone", "beside"] as const) : (["beside", "alone"] as const)) {
      const before = await server.call<number>("rssBytes");
      if (kind === "beside") await connectSlow();
      await good.call("open", { port, count: healthy, request: REQUEST } satisfies OpenStreams);
      for (let round = -SLOW_ROUNDS.warmUp; round < SLOW_ROUNDS.counted; round++) {
        progress(`slow readers, block ${block + 1} of ${SLOW_BLOCKS}, ${kind}, round ${round + 1} of ${SLOW_ROUNDS.counted}`);
        const p99 = await broadcast();
        if (round >= 0) p99s[kind].push(p99);
        await sleep(150);
      }
      if (kind === "beside") grownMB = Math.max(grownMB, ((await server.call<number>("rssBytes")) - before) / 1_048_576);
      for (const clients of [good, bad]) await clients.call("close");
      while ((await server.call<number>("open")) > 0) await sleep(20);
    }
  }
  for (const each of [server, bad, good]) each.stop();
  return { count, stalled, slow, p99Alone: median(p99s.alone), p99: median(p99s.beside), grownMB };

  /** Until every one of them has something waiting in the server, not only in the kernel. */
  async function connectSlow(): Promise<void> {
    await bad.call("open", { port, count: stalled, request: REQUEST, bytesPerSecond: 0, counted: false } satisfies OpenStreams);
    await bad.call("open", { port, count: slow, request: REQUEST, bytesPerSecond: 1_024, counted: false } satisfies OpenStreams);
    for (let sent = 0; (await server.call<number>("stuck")) < stalled + slow; sent++) {
      if (sent === 200) throw new Error("the kernel took 40 MB for every reader that does not read");
      await server.call("broadcast", { bytes: 200_000 });
      await sleep(110);
    }
  }

  async function broadcast(): Promise<number> {
    await good.call("arm");
    const at = await server.call<number>("broadcast", { bytes: FRAME_BYTES });
    const { p99, count: reached } = await good.call<Receipts>("receipts");
    if (reached !== healthy) throw new Error(`a broadcast reached ${reached} of ${healthy} streams that read`);
    return p99 - at;
  }
}
