import { problem } from "../errors.ts";
import { newSecret } from "./secrets.ts";

/** OWASP's setting for argon2id: 19 MiB, two passes, one lane; about 50 ms. The type is argon2id by default. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
/** Each hash takes 19 MiB, so a flood of sign-ins would be a memory bomb: this many run at once, */
const RUNNING_MAX = 4;
/** this many wait, and the next is answered 429. */
const WAITING_MAX = 50;

export interface Passwords {
  hash(password: string): Promise<string>;
  /** With no hash (an unknown name) it takes as long and is false, so that the time tells nothing of which names exist. */
  verify(hash: string | undefined, password: string): Promise<boolean>;
}

/** Password hashing, bounded. Throws the problem RATE_LIMITED when too many wait. The native module is loaded at the first use. */
export function createPasswords(): Passwords {
  const limit = createLimit();
  let dummy: Promise<string> | undefined;
  const load = () => import("@node-rs/argon2");
  const hash = (password: string) => limit(async () => (await load()).hash(password, COST));
  function dummyHash(): Promise<string> {
    dummy ??= hash(newSecret()).catch((error: unknown) => {
      dummy = undefined; // Refused for lack of room: the next one tries again.
      throw error;
    });
    return dummy;
  }
  return {
    hash,
    async verify(stored, password) {
      const against = stored ?? (await dummyHash());
      const fits = await limit(async () => (await load()).verify(against, password));
      return fits && stored !== undefined;
    },
  };
}

function createLimit() {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
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
