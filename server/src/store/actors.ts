import { randomBytes } from "node:crypto";
import type { Json } from "@signalbox/core";
import { eq } from "drizzle-orm";
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
  /** After the end of each transaction in which `keyOf` was called. */
  settle(committed: boolean): void;
  /** After names were erased: what is known of them is not true any more. */
  forget(): void;
}

/** No name of an account begins like this. */
const KEY = /^@[0-9a-f]{16}$/;

export function createActors(): Actors {
  const keys = new Map<string, string>();
  const made = new Map<string, string>();
  return {
    async keyOf(tx, name) {
      const known = keys.get(name) ?? made.get(name);
      if (known !== undefined) return known;
      const [row] = await tx.select({ key: actor.key }).from(actor).where(eq(actor.name, name)).limit(1);
      const key = row?.key ?? `@${randomBytes(8).toString("hex")}`;
      if (!row) await tx.insert(actor).values({ key, name });
      made.set(name, key);
      return key;
    },
    settle(committed) {
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

/** The names in what the audit says of before or after; with `nameOf`, other ones in their place. */
export function namesIn(value: Json): string[] {
  const names: string[] = [];
  withNames(value, (name) => {
    names.push(name);
    return name;
  });
  return names;
}

export function withNames(value: Json, nameOf: NameOf): Json {
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
