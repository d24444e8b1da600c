import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { TokenScope } from "../api-types.ts";
import { hasChecksum, withChecksum } from "../store/checksum.ts";

/** 256 bits as 43 characters of base64url. */
export function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** What is stored of a secret. A slow hash would add nothing: a secret of 256 bits cannot be guessed from its SHA-256. */
export function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** In constant time, so that the answer's delay tells nothing of the hash. */
export function sameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

export interface TokenText {
  readonly scope: TokenScope;
  /** Finds the row; no secret. */
  readonly selector: string;
  readonly text: string;
}

export function newToken(scope: TokenScope): TokenText {
  const selector = randomBytes(6).toString("hex");
  return { scope, selector, text: withChecksum(`sb_${scope}_${selector}_${newSecret()}`) };
}

/** Tokens of older versions have no checksum at their end. */
const TOKEN = /^sb_(admin|releaser|editor|operator|viewer|kill)_([0-9a-f]{12})_[A-Za-z0-9_-]{43}([0-9A-Za-z]{6})?$/;

/** The parts of a token's text; undefined for anything that is none, also for one that was not copied right. */
export function parseToken(text: string): TokenText | undefined {
  const [, scope, selector, checksum] = TOKEN.exec(text) ?? [];
  if (!scope || !selector || (checksum !== undefined && !hasChecksum(text))) return undefined;
  return { scope: scope as TokenScope, selector, text };
}
