import { createHmac, timingSafeEqual } from "node:crypto";
import type { Context } from "@signalbox/core";
import { type Problem, problem } from "../errors.ts";
import { checkText } from "../http/route.ts";

/** Of the whole token. A context is a few hundred bytes; what is much longer belongs into groups on the server. */
export const SIGNED_CONTEXT_BYTES_MAX = 16 * 1024;
/** How far the clock of the app's server may be behind: a token is taken this long after its end. */
export const SIGNED_CONTEXT_SKEW_MS = 5 * 60_000;

const FORM = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})$/;
const NEXT = "let your server sign one with signContext of @signalbox/node";

/**
 * The context in a token that the app's own server has signed: base64url(JSON {context, exp}) + "." + base64url(HMAC-SHA-256(secret,
 * first part)), `exp` in seconds since 1970. `secrets` are those that hold now, `now` is in ms. The context is read from the bytes that
 * were signed, never from anything beside them.
 *
 * @throws Problem SIGNED_CONTEXT_INVALID or SIGNED_CONTEXT_EXPIRED, whose sentence names what is wrong.
 */
export function readSignedContext(token: string, secrets: readonly string[], now: number): Context {
  if (token.length > SIGNED_CONTEXT_BYTES_MAX) {
    throw invalid(`has ${token.length} characters, the most is ${SIGNED_CONTEXT_BYTES_MAX}; sign a smaller context`);
  }
  const [, payload, mac] = FORM.exec(token) ?? [];
  if (payload === undefined || mac === undefined) {
    throw invalid(`does not have the form of one (two parts of base64url with a dot between); ${NEXT}`);
  }
  // All of them are compared, so that the time tells nothing of which one fits.
  const fits = secrets.map((secret) => isSame(mac, macOf(payload, secret))).some(Boolean);
  if (!fits) {
    throw invalid(`was not signed with a signing secret that this environment has now; copy the secret under Settings, Secure mode`);
  }
  const signed = parsed(payload);
  const { context, exp } = isObject(signed) ? signed : {};
  if (typeof exp !== "number" || !Number.isFinite(exp)) throw invalid(`has no "exp", the second of its end since 1970; ${NEXT}`);
  if (!isObject(context)) throw invalid(`holds no context, which is an object such as {"key":"u1"}; ${NEXT}`);
  if (exp * 1_000 + SIGNED_CONTEXT_SKEW_MS < now) {
    const ago = Math.round((now - exp * 1_000) / 1_000);
    throw problem(
      "SIGNED_CONTEXT_EXPIRED",
      `The signed context ended ${ago} s ago, and ${SIGNED_CONTEXT_SKEW_MS / 1_000} s is the most that is forgiven; ask your server for a new one.`,
    );
  }
  return context as Context;
}

/** What a browser sends to say for whom it asks: exactly one of the two. */
export interface ContextRequest {
  readonly context?: Context | undefined;
  readonly token?: string | undefined;
}

/** `signed`: the app's own server vouches for it. */
export interface BrowserContext {
  readonly context: Context;
  readonly signed: boolean;
}

/**
 * The context that a browser asks for. In secure mode only a signed one counts; elsewhere one that is signed is checked all the same,
 * so that an app can sign first and switch secure mode on later.
 *
 * @throws Problem as `readSignedContext`; SIGNED_CONTEXT_NEEDED in secure mode; VALIDATION_FAILED when both or neither are given.
 */
export function browserContext(
  { context, token }: ContextRequest,
  { secureMode, secrets, now }: { readonly secureMode: boolean; readonly secrets: readonly string[]; readonly now: number },
): BrowserContext {
  if ((context === undefined) === (token === undefined)) {
    throw problem("VALIDATION_FAILED", 'Send "context" or "token", one of the two: whom this is for, as it is or signed.');
  }
  if (token !== undefined) return { context: readSignedContext(token, secrets, now), signed: true };
  if (secureMode) {
    throw problem(
      "SIGNED_CONTEXT_NEEDED",
      `This environment is in secure mode, so a context counts only if it is signed; ${NEXT} and send it as "token".`,
    );
  }
  return { context: context as Context, signed: false };
}

function macOf(payload: string, secret: string): string {
  return createHmac("sha256", secret).update(payload).digest("base64url");
}

/** In constant time. Both are 43 characters of ASCII. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

function parsed(payload: string): unknown {
  const text = Buffer.from(payload, "base64url").toString("utf8");
  try {
    checkText(text);
    return JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof SyntaxError ? `is signed but is no JSON; ${NEXT}` : "is nested too deep or holds half a character";
    throw invalid(why, cause);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(what: string, cause?: unknown): Problem {
  return problem("SIGNED_CONTEXT_INVALID", `The signed context ${what}.`, { cause });
}
