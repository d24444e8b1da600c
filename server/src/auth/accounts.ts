import { and, asc, eq } from "drizzle-orm";
import { problem } from "../errors.ts";
import type { StoredGrant } from "../store/define.ts";
import type { Author } from "../store/origin.ts";
import type { Database, Tx } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { AuthStore } from "./auth-store.ts";
import { demandAdmin, putGrant } from "./grants.ts";
import { type Holder, mayGrant } from "./permissions.ts";
import type { Sessions } from "./sessions.ts";

const { account, grant, invitation, token } = tables;

export interface StoredAccount {
  readonly id: number;
  readonly name: string;
  readonly createdAt: number;
  readonly disabledAt: number | null;
  readonly seenAt: number | null;
  readonly grants: readonly (StoredGrant & { readonly id: number })[];
}

export interface Accounts {
  /** Everybody, by name, with all that they may. */
  list(): Promise<StoredAccount[]>;
  /** Throws ACCOUNT_NOT_FOUND. */
  find(name: string): Promise<StoredAccount>;
  nameOf(id: number): Promise<string>;
  /** The role takes the place of the one that they have at exactly this place. Throws FORBIDDEN for more than the giver has. */
  give(giver: Holder, name: string, given: StoredGrant, author: Author): Promise<void>;
  /** Throws GRANT_NOT_FOUND, also for a grant of a place of which the giver is no admin. */
  take(giver: Holder, name: string, grantId: number, author: Author): Promise<void>;
  /** A disabled account cannot sign in, and its sessions end. */
  setDisabled(name: string, disabled: boolean, author: Author): Promise<void>;
  /**
   * Everything that only this account had goes with it: sessions, roles, links, personal tokens. Tokens for services that it made pass
   * to the account `heirId`.
   */
  remove(name: string, heirId: number, author: Author): Promise<void>;
}

interface AccountsDeps {
  readonly store: AuthStore;
  readonly sessions: Pick<Sessions, "endAll">;
  readonly now: () => number;
  /** Called after each change of what somebody may. */
  readonly changed: () => void;
}

export function createAccounts({ store, sessions, now, changed }: AccountsDeps): Accounts {
  async function list(): Promise<StoredAccount[]> {
    const { id, name, createdAt, disabledAt, seenAt } = account;
    const rows = await store.db.select({ id, name, createdAt, disabledAt, seenAt }).from(account).orderBy(asc(account.name));
    const grants = new Map<number, StoredAccount["grants"][number][]>();
    for (const { accountId, at: _at, by: _by, ...one } of await store.db.select().from(grant).orderBy(asc(grant.id))) {
      grants.set(accountId, [...(grants.get(accountId) ?? []), one]);
    }
    return rows.map((row) => ({ ...row, grants: grants.get(row.id) ?? [] }));
  }

  async function write<T>(run: (tx: Tx) => Promise<T>): Promise<T> {
    const result = await store.transaction(run);
    changed();
    return result;
  }

  return {
    list,
    async find(name) {
      const found = (await list()).find((each) => each.name === name);
      if (!found) throw unknown(name);
      return found;
    },
    async nameOf(id) {
      const [found] = await store.db.select({ name: account.name }).from(account).where(eq(account.id, id)).limit(1);
      if (!found) throw problem("ACCOUNT_NOT_FOUND", "The account is gone.");
      return found.name;
    },
    give: (giver, name, given, author) =>
      write(async (tx) => {
        if (!mayGrant(giver, given)) throw problem("FORBIDDEN", "Only an admin of a place gives roles there.");
        const { id } = await accountNamed(tx, name);
        const before = await putGrant(tx, id, given, { at: now(), by: author.by });
        const row = { action: "account.grant", target: name, projectId: given.projectId, environmentId: given.environmentId };
        await store.audit(tx, { ...author, ...row, before: before ? { ...before } : null, after: { ...given } });
        await demandAdmin(tx);
      }),
    take: (giver, name, grantId, author) =>
      write(async (tx) => {
        const { id } = await accountNamed(tx, name);
        const own = and(eq(grant.id, grantId), eq(grant.accountId, id));
        const [found] = await tx.select().from(grant).where(own).limit(1);
        if (!found || !mayGrant(giver, found)) {
          throw problem("GRANT_NOT_FOUND", `"${name}" has no role ${grantId} that you may take away; load the page again.`);
        }
        await tx.delete(grant).where(own);
        const { role, projectId, environmentId } = found;
        const row = { action: "account.take", target: name, projectId, environmentId };
        await store.audit(tx, { ...author, ...row, before: { role, projectId, environmentId } });
        await demandAdmin(tx);
      }),
    setDisabled: (name, disabled, author) =>
      write(async (tx) => {
        const { id, disabledAt } = await accountNamed(tx, name);
        if (disabled === (disabledAt !== null)) return;
        await tx
          .update(account)
          .set({ disabledAt: disabled ? now() : null })
          .where(eq(account.id, id));
        if (disabled) await sessions.endAll(tx, id);
        await store.audit(tx, { ...author, action: disabled ? "account.disable" : "account.enable", target: name });
        await demandAdmin(tx);
      }),
    remove: (name, heirId, author) =>
      write(async (tx) => {
        const { id } = await accountNamed(tx, name);
        await removeAccount(tx, { id, name }, heirId);
        await store.audit(tx, { ...author, action: "account.delete", target: name });
        await demandAdmin(tx);
      }),
  };

  async function removeAccount(tx: Tx, { id, name }: { readonly id: number; readonly name: string }, heirId: number): Promise<void> {
    await sessions.endAll(tx, id);
    await tx.delete(grant).where(eq(grant.accountId, id));
    await tx.delete(invitation).where(eq(invitation.accountId, id));
    // Nobody can vouch for them any more, and the name stands nowhere else than in the history, from which it can be erased.
    await tx.delete(invitation).where(eq(invitation.by, name));
    await tx.update(grant).set({ by: "a deleted account" }).where(eq(grant.by, name));
    await tx.delete(token).where(and(eq(token.accountId, id), eq(token.kind, "personal")));
    const passed = await tx.update(token).set({ accountId: heirId }).where(eq(token.accountId, id)).returning({ id: token.id });
    if (passed.length > 0 && heirId === id) {
      throw problem(
        "CONFLICT",
        `"${name}" has made tokens for services, which pass to whoever deletes the account: sign in as another admin.`,
      );
    }
    await tx.delete(account).where(eq(account.id, id));
  }
}

/** Throws ACCOUNT_NOT_FOUND. */
export async function accountNamed(db: Database, name: string): Promise<typeof account.$inferSelect> {
  const [found] = await db.select().from(account).where(eq(account.name, name)).limit(1);
  if (!found) throw unknown(name);
  return found;
}

function unknown(name: string) {
  return problem("ACCOUNT_NOT_FOUND", `There is no account "${name}".`);
}
