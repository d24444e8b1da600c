import type { Clock } from "./clock.ts";

/** Lets `perSecond` through on average and `burst` at once. Keeps two numbers for each name; names must come from a bounded set. */
export function createTokenBuckets(clock: Clock, limits: { perSecond: number; burst: number }) {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return {
    take(name: string): boolean {
      const at = clock.monotonic();
      const before = buckets.get(name);
      const tokens = before ? Math.min(limits.burst, before.tokens + ((at - before.at) / 1_000) * limits.perSecond) : limits.burst;
      const taken = tokens >= 1;
      buckets.set(name, { tokens: taken ? tokens - 1 : tokens, at });
      return taken;
    },
  };
}
