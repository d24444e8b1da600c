import { and, eq, isNull } from "drizzle-orm";
import { problem } from "../errors.ts";
import { statement } from "../store/database.ts";
import type { StoredGrant } from "../store/define.ts";
import type { Database, Tx } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { AuthStore } from "./auth-store.ts";
import { ADMIN_OF_EVERYTHING } from "./permissions.ts";

const { account, grant, meta } = tables;

/** The row of `meta` that says that accounts have grants. An account that lost all of its own must not get any back at the next start. */
const DONE = "accounts-have-grants";

/** Accounts of versions that knew no roles could do everything: they get the grant that says so, once. */
export async function grantOld(store: AuthStore, now: () => number): Promise<void> {
  const isDone = async (db: Database) => (await db.select().from(meta).where(eq(meta.key, DONE)).limit(1)).length > 0;
  if (await isDone(store.db)) return;
  await store.transaction(async (tx) => {
    if (await isDone(tx)) return; // Another node was quicker.
    for (const { id, name } of await tx.select().from(account)) {
      if ((await grantsOf(tx, id)).length > 0) continue;
      await putGrant(tx, id, ADMIN_OF_EVERYTHING, { at: now(), by: "signalbox" });
      await store.audit(tx, { by: "signalbox", action: "account.grant", target: name, after: { grants: [ADMIN_OF_EVERYTHING] } });
    }
    await tx.insert(meta).values({ key: DONE, value: "yes" });
  });
}

const selectGrants = statement(["accountId"], (db, { accountId }: { accountId: number }) =>
  db
    .select({ role: grant.role, projectId: grant.projectId, environmentId: grant.environmentId })
    .from(grant)
    .where(eq(grant.accountId, accountId)),
);

/** What an account may, as it is now. */
export async function grantsOf(db: Database, accountId: number): Promise<StoredGrant[]> {
  return selectGrants(db, { accountId });
}

/** Gives a role; it takes the place of the role that the account has at exactly this place. Returns that one. */
export async function putGrant(
  tx: Tx,
  accountId: number,
  { role, projectId, environmentId }: StoredGrant,
  { at, by }: { readonly at: number; readonly by: string },
): Promise<StoredGrant | undefined> {
  const [before] = await tx
    .delete(grant)
    .where(
      and(
        eq(grant.accountId, accountId),
        projectId === null ? isNull(grant.projectId) : eq(grant.projectId, projectId),
        environmentId === null ? isNull(grant.environmentId) : eq(grant.environmentId, environmentId),
      ),
    )
    .returning({ role: grant.role, projectId: grant.projectId, environmentId: grant.environmentId });
  await tx.insert(grant).values({ accountId, role, projectId, environmentId, at, by });
  return before;
}

/** Behind every change that takes something away: throws LAST_ADMIN, which undoes it, if nobody is left who may do everything. */
export async function demandAdmin(tx: Tx): Promise<void> {
  // Two nodes that take one admin each at once: the second waits here, and then sees what the first has done.
  await tx.update(meta).set({ value: "yes" }).where(eq(meta.key, DONE));
  const [left] = await tx
    .select({ id: grant.id })
    .from(grant)
    .innerJoin(account, eq(account.id, grant.accountId))
    .where(and(eq(grant.role, "admin"), isNull(grant.projectId), isNull(grant.environmentId), isNull(account.disabledAt)))
    .limit(1);
  if (!left) throw problem("LAST_ADMIN", "This is the last admin of everything: make somebody else one first.");
}
