import type { Json } from "@signalbox/core";
import { asc, count, desc, eq, getTableColumns, gt } from "drizzle-orm";
import { z } from "zod";
import { type Database, insertMany, lockAudit, statement, type Tx } from "./database.ts";
import { canonicalJson, sha256 } from "./fingerprint.ts";
import type { Origin } from "./origin.ts";
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

const { id: made, ...COLUMNS } = getTableColumns(tables.audit);

const insertAudit = statement(Object.keys(COLUMNS) as (keyof typeof COLUMNS)[], (tx, row: Omit<typeof tables.audit.$inferSelect, "id">) =>
  tx
    .insert(tables.audit)
    .values({ ...row })
    .returning({ id: made }),
);

const selectNote = statement(["key"], (db, { key }: { key: string }) =>
  db.select({ value: tables.meta.value }).from(tables.meta).where(eq(tables.meta.key, key)),
);

/** What the first row's `previousHash` is. */
const GENESIS = "0".repeat(64);

/** In `meta`: how many rows there are and the hash of the newest, so that rows which are cut off at the end are missed. */
const HEAD_KEY = "audit";
const head = z.object({ rows: z.number().int().min(0), hash: z.string() });
export type AuditHead = z.infer<typeof head>;

/**
 * Appends a row, chained by hash to the one before: a row cannot be changed or taken out without all later hashes telling. Returns its id.
 * People are named as they are given: the store puts keys in the place of their names (see `actors.ts`).
 */
export async function appendAudit(tx: Tx, row: AuditRow & { readonly at: number }): Promise<number> {
  await lockAudit(tx);
  const { rows, hash: previousHash } = (await readHead(tx)) ?? (await countRows(tx));
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
  const hash = hashOf(previousHash, content);
  const [made] = await insertAudit(tx, { ...content, previousHash, hash });
  if (!made) throw new RangeError("the audit row was not made");
  await writeHead(tx, { rows: rows + 1, hash });
  return made.id;
}

/** Notes the newest row of a database whose version noted none. */
export async function noteAuditHead(tx: Tx): Promise<void> {
  if (!(await readHead(tx))) await writeHead(tx, await countRows(tx));
}

/** The newest row as it was noted when it was written; undefined where a version wrote it that noted none. */
export async function readHead(db: Database | Tx): Promise<AuditHead | undefined> {
  const [row] = await selectNote(db, { key: HEAD_KEY });
  return row && head.parse(JSON.parse(row.value));
}

async function writeHead(tx: Tx, note: AuditHead): Promise<void> {
  await insertMany(tx, tables.meta, [{ key: HEAD_KEY, value: JSON.stringify(note) }], { target: [tables.meta.key], update: ["value"] });
}

async function countRows(tx: Tx): Promise<AuditHead> {
  const [counted] = await tx.select({ rows: count() }).from(tables.audit);
  const [last] = await tx.select({ hash: tables.audit.hash }).from(tables.audit).orderBy(desc(tables.audit.id)).limit(1);
  return { rows: counted?.rows ?? 0, hash: last?.hash ?? GENESIS };
}

export interface AuditCheck {
  /** How many rows there are. */
  readonly rows: number;
  /** The hash of the newest: kept elsewhere, it proves later that nothing up to it was written anew. */
  readonly head: string;
  /** What is wrong first; null when nothing is. `id` is null where no row is there to name. */
  readonly problem: { readonly id: number | null; readonly what: string } | null;
  /** Whether the hash that was asked for is one of the chain. */
  readonly known: boolean;
}

const ROWS_PER_QUERY = 500;

/**
 * Goes through the whole chain: finds a row that was changed, taken out or moved, and rows that were cut off at the end. Somebody who writes
 * the file can make the whole chain anew with its note; that is found only by `known`, a hash that was kept elsewhere.
 */
export async function verifyAudit(db: Database, known?: string): Promise<AuditCheck> {
  // Read first: rows that are written meanwhile come after it.
  const note = await readHead(db);
  let previous = GENESIS;
  let rows = 0;
  let isKnown = known === undefined || known === GENESIS;
  const wrong = (id: number | null, what: string): AuditCheck => ({ rows, head: previous, known: isKnown, problem: { id, what } });
  for (let after = 0; ; ) {
    const page = await db.select().from(tables.audit).where(gt(tables.audit.id, after)).orderBy(asc(tables.audit.id)).limit(ROWS_PER_QUERY);
    for (const { id, hash, previousHash, ...content } of page) {
      if (previousHash !== previous) return wrong(id, "it does not follow the row before it: rows were taken out or moved");
      if (hash !== hashOf(previousHash, content)) return wrong(id, "it is not what was written");
      previous = hash;
      rows += 1;
      isKnown ||= hash === known;
      if (rows === note?.rows && hash !== note.hash) return wrong(id, "it is not the row that was noted when it was written");
    }
    after = page.at(-1)?.id ?? after;
    if (page.length < ROWS_PER_QUERY) break;
    await new Promise(setImmediate);
  }
  if (note && rows < note.rows) return wrong(null, `there are ${rows} rows and ${note.rows} were written: the newest were cut off`);
  const later = await readHead(db);
  if (later && rows > later.rows) return wrong(null, `there are ${rows} rows and ${later.rows} were written: somebody has added some`);
  if (!isKnown) return wrong(null, "the hash that was kept is of no row: the chain was written anew, or it is of another database");
  return { rows, head: previous, known: true, problem: null };
}

/** The id of the first audit row that does not fit the chain, 0 if rows are missing at the end; undefined if all is as it was written. */
export async function brokenAuditRow(db: Database): Promise<number | undefined> {
  const { problem } = await verifyAudit(db);
  return problem ? (problem.id ?? 0) : undefined;
}

/** Where a row came from counts where it is known: rows of versions that did not keep it have the hash that they had. */
function hashOf(previousHash: string, { token, address, requestId, ...content }: Hashed): string {
  const origin = { ...(token !== null && { token }), ...(address !== null && { address }), ...(requestId !== null && { requestId }) };
  return sha256(`${previousHash}\n${canonicalJson({ ...content, ...origin })}`);
}

type Hashed = Omit<typeof tables.audit.$inferSelect, "id" | "hash" | "previousHash">;
