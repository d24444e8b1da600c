import type { Context } from "hono";
import type { ApiEnv } from "../http/route.ts";
import type { Origin } from "../store/origin.ts";
import { crossOriginRefusal } from "./origin.ts";
import type { From } from "./sessions.ts";

/** From where a request comes that signs somebody in. */
export function fromOf(c: Context<ApiEnv>, addressOf: (c: Context) => string): From {
  return { address: addressOf(c), agent: c.req.header("user-agent"), requestId: c.get("requestId") };
}

/** From where a request of somebody comes who is signed in. */
export function originOf(c: Context<ApiEnv>): Origin {
  return { token: c.get("identity")?.selector, address: c.get("address"), requestId: c.get("requestId") };
}

/**
 * For routes that take no credentials the check that `identify` makes for cookies: nobody is to be signed in by a page of another
 * origin. Throws CROSS_ORIGIN.
 */
export function checkOrigin(c: Context<ApiEnv>, publicUrl: string): void {
  const fromPage = c.req.header("origin") !== undefined || c.req.header("sec-fetch-site") !== undefined;
  const refusal = fromPage && crossOriginRefusal((name) => c.req.header(name), publicUrl);
  if (refusal) throw refusal;
}
