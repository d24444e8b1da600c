import type { Json } from "@signalbox/core";
import { and, asc, desc, eq, exists, gt, gte, inArray, isNotNull, like, lt, lte, or, type SQL, sql } from "drizzle-orm";
import { auditWithNames, type NameOf, readNames } from "../store/actors.ts";
import type { Database } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import { actionWords } from "./words.ts";

const { actor, audit, changeItem } = tables;

export interface AuditFilter {
  readonly projectId?: number | undefined;
  readonly environmentId?: number | undefined;
  /** By its id: also what was done to it under other keys, and with others. */
  readonly flagId?: number | undefined;
  readonly who?: string | undefined;
  /** `flag.kill`, or `flag.*` for all that begins like it. */
  readonly action?: string | undefined;
  readonly target?: string | undefined;
  /** Milliseconds since 1970, inclusive. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** In the reason, the target or the action. */
  readonly text?: string | undefined;
}

export interface AuditLine {
  readonly id: number;
  readonly at: number;
  readonly by: string;
  readonly action: string;
  readonly target: string;
  /** "killed new-checkout" */
  readonly words: string;
  readonly projectId: number | null;
  readonly environmentId: number | null;
  readonly revision: number | null;
  readonly reason: string | null;
  readonly before: Json;
  readonly after: Json;
  readonly token: string | null;
  readonly address: string | null;
  readonly requestId: string | null;
}

/** The newest rows that fit, newest first, below the id `before`. */
export async function readAudit(
  db: Database,
  filter: AuditFilter,
  page: { readonly before?: number | undefined; readonly limit: number },
): Promise<AuditLine[]> {
  const rows = await db
    .select()
    .from(audit)
    .where(and(await conditionOf(db, filter), page.before === undefined ? undefined : lt(audit.id, page.before)))
    .orderBy(desc(audit.id))
    .limit(page.limit);
  const nameOf = await readNames(db);
  return rows.map((row) => lineOf(row, nameOf));
}

const ROWS_PER_QUERY = 500;

/** All rows that fit, oldest first, a page at a time: an export holds no more in memory. */
export async function* walkAudit(db: Database, filter: AuditFilter): AsyncGenerator<AuditLine[]> {
  const condition = await conditionOf(db, filter);
  const nameOf = await readNames(db);
  for (let after = 0; ; ) {
    const rows = await db
      .select()
      .from(audit)
      .where(and(condition, gt(audit.id, after)))
      .orderBy(asc(audit.id))
      .limit(ROWS_PER_QUERY);
    if (rows.length === 0) return;
    yield rows.map((row) => lineOf(row, nameOf));
    after = rows.at(-1)?.id ?? after;
  }
}

async function conditionOf(db: Database, filter: AuditFilter): Promise<SQL | undefined> {
  const { projectId, environmentId, flagId, who, action, target, from, to, text } = filter;
  const keys = who === undefined ? [] : (await db.select({ key: actor.key }).from(actor).where(eq(actor.name, who))).map(({ key }) => key);
  const contains = text === undefined ? undefined : `%${escaped(text)}%`;
  const holds = (column: typeof audit.reason | typeof audit.target | typeof audit.action) =>
    // Lowered by the database on both sides: SQLite knows the letters of ASCII only.
    sql`lower(${column}) like lower(${contains}) escape '\\'`;
  return and(
    projectId === undefined ? undefined : eq(audit.projectId, projectId),
    environmentId === undefined ? undefined : eq(audit.environmentId, environmentId),
    flagId === undefined ? undefined : and(isNotNull(audit.revision), exists(changesOf(db, flagId))),
    who === undefined ? undefined : inArray(audit.by, [who, ...keys]),
    action === undefined ? undefined : action.endsWith("*") ? like(audit.action, `${action.slice(0, -1)}%`) : eq(audit.action, action),
    target === undefined ? undefined : eq(audit.target, target),
    from === undefined ? undefined : gte(audit.at, from),
    to === undefined ? undefined : lte(audit.at, to),
    contains === undefined ? undefined : or(holds(audit.reason), holds(audit.target), holds(audit.action)),
  );
}

function changesOf(db: Database, flagId: number) {
  return db
    .select({ revision: changeItem.revision })
    .from(changeItem)
    .where(
      and(
        eq(changeItem.environmentId, audit.environmentId),
        eq(changeItem.kind, "flag"),
        eq(changeItem.itemId, flagId),
        eq(changeItem.revision, audit.revision),
      ),
    );
}

function escaped(text: string): string {
  return text.replaceAll(/[\\%_]/g, (character) => `\\${character}`);
}

function lineOf({ hash: _hash, previousHash: _previous, ...row }: typeof audit.$inferSelect, nameOf: NameOf): AuditLine {
  const named = auditWithNames(row, nameOf);
  return { ...named, words: actionWords(named.action, named.target) };
}

export const CSV_COLUMNS = [
  "id",
  "at",
  "by",
  "words",
  "action",
  "target",
  "reason",
  "project",
  "environment",
  "revision",
  "before",
  "after",
  "token",
  "address",
  "requestId",
] as const;

/** Of one row, with a line break. A cell that a spreadsheet would take for a formula gets an apostrophe before it. */
export function csvLine(cells: readonly (string | number | null)[]): string {
  return `${cells.map((cell) => csvCell(cell === null ? "" : String(cell))).join(",")}\r\n`;
}

function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
