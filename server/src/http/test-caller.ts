import type { MiddlewareHandler } from "hono";
import { accessOf } from "../auth/access.ts";
import { ADMIN_OF_EVERYTHING, type Grant } from "../auth/permissions.ts";
import type { Store } from "../store/store.ts";
import type { ApiEnv } from "./route.ts";

/** For tests of routes without a whole server: every request comes from somebody with these grants. */
export function callerWith(store: Pick<Store, "projects">, name: string, grants: readonly Grant[] = [ADMIN_OF_EVERYTHING]) {
  const middleware: MiddlewareHandler<ApiEnv> = async (c, next) => {
    const identity = { name, accountId: 1, via: "session", grants } as const;
    if (!c.get("requestId")) c.set("requestId", "request-1");
    c.set("identity", identity);
    c.set("access", accessOf(identity, store));
    await next();
  };
  return middleware;
}
