import type { IdempotentWrite } from "./idempotency.ts";

/** From where a write came: for the audit. */
export interface Origin {
  /** The selector of the token that was sent; absent for a session. */
  readonly token?: string | undefined;
  readonly address?: string | undefined;
  readonly requestId?: string | undefined;
}

/** Who writes, from where, and why. */
export interface Author extends Origin {
  readonly by: string;
  readonly reason?: string | undefined;
  /** The key under which this write is done once, however often it is sent. */
  readonly idempotent?: IdempotentWrite | undefined;
}
