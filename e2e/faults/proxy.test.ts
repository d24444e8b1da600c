import { createServer, type Socket, connect as tcp } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../world.ts";
import { type FaultProxy, type Faults, startFaultProxy } from "./proxy.ts";

/** A server that answers each byte with a thousand. */
describe("the fault proxy", () => {
  const server = createServer((socket) => {
    served.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => served.delete(socket));
    socket.on("data", (piece) => socket.write(Buffer.alloc(1_000 * piece.length, "x")));
  });
  const served = new Set<Socket>();
  const proxies: FaultProxy[] = [];
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  afterAll(async () => {
    for (const proxy of proxies) await proxy.close();
    for (const socket of served) socket.destroy();
    server.close();
  });

  async function start(faults: Faults = {}): Promise<FaultProxy> {
    const address = server.address();
    const proxy = await startFaultProxy(address !== null && typeof address === "object" ? address.port : 0, faults);
    proxies.push(proxy);
    return proxy;
  }

  function client(proxy: FaultProxy) {
    const socket = tcp(proxy.port, "127.0.0.1");
    const seen = { bytes: Buffer.alloc(0), end: false, error: "", closed: false, pieces: 0 };
    socket.on("data", (piece) => {
      seen.bytes = Buffer.concat([seen.bytes, piece]);
      seen.pieces += 1;
    });
    socket.on("end", () => {
      seen.end = true;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      seen.error = error.code ?? "";
    });
    socket.on("close", () => {
      seen.closed = true;
    });
    socket.write("a");
    return { socket, seen };
  }

  test("passes everything on when there is no fault, and the end", async () => {
    const { socket, seen } = client(await start());
    await until("all bytes", () => seen.bytes.length === 1_000);
    socket.end();
    await until("the end", () => seen.closed);
    expect(seen).toMatchObject({ end: true, error: "" });
  });

  test("cuts after so many bytes, with an end or a reset", async () => {
    const cut = client(await start({ cutAfter: 700 }));
    const reset = client(await start({ resetAfter: 300 }));
    await until("both are over", () => cut.seen.closed && reset.seen.closed);
    expect([cut.seen.bytes.length, cut.seen.end, cut.seen.error]).toEqual([700, true, ""]);
    // A reset may overtake what was sent before it.
    expect(reset.seen.bytes.length).toBeLessThanOrEqual(300);
    expect(reset.seen.error).toBe("ECONNRESET");
  });

  test("changes one byte, at a place or in what comes next", async () => {
    const proxy = await start({ corruptAt: 10 });
    const { socket, seen } = client(proxy);
    await until("all bytes", () => seen.bytes.length === 1_000);
    expect([...seen.bytes.entries()].filter(([, byte]) => byte !== 0x78).map(([at]) => at)).toEqual([10]);
    await proxy.set({});
    proxy.corruptNext();
    socket.write("a");
    await until("more bytes", () => seen.bytes.length === 2_000);
    expect(seen.bytes.subarray(1_000).filter((byte) => byte !== 0x78)).toHaveLength(1);
  });

  /** As long as another line, with no fault, takes to bring all bytes: what was to come has come by then. */
  async function meanwhile(): Promise<void> {
    const { seen } = client(await start({}));
    await until("another line has all bytes", () => seen.bytes.length === 1_000);
  }

  test("holds without a word, also the end, and lets go again", async () => {
    const proxy = await start({ hold: true });
    const { seen } = client(proxy);
    await until("the connection is open", () => served.size > 0 && proxy.open === 1);
    for (const socket of served) socket.destroy();
    await meanwhile();
    expect(seen).toMatchObject({ end: false, error: "", closed: false });
    await proxy.set({});
    await until("it hears of the end", () => seen.closed);
  });

  test("refuses on its port, and takes connections on it again", async () => {
    const proxy = await start({ refuse: true });
    const refused = client(proxy);
    await until("refused", () => refused.seen.closed);
    expect(refused.seen.error).toBe("ECONNREFUSED");
    await proxy.set({});
    const { seen } = client(proxy);
    await until("all bytes", () => seen.bytes.length === 1_000);
  });

  test("gathers, delays and slows down", async () => {
    const proxy = await start({ gatherBytes: 1_500 });
    const { socket, seen } = client(proxy);
    await until("the first piece", () => seen.bytes.length === 1_000);
    socket.write("a");
    await meanwhile();
    expect(seen.bytes.length).toBe(1_000);
    socket.write("a");
    await until("the other two at once", () => seen.bytes.length === 3_000);
    const startedAt = performance.now();
    const slow = client(await start({ bytesPerSecond: 4_000, delayMs: 50 }));
    await until("all bytes", () => slow.seen.bytes.length === 1_000);
    // Never sooner than the line allows: 50 ms there, 50 ms back, and 4 waits between 5 slices.
    expect(performance.now() - startedAt).toBeGreaterThan(250);
    expect(slow.seen.pieces).toBeGreaterThan(2);
  });
});
