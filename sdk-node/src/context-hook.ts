import type { Context } from "@signalbox/core";

/**
 * Where the main entry finds the context of the work under way. The AsyncLocalStorage itself is made by the `/context` entry only (on Node
 * 20 its existence alone slows every await), and the registered symbol lets the ESM and the CJS build of this package share one.
 */
export interface ContextStore {
  get(): Context | undefined;
  run<T>(context: Context, fn: () => T): T;
}

const HOOK = Symbol.for("signalbox.node.context");
const world = globalThis as { [HOOK]?: ContextStore };

export const contextStore = (): ContextStore | undefined => world[HOOK];

export function registerContextStore(make: () => ContextStore): ContextStore {
  world[HOOK] ??= make();
  return world[HOOK];
}
