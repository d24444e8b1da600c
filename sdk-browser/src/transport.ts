import { EVENT_LENGTH_MAX, type FactsResult, type LostCause, type Ports, readDetail, sendResult } from "@signalbox/core";

export interface Transport extends Pick<Ports, "stream" | "state" | "send"> {
  /** For a page that goes away: handed to the browser, which sends it later. */
  beacon(body: string): void;
  /** Posts JSON and waits for the answer, ten seconds at most. Rejects when there is none. */
  ask(path: string, body: string, dropped?: AbortSignal): Promise<NonNullable<FactsResult>>;
}

const ASK_MS_MAX = 10_000;

type Lost = { status?: number; retryAfterMs?: number; detail?: string };

/** The requests of the SDK. The key travels in the query and bodies as text/plain, so that no request needs a CORS preflight. */
export function createTransport(server: string, sdkKey: string): Transport {
  const address = (path: string, query = "") => `${server}/sdk/v1/${path}?key=${encodeURIComponent(sdkKey)}${query && `&${query}`}`;

  /** Fetches and hands a 200 of the right kind to `take`; everything else becomes `lost`. Returns what drops the request. */
  function open(
    url: string,
    type: string,
    cache: RequestCache,
    lost: (cause: LostCause, more?: Lost) => void,
    take: (response: Response, isOver: () => boolean) => Promise<void>,
  ): () => void {
    const dropping = new AbortController();
    const { signal } = dropping;
    const isOver = () => signal.aborted;
    let answered = false;
    (async () => {
      const response = await fetch(url, { signal, cache, credentials: "omit", redirect: "error" });
      answered = true;
      const { status } = response;
      const given = response.headers.get("content-type") ?? "";
      if (status !== 200) {
        const detail = await response.text().then(readDetail, () => undefined);
        const afterMs = retryAfterMs(response);
        if (!isOver()) lost("refused", { status, ...(afterMs ? { retryAfterMs: afterMs } : {}), ...(detail ? { detail } : {}) });
      } else if (!given.startsWith(type)) {
        if (!isOver()) lost("invalid", { detail: given.slice(0, 100) });
        dropping.abort();
      } else await take(response, isOver);
    })().catch((error: unknown) => {
      if (!isOver()) lost(answered ? "ended" : "network", { detail: error instanceof Error ? error.message : "" });
    });
    return () => dropping.abort();
  }

  return {
    stream: (query, listener) =>
      open(address("stream", query), "text/event-stream", "no-store", listener.lost, async (response, isOver) => {
        listener.open();
        await readText(response, isOver, listener.text);
        if (!isOver()) listener.lost("ended");
      }),

    state: (query, etag, listener) =>
      open(
        address("state", query),
        "application/json",
        // An If-None-Match of ours would need a preflight; the browser's own, for what it has kept, does not.
        "no-cache",
        (cause, more) => listener({ kind: "lost", cause, ...more }),
        async (response, isOver) => {
          // Weak, if something in between has compressed it.
          if (etag !== undefined && response.headers.get("etag")?.replace(/^W\//, "") === etag) {
            listener({ kind: "state" });
            await response.body?.cancel();
            return;
          }
          const pieces: string[] = [];
          let length = 0;
          await readText(response, isOver, (piece) => {
            length += piece.length;
            if (length <= EVENT_LENGTH_MAX) pieces.push(piece);
            else if (!isOver()) listener({ kind: "lost", cause: "oversize" });
          });
          if (!isOver()) listener({ kind: "state", text: pieces.join("") });
        },
      ),

    async send(path, body) {
      try {
        const { status } = await fetch(address(path), { method: "POST", body, keepalive: body.length < 60_000, credentials: "omit" });
        return sendResult(status);
      } catch {
        return "failed"; // the caller keeps what it has and comes again
      }
    },

    async ask(path, body, dropped) {
      dropped?.throwIfAborted();
      const over = new AbortController();
      const stop = () => over.abort();
      const timer = setTimeout(stop, ASK_MS_MAX);
      dropped?.addEventListener("abort", stop);
      try {
        const options = { cache: "no-store", credentials: "omit", redirect: "error" } as const;
        const response = await fetch(address(path), { method: "POST", body, signal: over.signal, ...options });
        return { status: response.status, text: await response.text(), retryAfterMs: retryAfterMs(response) };
      } finally {
        clearTimeout(timer);
      }
    },

    beacon(body) {
      navigator.sendBeacon?.(address("usage"), body);
    },
  };
}

function retryAfterMs({ headers }: Response): number | undefined {
  const seconds = Number(headers.get("retry-after") ?? 0);
  return seconds > 0 ? seconds * 1_000 : undefined;
}

async function readText(response: Response, isOver: () => boolean, take: (piece: string) => void): Promise<void> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const part = await reader?.read();
    if (isOver() || part === undefined || part.done) return;
    take(decoder.decode(part.value, { stream: true }));
  }
}
