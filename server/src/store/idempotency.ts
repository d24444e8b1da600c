import { and, eq, lt, sql } from "drizzle-orm";
import type { StoredAnswer } from "./define.ts";
import type { Database, Tx } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";

/** How long an answer is kept. */
const KEPT_MS = 24 * 3_600_000;
/** Keys of one caller that are remembered; past this the oldest are forgotten before their day is over. */
const KEYS_PER_ACTOR_MAX = 10_000;
/** Looked at once in so many claims: counting a caller's rows costs more than writing one. */
const TRIM_EVERY = 256;

/** A write that its caller may send again: the same key with the same request is done once. One object for each request. */
export interface IdempotentWrite {
  /** Whose key it is. */
  readonly actor: string;
  readonly key: string;
  /** SHA-256 of the request. */
  readonly request: string;
  /** Set by the store after the commit: this very request has written under the key, so what else it writes is no repetition. */
  written?: boolean;
}

/** What a key stands for already. `answer` is null if the write was committed and the process ended before its answer was kept. */
export interface KeptAnswer {
  readonly request: string;
  readonly answer: StoredAnswer | null;
}

const { idempotency } = tables;
let claims = 0;

export async function findAnswer(db: Database, actor: string, key: string, now: number): Promise<KeptAnswer | undefined> {
  const [row] = await db
    .select()
    .from(idempotency)
    .where(and(eq(idempotency.actor, actor), eq(idempotency.key, key)));
  return row && row.at > now - KEPT_MS ? { request: row.request, answer: row.answer } : undefined;
}

/** Whether an earlier request has written under the key: then nothing more may be. */
export async function isDone(tx: Tx, write: IdempotentWrite, now: number): Promise<boolean> {
  return !write.written && (await findAnswer(tx, write.actor, write.key, now)) !== undefined;
}

/** Takes the key in the transaction of the write. */
export async function claimKey(tx: Tx, write: IdempotentWrite, now: number): Promise<void> {
  if (write.written) return;
  const { actor, key, request } = write;
  await tx.delete(idempotency).where(lt(idempotency.at, now - KEPT_MS));
  if (claims % TRIM_EVERY === 0) await trim(tx, actor);
  claims += 1;
  await tx.insert(idempotency).values({ actor, key, request, at: now });
}

/** Keeps the answer, also of a request that had nothing to write. */
export async function keepAnswer(tx: Tx, { actor, key, request }: IdempotentWrite, answer: StoredAnswer, now: number): Promise<void> {
  await tx
    .insert(idempotency)
    .values({ actor, key, request, at: now, answer })
    .onConflictDoUpdate({ target: [idempotency.actor, idempotency.key], set: { answer }, setWhere: eq(idempotency.request, request) });
}

/** After somebody was erased: what was answered may name them. Whoever sends a write again is answered with what there is then. */
export async function forgetAnswers(tx: Tx): Promise<void> {
  await tx.update(idempotency).set({ answer: null });
}

async function trim(tx: Tx, actor: string): Promise<void> {
  const [oldest] = await tx
    .select({ at: idempotency.at })
    .from(idempotency)
    .where(eq(idempotency.actor, actor))
    .orderBy(sql`${idempotency.at} desc`)
    .limit(1)
    .offset(KEYS_PER_ACTOR_MAX);
  if (oldest) await tx.delete(idempotency).where(and(eq(idempotency.actor, actor), lt(idempotency.at, oldest.at + 1)));
}
