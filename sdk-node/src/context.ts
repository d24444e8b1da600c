import { AsyncLocalStorage } from "node:async_hooks";
import type { Context } from "@signalbox/core";
import { registerContextStore } from "./context-hook.ts";

export type { Context } from "@signalbox/core";

const store = registerContextStore(() => {
  const storage = new AsyncLocalStorage<Context>();
  return { get: () => storage.getStore(), run: (context, fn) => storage.run(context, fn) };
});

/** Runs `fn`; every read inside it, and in what it awaits, that gives no context of its own is answered for `context`. */
export function withContext<T>(context: Context, fn: () => T): T {
  return store.run(context, fn);
}

/** The context of the work under way, if any. */
export function currentContext(): Context | undefined {
  return store.get();
}
