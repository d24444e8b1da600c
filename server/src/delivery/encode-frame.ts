import type { FrameEvent, Position } from "@signalbox/core";
import { formatPosition } from "@signalbox/core";

/** One server-sent event. `id` only for a completed state, so that a Last-Event-ID never points into the middle of one. */
export function encodeFrame(event: FrameEvent, data: object, id?: Position): Buffer {
  // JSON.stringify escapes line breaks, so the data is always one line.
  return Buffer.from(`event: ${event}\n${id ? `id: ${formatPosition(id)}\n` : ""}data: ${JSON.stringify(data)}\n\n`);
}

/** A snapshot frame around the bytes of its JSON, which the state route shares. */
export function snapshotFrame(json: Buffer, id: Position): Buffer {
  return Buffer.concat([Buffer.from(`event: snapshot\nid: ${formatPosition(id)}\ndata: `), json, Buffer.from("\n\n")]);
}
