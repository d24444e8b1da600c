import { randomBytes } from "node:crypto";
import type { Json } from "@signalbox/core";
import { eq } from "drizzle-orm";
import type { AuditRow } from "./audit.ts";
import type { Database, Tx } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";

const { actor } = tables;

/**
 * The names of those who do things. The audit and the records of changes, which are never rewritten, hold a key in the place of a name, and
 * a side table says whose it is: a name can be erased while the chain stays. Rows of older versions hold the names themselves.
 */
export interface Actors {
  /** The key of a name, made if there is none. In the caller's transaction. */
  keyOf(tx: Tx, name: string): Promise<string>;
  /** The row as the audit keeps it: with keys in the place of people's names. */
  inAudit<R extends AuditRow>(tx: Tx, row: R): Promise<R>;
  /** After the end of each transaction in which `keyOf` was called. */
  settle(committed: boolean): void;
  /** After names were erased: what is known of them is not true any more. */
  forget(): void;
}

/** Names that are kept at hand. */
const NAMES_MAX = 10_000;

/** No name of an account begins like this. */
const KEY = /^@[0-9a-f]{16}$/;

export function createActors(): Actors {
  const keys = new Map<string, string>();
  const made = new Map<string, string>();

  async function keyOf(tx: Tx, name: string): Promise<string> {
    const known = keys.get(name) ?? made.get(name);
    if (known !== undefined) return known;
    const [row] = await tx.select({ key: actor.key }).from(actor).where(eq(actor.name, name)).limit(1);
    const key = row?.key ?? `@${randomBytes(8).toString("hex")}`;
    if (!row) await tx.insert(actor).values({ key, name });
    made.set(name, key);
    return key;
  }

  return {
    keyOf,
    async inAudit(tx, row) {
      const names = new Map<string, string>();
      const told = [...namesIn(row.before ?? null), ...namesIn(row.after ?? null), ...(isAboutPeople(row) ? [row.target] : [])];
      for (const name of [row.by, ...told]) names.set(name, await keyOf(tx, name));
      return auditWithNames(row, (name) => names.get(name) ?? name);
    },
    settle(committed) {
      if (keys.size > NAMES_MAX) keys.clear();
      if (committed) for (const [name, key] of made) keys.set(name, key);
      made.clear();
    },
    forget() {
      keys.clear();
      made.clear();
    },
  };
}

/** Says who somebody is: a name stays as it is, a key becomes the name that it stands for. */
export type NameOf = (by: string) => string;

/** All names: one for each account, token and part of Signalbox that ever did something. */
export async function readNames(db: Database | Tx): Promise<NameOf> {
  const names = new Map((await db.select().from(actor)).map(({ key, name }) => [key, name]));
  return (by) => (KEY.test(by) ? (names.get(by) ?? by) : by);
}

/** The fields of what the audit says of before and after that name somebody who did something. */
const NAMING: ReadonlySet<string> = new Set(["createdBy", "updatedBy", "deletedBy", "account"]);

/** What these are done to is somebody, by their name. */
function isAboutPeople({ action }: Pick<AuditRow, "action">): boolean {
  return /^(account|session|sign-in-link|person)\./.test(action);
}

/** The row with other names. */
export function auditWithNames<R extends Pick<AuditRow, "by" | "action" | "target" | "before" | "after">>(row: R, nameOf: NameOf): R {
  return {
    ...row,
    by: nameOf(row.by),
    ...(isAboutPeople(row) && { target: nameOf(row.target) }),
    ...(row.before !== undefined && { before: withNames(row.before, nameOf) }),
    ...(row.after !== undefined && { after: withNames(row.after, nameOf) }),
  };
}

/** The names in what the audit says of before or after; with `nameOf`, other ones in their place. */
function namesIn(value: Json): string[] {
  const names: string[] = [];
  withNames(value, (name) => {
    names.push(name);
    return name;
  });
  return names;
}

function withNames(value: Json, nameOf: NameOf): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([field, part]): [string, Json] => {
      if (NAMING.has(field) && typeof part === "string") return [field, nameOf(part)];
      if (field === "killed" && isKill(part)) return [field, { ...part, by: nameOf(part.by) }];
      return [field, part];
    }),
  );
}

function isKill(value: Json): value is { readonly by: string } {
  return typeof value === "object" && value !== null && "by" in value && typeof value.by === "string";
}
