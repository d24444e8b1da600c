import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "./clock.ts";

/** A frame goes to the socket in slices of this size, so that a slow reader that does read is seen to make progress. */
const SLICE_BYTES = 32 * 1024;

function laterByte(this: Socket): void {
  this.destroy();
}

/**
 * An endless response body on the raw socket of a request: one shared Buffer goes to thousands of sockets without a copy, a
 * chunk header or a stream wrapper (measured: eight times less work per connection than through a web stream).
 *
 * The socket stays attached to its response, so node:http keeps its error handling. Three things make that safe: the connection
 * is `close` without Transfer-Encoding, so the end of the body is the end of the connection; any further byte of the client
 * destroys the connection, because a pipelined request would wait for ever behind this answer; and a response that has no socket
 * (it is itself such a pipelined request) is destroyed instead of written to.
 */
export class RawStream {
  /** When bytes last went out, or began to wait; monotonic ms. */
  progressAt: number;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #written: (error?: Error | null) => void;
  #frame: Buffer | undefined;
  #offset = 0;
  #onIdle: () => void = () => {};

  private constructor(socket: Socket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.progressAt = clock.monotonic();
    this.#written = (error) => {
      if (error) return; // the socket's close event follows and tells the owner
      this.progressAt = this.#clock.monotonic();
      if (this.#frame) this.#writeSlices(this.#frame);
      else if (this.idle) this.#onIdle();
    };
  }

  /** Writes the head of the response; undefined when the request cannot be answered, its connection is then destroyed. */
  static open(req: IncomingMessage, res: ServerResponse, clock: Clock, headers: Readonly<Record<string, string>>): RawStream | undefined {
    const socket = res.socket;
    if (!socket || socket.destroyed) {
      req.socket.destroy();
      return undefined;
    }
    res.shouldKeepAlive = false;
    res.useChunkedEncodingByDefault = false;
    res.chunkedEncoding = false;
    res.writeHead(200, {
      "content-type": "text/event-stream",
      // no-transform and x-accel-buffering keep proxies from collecting or compressing what has to arrive at once.
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
      "x-content-type-options": "nosniff",
      connection: "close",
      ...headers,
    });
    res.flushHeaders();
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.on("data", laterByte);
    return new RawStream(socket, clock);
  }

  /** Calls back each time that everything written has left for the kernel, and once when the connection is gone. */
  listen(on: { idle(): void; close(): void }): void {
    this.#onIdle = on.idle;
    if (this.#socket.destroyed) on.close();
    else this.#socket.on("close", on.close);
  }

  /** True when nothing waits: the next frame may be written. */
  get idle(): boolean {
    return this.#frame === undefined && this.#socket.writableLength === 0 && !this.#socket.destroyed;
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  /** Writes one frame. Only when idle: there is one frame in flight, never a queue. */
  write(frame: Buffer): void {
    this.progressAt = this.#clock.monotonic();
    if (frame.length <= SLICE_BYTES) this.#socket.write(frame, this.#written);
    else {
      this.#offset = 0;
      this.#frame = frame;
      this.#writeSlices(frame);
    }
  }

  /** Writes a last frame, if none is in flight, and ends the connection. */
  end(last: Buffer): void {
    if (this.idle) {
      this.#socket.write(last);
      this.#socket.destroySoon();
    } else this.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #writeSlices(frame: Buffer): void {
    const slice = frame.subarray(this.#offset, this.#offset + SLICE_BYTES);
    this.#offset += slice.length;
    if (this.#offset >= frame.length) this.#frame = undefined;
    this.#socket.write(slice, this.#written);
  }
}
