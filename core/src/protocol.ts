import type { Entry, EntryId, Hex64, Position, Projection, UnknownEntry } from "./model.ts";

/**
 * The version of the stream protocol. A server speaks every version that a supported SDK may ask for.
 * - 1 (0.1.0): hello, snapshot, change, resync, ping, bye; places for facts and emergency kills.
 */
export const PROTOCOL_VERSION = 1;

/** A frame over this many bytes is not sent: `resync` asks the SDK to take the state by GET instead. */
export const FRAME_BYTES_MAX = 256 * 1024;

/** A projection over this many bytes is refused when saved. */
export const STATE_BYTES_MAX = 8 * 1024 * 1024;

/** `ping` follows `ping` after this long; an SDK gives the stream up after three of them are missing. */
export const HEARTBEAT_MS = 15_000;
export const SILENCE_MS_MAX = 45_000;

/** A kill made while the database is gone (design, section 5). The machinery comes with several nodes; SDKs know the record already. */
export interface EmergencyKill {
  readonly id: string;
  readonly flag: string;
  readonly at: number;
}

/** First frame of every stream. */
export interface HelloFrame {
  readonly protocol: number;
  readonly environment: string;
  readonly project: string;
  readonly production: boolean;
  readonly projection: Projection;
  readonly generation: number;
  /** The newest revision; a snapshot or change up to it follows unless the SDK's basis is already there. */
  readonly head: number;
  /** The last revision that changed the content of a fact; 0 when none did. */
  readonly factsAt: number;
  readonly heartbeatMs: number;
  /** Server clock, ms since 1970. */
  readonly at: number;
  readonly emergency: readonly EmergencyKill[];
}

/** The whole state of a projection. Also the body of `GET /sdk/v1/state`. The SSE id is the position `generation.revision`. */
export interface SnapshotFrame extends Position {
  readonly digest: Hex64;
  readonly factsAt: number;
  readonly environment: string;
  readonly project: string;
  readonly entries: readonly (Entry | UnknownEntry)[];
  readonly settled?: readonly string[];
}

/** An atomic step `from` one revision `to` a later one, within one generation. */
export interface ChangeFrame {
  readonly generation: number;
  readonly from: number;
  readonly to: number;
  readonly digest: Hex64;
  readonly put: readonly (Entry | UnknownEntry)[];
  readonly remove: readonly EntryId[];
  readonly factsAt?: number;
  /** True when the step holds a kill: acknowledge at once when applied. */
  readonly ack?: boolean;
  /** Emergency kills that this step settles. */
  readonly settled?: readonly string[];
}

/** Take the state by GET and go on from there. */
export interface ResyncFrame extends Position {
  readonly reason: "size" | "compacted" | "ahead";
}

export interface PingFrame {
  readonly generation: number;
  readonly head: number;
  /** How long ago this node last confirmed the head with the database. */
  readonly dbAgeMs: number;
  readonly at: number;
}

/** The server closes after this frame; the SDK reconnects after `afterMs` plus a random part of `spreadMs`. */
export interface ByeFrame {
  readonly reason: "drain" | "overload" | "key-revoked" | "slow";
  readonly afterMs: number;
  readonly spreadMs: number;
}

/** Placeholders on the wire for browsers' facts and emergency kills; unknown events are ignored by every SDK. */
export type FrameEvent = "hello" | "snapshot" | "change" | "resync" | "facts" | "emergency" | "ping" | "bye";

/** `POST /sdk/v1/usage`: what was asked since the last report. Bounded: at most 500 rows each. */
export interface UsageReport {
  readonly instance: string;
  readonly app: string;
  readonly sdk: string;
  readonly evaluated: readonly { readonly flag: string; readonly variant: string; readonly count: number }[];
  readonly unknown: readonly { readonly flag: string; readonly count: number }[];
}

/** `POST /sdk/v1/ack`: this instance has applied this position. */
export interface Acknowledgement extends Position {
  readonly instance: string;
}
