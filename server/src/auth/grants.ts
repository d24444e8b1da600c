import { eq } from "drizzle-orm";
import type { StoredGrant } from "../store/define.ts";
import type { Database } from "../store/rows.ts";
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
    const at = now();
    for (const { id, name } of await tx.select().from(account)) {
      if ((await grantsOf(tx, id)).length > 0) continue;
      await tx.insert(grant).values({ ...ADMIN_OF_EVERYTHING, accountId: id, at, by: "signalbox" });
      await store.audit(tx, { by: "signalbox", action: "account.grant", target: name, after: { grants: [ADMIN_OF_EVERYTHING] } });
    }
    await tx.insert(meta).values({ key: DONE, value: "yes" });
  });
}

/** What an account may, as it is now. */
export async function grantsOf(db: Database, accountId: number): Promise<StoredGrant[]> {
  return db
    .select({ role: grant.role, projectId: grant.projectId, environmentId: grant.environmentId })
    .from(grant)
    .where(eq(grant.accountId, accountId));
}
