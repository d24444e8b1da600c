import type { IncomingMessage, ServerResponse } from "node:http";
import { isNewer, type Position, type Projection, parsePosition } from "@signalbox/core";
import { problem } from "../errors.ts";
import type { Delivery } from "./delivery.ts";
import type { SdkKeyInfo } from "./feed.ts";
import type { Instances } from "./instances.ts";
import { readProgram } from "./program.ts";
import type { CheckKey } from "./sdk-key.ts";
import { acceptsGzip, matchesEtag, type StateBytes } from "./state-bytes.ts";
import { createTokenBuckets } from "./token-bucket.ts";

/** What a page of any origin may read. It sends no credentials, and what it is answered is meant for everybody with its key. */
export const READABLE = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "etag, retry-after",
  "cross-origin-resource-policy": "cross-origin",
};

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
    const head = headOf(bytes, key.projection);
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
function notePoll(
  instances: Instances,
  query: URLSearchParams,
  { environment, projection }: SdkKeyInfo,
  held: string | undefined,
  head: Position,
): void {
  const program = readProgram(query, environment, projection);
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

function headOf(bytes: StateBytes, projection: Projection): Head {
  const known = heads.get(bytes);
  if (known) return known;
  const unchanged = {
    etag: bytes.etag,
    "cache-control": "no-cache",
    vary: "authorization, accept-encoding",
    // A server key is refused in a page.
    ...(projection === "browser" && READABLE),
  };
  const head = {
    unchanged,
    plain: { ...unchanged, "x-content-type-options": "nosniff", "content-type": "application/json", "content-length": bytes.json.length },
  };
  heads.set(bytes, head);
  return head;
}
