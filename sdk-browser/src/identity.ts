import { type Context, contextHash } from "@signalbox/core";

/** Whom the page is for: a context as it is, or one that the app's own server has signed. */
export type Identity = Context | { readonly token: string };

/** What a request says of whom it asks for. */
export interface Proof {
  readonly context?: Context;
  readonly token?: string;
}

export interface Signer {
  /** The context of an identity. @throws TypeError for a token that is none. */
  take(identity: Identity): Context;
  /** Whether an identity is signed, and not as the one that is held. */
  hasAnother(identity: Identity): boolean;
  /** For the next request. A signed context that has ended is first replaced, if the page can. */
  proof(): Promise<Proof>;
  /** The server refused the signed context; true if there is hope that another one is taken. */
  refused(): boolean;
}

/** `refreshToken` is waited for this long; then the request fails, and the next one tries again. */
const REFRESH_MS_MAX = 10_000;

/** `replaced` hears of a new signed context whose content is another one. */
export function createSigner(refreshToken: (() => Promise<string>) | undefined, replaced: (context: Context) => void): Signer {
  let context: Context = {};
  let token: string | undefined;
  let endsAt = 0;

  function take(identity: Identity): Context {
    const { token: text, ...rest } = identity as { token?: unknown };
    if (typeof text === "string" && Object.keys(rest).length === 0) {
      const signed = readToken(text);
      context = signed.context;
      endsAt = signed.exp * 1_000;
      token = text;
    } else {
      context = identity as Context;
      token = undefined;
    }
    return context;
  }

  return {
    take,
    hasAnother: (identity) => {
      const { token: text } = (identity ?? {}) as { token?: unknown };
      return typeof text === "string" && text !== token;
    },
    async proof() {
      const before = token;
      if (before !== undefined && endsAt <= Date.now() && refreshToken) {
        const next = await inTime(refreshToken());
        if (token === before) {
          const had = contextHash(context);
          if (contextHash(take({ token: next })) !== had) replaced(context);
        }
      }
      return token === undefined ? { context } : { token };
    },
    refused() {
      const canRenew = token !== undefined && refreshToken !== undefined && endsAt > 0;
      endsAt = 0;
      return canRenew;
    },
  };
}

async function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("signalbox: refreshToken has given no token for 10 s")), REFRESH_MS_MAX);
  });
  return Promise.race([promise, over]).finally(() => clearTimeout(timer));
}

/** What is in a token; only the server can tell whether it is genuine. */
function readToken(text: string): { context: Context; exp: number } {
  try {
    const [payload = ""] = text.split(".");
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
    const { context, exp } = JSON.parse(new TextDecoder().decode(bytes)) as { context?: unknown; exp?: unknown };
    if (typeof context === "object" && context !== null && typeof exp === "number") return { context: context as Context, exp };
  } catch {
    // said below
  }
  throw new TypeError("signalbox: token is no signed context; let your server make it with signContext of @signalbox/node");
}
