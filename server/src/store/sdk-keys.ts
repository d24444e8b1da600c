import { createHmac, randomBytes, randomInt, timingSafeEqual } from "node:crypto";
import type { Projection } from "@signalbox/core";
import { desc, eq, inArray } from "drizzle-orm";
import type { EnvironmentInfo, SdkKeyInfo } from "../delivery/feed.ts";
import { withChecksum } from "./checksum.ts";
import { sha256 } from "./fingerprint.ts";
import type { Database, Tx } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";

const SELECTOR_LENGTH = 12;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/** Keys that were made with the environment have no checksum. */
const FORM = /^sb_(?:server|browser)_[a-z0-9-]{1,100}_([A-Za-z0-9]{12})_[A-Za-z0-9_-]{43}(?:[A-Za-z0-9]{6})?$/;
/** The newest that hold no more, of which it is still told why. */
const ENDED_KEPT_MAX = 1_000;
/** How often it is looked which keys were used, and how often that is written. */
const LOOK_MS = 60_000;
const USED_EVERY_MS = 5 * 60_000;
/** The longest that a timer of node can wait is 24 days. */
const TIMER_MS_MAX = 24 * 3_600_000;

export type SdkKeyRow = typeof tables.sdkKey.$inferSelect;
type NewRow = typeof tables.sdkKey.$inferInsert;

export interface SdkKeys {
  /** What the key stands for; undefined for any text that is no key of this server, or holds no more. */
  find(text: string): SdkKeyInfo | undefined;
  /** Why a key that held once holds no more; undefined for every other text. */
  ended(text: string): "revoked" | "expired" | undefined;
  /** The text of a key that was made with the environment and still holds, to be shown again; undefined where there is none. */
  show(environmentId: number, projection: Projection): string | undefined;
  /** Whether the folder's secret is the one that the environment's first keys and its signing secrets come from. */
  isOwnSecret(environmentId: number): boolean;
  /** When a key was last used, as far as memory knows; ms since 1970, to the minute. */
  lastUsedAt(id: number): number | null;
  /** Reads the keys again, after rows were written. Tells of those that hold no more, or for other origins. */
  reload(): Promise<void>;
  /** Told of a key that holds no more, and of one whose origins changed: what came in with it is to go. */
  onEnded(listener: (key: SdkKeyInfo) => void): () => void;
  close(): Promise<void>;
}

/** A key made with its environment: its text is derived from the secret, so that it can be shown again, and the database gets only its hash. */
export function firstKey(
  secret: Buffer,
  environment: { readonly id: number; readonly key: string },
  projection: Projection,
  at: number,
): NewRow {
  const selector = newSelector();
  const hash = sha256(keyText(secret, environment.key, projection, selector));
  return { environmentId: environment.id, projection, selector, hash, createdAt: at };
}

/** A key of 256 random bits. Its text is in this answer only. */
export function randomKey(environmentKey: string, projection: Projection): Pick<NewRow, "selector" | "hash"> & { readonly text: string } {
  const selector = newSelector();
  const text = withChecksum(`sb_${projection}_${environmentKey}_${selector}_${randomBytes(32).toString("base64url")}`);
  return { selector, hash: sha256(text), text };
}

interface Key {
  readonly row: SdkKeyRow;
  readonly hash: Buffer;
  readonly info: SdkKeyInfo;
  used: boolean;
  lastUsedAt: number | null;
  /** As it is in the database. */
  writtenAt: number | null;
}

interface SdkKeysDeps {
  /** For reading. */
  readonly db: Database;
  readonly transaction: (run: (tx: Tx) => Promise<unknown>) => Promise<unknown>;
  readonly secret: Buffer;
  readonly environments: () => readonly EnvironmentInfo[];
  readonly now: () => number;
}

