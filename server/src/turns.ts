import { setImmediate as nextTurn } from "node:timers/promises";

/** Between pieces of long work: undefined while it may go on at once. */
export type Turn = () => Promise<void> | undefined;

/** How long a piece of work holds the event loop before it lets others go on. */
export const TURN_MS = 10;

/** For long work outside of a write. Each task has its own, since it measures from its last pause. */
export function createTurn(): Turn {
  let since = performance.now();
  return () => {
    if (performance.now() - since < TURN_MS) return undefined;
    return nextTurn().then(() => {
      since = performance.now();
    });
  };
}
