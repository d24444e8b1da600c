import { and, desc, eq, gt, isNull } from "drizzle-orm";
import { problem } from "../errors.ts";
import type { Identity } from "../http/route.ts";
import { statement } from "../store/database.ts";
import type { Author } from "../store/origin.ts";
import type { Database, Tx } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { AuthStore } from "./auth-store.ts";
import { grantsOf } from "./grants.ts";
import { ADMIN_OF_EVERYTHING, type Grant, type Holder, mayGrant } from "./permissions.ts";
import { hashOf, newToken, parseToken, sameHash } from "./secrets.ts";

const { account, token } = tables;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const DAYS_DEFAULT = 90;
/** `last_used_at` is written at most this often. */
const USED_EVERY_MS = 5 * 60_000;
/** Tokens that hold: of one account for itself, and for services in all. */
const PERSONAL_MAX = 50;
const SERVICE_MAX = 500;
/** Tokens of which it is remembered that their use was noted. */
const NOTED_MAX = 10_000;

type Row = typeof token.$inferSelect;

// Both are asked for with every request of a program.
const selectToken = statement(["selector"], (db, { selector }: { selector: string }) =>
  db.select().from(token).where(eq(token.selector, selector)).limit(1),
);
const selectAccount = statement(["id"], (db, { id }: { id: number }) => db.select().from(account).where(eq(account.id, id)).limit(1));

export interface StoredToken extends Omit<Row, "hash" | "revokedAt" | "accountId"> {
  readonly createdBy: string;
  /** What the caller may do with it. */
  readonly may: readonly ("rotate" | "revoke")[];
}

/** What is wanted of a new token. */
export interface WantedToken extends Pick<Row, "name" | "scope" | "kind" | "projectId" | "environmentId" | "flags"> {
  readonly days: number | undefined;
}

export interface Tokens {
  /** Those that hold and are the caller's to revoke, newest first; and the one that asks. */
  list(by: Identity): Promise<StoredToken[]>;
  /** Its text is in this answer only. Throws FORBIDDEN for what would exceed the caller. */
  create(by: Identity, wanted: WantedToken, author: Author): Promise<StoredToken & { readonly text: string }>;
  /** A second one like it; the first ends as asked. Throws TOKEN_NOT_FOUND, also for one that is not the caller's. */
  rotate(
    by: Identity,
    id: number,
    wanted: { readonly oldHours?: number | undefined; readonly days?: number | undefined },
    author: Author,
  ): Promise<StoredToken & { readonly text: string }>;
  revoke(by: Identity, id: number, author: Author): Promise<void>;
  /** Who sends this token. Throws TOKEN_INVALID. */
  identify(text: string): Promise<Identity>;
}

interface TokensDeps {
  readonly store: AuthStore;
  readonly now: () => number;
  /** Called when somebody may less than before. */
  readonly changed: () => void;
}