/** All keys of a data folder, in memory: they are asked for with every request of a program. */
export async function openSdkKeys({ db, transaction, secret, environments, now }: SdkKeysDeps): Promise<SdkKeys> {
  const listeners = new Set<(key: SdkKeyInfo) => void>();
  let live = new Map<string, Key>();
  let over = new Map<string, { readonly row: SdkKeyRow; readonly hash: Buffer }>();
  let shown = new Map<string, string>();
  let ownSecret = new Set<number>();
  /** Texts that were found right once: programs send the same few again and again. There are never more than keys. */
  const right = new Map<string, Key>();
  let stopExpiry: (() => void) | undefined;
  const stopLooking = every(LOOK_MS, () => void noteUse(USED_EVERY_MS));

  const isOver = ({ revokedAt, expiresAt }: SdkKeyRow) => revokedAt !== null || (expiresAt !== null && expiresAt <= now());

  /** The key whose selector and whole text these are. */
  function matching<K extends { readonly hash: Buffer }>(keys: ReadonlyMap<string, K>, text: string): K | undefined {
    const selector = FORM.exec(text)?.[1];
    const key = selector === undefined ? undefined : keys.get(selector);
    return key && timingSafeEqual(Buffer.from(sha256(text), "hex"), key.hash) ? key : undefined;
  }

  async function reload(): Promise<void> {
    const rows = await db.select().from(tables.sdkKey).orderBy(desc(tables.sdkKey.id));
    const known = new Map(environments().map((environment) => [environment.id, environment]));
    const before = live;
    live = new Map();
    over = new Map();
    shown = new Map();
    ownSecret = new Set();
    for (const row of rows) {
      const hash = Buffer.from(row.hash, "hex");
      const environment = known.get(row.environmentId);
      if (environment) {
        const text = keyText(secret, environment.key, row.projection, row.selector);
        if (sha256(text) === row.hash) {
          ownSecret.add(row.environmentId);
          if (!isOver(row)) shown.set(`${row.environmentId}.${row.projection}`, text);
        }
      }
      if (!environment || isOver(row)) {
        if (over.size < ENDED_KEPT_MAX) over.set(row.selector, { row, hash });
      } else live.set(row.selector, keyOf(row, hash, environment, before.get(row.selector)));
    }
    right.clear();
    awaitExpiry();
    for (const [selector, { info }] of before) {
      const now = live.get(selector);
      if (!now || !sameList(now.info.origins, info.origins)) tell(info);
    }
  }

  /** Limits go by the info as an object: it stays the same as long as what it says does. */
  function keyOf(row: SdkKeyRow, hash: Buffer, environment: EnvironmentInfo, before: Key | undefined): Key {
    const { id, projection, origins } = row;
    const same = before?.info.environment === environment && sameList(before.info.origins, origins);
    const info = before && same ? before.info : { id, environment, projection, origins };
    const { used = false, lastUsedAt = row.lastUsedAt, writtenAt = row.lastUsedAt } = before ?? {};
    return { row, hash, info, used, lastUsedAt, writtenAt };
  }

  function tell(key: SdkKeyInfo): void {
    for (const listener of listeners) listener(key);
  }

  function awaitExpiry(): void {
    stopExpiry?.();
    const next = Math.min(...[...live.values()].map(({ row }) => row.expiresAt ?? Number.POSITIVE_INFINITY));
    if (next === Number.POSITIVE_INFINITY) return;
    const timer = setTimeout(expire, Math.min(TIMER_MS_MAX, Math.max(1, next - now()))).unref();
    stopExpiry = () => clearTimeout(timer);
  }

  function expire(): void {
    for (const [selector, key] of live) {
      if (!isOver(key.row)) continue;
      live.delete(selector);
      over.set(selector, key);
      for (const projection of ["server", "browser"] as const) {
        const name = `${key.row.environmentId}.${projection}`;
        if (shown.get(name)?.includes(`_${selector}_`)) shown.delete(name);
      }
      tell(key.info);
    }
    right.clear();
    awaitExpiry();
  }

  async function noteUse(everyMs: number): Promise<void> {
    const at = now();
    const due: Key[] = [];
    for (const key of live.values()) {
      if (key.used) key.lastUsedAt = at;
      key.used = false;
      if (key.lastUsedAt !== key.writtenAt && at - (key.writtenAt ?? 0) >= everyMs) due.push(key);
    }
    if (due.length === 0) return;
    const ids = due.map(({ row }) => row.id);
    for (const key of due) key.writtenAt = key.lastUsedAt;
    // Only a note: a database that cannot be written keeps no program from its flags. The next look writes a later one.
    await transaction((tx) => tx.update(tables.sdkKey).set({ lastUsedAt: at }).where(inArray(tables.sdkKey.id, ids))).catch(() => {});
  }

  const keys: SdkKeys = {
    find(text) {
      let found = right.get(text);
      if (!found) {
        found = matching(live, text);
        if (found) right.set(text, found);
      }
      if (!found || (found.row.expiresAt !== null && found.row.expiresAt <= now())) return undefined;
      found.used = true;
      return found.info;
    },
    ended(text) {
      const found = matching(over, text) ?? matching(live, text);
      return found && (found.row.revokedAt === null ? "expired" : "revoked");
    },
    show: (environmentId, projection) => shown.get(`${environmentId}.${projection}`),
    isOwnSecret: (environmentId) => ownSecret.has(environmentId),
    lastUsedAt(id) {
      for (const key of live.values()) if (key.row.id === id) return key.used ? now() : key.lastUsedAt;
      return null;
    },
    reload,
    onEnded(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      stopLooking();
      stopExpiry?.();
      await noteUse(0);
    },
  };
  await reload();
  return keys;
}

/** The keys of an environment that hold, the oldest first. */
export async function liveKeyRows(db: Database | Tx, environmentId: number, now: number): Promise<SdkKeyRow[]> {
  const rows = await db.select().from(tables.sdkKey).where(eq(tables.sdkKey.environmentId, environmentId)).orderBy(tables.sdkKey.id);
  return rows.filter(({ revokedAt, expiresAt }) => revokedAt === null && (expiresAt === null || expiresAt > now));
}

function newSelector(): string {
  return Array.from({ length: SELECTOR_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}

function keyText(secret: Buffer, environmentKey: string, projection: Projection, selector: string): string {
  return `sb_${projection}_${environmentKey}_${selector}_${createHmac("sha256", secret).update(selector).digest("base64url")}`;
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((entry, index) => entry === b[index]);
}

function every(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms).unref();
  return () => clearInterval(timer);
}
