import { crc32 } from "node:zlib";
import type { FrameEvent, Position } from "@signalbox/core";
import { formatPosition } from "@signalbox/core";

/** One server-sent event. `id` only for a completed state, so that a Last-Event-ID never points into the middle of one. */
export function encodeFrame(event: FrameEvent, data: object, id?: Position): Buffer {
  // JSON.stringify escapes line breaks, so the data is always one line.
  const text = JSON.stringify(data);
  return Buffer.from(`${head(event, text, id)}${text}\n\n`);
}

/** A snapshot frame around the bytes of its JSON, which the state route shares. */
export function snapshotFrame(json: Buffer, id: Position): Buffer {
  return Buffer.concat([Buffer.from(head("snapshot", json, id)), json, Buffer.from("\n\n")]);
}

/** All that stands before the data. TCP lets a wrong byte in some 65,000 pass, so the data has a checksum of its own. */
function head(event: FrameEvent, data: string | Buffer, id?: Position): string {
  const crc = crc32(data).toString(16).padStart(8, "0");
  return `event: ${event}\n${id ? `id: ${formatPosition(id)}\n` : ""}crc: ${crc}\ndata: `;
}
