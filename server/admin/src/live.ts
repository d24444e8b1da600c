import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useSyncExternalStore } from "react";
import type { FlagList, InstancesEvent, Receipt, RevisionEvent, UsageEvent } from "../../src/api-types.ts";
import { flagsQuery, instancesQuery, type Place, placeKey, projectsQuery, unknownKeysQuery } from "./queries.ts";

/** Changes of others within this time are fetched together. */
const COALESCE_MS = 150;
/** Usage is reported all the time: what is drawn of it is fetched at most once in this. */
const USAGE_COALESCE_MS = 2_000;
const RECEIPTS_MAX = 50;
/** A hidden tab gives its connection back after this: browsers open at most six to one address. */
const HIDDEN_MS_MAX = 60_000;
const RETRY_MS_MAX = 30_000;

type Listener<T> = (event: T) => void;

export interface Live {
  readonly connected: boolean;
  /** Receipts by environment and revision, as they grow. */
  readonly receipts: ReadonlyMap<string, Receipt>;
  /** The revision of the last kill or restore of a flag that was made on this page. */
  readonly kills: ReadonlyMap<string, number>;
}

/**
 * What the server tells by itself (`GET /api/v1/events`). Answers of queries stay the only truth: an event makes them be asked again
 * (a revision), or moves one figure that does not come with revisions (last seen, receipts).
 */
export function createLive(client: QueryClient) {
  let state: Live = { connected: true, receipts: new Map(), kills: new Map() };
  let source: EventSource | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let hidden: ReturnType<typeof setTimeout> | undefined;
  let retryMs = 1_000;
  let missed = false;
  let running = false;
  const watchers = new Set<() => void>();
  const usage = new Set<Listener<UsageEvent>>();
  const revisions = new Set<Listener<RevisionEvent>>();
  const instances = new Set<Listener<InstancesEvent>>();
  const refresh = coalesced(client, COALESCE_MS);
  const refreshUsage = coalesced(client, USAGE_COALESCE_MS);

  function set(next: Partial<Live>) {
    state = { ...state, ...next };
    for (const watcher of watchers) watcher();
  }

  function open() {
    if (source || !running) return;
    source = new EventSource("/api/v1/events");
    source.addEventListener("open", () => {
      retryMs = 1_000;
      set({ connected: true });
      // Whatever happened without us is asked for now.
      if (missed) void client.invalidateQueries();
      missed = false;
    });
    source.addEventListener("error", () => {
      missed = true;
      set({ connected: false });
      // After an answer that is not 200 the browser does not try again by itself.
      if (source?.readyState !== EventSource.CLOSED) return;
      close();
      retry = setTimeout(open, retryMs);
      retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
    });
    on<RevisionEvent>("revision", (event) => {
      for (const listener of revisions) listener(event);
      refresh(placeKey(event));
      refresh(projectsQuery.queryKey);
    });
    on<UsageEvent>("usage", (event) => {
      for (const listener of usage) listener(event);
      noteSeen(client, event);
      if (event.known === "known") refreshUsage([...placeKey(event), "usage", event.flag]);
      else refreshUsage(unknownKeysQuery(event).queryKey);
    });
    on<InstancesEvent>("instances", (event) => {
      for (const listener of instances) listener(event);
      refresh(instancesQuery(event).queryKey);
    });
    on<Receipt>("receipt", noteReceipt);
  }

  function on<T>(name: string, listener: Listener<T>) {
    source?.addEventListener(name, (event) => listener(JSON.parse((event as MessageEvent<string>).data) as T));
  }

  function close() {
    source?.close();
    source = undefined;
    clearTimeout(retry);
  }

  function noteReceipt(receipt: Receipt) {
    const key = receiptKey(receipt.environment, receipt.revision);
    const known = state.receipts.get(key);
    // Answers and events cross: acknowledgements only grow.
    if (known && (known.complete || known.acknowledged > receipt.acknowledged)) return;
    const entries = [...state.receipts].filter(([other]) => other !== key).slice(-(RECEIPTS_MAX - 1));
    set({ receipts: new Map([...entries, [key, receipt]]) });
  }

  function onVisibility() {
    clearTimeout(hidden);
    if (document.visibilityState === "visible") open();
    else {
      hidden = setTimeout(() => {
        missed = true;
        close();
      }, HIDDEN_MS_MAX);
    }
  }

  function noteKill(place: Place, flag: string, revision: number) {
    set({ kills: new Map([...state.kills].slice(-RECEIPTS_MAX)).set(killKey(place, flag), revision) });
  }

  return {
    start(): () => void {
      running = true;
      open();
      document.addEventListener("visibilitychange", onVisibility);
      return () => {
        running = false;
        clearTimeout(hidden);
        document.removeEventListener("visibilitychange", onVisibility);
        close();
      };
    },
    noteReceipt,
    noteKill,
    read: () => state,
    watch: (watcher: () => void) => listen(watchers, watcher),
    onUsage: (listener: Listener<UsageEvent>) => listen(usage, listener),
    onRevision: (listener: Listener<RevisionEvent>) => listen(revisions, listener),
    onInstances: (listener: Listener<InstancesEvent>) => listen(instances, listener),
  };
}

/** Asks again for what is shown, all that comes within `ms` at one time. */
function coalesced(client: QueryClient, ms: number): (key: readonly unknown[]) => void {
  const due = new Map<string, readonly unknown[]>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  return (key) => {
    due.set(JSON.stringify(key), key);
    if (timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      const keys = [...due.values()];
      due.clear();
      for (const queryKey of keys) void client.invalidateQueries({ queryKey });
    }, ms);
  };
}

function listen<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

/** "last seen" moves without asking for the whole list again. */
function noteSeen(client: QueryClient, event: UsageEvent) {
  if (event.known !== "known" || event.variant === null) return;
  const seen = { at: event.at, app: event.app, variant: event.variant };
  const { perMinute } = event;
  client.setQueryData<FlagList>(flagsQuery(event).queryKey, (list) => {
    if (!list?.flags.some((flag) => flag.key === event.flag)) return list;
    return { ...list, flags: list.flags.map((flag) => (flag.key === event.flag ? { ...flag, seen, perMinute } : flag)) };
  });
  client.setQueryData([...placeKey(event), "flag", event.flag], (flag: object | undefined) => flag && { ...flag, seen, perMinute });
}

export function receiptKey(environment: string, revision: number): string {
  return `${environment}:${revision}`;
}

export function killKey(place: Place, flag: string): string {
  return `${place.project}/${place.environment}/${flag}`;
}

type LiveStore = ReturnType<typeof createLive>;
let store: LiveStore | undefined;

export function useLiveStore(): LiveStore {
  const client = useQueryClient();
  store ??= createLive(client);
  return store;
}

export function useLive(): Live {
  const live = useLiveStore();
  return useSyncExternalStore(live.watch, live.read);
}

/** Calls the handler for each reported evaluation while the component is mounted. */
export function useUsage(handler: Listener<UsageEvent>): void {
  const live = useLiveStore();
  const current = useRef(handler);
  current.current = handler;
  useEffect(() => live.onUsage((event) => current.current(event)), [live]);
}

export function useInstances(handler: Listener<InstancesEvent>): void {
  const live = useLiveStore();
  const current = useRef(handler);
  current.current = handler;
  useEffect(() => live.onInstances((event) => current.current(event)), [live]);
}

export function useReceipt(place: Place, revision: number | undefined): Receipt | undefined {
  const { receipts } = useLive();
  return revision === undefined ? undefined : receipts.get(receiptKey(place.environment, revision));
}
