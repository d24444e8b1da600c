import { newSecret } from "./secrets.ts";
import type { Turns } from "./turns.ts";

/** OWASP's setting for argon2id: 19 MiB, two passes, one lane; about 50 ms. The type is argon2id by default. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

export interface Passwords {
  hash(password: string): Promise<string>;
  /**
   * `find` is asked for the hash when the turn has come. With none (an unknown name) it takes as long and is false, so that the time
   * tells nothing of which names exist.
   */
  verify(find: () => Promise<string | undefined>, password: string): Promise<boolean>;
}

/** Password hashing, in turns. The native module is loaded at the first use. */
export function createPasswords(turns: Turns): Passwords {
  let dummy: Promise<string> | undefined;
  const load = () => import("@node-rs/argon2");
  const hash = (password: string) => turns(async () => (await load()).hash(password, COST));
  function dummyHash(): Promise<string> {
    dummy ??= hash(newSecret()).catch((error: unknown) => {
      dummy = undefined; // Refused for lack of room: the next one tries again.
      throw error;
    });
    return dummy;
  }
  return {
    hash,
    async verify(find, password) {
      const other = await dummyHash();
      return turns(async () => {
        const stored = await find();
        const fits = await (await load()).verify(stored ?? other, password);
        return fits && stored !== undefined;
      });
    },
  };
}
