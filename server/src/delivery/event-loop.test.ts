import { expect, test } from "vitest";
import { watchEventLoop } from "./event-loop.ts";

/** A clock whose timers come as late as a busy loop makes them. */
function lateClock() {
  let at = 0;
  let timer: { due: number; run: () => void } | undefined;
  return {
    now: () => at,
    monotonic: () => at,
    after(ms: number, run: () => void) {
      timer = { due: at + ms, run };
      return () => {
        timer = undefined;
      };
    },
    fire(lateMs: number) {
      if (!timer) return false;
      const { due, run } = timer;
      timer = undefined;
      at = due + lateMs;
      run();
      return true;
    },
  };
}

test("a loop is overloaded when it has been late by more than 200 ms for two seconds, and no longer with the first look in time", () => {
  const clock = lateClock();
  const loop = watchEventLoop(clock);
  for (let count = 0; count < 50; count += 1) clock.fire(200);
  expect([loop.overloaded, loop.lagMs]).toEqual([false, 200]);
  for (let late = 0; late < 1_700; late += 350) {
    clock.fire(250);
    expect(loop.overloaded).toBe(false);
  }
  clock.fire(250);
  expect(loop.overloaded).toBe(true);
  clock.fire(3);
  expect([loop.overloaded, loop.lagMs]).toEqual([false, 3]);
  clock.fire(5_000);
  expect(loop.overloaded).toBe(true);
});

test("it stops looking when it is told to", () => {
  const clock = lateClock();
  const loop = watchEventLoop(clock);
  loop.stop();
  expect(clock.fire(0)).toBe(false);
});
