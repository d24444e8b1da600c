import { randomBytes } from "node:crypto";
import { createMiddleware } from "hono/factory";
import type { ApiEnv } from "./route.ts";

/** Sets the request id, and on every answer the headers that keep browsers strict. A page may set a wider policy of its own. */
export function strictHeaders({ https }: { https: boolean }) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const requestId = randomBytes(8).toString("hex");
    c.set("requestId", requestId);
    await next();
    const { headers } = c.res;
    headers.set("x-request-id", requestId);
    headers.set("x-content-type-options", "nosniff");
    headers.set("x-frame-options", "DENY");
    headers.set("cross-origin-opener-policy", "same-origin");
    // SDK files and answers are read by pages of other origins, everything else by our own only.
    headers.set("cross-origin-resource-policy", c.req.path.startsWith("/sdk/") ? "cross-origin" : "same-origin");
    if (!headers.has("referrer-policy")) headers.set("referrer-policy", "no-referrer");
    if (!headers.has("content-security-policy")) {
      headers.set("content-security-policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    }
    if (https) headers.set("strict-transport-security", "max-age=31536000");
  });
}
