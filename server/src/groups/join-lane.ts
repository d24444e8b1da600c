import type { Clock } from "../delivery/clock.ts";
import { problem } from "../errors.ts";
import type { Participation } from "./participate.ts";

/** Who may wait to join and leave in one environment. Past this the next one is refused (503) and told when to come back. */
export const JOINS_WAITING_MAX = 10_000;
/** Of these, how many may be pages that nobody vouches for: the browser key is public, and must not keep out those who come through the app's server. */
export const PAGES_WAITING_MAX = 8_000;
/** Who goes into one change-set: as many as are written within some ten milliseconds, because a kill cannot interrupt them. */
export const JOINS_TOGETHER_MAX = 1_000;
/** Who joins and leaves again and again waits for each step; a page that is stuck must not fill the lane. */
const WAITING_PER_UNIT_MAX = 20;
/** Between change-sets of one environment that come from joining and leaving. */
export const JOINS_GAP_MS = 1_000;

/** Where each of a batch ended up: the position that holds it, or why it was refused. In the order of the batch. */
export type Settled<T> = { readonly kind: "done"; readonly value: T } | { readonly kind: "refused"; readonly error: unknown };

export interface Batch<T> {
  readonly changed: boolean;
  readonly settled: readonly Settled<T>[];
}

/** Gathers those who join and leave in one environment, so that a flood of them is a handful of change-sets. */
export interface JoinLane<T> {
  /** Resolves or rejects when the change-set that holds it is committed. */
  add(one: Participation): Promise<T>;
}

interface Waiting<T> {
  readonly one: Participation;
  /** Group and unit. */
  readonly whom: string;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** One place in a batch, and all who asked for the same. */
interface Place<T> {
  readonly one: Participation;
  readonly asked: Waiting<T>[];
}

export function createJoinLane<T>(clock: Clock, commit: (batch: readonly Participation[]) => Promise<Batch<T>>): JoinLane<T> {
  let waiting: Waiting<T>[] = [];
  const waitingOf = new Map<string, number>();
  let scheduled = false;
  let changedAt = Number.NEGATIVE_INFINITY;

  function schedule(): void {
    if (scheduled || waiting.length === 0) return;
    scheduled = true;
    // The first after a pause goes at once, with those of the same moment.
    clock.after(Math.max(0, changedAt + JOINS_GAP_MS - clock.monotonic()), () => void run());
  }

  async function run(): Promise<void> {
    const { batch, rest } = parted(waiting);
    waiting = rest;
    for (const { asked } of batch) for (const { whom } of asked) count(whom, -1);
    const startedAt = clock.monotonic();
    try {
      const { changed, settled } = await commit(batch.map(({ one }) => one));
      if (changed) changedAt = startedAt;
      for (const [index, { asked }] of batch.entries()) {
        const end = settled[index];
        for (const { resolve, reject } of asked) {
          if (end?.kind === "done") resolve(end.value);
          else reject(end?.error ?? new RangeError("a batch was settled in part"));
        }
      }
    } catch (error) {
      // Nothing was stored, for any of them.
      for (const { asked } of batch) for (const { reject } of asked) reject(error);
    }
    scheduled = false;
    schedule();
  }

  function count(whom: string, by: number): void {
    const next = (waitingOf.get(whom) ?? 0) + by;
    if (next === 0) waitingOf.delete(whom);
    else waitingOf.set(whom, next);
  }

  return {
    add(one) {
      return new Promise((resolve, reject) => {
        const whom = JSON.stringify([one.group, one.unit]);
        const most = one.vouched ? JOINS_WAITING_MAX : PAGES_WAITING_MAX;
        if (waiting.length >= most) {
          const seconds = Math.ceil(waiting.length / JOINS_TOGETHER_MAX) * (JOINS_GAP_MS / 1_000);
          throw problem("OVERLOADED", `${most} are waiting to join or leave already, the most that may; try again in ${seconds} s.`, {
            headers: { "retry-after": String(seconds) },
          });
        }
        if ((waitingOf.get(whom) ?? 0) >= WAITING_PER_UNIT_MAX) {
          const what = `${WAITING_PER_UNIT_MAX} requests to join or leave "${one.group}" wait for ${JSON.stringify(one.unit)} already`;
          throw problem("RATE_LIMITED", `${what}, the most that may; try again in 10 s.`, { headers: { "retry-after": "10" } });
        }
        waiting.push({ one, whom, resolve, reject });
        count(whom, 1);
        schedule();
      });
    },
  };
}

/**
 * The next batch and those who go on waiting. Somebody who first joins and then leaves is in two batches, one after the other, so that
 * each answer is true when it is given; those who ask for the same twice share a place.
 */
function parted<T>(waiting: readonly Waiting<T>[]): { batch: Place<T>[]; rest: Waiting<T>[] } {
  const batch = new Map<string, Place<T>>();
  const rest: Waiting<T>[] = [];
  const held = new Set<string>();
  for (const next of waiting) {
    const place = batch.get(next.whom);
    if (held.has(next.whom)) rest.push(next);
    else if (place?.one.joining === next.one.joining && place.one.vouched === next.one.vouched) place.asked.push(next);
    else if (!place && batch.size < JOINS_TOGETHER_MAX) batch.set(next.whom, { one: next.one, asked: [next] });
    else {
      held.add(next.whom);
      rest.push(next);
    }
  }
  return { batch: [...batch.values()], rest };
}
