import type { Context } from "@signalbox/core";
import { withContext } from "./context.ts";

export type { Context } from "@signalbox/core";

/**
 * Middleware for hono: what `make` returns for a request is the context of every flag that is read while the request is handled.
 *
 *     app.use(flagsContext((c) => ({ key: getCookie(c, "visitor") })));
 *
 * Typed by shape, so that this package depends on no version of hono.
 */
export function flagsContext<C>(make: (c: C) => Context | Promise<Context>): (c: C, next: () => Promise<void>) => Promise<void> {
  return async (c, next) => withContext(await make(c), next);
}
