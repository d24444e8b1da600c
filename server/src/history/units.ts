import { type Hex64, sipHash } from "@signalbox/core";
import { and, asc, eq, gt } from "drizzle-orm";
import type { Member } from "../store/model.ts";
import type { Database } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";

/** Rows of one page; others get their turn after each. */
const UNITS_PER_QUERY = 2_000;

/**
 * The clear units of a group's hashes, from the rows of today and from those that are kept for reverting, where today's go first. With
 * them come all that have left, which are remembered too. History itself holds hashes only.
 */
export async function unitsOf(
  db: Database,
  { id, hashKey }: { readonly id: number; readonly hashKey: string },
  wanted: ReadonlySet<Hex64>,
): Promise<Map<Hex64, Member>> {
  const found = new Map<Hex64, Member>();
  for (const table of [tables.formerMember, tables.groupMember]) {
    for (let after: string | undefined; ; ) {
      const { unit, state, at, by } = table;
      const rows = await db
        .select({ unit, state, at, by })
        .from(table)
        .where(and(eq(table.groupId, id), after === undefined ? undefined : gt(unit, after)))
        .orderBy(asc(unit))
        .limit(UNITS_PER_QUERY);
      for (const row of rows) {
        const hash = sipHash(hashKey, row.unit);
        if (wanted.has(hash) || row.state === "left") found.set(hash, row);
      }
      after = rows.at(-1)?.unit;
      if (rows.length < UNITS_PER_QUERY) break;
      await new Promise(setImmediate);
    }
  }
  return found;
}
