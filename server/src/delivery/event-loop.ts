import type { Clock } from "./clock.ts";

const LOOK_MS = 100;
/** The loop is overloaded when its timers have been later than this, each of them, for so long. One slow moment is not a load. */
const LAG_MS_MAX = 200;
const OVERLOADED_AFTER_MS = 2_000;

/** How late the event loop is. */
export interface EventLoop {
  /** Of the last look, ms. */
  readonly lagMs: number;
  /** True while every look of the last two seconds was more than 200 ms late: what can wait is then refused. */
  readonly overloaded: boolean;
  stop(): void;
}

export function watchEventLoop(clock: Clock): EventLoop {
  let lagMs = 0;
  let lateSince: number | undefined;
  let overloaded = false;
  let due = 0;
  let stopTimer = () => {};

  function look(): void {
    const now = clock.monotonic();
    lagMs = Math.max(0, now - due);
    if (lagMs > LAG_MS_MAX) lateSince ??= due;
    else lateSince = undefined;
    overloaded = lateSince !== undefined && now - lateSince >= OVERLOADED_AFTER_MS;
    schedule(now);
  }
  function schedule(now: number): void {
    due = now + LOOK_MS;
    stopTimer = clock.after(LOOK_MS, look);
  }
  schedule(clock.monotonic());

  return {
    get lagMs() {
      return lagMs;
    },
    get overloaded() {
      return overloaded;
    },
    stop: () => stopTimer(),
  };
}
