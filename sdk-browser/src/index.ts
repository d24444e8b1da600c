import { type Context, createClient, type Flags, type Logger, SILENT } from "@signalbox/core";
import { savedState } from "./saved-state.ts";
import { createTransport } from "./transport.ts";
import { VERSION } from "./version.ts";

export type { Change, Context, Events, Explanation, Flags, Json, Logger, Reason, Status, SyncStatus } from "@signalbox/core";

export interface BrowserFlagsOptions {
  /** Of the Signalbox server: `https://flags.example.org`. */
  readonly url: string;
  /** A browser key of one environment: `sb_browser_production_...`. It is not a secret. */
  readonly sdkKey: string;
  /** What this page is called in the admin UI; the host name when absent. */
  readonly app?: string;
  /** The version of this page, shown beside its name. */
  readonly appVersion?: string;
  /** Who the page is for, until `identify`. */
  readonly context?: Context;
  /** Where sentences go: by default one line when it connects and one for each problem, on the console. `false`: nowhere. */
  readonly logger?: Logger | false;
  readonly transport?: "stream" | "poll";
  /** With `transport: "poll"`; 15000 when absent. */
  readonly pollMs?: number;
}

/** Flags of one environment that are marked for browsers, held in the page and followed. */
export interface BrowserFlags extends Flags {
  /** From now on reads that give no context of their own are answered for this one. Listeners of `change` are not called. */
  identify(context: Context): void;
  readonly earlyAccess: BrowserEarlyAccess;
}

/** Each method rejects with the sentence that says what to do instead. */
export interface BrowserEarlyAccess {
  list(): Promise<never>;
  join(group: string): Promise<never>;
  leave(group: string): Promise<never>;
}

/** A page that nobody has looked at for this long lets go of its stream, and takes it up again when it is looked at. */
const HIDDEN_MS_MAX = 60_000;

/**
 * Starts following the flags of one environment. Returns at once; the state of an earlier page, if there is one, answers until the server
 * has (`status.state` is "cached"). Never throws for reasons of the network.
 *
 * @throws TypeError when an option is missing or wrong.
 */
export function createFlags(options: BrowserFlagsOptions): BrowserFlags {
  const { url, sdkKey, app, appVersion, logger, transport, pollMs } = options ?? {};
  const server = checkedUrl(url);
  checkKey(sdkKey);
  const requests = createTransport(server, sdkKey);
  const saved = savedState(server, sdkKey);
  let context = options.context;
  // A random percentage is drawn once for each flag and revision, so that a page does not flicker.
  let draws = new Map<string, number>();

  const client = createClient(
    {
      ...requests,
      now: () => performance.now(),
      time: Date.now,
      random: Math.random,
      draw(flag) {
        const drawn = draws.get(flag) ?? Math.random();
        draws.set(flag, drawn);
        return drawn;
      },
      after(ms, run) {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
      context: () => context,
      changed(state) {
        draws = new Map();
        saved.save(state);
      },
    },
    {
      server,
      sdkKey,
      app: (app || globalThis.location?.hostname || "page").slice(0, 100),
      appVersion: appVersion && String(appVersion).slice(0, 50),
      instance: `page-${Math.random().toString(36).slice(2, 12)}`,
      sdk: `browser/${VERSION}`,
      transport: transport ?? "stream",
      pollMs: Math.max(pollMs ?? 15_000, 1_000),
      logger: logger === false ? SILENT : (logger ?? console),
      unknownHint: ", and that the flag is marked for browsers",
      state: saved.load(),
    },
  );

  const unwatch = watchPage(client.tell, () => client.drain().forEach(requests.beacon));
  const notFromHere = () =>
    Promise.reject(
      new Error("signalbox: early access is joined and left through the app's own server for now (earlyAccess of @signalbox/node)"),
    );

  // The getter of `status` would be read once by a spread.
  return Object.assign(Object.create(client) as typeof client, {
    identify(next: Context) {
      context = next;
    },
    earlyAccess: { list: notFromHere, join: notFromHere, leave: notFromHere },
    close() {
      unwatch();
      return client.close();
    },
  });
}

/** Wakes and rests with the page. Returns what stops it. */
function watchPage(tell: (event: { kind: "wake" } | { kind: "sleep" }) => void, leave: () => void): () => void {
  const page = globalThis.document;
  if (page === undefined) return () => {};
  let resting: ReturnType<typeof setTimeout> | undefined;
  const stop = new AbortController();
  const { signal } = stop;
  const wake = () => {
    clearTimeout(resting);
    tell({ kind: "wake" });
  };
  page.addEventListener(
    "visibilitychange",
    () => {
      if (page.visibilityState === "visible") {
        wake();
        return;
      }
      leave();
      clearTimeout(resting);
      resting = setTimeout(() => tell({ kind: "sleep" }), HIDDEN_MS_MAX);
    },
    { signal },
  );
  addEventListener("online", wake, { signal });
  // A page that comes back from the browser's memory has a stream that died without a word.
  addEventListener("pageshow", (event) => event.persisted && wake(), { signal });
  addEventListener("pagehide", leave, { signal });
  return () => {
    clearTimeout(resting);
    stop.abort();
  };
}

function checkedUrl(value: unknown): string {
  // A path alone is the page's own server.
  const base = globalThis.location?.href;
  if (typeof value === "string" && value !== "" && URL.canParse(value, base)) {
    const { protocol, origin, pathname } = new URL(value, base);
    if (/^https?:$/.test(protocol)) return origin + pathname.replace(/\/+$/, "");
  }
  throw new TypeError(
    `signalbox: url is ${JSON.stringify(value) ?? "missing"}, expected the address of the Signalbox server, as in "https://flags.example.org"`,
  );
}

function checkKey(value: unknown): asserts value is string {
  if (typeof value !== "string" || value === "")
    throw new TypeError("signalbox: sdkKey is missing; find it in the admin UI under SDK keys (sb_browser_...)");
  if (value.startsWith("sb_server_")) {
    throw new TypeError(
      "signalbox: sdkKey is a server key, a secret that must not be in a page; take the environment's browser key (sb_browser_...) and replace this one",
    );
  }
}
