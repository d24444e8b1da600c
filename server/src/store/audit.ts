import type { Json } from "@signalbox/core";
import { asc, desc } from "drizzle-orm";
import { canonicalJson, sha256 } from "./fingerprint.ts";
import type { Origin } from "./origin.ts";
import type { Database, Tx } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";

/** One row of the audit. `before` and `after` never hold secrets, and units only as hashes. */
export interface AuditRow extends Origin {
  readonly at?: number;
  readonly by: string;
  readonly action: string;
  readonly target: string;
  readonly projectId?: number | null;
  readonly environmentId?: number | null;
  readonly revision?: number | null;
  readonly reason?: string | null | undefined;
  readonly before?: Json;
  readonly after?: Json;
}

/** What the first row's `previousHash` is. */
const GENESIS = "0".repeat(64);

/** Appends a row, chained by hash to the one before: a row cannot be changed or taken out without all later hashes telling. Returns its id. */
export async function appendAudit(tx: Tx, row: AuditRow & { readonly at: number }): Promise<number> {
  const [last] = await tx.select({ hash: tables.audit.hash }).from(tables.audit).orderBy(desc(tables.audit.id)).limit(1);
  const previousHash = last?.hash ?? GENESIS;
  const content = {
    at: row.at,
    by: row.by,
    action: row.action,
    target: row.target,
    projectId: row.projectId ?? null,
    environmentId: row.environmentId ?? null,
    revision: row.revision ?? null,
    reason: row.reason ?? null,
    before: row.before ?? null,
    after: row.after ?? null,
    token: row.token ?? null,
    address: row.address ?? null,
    requestId: row.requestId ?? null,
  };
  const [made] = await tx
    .insert(tables.audit)
    .values({ ...content, previousHash, hash: hashOf(previousHash, content) })
    .returning({ id: tables.audit.id });
  if (!made) throw new RangeError("the audit row was not made");
  return made.id;
}

/** The id of the first audit row that does not fit the chain; undefined if all do. */
export async function brokenAuditRow(db: Database): Promise<number | undefined> {
  let previous = GENESIS;
  for (const { id, hash, previousHash, ...content } of await db.select().from(tables.audit).orderBy(asc(tables.audit.id))) {
    if (previousHash !== previous || hash !== hashOf(previousHash, content)) return id;
    previous = hash;
  }
  return undefined;
}

/** Where a row came from counts where it is known: rows of versions that did not keep it have the hash that they had. */
function hashOf(previousHash: string, { token, address, requestId, ...content }: Hashed): string {
  const origin = { ...(token !== null && { token }), ...(address !== null && { address }), ...(requestId !== null && { requestId }) };
  return sha256(`${previousHash}\n${canonicalJson({ ...content, ...origin })}`);
}

type Hashed = Omit<typeof tables.audit.$inferSelect, "id" | "hash" | "previousHash">;
