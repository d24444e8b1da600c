import type { Store } from "../store/store.ts";

/** What accounts, sessions and tokens need of the store. */
export type AuthStore = Pick<Store, "db" | "transaction" | "audit">;
