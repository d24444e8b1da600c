import { and, desc, eq, lt, ne, or } from "drizzle-orm";
import type { OwnSession } from "../api-types.ts";
import { problem } from "../errors.ts";
import { statement } from "../store/database.ts";
import type { Origin } from "../store/origin.ts";
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
const AGENT_CHARACTERS_MAX = 200;

export interface SessionAccount {
  readonly id: number;
  readonly name: string;
}

/** From where somebody signs in; `agent` is what their browser calls itself. */
export interface From extends Origin {
  readonly address: string;
  readonly agent?: string | undefined;
}

const selectSession = statement(["hash"], (db, { hash }: { hash: string }) =>
  db
    .select({ id: account.id, name: account.name, disabledAt: account.disabledAt, createdAt: session.createdAt, seenAt: session.seenAt })
    .from(session)
    .innerJoin(account, eq(account.id, session.accountId))
    .where(eq(session.hash, hash))
    .limit(1),
);

/** Browser sessions and one-time links. Only hashes of their secrets are stored. */
export function createSessions(store: AuthStore, now: () => number) {
  const isOver = (row: { createdAt: number; seenAt: number }) =>
    now() - row.createdAt > SESSION_MS_MAX || now() - row.seenAt > SESSION_IDLE_MS_MAX;

  async function find(hash: string): Promise<(SessionAccount & { seenAt: number }) | undefined> {
    const [found] = await selectSession(store.db, { hash });
    return found && !isOver(found) && found.disabledAt === null ? { id: found.id, name: found.name, seenAt: found.seenAt } : undefined;
  }

  return {
    /** Starts a session in the caller's transaction and returns its secret, which goes into the cookie and nowhere else. */
    async start(tx: Tx, who: SessionAccount, via: "password" | "link" | "setup" | "invitation", from?: From): Promise<string> {
      const secret = newSecret();
      const at = now();
      await tx.delete(session).where(or(lt(session.createdAt, at - SESSION_MS_MAX), lt(session.seenAt, at - SESSION_IDLE_MS_MAX)));
      const agent = from?.agent?.slice(0, AGENT_CHARACTERS_MAX);
      await tx.insert(session).values({
        hash: hashOf(secret),
        accountId: who.id,
        createdAt: at,
        seenAt: at,
        address: from?.address ?? null,
        agent: agent ?? null,
      });
      await tx.update(account).set({ seenAt: at }).where(eq(account.id, who.id));
      const origin = { address: from?.address, requestId: from?.requestId };
      await store.audit(tx, { ...origin, by: who.name, action: "session.create", target: who.name, after: { via } });
      return secret;
    },

    /** Whose session this is; undefined when it is unknown or over. `isUse` keeps it from becoming idle. */
    async find(secret: string, isUse: boolean): Promise<SessionAccount | undefined> {
      const hash = hashOf(secret);
      const found = await find(hash);
      if (!found) return undefined;
      if (isUse && now() - found.seenAt > SEEN_EVERY_MS) {
        const at = now();
        await store
          .transaction(async (tx) => {
            await tx.update(session).set({ seenAt: at }).where(eq(session.hash, hash));
            await tx.update(account).set({ seenAt: at }).where(eq(account.id, found.id));
          })
          // Only a note: a database that cannot be written must not keep anybody from reading or killing.
          .catch(() => {});
      }
      return { id: found.id, name: found.name };
    },

    async end(secret: string, origin: Origin = {}): Promise<void> {
      const who = await find(hashOf(secret));
      if (!who) return;
      await store.transaction(async (tx) => {
        await tx.delete(session).where(eq(session.hash, hashOf(secret)));
        await store.audit(tx, { ...origin, by: who.name, action: "session.end", target: who.name });
      });
    },

    /** The sessions of an account that are not over, newest first. `current` is the secret of the one that asks. */
    async list(accountId: number, current: string | undefined): Promise<OwnSession[]> {
      const rows = await store.db.select().from(session).where(eq(session.accountId, accountId)).orderBy(desc(session.createdAt));
      return rows
        .filter((row) => !isOver(row))
        .map(({ hash, createdAt, seenAt, address, agent }) => {
          return { id: idOf(hash), createdAt, seenAt, address, agent, current: current !== undefined && hashOf(current) === hash };
        });
    },

    /** Ends one session of an account by its id. Throws SESSION_NOT_FOUND. */
    async endOne(who: SessionAccount, id: string, origin: Origin): Promise<void> {
      await store.transaction(async (tx) => {
        const rows = await tx.select().from(session).where(eq(session.accountId, who.id));
        const gone = rows.find(({ hash }) => idOf(hash) === id);
        if (!gone) throw problem("SESSION_NOT_FOUND", `You have no session ${id}, or it is over already; load the list again.`);
        await tx.delete(session).where(eq(session.hash, gone.hash));
        await store.audit(tx, { ...origin, by: who.name, action: "session.end", target: who.name, after: { session: id } });
      });
    },

    /** In the caller's transaction: ends every session and open link of an account, but the session with this secret. */
    async endAll(tx: Tx, accountId: number, but?: string): Promise<void> {
      const kept = but === undefined ? undefined : ne(session.hash, hashOf(but));
      await tx.delete(session).where(and(eq(session.accountId, accountId), kept));
      await tx.delete(signInLink).where(eq(signInLink.accountId, accountId));
    },

    /** A secret that starts one session within 15 minutes. */
    async createLink(who: SessionAccount, origin: Origin): Promise<{ secret: string; expiresAt: number }> {
      const secret = newSecret();
      const expiresAt = now() + LINK_MS_MAX;
      await store.transaction(async (tx) => {
        await tx.delete(signInLink).where(lt(signInLink.expiresAt, now()));
        const open = await tx.select().from(signInLink).where(eq(signInLink.accountId, who.id)).orderBy(signInLink.expiresAt);
        for (const old of open.slice(0, Math.max(0, open.length - LINKS_MAX + 1))) {
          await tx.delete(signInLink).where(eq(signInLink.hash, old.hash));
        }
        await tx.insert(signInLink).values({ hash: hashOf(secret), accountId: who.id, expiresAt });
        await store.audit(tx, { ...origin, by: who.name, action: "sign-in-link.create", target: who.name });
      });
      return { secret, expiresAt };
    },

    /** Uses a link up, in the caller's transaction. Undefined when it is unknown, used or over. */
    async takeLink(tx: Tx, secret: string): Promise<SessionAccount | undefined> {
      const hash = hashOf(secret);
      const [found] = await tx
        .select({ id: account.id, name: account.name, disabledAt: account.disabledAt, expiresAt: signInLink.expiresAt })
        .from(signInLink)
        .innerJoin(account, eq(account.id, signInLink.accountId))
        .where(eq(signInLink.hash, hash))
        .limit(1);
      if (!found) return undefined;
      await tx.delete(signInLink).where(eq(signInLink.hash, hash));
      return found.expiresAt < now() || found.disabledAt !== null ? undefined : { id: found.id, name: found.name };
    },
  };
}

export type Sessions = ReturnType<typeof createSessions>;

/** Names a session to its owner; no secret. */
function idOf(hash: string): string {
  return hash.slice(0, 12);
}
