import { and, desc, eq, gt, isNull } from "drizzle-orm";
import type { Token, TokenCreated, TokenScope } from "../api-types.ts";
import { problem } from "../errors.ts";
import type { Identity } from "../http/route.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { AuthStore } from "./auth-store.ts";
import { grantsOf } from "./grants.ts";
import type { Grant } from "./permissions.ts";
import { hashOf, newToken, parseToken, sameHash } from "./secrets.ts";

const { account, token } = tables;

const DAY_MS = 24 * 3_600_000;
const DAYS_DEFAULT = 90;
/** `last_used_at` is written at most this often. */
const USED_EVERY_MS = 5 * 60_000;
/** Tokens that are neither revoked nor over. */
const TOKENS_MAX = 500;

/** Tokens for programs and the command line: `sb_<scope>_<selector>_<secret>`, stored as a hash, shown once. */
export function createTokens(store: AuthStore, now: () => number) {
  const live = () => and(isNull(token.revokedAt), gt(token.expiresAt, now()));
  const columns = {
    id: token.id,
    name: token.name,
    scope: token.scope,
    createdAt: token.createdAt,
    createdBy: account.name,
    expiresAt: token.expiresAt,
    lastUsedAt: token.lastUsedAt,
  };

  return {
    /** Those that still work, newest first. */
    list(): Token[] {
      return store.db
        .select(columns)
        .from(token)
        .innerJoin(account, eq(account.id, token.accountId))
        .where(live())
        .orderBy(desc(token.id))
        .limit(TOKENS_MAX)
        .all();
    },

    async create(by: Identity, wanted: { name: string; scope: TokenScope; days?: number | undefined }): Promise<TokenCreated> {
      const made = newToken(wanted.scope);
      const createdAt = now();
      const expiresAt = createdAt + (wanted.days ?? DAYS_DEFAULT) * DAY_MS;
      return store.transaction(async (tx) => {
        if (tx.select({ id: token.id }).from(token).where(live()).all().length >= TOKENS_MAX) {
          throw problem("CONFLICT", `There are ${TOKENS_MAX} tokens already; revoke those that nobody uses.`);
        }
        const row = { name: wanted.name, scope: wanted.scope, createdAt, expiresAt };
        const [inserted] = tx
          .insert(token)
          .values({ ...row, selector: made.selector, hash: hashOf(made.text), accountId: by.accountId })
          .returning({ id: token.id })
          .all();
        if (!inserted) throw new Error("the insert of a token returned no row");
        await store.audit(tx, {
          by: by.name,
          action: "token.create",
          target: `token ${inserted.id}`,
          after: { name: wanted.name, scope: wanted.scope, expiresAt },
        });
        return { id: inserted.id, ...row, createdBy: by.name, lastUsedAt: null, token: made.text };
      });
    },

    async revoke(by: Identity, id: number): Promise<void> {
      await store.transaction(async (tx) => {
        const [gone] = tx
          .update(token)
          .set({ revokedAt: now() })
          .where(and(eq(token.id, id), isNull(token.revokedAt)))
          .returning({ name: token.name, scope: token.scope })
          .all();
        if (!gone) throw problem("TOKEN_NOT_FOUND", `There is no token ${id}, or it is revoked already.`);
        await store.audit(tx, { by: by.name, action: "token.revoke", target: `token ${id}`, before: gone });
      });
    },

    /** Who sends this token. Throws TOKEN_INVALID, with the same sentence for every reason but expiry. */
    async identify(text: string): Promise<Identity> {
      const parsed = parseToken(text);
      const row = parsed && store.db.select().from(token).where(eq(token.selector, parsed.selector)).get();
      if (!row || !sameHash(row.hash, hashOf(text)) || row.revokedAt !== null) {
        throw problem("TOKEN_INVALID", "The token is unknown or was revoked; make a new one under Settings, Tokens.", challenge);
      }
      if (row.expiresAt <= now()) {
        const day = new Date(row.expiresAt).toISOString().slice(0, 10);
        throw problem("TOKEN_INVALID", `The token "${row.name}" expired on ${day}; make a new one under Settings, Tokens.`, challenge);
      }
      if (row.lastUsedAt === null || now() - row.lastUsedAt > USED_EVERY_MS) {
        // Only a note: a database that cannot be written must not keep anybody from reading or killing.
        await store.transaction((tx) => tx.update(token).set({ lastUsedAt: now() }).where(eq(token.id, row.id)).run()).catch(() => {});
      }
      const own: Grant = { role: row.scope, projectId: row.projectId, environmentId: row.environmentId, flags: row.flags };
      const owner = store.db.select({ name: account.name }).from(account).where(eq(account.id, row.accountId)).get();
      return {
        name: `${row.name} (token of ${owner?.name ?? "nobody"})`,
        accountId: row.accountId,
        via: "token",
        ...(row.kind === "service" ? { grants: [own] } : { grants: await grantsOf(store.db, row.accountId), limit: own }),
        selector: row.selector,
      };
    },
  };
}

const challenge = { headers: { "www-authenticate": 'Bearer realm="signalbox", error="invalid_token"' } };

export type Tokens = ReturnType<typeof createTokens>;
