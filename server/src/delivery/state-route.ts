import type { IncomingMessage, ServerResponse } from "node:http";
import { isNewer, type Position, parsePosition } from "@signalbox/core";
import { problem } from "../errors.ts";
import type { Delivery } from "./delivery.ts";
import type { SdkKeyInfo } from "./feed.ts";
import type { Instances } from "./instances.ts";
import { readProgram } from "./program.ts";
import { type CheckKey, READABLE, readableBy } from "./sdk-key.ts";
import { acceptsGzip, matchesEtag, type StateBytes } from "./state-bytes.ts";
import { createTokenBuckets } from "./token-bucket.ts";

export interface StateRouteDeps {
  readonly delivery: Pick<Delivery, "states" | "instances" | "clock" | "watch">;
  readonly checkKey: CheckKey;
  /** Requests with one SDK key; ten times as many at once. */
  readonly perSecond: number;
}

/** Throws the problem that is to be answered. */
export type StateRoute = (req: IncomingMessage, res: ServerResponse, query: string) => Promise<void> | undefined;

/** The state as it is, or its ETag: the bytes and their headers are made once for each state, and then only written. */
export function createStateRoute({ delivery: { states, instances, clock, watch }, checkKey, perSecond }: StateRouteDeps): StateRoute {
  const buckets = createTokenBuckets<SdkKeyInfo>(clock, { perSecond, burst: 10 * perSecond });

  return (req, res, query) => {
    const { headers } = req;
    const asked = query === "" ? undefined : new URLSearchParams(query);
    const key = checkKey({
      authorization: headers.authorization,
      origin: headers.origin,
      query: asked?.get("key") ?? undefined,
    });
    if (!buckets.take(key)) {
      watch.shed("state", "rate");
      throw problem("RATE_LIMITED", `More than ${perSecond} requests in a second with this SDK key; try again in 1 s.`, {
        headers: { "retry-after": "1" },
      });
    }
    const bytes = states.head(key.environment, key.projection);
    if (asked) notePoll(instances, asked, key, headers["if-none-match"], bytes.position);
    const head = headOf(bytes, key, headers.origin);
    if (matchesEtag(headers["if-none-match"], bytes.etag)) {
      res.writeHead(304, head.unchanged).end();
      return undefined;
    }
    if (!acceptsGzip(headers["accept-encoding"])) {
      // For HEAD node:http leaves the body out.
      res.writeHead(200, head.plain).end(bytes.json);
      return undefined;
    }
    return bytes.gzip().then((gzip) => {
      if (res.destroyed) return;
      res.writeHead(200, { ...head.plain, "content-encoding": "gzip", "content-length": gzip.length }).end(gzip);
    });
  };
}

/** A program that polls is known by its polls, and holds what its ETag names. */
function notePoll(instances: Instances, query: URLSearchParams, key: SdkKeyInfo, held: string | undefined, head: Position): void {
  const program = readProgram(query, key);
  const { instance } = program;
  if (instance === undefined) return;
  const basis = parsePosition(held?.replace(/^(?:W\/)?"|"$/g, "") ?? "");
  instances.polled(Object.assign(program, { instance, basis: basis && !isNewer(basis, head) ? basis : undefined }));
}

interface Head {
  readonly unchanged: Readonly<Record<string, string>>;
  readonly plain: Readonly<Record<string, string | number>>;
}

/** Goes with the bytes. */
const heads = new WeakMap<StateBytes, Head>();

const VARY = "authorization, accept-encoding";

function headOf(bytes: StateBytes, key: SdkKeyInfo, origin: string | undefined): Head {
  // Of a key with a list of origins the head depends on who asks.
  if (key.origins.length > 0) return newHead(bytes, { ...readableBy(key, origin), vary: `${VARY}, origin` });
  const known = heads.get(bytes);
  if (known) return known;
  // A server key is refused in a page.
  const head = newHead(bytes, key.projection === "browser" ? READABLE : {});
  heads.set(bytes, head);
  return head;
}

function newHead(bytes: StateBytes, readable: Readonly<Record<string, string>>): Head {
  const unchanged = { etag: bytes.etag, "cache-control": "no-cache", vary: VARY, ...readable };
  return {
    unchanged,
    plain: { ...unchanged, "x-content-type-options": "nosniff", "content-type": "application/json", "content-length": bytes.json.length },
  };
}