/** Tokens for programs and the command line: `sb_<scope>_<selector>_<secret><checksum>`, stored as a hash, shown once. */
export function createTokens({ store, now, changed }: TokensDeps): Tokens {
  const noted = new Map<number, number>();

  async function liveRows(db: Database | Tx): Promise<(Row & { readonly createdBy: string })[]> {
    const rows = await db
      .select({ row: token, createdBy: account.name })
      .from(token)
      .innerJoin(account, eq(account.id, token.accountId))
      .where(and(isNull(token.revokedAt), gt(token.expiresAt, now())))
      .orderBy(desc(token.id));
    return rows.map(({ row, createdBy }) => ({ ...row, createdBy }));
  }

  async function find(tx: Tx, by: Identity, id: number, what: "rotate" | "revoke") {
    const live = await liveRows(tx);
    const row = live.find((each) => each.id === id);
    if (row && mayDo(by, row).includes(what)) return { row, live };
    throw problem("TOKEN_NOT_FOUND", `There is no token ${id} that you may ${what}, or it is revoked or over already.`);
  }

  async function insert(tx: Tx, by: Identity, wanted: Omit<WantedToken, "days">, lifeMs: number) {
    const { selector, text } = newToken(wanted.scope);
    const createdAt = now();
    const expiresAt = createdAt + lifeMs;
    const values = { ...wanted, selector, hash: hashOf(text), accountId: by.accountId, createdAt, expiresAt };
    const [row] = await tx.insert(token).values(values).returning();
    const [maker] = await tx.select({ name: account.name }).from(account).where(eq(account.id, by.accountId)).limit(1);
    if (!row || !maker) throw new Error("the insert of a token returned no row");
    return { ...shown({ ...row, createdBy: maker.name }, by), text };
  }

  /** Only a note, which nobody waits for: a database that cannot be written must not keep anybody from reading or killing. */
  function noteUse({ id, lastUsedAt }: Row): void {
    const at = now();
    if (at - Math.max(lastUsedAt ?? 0, noted.get(id) ?? 0) <= USED_EVERY_MS) return;
    if (noted.size >= NOTED_MAX) noted.clear();
    noted.set(id, at);
    void store.transaction(async (tx) => void (await tx.update(token).set({ lastUsedAt: at }).where(eq(token.id, id)))).catch(() => {});
  }

  return {
    async list(by) {
      const rows = await liveRows(store.db);
      return rows.filter((row) => row.selector === by.selector || mayDo(by, row).length > 0).map((row) => shown(row, by));
    },

    async create(by, { days = DAYS_DEFAULT, ...wanted }, author) {
      demandCreation(by, wanted);
      return store.transaction(async (tx) => {
        const live = await liveRows(tx);
        refuseTooMany(live, by, wanted.kind);
        const made = await insert(tx, by, wanted, days * DAY_MS);
        await store.audit(tx, { ...author, ...about("token.create", made), after: told(made) });
        return made;
      });
    },

    async rotate(by, id, { oldHours, days }, author) {
      const made = await store.transaction(async (tx) => {
        const { row: old, live } = await find(tx, by, id, "rotate");
        refuseTooMany(live, by, old.kind);
        if (live.filter((row) => isTwin(row, old)).length > 1) {
          const detail = `Two tokens "${old.name}" hold already; revoke the older one first, when nothing uses it any more.`;
          throw problem("CONFLICT", detail);
        }
        const { name, scope, kind, projectId, environmentId, flags } = old;
        const lifeMs = days === undefined ? old.expiresAt - old.createdAt : days * DAY_MS;
        const next = await insert(tx, by, { name, scope, kind, projectId, environmentId, flags }, lifeMs);
        const oldEndsAt = oldHours === undefined ? old.expiresAt : Math.min(old.expiresAt, now() + oldHours * HOUR_MS);
        await tx.update(token).set({ expiresAt: oldEndsAt }).where(eq(token.id, id));
        await store.audit(tx, {
          ...author,
          ...about("token.rotate", next),
          before: told(old),
          after: { ...told(next), before: { selector: old.selector, endsAt: oldEndsAt } },
        });
        return next;
      });
      changed();
      return made;
    },

    async revoke(by, id, author) {
      await store.transaction(async (tx) => {
        const { row } = await find(tx, by, id, "revoke");
        await tx.update(token).set({ revokedAt: now() }).where(eq(token.id, id));
        await store.audit(tx, { ...author, ...about("token.revoke", row), before: told(row) });
      });
      changed();
    },

    async identify(text) {
      const parsed = parseToken(text);
      if (!parsed) throw invalid("The token is not written as one: copy the whole of it, from sb_ to its last character.");
      const [row] = await selectToken(store.db, { selector: parsed.selector });
      if (!row || !sameHash(row.hash, hashOf(text)) || row.revokedAt !== null) {
        throw invalid("The token is unknown or was revoked; make a new one under Keys and tokens.");
      }
      if (row.expiresAt <= now()) {
        const day = new Date(row.expiresAt).toISOString().slice(0, 10);
        throw invalid(`The token "${row.name}" expired on ${day}; make a new one under Keys and tokens.`);
      }
      const [owner] = await selectAccount(store.db, { id: row.accountId });
      if (row.kind === "personal" && (!owner || owner.disabledAt !== null)) {
        throw invalid(`The token "${row.name}" holds no more, because the account that it belongs to is disabled.`);
      }
      noteUse(row);
      const own: Grant = { role: row.scope, projectId: row.projectId, environmentId: row.environmentId, flags: row.flags };
      return {
        name: `${row.name} (token of ${owner?.name ?? "nobody"})`,
        accountId: row.accountId,
        via: "token",
        ...(row.kind === "service" ? { grants: [own] } : { grants: await grantsOf(store.db, row.accountId), limit: own }),
        selector: row.selector,
      };
    },
  };
}

