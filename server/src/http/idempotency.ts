import { createHash } from "node:crypto";
import type { Json } from "@signalbox/core";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { problem } from "../errors.ts";
import type { Log } from "../log.ts";
import type { StoredAnswer } from "../store/define.ts";
import { findAnswer, type IdempotentWrite, keepAnswer } from "../store/idempotency.ts";
import type { Store } from "../store/store.ts";
import type { ApiEnv } from "./route.ts";

export const IDEMPOTENCY_HEADER = "idempotency-key";
const KEY = /^[\x21-\x7e]{1,200}$/;
/** A longer answer is not kept: asked again, the route presents what there is now. */
const ANSWER_BYTES_MAX = 64 * 1024;

/** Paths whose answers hold a secret that is shown once: it must not lie in a table for a day. */
const SECRET_PATH = /\/(tokens|sdk-keys|signing-secret|invitations|sign-in-links|accounts|account|session|setup)(\/|$)/;

/** Writes that named a key, so that one that is sent again is done once: within a day, and over restarts. */
export interface Idempotency {
  /**
   * Resolves with what was answered under the key; or runs the request, keeps its answer unless that is undefined, and resolves with
   * undefined. Two with one key run one after the other. Rejects with IDEMPOTENCY_KEY_REUSED.
   */
  once(write: IdempotentWrite, run: () => Promise<StoredAnswer | undefined>): Promise<StoredAnswer | undefined>;
}

interface IdempotencyDeps {
  readonly store: Pick<Store, "db" | "transaction">;
  readonly log: Pick<Log, "warn">;
  readonly now?: () => number;
}

export function createIdempotency({ store, log, now = Date.now }: IdempotencyDeps): Idempotency {
  const underWay = new Map<string, { readonly request: string; readonly over: Promise<void> }>();

  async function keep(write: IdempotentWrite, answer: StoredAnswer): Promise<void> {
    try {
      await store.transaction((tx) => keepAnswer(tx, write, answer, now()));
    } catch (error) {
      // What was written is written; sent again, the same request finds its key and is answered with what there is then.
      log.warn({ err: error }, "the answer to a write could not be kept for its Idempotency-Key");
    }
  }

  return {
    async once(write, run) {
      const name = `${write.actor}\n${write.key}`;
      for (let other = underWay.get(name); other; other = underWay.get(name)) {
        if (other.request !== write.request) throw reused(write.key);
        await other.over;
      }
      let finish = () => {};
      const over = new Promise<void>((resolve) => {
        finish = resolve;
      });
      underWay.set(name, { request: write.request, over });
      try {
        const kept = await findAnswer(store.db, write.actor, write.key, now());
        if (kept && kept.request !== write.request) throw reused(write.key);
        if (kept?.answer) return kept.answer;
        const answer = await run();
        if (answer) await keep(write, answer);
        return undefined;
      } finally {
        underWay.delete(name);
        finish();
      }
    },
  };
}

/** For every write: behind the check of the caller, whose key it is, and in front of the handler. */
export const idempotent = createMiddleware<ApiEnv>(async (c, next) => {
  const key = c.req.header(IDEMPOTENCY_HEADER);
  const idempotency: Idempotency | undefined = c.get("idempotency");
  if (key === undefined || c.req.method === "GET" || !idempotency) return next();
  if (!KEY.test(key)) {
    throw problem("BAD_REQUEST", "The header Idempotency-Key holds 1 to 200 visible ASCII characters, for example a UUID; send one such.");
  }
  if (SECRET_PATH.test(c.req.path)) {
    const why = "its answer holds a secret that is shown once and kept nowhere";
    throw problem(
      "BAD_REQUEST",
      `${c.req.method} ${c.req.path} takes no Idempotency-Key, because ${why}: look at the list, then send it again.`,
    );
  }
  const { selector, accountId } = c.var.identity;
  const write = { actor: selector === undefined ? `account:${accountId}` : `token:${selector}`, key, request: await requestHash(c) };
  c.set("idempotentWrite", write);
  const kept = await idempotency.once(write, async () => {
    await next();
    return answerOf(c.res);
  });
  if (!kept) return undefined;
  const headers = { "idempotent-replayed": "true", ...(kept.etag !== null && { etag: kept.etag }) };
  return kept.body === null
    ? c.body(null, kept.status as 204, headers)
    : c.json(kept.body as Record<string, never>, kept.status as 200, headers);
});

async function requestHash(c: Context<ApiEnv>): Promise<string> {
  const hash = createHash("sha256").update(
    `${c.req.method} ${c.req.path}?${new URL(c.req.url).searchParams} ${c.req.header("if-match") ?? ""}\n`,
  );
  return hash.update(Buffer.from(await c.req.arrayBuffer())).digest("hex");
}

/** Undefined when it is none to keep: a refusal, which may be another one the next time, or too long. */
async function answerOf(response: Response): Promise<StoredAnswer | undefined> {
  if (!response.ok) return undefined;
  const text = await response.clone().text();
  if (text.length > ANSWER_BYTES_MAX) return undefined;
  const body = text === "" ? null : (JSON.parse(text) as Json);
  return { status: response.status, etag: response.headers.get("etag"), body };
}

function reused(key: string) {
  return problem(
    "IDEMPOTENCY_KEY_REUSED",
    `The Idempotency-Key "${key}" was sent with another request within the last 24 hours; each write needs a key of its own.`,
  );
}
