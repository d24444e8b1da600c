/** Time, handed in so that tests can turn it. `monotonic` measures (ms, never steps back), `now` tells the date (ms since 1970). */
export interface Clock {
  now(): number;
  monotonic(): number;
  /** Runs once after `ms`; the function it returns takes that back. Never keeps the process alive. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  },
};
