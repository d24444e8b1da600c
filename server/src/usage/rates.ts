import type { Clock } from "../delivery/clock.ts";

const SLOT_MS = 10_000;
const SLOTS = 6;

/** Evaluations of each flag in the last minute, as they were reported: programs report every ten seconds. Forgotten with the process. */
export interface Rates {
  add(environmentId: number, flagKey: string, count: number): void;
  perMinute(environmentId: number, flagKey: string): number;
}

/** Bounded by the flags that there are: only what exists is counted here. */
export function createRates(clock: Clock): Rates {
  const flags = new Map<string, { slot: number; readonly counts: number[] }>();
  const slotNow = () => Math.floor(clock.monotonic() / SLOT_MS);

  /** Empties the slots that time has passed over. */
  function advanced(rate: { slot: number; readonly counts: number[] }): { readonly counts: number[] } {
    const now = slotNow();
    for (let slot = Math.max(rate.slot + 1, now - SLOTS + 1); slot <= now; slot += 1) rate.counts[slot % SLOTS] = 0;
    rate.slot = now;
    return rate;
  }

  return {
    add(environmentId, flagKey, count) {
      const name = `${environmentId}:${flagKey}`;
      const rate = flags.get(name) ?? { slot: slotNow(), counts: Array<number>(SLOTS).fill(0) };
      flags.set(name, rate);
      advanced(rate);
      const slot = rate.slot % SLOTS;
      rate.counts[slot] = (rate.counts[slot] ?? 0) + count;
    },
    perMinute(environmentId, flagKey) {
      const rate = flags.get(`${environmentId}:${flagKey}`);
      return rate === undefined ? 0 : advanced(rate).counts.reduce((sum, count) => sum + count, 0);
    },
  };
}
