import { createHmac, randomInt, timingSafeEqual } from "node:crypto";
import type { Projection } from "@signalbox/core";
import { isNull } from "drizzle-orm";
import type { EnvironmentInfo, SdkKeyInfo } from "../delivery/feed.ts";
import { sha256 } from "./fingerprint.ts";
import type { Database, Tx } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";

const SELECTOR_LENGTH = 12;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const FORM = /^sb_(?:server|browser)_[a-z0-9-]{1,100}_([A-Za-z0-9]{12})_[A-Za-z0-9_-]{43}$/;

export interface SdkKeys {
  /** What the key stands for; undefined for any text that is no key of this server. */
  find(text: string): SdkKeyInfo | undefined;
  /** The text of the environment's key, to be shown again; undefined if it was made with another secret than the folder's. */
  show(environmentId: number, projection: Projection): string | undefined;
}

/** Makes one key: its text is derived from the secret, the database gets only its hash. */
export function insertSdkKey(
  tx: Tx,
  secret: Buffer,
  environment: { readonly id: number; readonly key: string },
  projection: Projection,
  at: number,
): void {
  const selector = Array.from({ length: SELECTOR_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
  const hash = sha256(keyText(secret, environment.key, projection, selector));
  tx.insert(tables.sdkKey).values({ environmentId: environment.id, projection, selector, hash, createdAt: at }).run();
}

/** Reads all keys that are not revoked. */
export function loadSdkKeys(db: Database, secret: Buffer, environments: readonly EnvironmentInfo[]): SdkKeys {
  const known = new Map<string, { readonly hash: Buffer; readonly info: SdkKeyInfo }>();
  const shown = new Map<string, string>();
  for (const row of db.select().from(tables.sdkKey).where(isNull(tables.sdkKey.revokedAt)).all()) {
    const environment = environments.find(({ id }) => id === row.environmentId);
    if (!environment) continue;
    known.set(row.selector, { hash: Buffer.from(row.hash, "hex"), info: { environment, projection: row.projection } });
    const text = keyText(secret, environment.key, row.projection, row.selector);
    if (sha256(text) === row.hash) shown.set(`${row.environmentId}.${row.projection}`, text);
  }
  /** Texts that were found right once: programs send the same few again and again. There are never more than keys. */
  const right = new Map<string, SdkKeyInfo>();
  return {
    find(text) {
      const found = right.get(text);
      if (found) return found;
      const selector = FORM.exec(text)?.[1];
      const key = selector === undefined ? undefined : known.get(selector);
      if (!key || !timingSafeEqual(Buffer.from(sha256(text), "hex"), key.hash)) return undefined;
      right.set(text, key.info);
      return key.info;
    },
    show: (environmentId, projection) => shown.get(`${environmentId}.${projection}`),
  };
}

function keyText(secret: Buffer, environmentKey: string, projection: Projection, selector: string): string {
  return `sb_${projection}_${environmentKey}_${selector}_${createHmac("sha256", secret).update(selector).digest("base64url")}`;
}
