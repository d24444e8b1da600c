import { problem } from "../errors.ts";

/** Each password hash takes 19 MiB, so a flood of sign-ins would be a memory bomb: this many run at once, */
const RUNNING_MAX = 4;
/** this many wait, and the next is answered 429. */
const WAITING_MAX = 50;

/** Runs work when its turn has come. Throws RATE_LIMITED when too many wait. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

/** For everything that somebody who is not signed in can make the server do: few at once, so that kills find room beside them. */
export function createTurns(): Turns {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= RUNNING_MAX) {
      if (waiting.length >= WAITING_MAX) {
        throw problem("RATE_LIMITED", `${WAITING_MAX} sign-ins are waiting already; try again in a few seconds.`, {
          headers: { "retry-after": "5" },
        });
      }
      // Whoever ends hands its place over, so `running` stays as it is.
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
