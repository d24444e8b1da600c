import type { AckTerms } from "./acks.ts";
import { crc32 } from "./crc32.ts";
import type { ByeFrame, ChangeFrame, EmergencyKill, FactsFrame, PingFrame, ResyncFrame, SnapshotFrame } from "./protocol.ts";

/** A frame that was read. "unknown" is an event of a newer server and is passed over; "bad" is a reason for a snapshot. */
export type Frame =
  | {
      readonly kind: "hello";
      readonly generation: number;
      readonly head: number;
      readonly heartbeatMs: number;
      readonly at: number;
      readonly emergency: readonly EmergencyKill[];
      readonly factsAt: number;
      /** Undefined: the server takes acknowledgements of kills only. */
      readonly acks: AckTerms | undefined;
      /** Whether it asks for contexts. */
      readonly samples: boolean;
    }
  | { readonly kind: "emergency"; readonly emergency: readonly EmergencyKill[] }
  | ({ readonly kind: "facts" } & FactsFrame)
  | { readonly kind: "snapshot"; readonly frame: SnapshotFrame }
  | { readonly kind: "change"; readonly frame: ChangeFrame }
  | ({ readonly kind: "resync" } & ResyncFrame)
  | ({ readonly kind: "ping"; readonly samples: boolean } & PingFrame)
  | ({ readonly kind: "bye" } & ByeFrame)
  | { readonly kind: "unknown" }
  | { readonly kind: "bad"; readonly why: string };

type Fields = { readonly [field: string]: unknown };

const KNOWN = new Set(["hello", "snapshot", "change", "resync", "ping", "bye", "emergency", "facts"]);

/**
 * Reads one frame. Never throws. Checks what the sync machine relies on; what a snapshot or a change holds is checked where it is
 * applied (`state.ts` refuses it whole), and the inside of an entry where it is prepared, so that one unreadable flag never costs the
 * others their update. Fields that are not known are left alone. With a checksum, data that does not fit it is bad, whatever it says:
 * digests tell an old state from a new one, not a wrong byte from a right one.
 */
export function parseFrame(event: string, data: string, crc?: string): Frame {
  if (!KNOWN.has(event)) return { kind: "unknown" };
  if (crc !== undefined && crc !== crc32(data)) return bad(event, "does not fit its checksum");
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return bad(event, "is not JSON"); // the answer to every unreadable frame is the same: a snapshot
  }
  if (typeof value !== "object" || value === null) return bad(event, "is not an object");
  // A value that passed the lines above has fields; an array has none that are asked for below.
  const fields = value as Fields;
  const { generation, head, revision, reason } = fields;
  const emergency = Array.isArray(fields.emergency) ? fields.emergency : [];
  const samples = fields.sampleContexts === true;
  switch (event) {
    case "hello":
      if (!isCount(generation) || !isCount(head)) return bad(event, "names no position");
      return {
        kind: event,
        generation,
        head,
        heartbeatMs: countOr(fields.heartbeatMs),
        at: countOr(fields.at),
        emergency,
        factsAt: countOr(fields.factsAt),
        acks: ackTerms(fields),
        samples,
      };
    case "emergency":
      return { kind: event, emergency };
    case "facts": {
      if (!isCount(generation) || !isCount(fields.at)) return bad(event, "names no position");
      const { at, units, all } = fields;
      // Who cannot tell whom it is about takes it to be about everybody.
      const everybody = all === true || !Array.isArray(units);
      return { kind: event, generation, at, units: everybody ? [] : units, all: everybody, spreadMs: countOr(fields.spreadMs) };
    }
    case "snapshot":
      return { kind: event, frame: value as SnapshotFrame };
    case "change":
      return { kind: event, frame: value as ChangeFrame };
    case "resync":
      if (!isCount(generation) || !isCount(revision)) return bad(event, "names no position");
      return { kind: event, generation, revision, reason: reason === "compacted" || reason === "ahead" ? reason : "size" };
    case "ping":
      if (!isCount(generation) || !isCount(head)) return bad(event, "names no position");
      return { kind: event, generation, head, dbAgeMs: countOr(fields.dbAgeMs), at: countOr(fields.at), samples };
    default:
      return {
        kind: "bye",
        reason: reason === "overload" || reason === "key-revoked" || reason === "slow" ? reason : "drain",
        afterMs: countOr(fields.afterMs),
        spreadMs: countOr(fields.spreadMs),
      };
  }
}

function ackTerms({ leaseMs, ackSample }: Fields): AckTerms | undefined {
  if (leaseMs === undefined && ackSample === undefined) return undefined;
  return { leaseMs: countOr(leaseMs), sample: typeof ackSample === "number" ? ackSample : 1 };
}

const bad = (event: string, what: string): Frame => ({ kind: "bad", why: `a ${event} frame ${what}` });
/** A generation, a revision, a time: a whole number from 0 on. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const countOr = (value: unknown): number => (isCount(value) ? value : 0);
