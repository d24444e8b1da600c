import {
  createClient,
  createFacts,
  type Evaluation,
  type FactsAnswer,
  type FactsResult,
  type Flags,
  type Json,
  type Logger,
  SILENT,
  type Status,
} from "@signalbox/core";
import { createEarlyAccess, type EarlyAccess } from "./early-access.ts";
import { createSigner, type Identity } from "./identity.ts";
import { savedState } from "./saved-state.ts";
import { createTransport } from "./transport.ts";
import { VERSION } from "./version.ts";

export type {
  Change,
  Context,
  EarlyAccessGroup,
  Events,
  Explanation,
  Flags,
  Json,
  Logger,
  Membership,
  Reason,
  Status,
  SyncStatus,
} from "@signalbox/core";
export type { EarlyAccess } from "./early-access.ts";
export type { Identity } from "./identity.ts";

export interface BrowserFlagsOptions {
  /** Of the Signalbox server: `https://flags.example.org`. */
  readonly url: string;
  /** A browser key of one environment: `sb_browser_production_...`. It is not a secret. */
  readonly sdkKey: string;
  /** What this page is called in the admin UI; the host name when absent. */
  readonly app?: string;
  /** The version of this page, shown beside its name. */
  readonly appVersion?: string;
  /** Who the page is for, until `identify`: a context, or `{ token }`, a context that the app's own server has signed. */
  readonly context?: Identity;
  /** Gets a new token when the one that the page has ends. */
  readonly refreshToken?: () => Promise<string>;
  /** What `dehydrate` of @signalbox/node gave, as an object: it answers for its context until the state and the facts are there. */
  readonly bootstrap?: Bootstrap;
  /** Where sentences go: by default one line when it connects and one for each problem, on the console. `false`: nowhere. */
  readonly logger?: Logger | false;
  readonly transport?: "stream" | "poll";
  /** With `transport: "poll"`; 15000 when absent. */
  readonly pollMs?: number;
}

/** Flags of one environment that are marked for browsers, held in the page and followed. */
export interface BrowserFlags extends Flags {
  /**
   * From now on reads that give no context of their own are answered for this one; later changes of the object count for nothing. Resolves
   * when what the server alone can say of it is known, or after three seconds; until then what depends on that is as it was for this context
   * last, or unknown. Listeners of `change` are told what the server's answer changes, not of the new context itself.
   *
   * @throws TypeError for a token that is none.
   */
  identify(identity: Identity): Promise<Status>;
  readonly earlyAccess: EarlyAccess;
}

/** Answers of a page's own server: names and values of variants, and a hash of whom they are for. */
export interface Bootstrap {
  readonly contextHash: string;
  readonly flags: { readonly [flag: string]: readonly [variant: string, value: Json] };
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
  const { url, sdkKey, app, appVersion, logger, transport, pollMs, refreshToken, bootstrap } = options ?? {};
  const server = checkedUrl(url);
  checkKey(sdkKey);
  const requests = createTransport(server, sdkKey);
  const saved = savedState(server, sdkKey);
  const signer = createSigner(refreshToken, (context) => client.facts?.identify(context));
  const context = signer.take(options.context ?? {});
  // A random percentage is drawn once for each flag and revision, so that a page does not flicker.
  let draws = new Map<string, number>();

  const clock = {
    now: () => performance.now(),
    random: Math.random,
    after(ms: number, run: () => void) {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
  };

  function askFacts(body: string, done: (result: FactsResult) => void): () => void {
    const dropping = new AbortController();
    ask("facts", body, dropping.signal).then(done, () => done(undefined));
    return () => dropping.abort();
  }

  const client = createClient(
    {
      ...requests,
      ...clock,
      time: Date.now,
      draw(flag) {
        const drawn = draws.get(flag) ?? Math.random();
        draws.set(flag, drawn);
        return drawn;
      },
      context: () => client.facts?.context,
      changed(state) {
        draws = new Map();
        saved.save(state);
      },
      holdFacts: (owner) => createFacts({ ...clock, askFacts, keepFacts: keep }, owner),
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

  const unwatch = watchPage(client.tell, () => {
    saved.flush();
    client.drain().forEach(requests.beacon);
  });
  client.facts?.identify(context, { kept: saved.loadFacts(), given: bootstrap && answersOf(bootstrap) });
  let tabs = openTabs(`signalbox:${server}:${sdkKey}`, (answer) => client.facts?.take(answer));

  /** The body says whom it is for as the server wants to hear it. One signed context that is refused is replaced by another. */
  async function ask(path: string, body = "{}", dropped?: AbortSignal): ReturnType<typeof requests.ask> {
    const { context: _asProofSays, ...rest } = JSON.parse(body) as { context?: unknown };
    const once = async () => requests.ask(path, JSON.stringify({ ...rest, ...(await signer.proof()) }), dropped);
    const result = await once();
    return (result.status === 401 || result.status === 403) && signer.refused() ? once() : result;
  }

  function keep(answer: FactsAnswer): void {
    saved.saveFacts(answer);
    tabs?.postMessage(answer);
  }

  // The getter of `status` would be read once by a spread.
  return Object.assign(Object.create(client) as typeof client, {
    identify(identity: Identity) {
      const renewed = signer.hasAnother(identity);
      client.facts?.identify(signer.take(identity ?? {}), { kept: saved.loadFacts(), renewed });
      return client.ready();
    },
    earlyAccess: createEarlyAccess(server, client, ask, keep),
    close() {
      unwatch();
      tabs?.close();
      tabs = undefined;
      return client.close();
    },
  });
}

/** Other pages of this origin, which take facts that one of them was answered, if they are for the same context. */
function openTabs(name: string, take: (answer: unknown) => void): BroadcastChannel | undefined {
  // Where there is no page there are no others, and in Node a channel would keep the process alive.
  if (globalThis.document === undefined || !globalThis.BroadcastChannel) return undefined;
  try {
    const channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }) => take(data);
    return channel;
  } catch {
    return undefined; // forbidden here, as storage may be: each page asks for itself
  }
}

function answersOf({ contextHash, flags }: Bootstrap): { contextHash: string; flags: Record<string, Evaluation> } {
  const reason = { kind: "STATIC" } as const;
  const answers = Object.entries(flags).map(([flag, [variant, value]]) => [flag, { served: true, variant, value, reason }] as const);
  return { contextHash, flags: Object.fromEntries(answers) };
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
  const rest = () => {
    clearTimeout(resting);
    resting = setTimeout(() => tell({ kind: "sleep" }), HIDDEN_MS_MAX);
  };
  // A tab that was opened in the background hears of no change until somebody looks at it.
  if (page.visibilityState === "hidden") rest();
  page.addEventListener(
    "visibilitychange",
    () => {
      if (page.visibilityState === "visible") {
        wake();
        return;
      }
      leave();
      rest();
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
