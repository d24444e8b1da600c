import { applySnapshot, createState, type FactsAnswer, type SnapshotFrame, type State } from "@signalbox/core";

/**
 * The last known state in localStorage, so that the next page answers at once and also while the server is gone, and beside it the last
 * answers of facts, under a hash of the context that they are for; the context itself is not kept. A storage that is off, full or
 * forbidden costs nothing but that.
 */
export interface SavedState {
  /** The state of an earlier page; an empty one if there is none or if it does not add up. */
  load(): State;
  /** Keeps the state, soon: many changes in a row are one write. */
  save(state: State): void;
  /** Keeps at once what waits to be kept, for a page that goes away. */
  flush(): void;
  /** The facts that were kept last, as they were found. */
  loadFacts(): unknown;
  saveFacts(answer: FactsAnswer): void;
}

const SAVE_AFTER_MS = 200;
/** Beyond this a state is not kept: the whole storage of an origin has about 5 million characters. */
const LENGTH_MAX = 1_000_000;

export function savedState(server: string, sdkKey: string): SavedState {
  const name = `signalbox:${server}:${sdkKey}`;
  const factsName = `${name}:facts`;
  let unsaved: State | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function flush(): void {
    clearTimeout(timer);
    const state = unsaved;
    unsaved = undefined;
    if (state?.position === undefined) return;
    const { position, digest, factsAt, environment, project, entries } = state;
    try {
      // Where this one does not fit the next page begins without a state: an older one may lack a kill.
      localStorage.removeItem(name);
      const text = JSON.stringify({ ...position, digest, factsAt, environment, project, entries: [...entries.values()] });
      if (text.length <= LENGTH_MAX) localStorage.setItem(name, text);
    } catch {
      // full or forbidden: as above
    }
  }

  return {
    loadFacts() {
      try {
        return JSON.parse(localStorage.getItem(factsName) ?? "null");
      } catch {
        return undefined; // as below
      }
    },
    saveFacts(answer) {
      try {
        localStorage.setItem(factsName, JSON.stringify(answer));
      } catch {
        // full or forbidden: the next page asks
      }
    },
    load() {
      const state = createState();
      try {
        const text = localStorage.getItem(name);
        // The same check as for a frame of the server: the digest has to fit.
        if (text !== null) applySnapshot(state, JSON.parse(text) as SnapshotFrame);
      } catch {
        return createState(); // without storage, or with something else in it, the page begins without a state
      }
      return state;
    },
    save(state) {
      if (unsaved === undefined) timer = setTimeout(flush, SAVE_AFTER_MS);
      unsaved = state;
    },
    flush,
  };
}
