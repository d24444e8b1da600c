import { problem } from "../errors.ts";
import type { Log } from "../log.ts";
import type { SdkKeys } from "../store/sdk-keys.ts";
import type { Clock } from "./clock.ts";
import type { SdkKeyInfo } from "./feed.ts";

/** What delivery asks the store about SDK keys. */
export type KnownKeys = Pick<SdkKeys, "find" | "ended">;

/** What a page of any origin may read. It sends no credentials, and what it is answered is meant for everybody with its key. */
export const READABLE = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "etag, retry-after",
  "cross-origin-resource-policy": "cross-origin",
};

/** The headers with which the page that asks may read an answer. A key with a list of origins names the one, and never those that send credentials. */
export function readableBy(key: SdkKeyInfo, origin: string | undefined): Readonly<Record<string, string>> {
  if (key.origins.length === 0) return READABLE;
  const { "access-control-allow-origin": _everyone, ...others } = READABLE;
  // Without an Origin it is no page of another origin: nobody needs to be allowed.
  return { ...others, vary: "origin", ...(origin !== undefined && { "access-control-allow-origin": origin }) };
}

/** The parts of a request that say who asks. */
export interface KeyRequest {
  readonly authorization: string | undefined;
  readonly origin: string | undefined;
  readonly query: string | undefined;
}

/** Leaked keys are logged once in this time for each environment, with how often it happened: a page can repeat it at will. */
const LEAK_LOG_GAP_MS = 60_000;

export type CheckKey = (request: KeyRequest) => SdkKeyInfo;

/**
 * Makes the check of SDK keys: `Authorization: Bearer` for servers, `?key=` for browsers (a header would cost a preflight).
 * Throws the problem that says what to do. A server key is refused where it can be read by others: in a page, in an address.
 */
export function createKeyCheck({ keys, clock, log }: { keys: KnownKeys; clock: Clock; log: Log }): CheckKey {
  const leaks = new Map<number, { count: number; loggedAt: number }>();
  return ({ authorization, origin, query }) => {
    const bearer = authorization === undefined ? undefined : bearerOf(authorization);
    const text = bearer ?? query;
    if (text === undefined || text === "") {
      throw problem(
        "SDK_KEY_MISSING",
        'Send a server SDK key as "Authorization: Bearer sb_server_…", or a browser SDK key as "?key=sb_browser_…".',
      );
    }
    const info = keys.find(text);
    if (!info) throw problem("SDK_KEY_INVALID", refusalOf(text, keys.ended(text)));
    if (info.projection === "server" && origin !== undefined) {
      logLeak(info, origin);
      throw problem(
        "SDK_KEY_LEAKED",
        `A server SDK key of ${info.environment.key} was sent from a page of ${origin.slice(0, 200)}, where everybody can read it; use the browser SDK key there, and replace the server key.`,
      );
    }
    if (info.projection === "server" && bearer === undefined) {
      throw problem(
        "SDK_KEY_KIND",
        'A server SDK key does not belong into an address, which proxies write to their logs; send it as "Authorization: Bearer …".',
      );
    }
    if (origin !== undefined && info.origins.length > 0 && !info.origins.includes(origin)) {
      throw problem(
        "SDK_KEY_ORIGIN",
        `This browser SDK key of ${info.environment.key} is for pages of ${info.origins.join(", ").slice(0, 500)}, not of ${origin.slice(0, 200)}; add that origin to the key under Keys and tokens.`,
      );
    }
    return info;
  };

  function logLeak({ environment }: SdkKeyInfo, origin: string): void {
    const leak = leaks.get(environment.id) ?? { count: 0, loggedAt: Number.NEGATIVE_INFINITY };
    leaks.set(environment.id, leak);
    leak.count += 1;
    if (clock.monotonic() - leak.loggedAt < LEAK_LOG_GAP_MS) return;
    log.warn(
      { environment: environment.key, origin: origin.slice(0, 200), times: leak.count },
      "a server SDK key was sent from a page and refused: it can be read by everybody there, replace it",
    );
    leak.loggedAt = clock.monotonic();
    leak.count = 0;
  }
}

function refusalOf(text: string, ended: "revoked" | "expired" | undefined): string {
  if (ended !== undefined) {
    const what = ended === "revoked" ? "was revoked" : "has expired";
    return `The SDK key ${shown(text)} ${what}; give the program a key that holds, from the admin UI under Keys and tokens.`;
  }
  return `The SDK key ${shown(text)} is not one of this server's; copy the key of the environment from the admin UI, and check that the URL names the right server.`;
}

/** As every SDK writes it, without an expression; in every other form that HTTP allows with one. */
function bearerOf(authorization: string): string | undefined {
  if (authorization.startsWith("Bearer ") && authorization.indexOf(" ", 7) < 0) return authorization.slice(7);
  return /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
}

/** Enough of a key to recognize it, not enough to use it. */
function shown(text: string): string {
  const kind = /^sb_(?:server|browser)_[a-z0-9-]{1,40}_/i.exec(text)?.[0] ?? text.slice(0, 4);
  return JSON.stringify(`${kind}…`);
}
