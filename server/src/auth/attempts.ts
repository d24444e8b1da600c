import { desc, eq, inArray, lt, sql } from "drizzle-orm";
import { problem } from "../errors.ts";
import type { Database, Tx } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { AuthStore } from "./auth-store.ts";
import { hashOf } from "./secrets.ts";

const { attempt } = tables;

/** Failures older than this are forgotten. */
const WINDOW_MS = 15 * 60_000;
/** So many failures are free: for one name, and for one address (which a whole office may share). */
const FREE = { account: 10, address: 50 } as const;
/**
 * Past them each further failure doubles the pause, up to this. The bound keeps guessing slower than one a minute, and keeps
 * somebody who fails on purpose from locking the owner of a name out for longer.
 */
const PAUSE_MS_MAX = 60_000;
/** Names and addresses that are remembered; past this those that failed longest ago are forgotten. */
const REMEMBERED_MAX = 10_000;

/** Failed attempts to sign in, kept in the database: a restart forgives nothing. */
export interface Attempts {
  /** A look that writes nothing: who has to wait costs no more than this. Throws TOO_MANY_ATTEMPTS with Retry-After. */
  check(name: string | undefined, address: string): Promise<void>;
  /**
   * Counts an attempt before it is made (many at once must not slip through). Throws as `check` does. Without a name (a one-time
   * link) only the address counts.
   */
  begin(name: string | undefined, address: string): Promise<void>;
  /** The attempt was right: its name starts anew, and its address gets this one back. */
  succeeded(tx: Tx, name: string | undefined, address: string): Promise<void>;
}

export function createAttempts(store: AuthStore, now: () => number): Attempts {
  const keysOf = (name: string | undefined, address: string) => [
    ...(name === undefined ? [] : [keyOf("account", name)]),
    keyOf("address", address),
  ];

  async function check(db: Database, name: string | undefined, address: string): Promise<void> {
    const rows = await db
      .select()
      .from(attempt)
      .where(inArray(attempt.key, keysOf(name, address)));
    const pause = Math.max(0, ...rows.map(pauseOf));
    if (pause === 0) return;
    const seconds = Math.ceil(pause / 1000);
    throw problem("TOO_MANY_ATTEMPTS", `Too many attempts to sign in have failed; try again in ${seconds} s.`, {
      headers: { "retry-after": String(seconds) },
    });
  }

  function pauseOf({ key, failures, at }: typeof attempt.$inferSelect): number {
    const free = key.startsWith("account:") ? FREE.account : FREE.address;
    if (now() - at > WINDOW_MS || failures < free) return 0;
    return at + Math.min(PAUSE_MS_MAX, 1_000 * 2 ** Math.min(failures - free, 10)) - now();
  }

  /** What is out of date goes, and the oldest of what is too many. */
  async function tidy(tx: Tx): Promise<void> {
    await tx.delete(attempt).where(lt(attempt.at, now() - WINDOW_MS));
    const [tooOld] = await tx.select({ at: attempt.at }).from(attempt).orderBy(desc(attempt.at)).limit(1).offset(REMEMBERED_MAX);
    if (tooOld) await tx.delete(attempt).where(lt(attempt.at, tooOld.at + 1));
  }

  return {
    check: (name, address) => check(store.db, name, address),
    // Urgent, as the session is that it may lead to.
    begin: (name, address) =>
      store.transaction(async (tx) => {
        await check(tx, name, address);
        await tidy(tx);
        for (const key of keysOf(name, address)) {
          await tx
            .insert(attempt)
            .values({ key, failures: 1, at: now() })
            .onConflictDoUpdate({ target: attempt.key, set: { failures: sql`${attempt.failures} + 1`, at: now() } });
        }
      }, true),
    async succeeded(tx, name, address) {
      if (name !== undefined) await tx.delete(attempt).where(eq(attempt.key, keyOf("account", name)));
      const key = keyOf("address", address);
      await tx
        .update(attempt)
        .set({ failures: sql`${attempt.failures} - 1` })
        .where(eq(attempt.key, key));
    },
  };
}

function keyOf(kind: keyof typeof FREE, value: string): string {
  return `${kind}:${hashOf(value)}`;
}
