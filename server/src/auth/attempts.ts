import { problem } from "../errors.ts";

/** Failures older than this are forgotten. */
const WINDOW_MS = 15 * 60_000;
/** So many failures are free: for one name, and for one address (which a whole office may share). */
const FREE = { name: 10, address: 50 } as const;
/**
 * Past them each further failure doubles the pause, up to this. The bound keeps guessing slower than one a minute, and keeps
 * somebody who fails on purpose from locking the owner of a name out for longer.
 */
const PAUSE_MS_MAX = 60_000;
/** Names and addresses that are remembered; past this the one that failed longest ago is forgotten. */
const REMEMBERED_MAX = 10_000;

interface Failures {
  count: number;
  last: number;
}

export interface Attempts {
  /**
   * Counts an attempt before it is made (many at once must not slip through). Throws TOO_MANY_ATTEMPTS with Retry-After.
   * Without a name (a one-time link) only the address counts.
   */
  begin(name: string | undefined, address: string): void;
  /** The attempt was right: its name starts anew, and its address gets this one back. */
  succeeded(name: string | undefined, address: string): void;
}

export function createAttempts(now: () => number): Attempts {
  const failures = new Map<string, Failures>();

  function pauseOf(key: string, free: number): number {
    const known = failures.get(key);
    if (!known || now() - known.last > WINDOW_MS || known.count < free) return 0;
    return known.last + Math.min(PAUSE_MS_MAX, 1_000 * 2 ** Math.min(known.count - free, 10)) - now();
  }

  function count(key: string): void {
    const known = failures.get(key);
    const fresh = known && now() - known.last <= WINDOW_MS ? known.count : 0;
    failures.delete(key); // Insertion order is the order of the last failure.
    failures.set(key, { count: fresh + 1, last: now() });
    if (failures.size > REMEMBERED_MAX) {
      const [oldest] = failures.keys();
      if (oldest !== undefined) failures.delete(oldest);
    }
  }

  return {
    begin(name, address) {
      const pause = Math.max(name === undefined ? 0 : pauseOf(`name ${name}`, FREE.name), pauseOf(`address ${address}`, FREE.address));
      if (pause > 0) {
        const seconds = Math.ceil(pause / 1000);
        throw problem("TOO_MANY_ATTEMPTS", `Too many attempts to sign in have failed; try again in ${seconds} s.`, {
          headers: { "retry-after": String(seconds) },
        });
      }
      if (name !== undefined) count(`name ${name}`);
      count(`address ${address}`);
    },
    succeeded(name, address) {
      if (name !== undefined) failures.delete(`name ${name}`);
      const known = failures.get(`address ${address}`);
      if (known) known.count -= 1;
    },
  };
}
