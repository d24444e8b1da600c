import { and, eq, isNotNull } from "drizzle-orm";
import type { Actors } from "./actors.ts";
import { forgetAnswers } from "./idempotency.ts";
import type { Tx } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";

/**
 * Erases a name and those of its tokens, wherever somebody is named for what they did. The audit and the records of changes hold keys, so
 * they stay byte for byte what they were. Returns how many names there were.
 */
export async function eraseNames(tx: Tx, actors: Actors, name: string, at: number): Promise<number> {
  const { actor } = tables;
  await actors.keyOf(tx, name);
  const rows = (await tx.select().from(actor)).filter((row) => row.name === name || row.name.endsWith(` (token of ${name})`));
  for (const { key, name: was } of rows) {
    const erased = `erased ${key.slice(1, 7)}`;
    await tx.update(actor).set({ name: erased, erasedAt: at }).where(eq(actor.key, key));
    await replace(tx, was, erased);
  }
  await forgetAnswers(tx);
  return rows.length;
}

async function replace(tx: Tx, was: string, erased: string): Promise<void> {
  const { changeSet, flag, flagConfiguration, flagTombstone, formerMember, grant, group, groupMember, invitation, receipt, sdkKey } =
    tables;
  await tx.update(changeSet).set({ by: erased }).where(eq(changeSet.by, was));
  await tx.update(flag).set({ createdBy: erased }).where(eq(flag.createdBy, was));
  await tx.update(flagConfiguration).set({ updatedBy: erased }).where(eq(flagConfiguration.updatedBy, was));
  await tx.update(flagTombstone).set({ deletedBy: erased }).where(eq(flagTombstone.deletedBy, was));
  await tx.update(group).set({ updatedBy: erased }).where(eq(group.updatedBy, was));
  await tx.update(groupMember).set({ by: erased }).where(eq(groupMember.by, was));
  await tx.update(formerMember).set({ by: erased }).where(eq(formerMember.by, was));
  await tx.update(grant).set({ by: erased }).where(eq(grant.by, was));
  await tx.update(invitation).set({ by: erased }).where(eq(invitation.by, was));
  await tx.update(sdkKey).set({ createdBy: erased }).where(eq(sdkKey.createdBy, was));
  for (const { environmentId, revision, body } of await tx.select().from(receipt)) {
    if (typeof body !== "object" || body === null || !("by" in body) || body.by !== was) continue;
    await tx
      .update(receipt)
      .set({ body: { ...body, by: erased } })
      .where(and(eq(receipt.environmentId, environmentId), eq(receipt.revision, revision)));
  }
  for (const { flagId, environmentId, killed } of await tx.select().from(flagConfiguration).where(isNotNull(flagConfiguration.killed))) {
    if (killed?.by !== was) continue;
    await tx
      .update(flagConfiguration)
      .set({ killed: { ...killed, by: erased } })
      .where(and(eq(flagConfiguration.flagId, flagId), eq(flagConfiguration.environmentId, environmentId)));
  }
}
