import type { Context } from "@signalbox/core";
import { withContext } from "./context.ts";

export type { Context } from "@signalbox/core";

/**
 * Middleware for hono: what `make` returns for a request is the context of every flag that is read while the request is handled.
 *
 *     app.use(flagsContext((c) => ({ key: getCookie(c, "visitor") })));
 *
 * Typed by shape, so that this package depends on no version of hono; name your own context type for more: `(c: Context<MyEnv>) => ...`.
 */
export function flagsContext<C extends RequestContext>(
  make: (c: C) => Context | Promise<Context>,
): (c: C, next: () => Promise<void>) => Promise<void> {
  return async (c, next) => withContext(await make(c), next);
}

/** What every hono context has, as far as a flag context is made from it. */
export interface RequestContext {
  readonly req: { readonly path: string; readonly method: string; header(name: string): string | undefined };
}
