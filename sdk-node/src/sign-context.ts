import { createHmac } from "node:crypto";
import type { Context } from "@signalbox/core";

export interface SignOptions {
  /** A signing secret of the environment: `sb_signing_production_1_...`, in the admin UI under Settings, Secure mode. */
  readonly secret: string;
  /** How long pages may use it: 1 s to 30 days, an hour when absent. A page that is open for longer asks your server again. */
  readonly expiresInS?: number;
}

const EXPIRES_IN_S = 3_600;
const EXPIRES_IN_S_MAX = 30 * 86_400;
/** As much as the server takes. */
const SIGNED_CONTEXT_BYTES_MAX = 16 * 1024;

/**
 * A context that a page can hand to the server as yours: base64url(JSON {context, exp}) + "." + base64url(HMAC-SHA-256(secret, first part)).
 * Sign only what your server knows of whoever is signed in, never what the page told it. It is no secret from its page: whoever has it can read
 * it, so put nothing into it that its user must not know. Does no I/O.
 *
 * @throws TypeError when the secret is none or the context cannot be written as JSON; RangeError for a wrong time and a context that is too large.
 */
export function signContext(context: Context, options: SignOptions): string {
  const { secret, expiresInS = EXPIRES_IN_S }: Partial<SignOptions> = options ?? {};
  const payload = Buffer.from(written(context, Math.floor(Date.now() / 1_000) + checkedTime(expiresInS))).toString("base64url");
  const token = `${payload}.${createHmac("sha256", checkedSecret(secret)).update(payload).digest("base64url")}`;
  if (token.length <= SIGNED_CONTEXT_BYTES_MAX) return token;
  throw new RangeError(
    `signalbox: the signed context has ${token.length} characters, the most is ${SIGNED_CONTEXT_BYTES_MAX}; leave attributes out that no flag asks for`,
  );
}

function checkedSecret(value: unknown): string {
  const where = "copy it in the admin UI under Settings, Secure mode (sb_signing_...)";
  if (typeof value !== "string" || value === "") throw new TypeError(`signalbox: secret is missing; ${where}`);
  const kind = /^sb_(server|browser)_/.exec(value)?.[1];
  if (kind) throw new TypeError(`signalbox: secret is a ${kind} SDK key, expected a signing secret; ${where}`);
  if (!/^sb_signing_[a-z0-9-]{1,100}_[1-9][0-9]*_[A-Za-z0-9_-]{43}$/.test(value)) {
    throw new TypeError(`signalbox: secret does not have the form of a signing secret; ${where}`);
  }
  return value;
}

function checkedTime(value: unknown): number {
  if (typeof value === "number" && value >= 1 && value <= EXPIRES_IN_S_MAX) return Math.floor(value);
  throw new RangeError(`signalbox: expiresInS is ${String(value)}, expected 1 (a second) to ${EXPIRES_IN_S_MAX} (30 days)`);
}

function written(context: unknown, exp: number): string {
  if (typeof context !== "object" || context === null || Array.isArray(context)) {
    throw new TypeError(
      `signalbox: context is ${context === null ? "null" : Array.isArray(context) ? "a list" : typeof context}, expected an object such as { key: "u1" }`,
    );
  }
  try {
    return JSON.stringify({ context, exp });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new TypeError(`signalbox: context cannot be written as JSON (${why}); give texts, numbers, booleans, lists and objects of them`, {
      cause,
    });
  }
}
