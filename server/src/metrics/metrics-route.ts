import { createHash, timingSafeEqual } from "node:crypto";
import { Hono } from "hono";
import type { Auth } from "../auth/auth.ts";
import { EVERYTHING, may } from "../auth/permissions.ts";
import { problem } from "../errors.ts";
import { type ApiEnv, unauthenticated } from "../http/route.ts";
import type { Metrics } from "./metrics.ts";

interface MetricsRouteDeps {
  readonly metrics: Metrics;
  readonly auth: Pick<Auth, "identify">;
  /** `SIGNALBOX_METRICS_TOKEN`: opens this route and nothing else. */
  readonly token: string | undefined;
}

/** `GET /metrics`, for whoever may read: closed to everybody else, because keys of environments and names of programs stand in it. */
export function metricsRoute({ metrics, auth, token }: MetricsRouteDeps): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();
  routes.get("/metrics", async (c) => {
    const bearer = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
    if (token === undefined || bearer === undefined || !isSame(bearer, token)) {
      const { identity, refusal } = await auth.identify("GET", (name) => c.req.header(name));
      if (!identity) throw refusal ?? unauthenticated();
      if (!may(identity, "read", EVERYTHING)) {
        throw problem(
          "FORBIDDEN",
          `${identity.name} may not read metrics: they are of the whole server, all of which one must be allowed to read.`,
        );
      }
    }
    c.header("cache-control", "no-store");
    return c.body(await metrics.text(), 200, { "content-type": metrics.contentType });
  });
  return routes;
}

function isSame(given: string, token: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}
