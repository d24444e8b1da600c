/** What is demanded of Signalbox, all of it as ratios within one run (shared research, "Proposed goals"). */
export interface Goal {
  /** Whose time it is a multiple of. */
  readonly floor: "floor" | "floor-index";
  readonly must: number;
  readonly aim: number;
  /** So many times faster than the fastest peer. */
  readonly peerMust: number;
}

export const goals: Readonly<Record<string, Goal>> = {
  W1: { floor: "floor", must: 3, aim: 2, peerMust: 4 },
  W2: { floor: "floor", must: 2.5, aim: 1.8, peerMust: 8 },
  W3: { floor: "floor", must: 2.5, aim: 1.7, peerMust: 5 },
  W4: { floor: "floor-index", must: 3, aim: 1.7, peerMust: 7 },
  W5: { floor: "floor", must: 2, aim: 1.5, peerMust: 5 },
  W6: { floor: "floor", must: 1.5, aim: 1.2, peerMust: 3 },
};

/** Times JSON.parse alone on the same text: of its time, and of the heap that it takes. */
export const loadGoals = { time: { must: 1.6, aim: 1.4 }, heap: { must: 1.3, aim: 1.1 } } as const;
