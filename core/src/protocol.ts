import type { Entry, EntryId, Hex64, Json, Position, Projection, UnknownEntry } from "./model.ts";

/**
 * The version of the stream protocol. A server speaks every version that a supported SDK may ask for.
 * - 1 (0.1.0): hello, snapshot, change, resync, facts, ping, bye; a place for emergency kills.
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
  /** How often an instance renews its lease by telling which position it has applied; absent from an older server, which takes none. */
  readonly leaseMs?: number;
  /** The part of browsers that acknowledge, from 0 to 1, by a hash of their instance (`isSampled`); absent: all. Servers always do. */
  readonly ackSample?: number;
  /** True: this environment takes contexts of browsers only if they are signed. */
  readonly secure?: boolean;
  /** True: the server asks for sampled contexts in usage reports. */
  readonly sampleContexts?: boolean;
  readonly limits?: { readonly frameBytes: number; readonly stateBytes: number };
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
  /** Groups of which only the list of members changed; such a group is not in `put`. */
  readonly members?: readonly MembersChange[];
  readonly factsAt?: number;
  /** True when the step holds a kill: acknowledge at once when applied. */
  readonly ack?: boolean;
  /** Acknowledgements at once are spread over this time, because many come; absent: 50 ms at most. */
  readonly ackSpreadMs?: number;
  /** Emergency kills that this step settles. */
  readonly settled?: readonly string[];
}

/** What came to and left the list of a group that is held; everything else of the group stays as it is. `fp` is the group's afterwards. */
export interface MembersChange {
  /** The group's key. */
  readonly group: string;
  readonly fp: Hex64;
  readonly add: readonly Hex64[];
  readonly remove: readonly Hex64[];
}

/**
 * Only to browsers: what facts answer has changed for some. Whose `unitTag` (see `facts.ts`) is in `units`, or everybody with `all`,
 * asks again, after a random part of `spreadMs`.
 */
export interface FactsFrame {
  readonly generation: number;
  /** The revision that changed them: the new `factsAt`. */
  readonly at: number;
  /** 0 to 255, ascending. */
  readonly units: readonly number[];
  readonly all?: boolean;
  readonly spreadMs: number;
}

/** `POST /sdk/v1/facts`: which facts hold for this context. In secure mode the token alone, from which the server reads the context. */
export interface FactsRequest {
  readonly context?: { readonly [attribute: string]: Json };
  readonly token?: string;
  /** The newest revision that the page knows of, of the state or of facts: a node that is behind it catches up or answers 503. */
  readonly generation?: number;
  readonly at?: number;
}

/** The answer. A fact in neither list is unknown. `contextHash` is that of `contextHash` in `facts.ts`, over the context that was answered for. */
export interface FactsAnswer extends Position {
  readonly contextHash: string;
  readonly true: readonly number[];
  readonly false: readonly number[];
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
  /** As in `hello`, for it can be switched while a stream is open; absent: no. */
  readonly sampleContexts?: boolean;
}

/** The server closes after this frame; the SDK reconnects after `afterMs` plus a random part of `spreadMs`. */
export interface ByeFrame {
  readonly reason: "drain" | "overload" | "key-revoked" | "slow";
  readonly afterMs: number;
  readonly spreadMs: number;
}

/** Emergency kills are a placeholder; unknown events are ignored by every SDK. */
export type FrameEvent = "hello" | "snapshot" | "change" | "resync" | "facts" | "emergency" | "ping" | "bye";

/** `POST /sdk/v1/usage`: what was asked since the last report. Bounded: at most 500 rows each. */
export interface UsageReport {
  readonly instance: string;
  readonly app: string;
  readonly sdk: string;
  /** Which start of this instance it is: a program that is started again under the same name numbers its reports anew. */
  readonly run?: string | undefined;
  /** Counts up with each new report of this run, from 1; a report that is sent again keeps its number and is counted once. */
  readonly batch?: number | undefined;
  readonly evaluated: readonly {
    readonly flag: string;
    readonly variant: string;
    readonly count: number;
    /**
     * The revision of the state that answered, and when counting of this row began (ms since 1970, by the server's clock): all of it was
     * evaluated then or later in the same minute.
     */
    readonly revision?: number | undefined;
    readonly at?: number | undefined;
  }[];
  readonly unknown: readonly { readonly flag: string; readonly count: number }[];
  /** Only if `hello` asked for them: at most 20 contexts. The server removes private attributes before it keeps or tells them. */
  readonly contexts?: readonly { readonly [attribute: string]: Json }[] | undefined;
}

/** `POST /sdk/v1/ack`: this instance has applied this position. Also renews its lease. */
export interface Acknowledgement extends Position {
  readonly instance: string;
}
