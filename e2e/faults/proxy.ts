import { createServer, type Server, type Socket, connect as tcp } from "node:net";

/** What happens to what goes through the proxy from now on. An empty record is a good line. */
export interface Faults {
  /** Each piece waits this long, in both directions. */
  readonly delayMs?: number;
  /** Towards the client. */
  readonly bytesPerSecond?: number;
  /** Nothing passes in either direction and no end is told, as on a line that is cut without a word; what arrived meanwhile passes later. */
  readonly hold?: boolean;
  /** Nobody listens: connections are refused. Those that are open stay. */
  readonly refuse?: boolean;
  /** After so many bytes towards the client the connection ends, properly. */
  readonly cutAfter?: number;
  /** The same with a reset. */
  readonly resetAfter?: number;
  /** The byte at this place of what goes to the client is another. */
  readonly corruptAt?: number;
  /** Bytes towards the client, but for the first piece, are gathered until there are so many, or the server ends. */
  readonly gatherBytes?: number;
}

export interface FaultProxy {
  readonly port: number;
  readonly url: string;
  /** Connections that are open, and all that there ever were. */
  readonly open: number;
  readonly accepted: number;
  set(faults: Faults): Promise<void>;
  /** Ends every open connection, properly. */
  cut(): void;
  /** Ends every open connection with a reset. */
  reset(): void;
  /** One byte of the next piece towards the client of each open connection is another: of the next that holds this text, its first. */
  corruptNext(text?: string): void;
  close(): Promise<void>;
}

interface Line {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes that have gone to the client. */
  sent: number;
  gathered: Buffer[];
  corruptNext: string | undefined;
}

/** A slow line passes on a part of its second at a time. */
const SLICES_PER_SECOND = 20;

/** A reset right behind bytes is taken for an end by the reader's Node. */
const RESET_AFTER_MS = 20;

/** A TCP proxy in front of a server on this machine that spoils connections as it is told. */
export async function startFaultProxy(
  target: number,
  faults: Faults = {},
  place: { readonly host?: string; readonly port?: number } = {},
): Promise<FaultProxy> {
  const lines = new Set<Line>();
  const released = new Set<() => void>();
  let current = faults;
  let accepted = 0;
  let listening: Server | undefined;
  const host = place.host ?? "127.0.0.1";
  let port = place.port ?? 0;

  /** Also while no byte moves, a held line must notice that it is let go. */
  async function whileHeld(line: Line): Promise<void> {
    while (current.hold && !line.client.destroyed) {
      await new Promise<void>((resolve) => {
        released.add(resolve);
        line.client.once("close", resolve);
      });
    }
  }

  async function pass(line: Line, to: Socket, piece: Buffer): Promise<void> {
    if (current.delayMs) await later(current.delayMs);
    await whileHeld(line);
    if (to === line.server) return write(to, piece);
    const gather = line.sent > 0 ? (current.gatherBytes ?? 0) : 0;
    line.gathered.push(piece);
    const whole = Buffer.concat(line.gathered);
    if (whole.length < gather) return;
    line.gathered = [];
    await passDown(line, Buffer.from(whole));
  }

  async function passDown(line: Line, piece: Buffer): Promise<void> {
    const { corruptAt = -1, cutAfter, resetAfter, bytesPerSecond } = current;
    const { corruptNext } = line;
    const at =
      corruptNext === undefined ? corruptAt - line.sent : corruptNext === "" ? Math.floor(piece.length / 2) : piece.indexOf(corruptNext);
    if (at >= 0 && at < piece.length) {
      piece.writeUInt8(piece.readUInt8(at) ^ 0x20 || 0x41, at);
      line.corruptNext = undefined;
    }
    const end = cutAfter ?? resetAfter;
    const whole = end === undefined ? piece : piece.subarray(0, Math.max(0, end - line.sent));
    const slice = bytesPerSecond === undefined ? whole.length : Math.max(1, Math.floor(bytesPerSecond / SLICES_PER_SECOND));
    for (let from = 0; from < whole.length; from += slice) {
      const part = whole.subarray(from, from + slice);
      line.sent += part.length;
      await write(line.client, part);
      if (bytesPerSecond !== undefined) await later(1_000 / SLICES_PER_SECOND);
    }
    if (end === undefined || line.sent < end) return;
    if (resetAfter === undefined) line.client.destroySoon();
    else {
      await later(RESET_AFTER_MS);
      resetNow(line.client);
    }
    line.server.destroy();
  }

  /** A failing side is closed by its own events. */
  async function pump(line: Line, from: Socket, to: Socket): Promise<void> {
    try {
      for await (const piece of from) await pass(line, to, piece as Buffer);
      await whileHeld(line);
      if (to === line.client && line.gathered.length > 0) await passDown(line, Buffer.concat(line.gathered));
      to.end();
    } catch {
      await whileHeld(line);
      to.destroy();
    }
  }

  function accept(client: Socket): void {
    accepted += 1;
    const server = tcp(target, "127.0.0.1");
    const line: Line = { client, server, sent: 0, gathered: [], corruptNext: undefined };
    lines.add(line);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", () => {}); // a fault is what we are here for; `close` follows
    }
    client.once("close", () => {
      lines.delete(line);
      server.destroy();
    });
    void pump(line, client, server);
    void pump(line, server, client);
  }

  async function listen(): Promise<void> {
    listening = createServer({ allowHalfOpen: true }, accept);
    const { promise, resolve, reject } = deferred();
    listening.once("error", reject);
    listening.listen(port, host, resolve);
    await promise;
    const address = listening.address();
    if (address !== null && typeof address === "object") port = address.port;
  }

  function stopListening(): void {
    listening?.close();
    listening = undefined;
  }

  await listen();
  if (faults.refuse) stopListening();
  return {
    get port() {
      return port;
    },
    get url() {
      return `http://${host}:${port}`;
    },
    get open() {
      return lines.size;
    },
    get accepted() {
      return accepted;
    },
    async set(next) {
      current = next;
      for (const release of [...released]) release();
      released.clear();
      if (next.refuse) stopListening();
      else if (!listening) await listen();
    },
    cut() {
      for (const { client } of lines) client.destroySoon();
    },
    reset() {
      for (const { client } of lines) resetNow(client);
    },
    corruptNext(text = "") {
      for (const line of lines) line.corruptNext = text;
    },
    async close() {
      stopListening();
      current = {};
      for (const { client } of lines) client.destroy();
      for (const release of released) release();
    },
  };
}

/** `resetAndDestroy` of Node 20 ends the connection properly before it resets it, which is another fault. */
function resetNow(socket: Socket): void {
  Object.assign(socket, { resetAndClosing: true });
  socket.destroy();
}

function write(to: Socket, piece: Buffer): Promise<void> | undefined {
  if (to.destroyed || to.write(piece)) return undefined;
  return new Promise((resolve) => {
    to.once("drain", resolve);
    to.once("close", () => resolve());
  });
}

const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
