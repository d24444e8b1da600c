import type { Clock } from "./clock.ts";

/** Names remembered at one time; past this the one that asked longest ago is forgotten, and starts anew with a full bucket. */
const NAMES_MAX = 10_000;

/** Lets `perSecond` through on average and `burst` at once, for each name. Keeps two numbers for each of at most 10,000 names. */
export function createTokenBuckets<Name = string>(clock: Clock, limits: { perSecond: number; burst: number }) {
  const buckets = new Map<Name, { tokens: number; at: number }>();
  return {
    take(name: Name): boolean {
      const at = clock.monotonic();
      const before = buckets.get(name);
      if (before) {
        before.tokens = Math.min(limits.burst, before.tokens + ((at - before.at) / 1_000) * limits.perSecond);
        before.at = at;
        if (before.tokens < 1) return false;
        before.tokens -= 1;
        return true;
      }
      if (buckets.size >= NAMES_MAX) {
        for (const oldest of buckets.keys()) {
          buckets.delete(oldest);
          break;
        }
      }
      buckets.set(name, { tokens: limits.burst - 1, at });
      return limits.burst >= 1;
    },
  };
}
