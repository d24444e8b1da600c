/** Why something was refused to protect what is more important. */
export type ShedReason = "open" | "rate" | "browsers" | "key" | "address" | "descriptors" | "event-loop" | "draining";

/** What happens in delivery, for whoever counts it. Called on the hot path: each does no more than add a number. */
export interface DeliveryWatch {
  /** A connection was destroyed: it took nothing for 30 s, or its next frame could not be made. */
  dropped(reason: "stalled" | "broken"): void;
  shed(what: "stream" | "usage" | "state", reason: ShedReason): void;
  /** From a commit to the moment at which its frame was written to every stream that could take it. */
  written(ms: number): void;
}

export const unwatched: DeliveryWatch = { dropped() {}, shed() {}, written() {} };
