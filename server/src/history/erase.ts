import { and, eq } from "drizzle-orm";
import { problem } from "../errors.ts";
import { changeMembers } from "../groups/decide.ts";
import { forgetAnswers } from "../store/idempotency.ts";
import type { Member } from "../store/model.ts";
import type { Author } from "../store/origin.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { Store } from "../store/store.ts";
import type { Usage } from "../usage/usage.ts";

export interface Erased {
  readonly names: number;
  /** "default/production/beta" */
  readonly groups: string[];
}

/**
 * Erases a person. A name: whatever they did is then told of "erased" and a few digits, the same ones everywhere. A unit: it leaves every
 * list and every program for early access, that it ever was in one is forgotten, and so are sampled contexts that hold it; what remains are hashes. Throws CONFLICT, VALIDATION_FAILED.
 */
export async function erase(
  store: Store,
  { name, unit }: { readonly name?: string | undefined; readonly unit?: string | undefined },
  author: Author,
  samples: Pick<Usage, "eraseSamples">,
): Promise<Erased> {
  if (name !== undefined && unit === undefined) return { names: await eraseName(store, name, author), groups: [] };
  if (name === undefined && unit !== undefined) return { names: 0, groups: await eraseUnit(store, unit, author, samples) };
  throw problem(
    "VALIDATION_FAILED",
    'The body needs either "name", of an account that is deleted, or "unit", the key of a person in groups.',
  );
}

async function eraseName(store: Store, name: string, author: Author): Promise<number> {
  const { account } = tables;
  const [live] = await store.db.select({ id: account.id }).from(account).where(eq(account.name, name)).limit(1);
  if (live) throw problem("CONFLICT", `"${name}" has an account; delete it first, then erase the name.`);
  return store.eraseName(name, author);
}

async function eraseUnit(store: Store, unit: string, author: Author, samples: Pick<Usage, "eraseSamples">): Promise<string[]> {
  const { formerMember, groupMember } = tables;
  const found: string[] = [];
  for (const project of store.projects()) {
    for (const { info, groups } of project.environments) {
      for (const { id, key } of groups.values()) {
        const here = and(eq(groupMember.groupId, id), eq(groupMember.unit, unit));
        const [row] = await store.db.select().from(groupMember).where(here);
        if (!row) continue;
        found.push(`${project.key}/${info.key}/${key}`);
        if (row.state !== "member") continue;
        await store.write({ ...author, project: project.key }, async (current, tx) => {
          const [{ groupId: _group, ...member } = { groupId: 0 }] = await tx.select().from(groupMember).where(here);
          const known = new Map("unit" in member ? [[unit, member satisfies Member]] : []);
          return changeMembers(current, info.key, key, { add: [], remove: [unit] }, known, "group.members");
        });
      }
    }
  }
  const sampled = await samples.eraseSamples(unit);
  await store.transaction(async (tx) => {
    // Whoever came back in this moment is a member like any other, and stays one.
    const left = await tx
      .delete(groupMember)
      .where(and(eq(groupMember.unit, unit), eq(groupMember.state, "left")))
      .returning({ unit: groupMember.unit });
    const former = await tx.delete(formerMember).where(eq(formerMember.unit, unit)).returning({ unit: formerMember.unit });
    await forgetAnswers(tx);
    if (left.length + former.length + found.length + sampled === 0) return;
    await store.audit(tx, { ...author, action: "person.erase", target: "a unit", after: { groups: found } });
  });
  return found;
}
