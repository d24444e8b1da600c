import type { Rollout, Schedule } from "./model.ts";

/**
 * Where a slice ends at a time, in buckets. `before` holds until the first point. Doubles in one fixed order of operations, so every
 * language with IEEE 754 arithmetic gives the same bucket.
 */
export function endAt({ kind, points }: Schedule, before: number, now: number): number {
  let end = before;
  for (const [index, { at, to }] of points.entries()) {
    if (now < at) return end;
    const next = points[index + 1];
    if (kind === "line" && next && now < next.at) return to + Math.floor(((next.to - to) * (now - at)) / (next.at - at));
    end = to;
  }
  return end;
}

/** The end of a rollout's slice at a time; without a time where the schedule leads to. */
export function rolloutEnd({ to, over }: Rollout, now: number | undefined): number {
  if (!over) return to;
  return now === undefined ? (over.points.at(-1)?.to ?? to) : endAt(over, to, now);
}
