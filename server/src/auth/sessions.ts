import { eq, lt, or } from "drizzle-orm";
import type { Tx } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { AuthStore } from "./auth-store.ts";
import { hashOf, newSecret } from "./secrets.ts";

const { account, session, signInLink } = tables;

/** A session ends when it was not used for this long, */
const SESSION_IDLE_MS_MAX = 12 * 3_600_000;
/** and in any case after this long. */
export const SESSION_MS_MAX = 7 * 24 * 3_600_000;
/** `seen_at` is written at most this often, so that reading pages does not write. */
const SEEN_EVERY_MS = 5 * 60_000;
const LINK_MS_MAX = 15 * 60_000;
/** Open links of one account; the oldest goes when there are more. */
const LINKS_MAX = 20;

export interface SessionAccount {
  readonly id: number;
  readonly name: string;
}

/** Browser sessions and one-time links. Only hashes of their secrets are stored. */
export function createSessions(store: AuthStore, now: () => number) {
  const isOver = (row: { createdAt: number; seenAt: number }) =>
    now() - row.createdAt > SESSION_MS_MAX || now() - row.seenAt > SESSION_IDLE_MS_MAX;

  return {
    /** Starts a session in the caller's transaction and returns its secret, which goes into the cookie and nowhere else. */
    async start(tx: Tx, who: SessionAccount, via: "password" | "link" | "setup"): Promise<string> {
      const secret = newSecret();
      const at = now();
      await tx.delete(session).where(or(lt(session.createdAt, at - SESSION_MS_MAX), lt(session.seenAt, at - SESSION_IDLE_MS_MAX)));
      await tx.insert(session).values({ hash: hashOf(secret), accountId: who.id, createdAt: at, seenAt: at });
      await store.audit(tx, { by: who.name, action: "session.create", target: who.name, after: { via } });
      return secret;
    },

    /** Whose session this is; undefined when it is unknown or over. `isUse` keeps it from becoming idle. */
    async find(secret: string, isUse: boolean): Promise<SessionAccount | undefined> {
      const hash = hashOf(secret);
      const [found] = await store.db
        .select({ id: account.id, name: account.name, createdAt: session.createdAt, seenAt: session.seenAt })
        .from(session)
        .innerJoin(account, eq(account.id, session.accountId))
        .where(eq(session.hash, hash))
        .limit(1);
      if (!found || isOver(found)) return undefined;
      if (isUse && now() - found.seenAt > SEEN_EVERY_MS) {
        // Only a note: a database that cannot be written must not keep anybody from reading or killing.
        await store
          .transaction(async (tx) => void (await tx.update(session).set({ seenAt: now() }).where(eq(session.hash, hash))))
          .catch(() => {});
      }
      return { id: found.id, name: found.name };
    },

    async end(secret: string): Promise<void> {
      const who = await this.find(secret, false);
      if (!who) return;
      await store.transaction(async (tx) => {
        await tx.delete(session).where(eq(session.hash, hashOf(secret)));
        await store.audit(tx, { by: who.name, action: "session.end", target: who.name });
      });
    },

    /** A secret that starts one session within 15 minutes. */
    async createLink(who: SessionAccount): Promise<{ secret: string; expiresAt: number }> {
      const secret = newSecret();
      const expiresAt = now() + LINK_MS_MAX;
      await store.transaction(async (tx) => {
        await tx.delete(signInLink).where(lt(signInLink.expiresAt, now()));
        const open = await tx.select().from(signInLink).where(eq(signInLink.accountId, who.id)).orderBy(signInLink.expiresAt);
        for (const old of open.slice(0, Math.max(0, open.length - LINKS_MAX + 1))) {
          await tx.delete(signInLink).where(eq(signInLink.hash, old.hash));
        }
        await tx.insert(signInLink).values({ hash: hashOf(secret), accountId: who.id, expiresAt });
        await store.audit(tx, { by: who.name, action: "sign-in-link.create", target: who.name });
      });
      return { secret, expiresAt };
    },

    /** Uses a link up, in the caller's transaction. Undefined when it is unknown, used or over. */
    async takeLink(tx: Tx, secret: string): Promise<SessionAccount | undefined> {
      const hash = hashOf(secret);
      const [found] = await tx
        .select({ id: account.id, name: account.name, expiresAt: signInLink.expiresAt })
        .from(signInLink)
        .innerJoin(account, eq(account.id, signInLink.accountId))
        .where(eq(signInLink.hash, hash))
        .limit(1);
      if (!found) return undefined;
      await tx.delete(signInLink).where(eq(signInLink.hash, hash));
      return found.expiresAt < now() ? undefined : { id: found.id, name: found.name };
    },
  };
}