type Spot = Pick<Row, "projectId" | "environmentId">;

/** Whether somebody may give an admin's rights there. */
function isAdminOf(holder: Holder, { projectId, environmentId }: Spot): boolean {
  return mayGrant(holder, { role: "admin", projectId, environmentId });
}

/** A token speaks for its person only as an admin's, and only inside its own place: else a small one could make itself a great one. */
function isThePerson(by: Identity, spot: Spot): boolean {
  return by.via === "session" || (by.limit !== undefined && isAdminOf({ grants: [by.limit] }, spot));
}

function mayDo(by: Identity, row: Row): ("rotate" | "revoke")[] {
  const isOwn = row.kind === "service" ? isAdminOf(by, row) : row.accountId === by.accountId && isThePerson(by, row);
  if (isOwn) return ["rotate", "revoke"];
  // A rotated token is shown, so nobody rotates what acts in the name of another.
  return isAdminOf(by, ADMIN_OF_EVERYTHING) ? ["revoke"] : [];
}

function demandCreation(by: Identity, { kind, projectId, environmentId }: Omit<WantedToken, "days">): void {
  const spot = { projectId, environmentId };
  if (kind === "service" && !isAdminOf(by, spot)) {
    throw problem(
      "FORBIDDEN",
      `Tokens for services are made by admins of the place where they hold, which ${by.name} is not; a personal token needs no such right.`,
    );
  }
  if (kind === "personal" && !isThePerson(by, spot)) {
    throw problem(
      "FORBIDDEN",
      `${by.name} may not make tokens for its person there: sign in, or use a personal token with the scope "admin" for that place.`,
    );
  }
}

function refuseTooMany(live: readonly Row[], by: Identity, kind: Row["kind"]): void {
  const most = kind === "personal" ? PERSONAL_MAX : SERVICE_MAX;
  const those = live.filter((row) => row.kind === kind && (kind === "service" || row.accountId === by.accountId));
  if (those.length < most) return;
  const whose = kind === "personal" ? "You have" : "There are";
  throw problem("CONFLICT", `${whose} ${most} ${kind} tokens already, which is the most; revoke those that nobody uses.`);
}

/** One that came from rotating the other, or looks like it. */
function isTwin(a: Row, b: Row): boolean {
  return (
    a.kind === b.kind &&
    (a.kind === "service" || a.accountId === b.accountId) &&
    a.name === b.name &&
    a.scope === b.scope &&
    a.projectId === b.projectId &&
    a.environmentId === b.environmentId
  );
}

function shown({ hash: _hash, revokedAt: _revoked, ...row }: Row & { readonly createdBy: string }, by: Identity): StoredToken {
  const { accountId: _account, ...rest } = row;
  return { ...rest, may: mayDo(by, { ...row, hash: "", revokedAt: null }) };
}

function about(action: string, { id, projectId, environmentId }: Spot & { readonly id: number }) {
  return { action, target: `token ${id}`, projectId, environmentId };
}

function told({
  name,
  kind,
  scope,
  selector,
  flags,
  expiresAt,
}: Pick<Row, "name" | "kind" | "scope" | "selector" | "flags" | "expiresAt">) {
  return { name, kind, scope, selector, flags: flags && [...flags], expiresAt };
}

function invalid(detail: string) {
  return problem("TOKEN_INVALID", detail, { headers: { "www-authenticate": 'Bearer realm="signalbox", error="invalid_token"' } });
}
