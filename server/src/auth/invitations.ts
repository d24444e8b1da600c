import { and, desc, eq, gt, isNull, lt } from "drizzle-orm";
import { problem } from "../errors.ts";
import type { StoredGrant } from "../store/define.ts";
import type { Author } from "../store/origin.ts";
import type { Database, Tx } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import { accountNamed } from "./accounts.ts";
import type { AuthStore } from "./auth-store.ts";
import { grantsOf, putGrant } from "./grants.ts";
import { type Holder, mayGrant } from "./permissions.ts";
import { hashOf, newSecret } from "./secrets.ts";
import type { From, Sessions } from "./sessions.ts";

const { account, invitation } = tables;

const INVITED_MS_MAX = 7 * 24 * 3_600_000;
const RESET_MS_MAX = 24 * 3_600_000;
/** Those that are open. */
const INVITATIONS_MAX = 500;
/** Used, revoked and over ones are kept this long. */
const KEPT_MS_MAX = 30 * 24 * 3_600_000;

type Row = typeof invitation.$inferSelect;

export interface NewLink {
  readonly id: number;
  readonly secret: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** What a link is for: an account of one's own, or a new password for the one named. */
export interface Offer {
  readonly account: string | null;
  readonly by: string;
  readonly expiresAt: number;
  readonly grants: readonly StoredGrant[];
}

/** Links with which somebody names an account of their own, or gives their account a new password. Each works once. */
export interface Invitations {
  /** Those that are open and whose every role the asker might give too; newest first. */
  list(asker: Holder): Promise<Row[]>;
  /** Seven days. `name` is the account that vouches for it. Throws FORBIDDEN for more than the giver has. */
  create(
    giver: Holder,
    name: string,
    wanted: { readonly grants: readonly StoredGrant[]; readonly note: string },
    author: Author,
  ): Promise<NewLink>;
  /** Throws INVITATION_NOT_FOUND, also for one that the asker could not have made. */
  revoke(asker: Holder, id: number, author: Author): Promise<void>;
  /** A day; an earlier one of the same account holds no more. */
  createReset(name: string, author: Author): Promise<NewLink>;
  /** Throws INVITATION_INVALID. */
  preview(secret: string): Promise<Offer>;
  /** Uses the link up and signs in. Throws INVITATION_INVALID, ACCOUNT_EXISTS, VALIDATION_FAILED. */
  accept(
    secret: string,
    name: string | undefined,
    passwordHash: string,
    from: From,
  ): Promise<{ readonly name: string; readonly secret: string; readonly id: number }>;
}

interface InvitationsDeps {
  readonly store: AuthStore;
  readonly sessions: Sessions;
  readonly now: () => number;
  readonly changed: () => void;
}

const invalid = () => problem("INVITATION_INVALID", "The link was used already, was taken back, or is too old: ask for a new one.");

export function createInvitations({ store, sessions, now, changed }: InvitationsDeps): Invitations {
  const isOpen = () => and(isNull(invitation.usedAt), isNull(invitation.revokedAt), gt(invitation.expiresAt, now()));

  /** The open link with this secret, and what it offers. Throws INVITATION_INVALID. */
  async function offerOf(db: Database, secret: string): Promise<{ row: Row; offer: Offer }> {
    const [row] = await db
      .select()
      .from(invitation)
      .where(and(eq(invitation.hash, hashOf(secret)), isOpen()))
      .limit(1);
    if (!row) throw invalid();
    const [own] = row.accountId === null ? [] : await db.select().from(account).where(eq(account.id, row.accountId)).limit(1);
    if (!own) await demandVoucher(db, row);
    else if (own.disabledAt !== null) throw invalid();
    return { row, offer: { account: own?.name ?? null, by: row.by, expiresAt: row.expiresAt, grants: row.grants } };
  }

  /** Whoever made it must still be one who may give all of it: an admin who was let go leaves no way in behind. */
  async function demandVoucher(db: Database, { by, grants }: Row): Promise<void> {
    const [voucher] = await db.select().from(account).where(eq(account.name, by)).limit(1);
    const holder = voucher && voucher.disabledAt === null ? { grants: await grantsOf(db, voucher.id) } : undefined;
    if (!holder || !grants.every((one) => mayGrant(holder, one))) {
      throw problem("INVITATION_INVALID", "Whoever sent this invitation may not give these roles any more: ask for a new one.");
    }
  }

  async function insert(
    tx: Tx,
    row: Omit<typeof invitation.$inferInsert, "hash" | "createdAt" | "expiresAt">,
    msMax: number,
  ): Promise<NewLink> {
    const secret = newSecret();
    const createdAt = now();
    const expiresAt = createdAt + msMax;
    await tx.delete(invitation).where(lt(invitation.expiresAt, createdAt - KEPT_MS_MAX));
    const open = await tx.select({ id: invitation.id }).from(invitation).where(isOpen()).limit(INVITATIONS_MAX);
    if (open.length >= INVITATIONS_MAX) {
      throw problem("CONFLICT", `There are ${INVITATIONS_MAX} open invitations already; take back those that nobody uses.`);
    }
    const [made] = await tx
      .insert(invitation)
      .values({ ...row, hash: hashOf(secret), createdAt, expiresAt })
      .returning({ id: invitation.id });
    if (!made) throw new Error("the insert of an invitation returned no row");
    return { id: made.id, secret, createdAt, expiresAt };
  }

  async function makeAccount(tx: Tx, name: string, passwordHash: string, row: Row): Promise<number> {
    const at = now();
    const values = { name, passwordHash, createdAt: at, passwordAt: at };
    const [made] = await tx.insert(account).values(values).onConflictDoNothing().returning({ id: account.id });
    if (!made) throw problem("ACCOUNT_EXISTS", `The name "${name}" is taken; choose another.`);
    for (const one of row.grants) await putGrant(tx, made.id, one, { at, by: row.by });
    return made.id;
  }

  return {
    async list(asker) {
      const rows = await store.db
        .select()
        .from(invitation)
        .where(and(isOpen(), isNull(invitation.accountId)))
        .orderBy(desc(invitation.id));
      return rows.filter(({ grants }) => grants.every((one) => mayGrant(asker, one)));
    },
    async create(giver, name, { grants, note }, author) {
      if (!grants.every((one) => mayGrant(giver, one))) throw problem("FORBIDDEN", "Only an admin of a place gives roles there.");
      return store.transaction(async (tx) => {
        const link = await insert(tx, { note, grants, by: name }, INVITED_MS_MAX);
        const after = { note, grants: grants.map((one) => ({ ...one })), expiresAt: link.expiresAt };
        await store.audit(tx, { ...author, action: "invitation.create", target: `invitation ${link.id}`, after });
        return link;
      });
    },
    async revoke(asker, id, author) {
      await store.transaction(async (tx) => {
        const [found] = await tx
          .select()
          .from(invitation)
          .where(and(eq(invitation.id, id), isOpen(), isNull(invitation.accountId)))
          .limit(1);
        if (!found?.grants.every((one) => mayGrant(asker, one))) {
          throw problem("INVITATION_NOT_FOUND", `There is no open invitation ${id}; load the page again.`);
        }
        await tx.update(invitation).set({ revokedAt: now() }).where(eq(invitation.id, id));
        await store.audit(tx, { ...author, action: "invitation.revoke", target: `invitation ${id}`, before: { note: found.note } });
      });
    },
    createReset: (name, author) =>
      store.transaction(async (tx) => {
        const { id } = await accountNamed(tx, name);
        await tx
          .update(invitation)
          .set({ revokedAt: now() })
          .where(and(eq(invitation.accountId, id), isOpen()));
        const link = await insert(tx, { accountId: id, grants: [], by: author.by }, RESET_MS_MAX);
        await store.audit(tx, { ...author, action: "account.reset-link", target: name, after: { expiresAt: link.expiresAt } });
        return link;
      }),
    async preview(secret) {
      return (await offerOf(store.db, secret)).offer;
    },
    async accept(secret, given, passwordHash, from) {
      const signedIn = await store.transaction(async (tx) => {
        const { row, offer } = await offerOf(tx, secret);
        const name = offer.account ?? given;
        if (name === undefined) {
          throw problem("VALIDATION_FAILED", "An invitation needs a name for the account.", {
            issues: [{ path: "name", message: "a name is needed" }],
          });
        }
        const used = await tx
          .update(invitation)
          .set({ usedAt: now() })
          .where(and(eq(invitation.id, row.id), isNull(invitation.usedAt)))
          .returning({ id: invitation.id });
        if (used.length === 0) throw invalid();
        const origin = { by: name, target: name, address: from.address, requestId: from.requestId };
        const after = { via: "invitation", invitation: row.id };
        if (row.accountId !== null) {
          await tx.update(account).set({ passwordHash, passwordAt: now() }).where(eq(account.id, row.accountId));
          await sessions.endAll(tx, row.accountId);
          await store.audit(tx, { ...origin, action: "account.password", after });
        }
        const id = row.accountId ?? (await makeAccount(tx, name, passwordHash, row));
        if (row.accountId === null) {
          await store.audit(tx, {
            ...origin,
            action: "account.create",
            after: { ...after, grants: row.grants.map((one) => ({ ...one })) },
          });
        }
        return { id, name, secret: await sessions.start(tx, { id, name }, "invitation", from) };
      });
      changed();
      return signedIn;
    },
  };
}
