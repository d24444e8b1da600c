import { describe, expect, test } from "vitest";
import type { Turn } from "../turns.ts";
import { createWriteQueue } from "./queue.ts";

/** Calls `turn` until it had to wait once: 10 ms of work. */
async function workOn(turn: Turn): Promise<void> {
  for (;;) {
    const wait = turn();
    if (wait) return wait;
  }
}

describe("a long write", () => {
  test("gives way to a kill that comes while it runs, and is done once more from its start", async () => {
    const queue = createWriteQueue();
    const log: string[] = [];
    const long = queue.run(async (turn) => {
      log.push("begun");
      if (log.length === 1) void queue.run(() => log.push("kill"), "kill");
      await workOn(turn);
      log.push("done");
    });
    void queue.run(() => log.push("edit"));
    await long;
    await queue.close();
    expect(log).toEqual(["begun", "kill", "begun", "done", "edit"]);
  });

  test("gives way to kills only, and lets others run in between", async () => {
    const queue = createWriteQueue();
    const log: string[] = [];
    setImmediate(() => log.push("a request"));
    await queue.run(async (turn) => {
      void queue.run(() => log.push("edit"));
      await workOn(turn);
      log.push("done");
    });
    await queue.close();
    expect(log).toEqual(["a request", "done", "edit"]);
  });

  test("is refused when kills never end, and every kill is done", async () => {
    const queue = createWriteQueue();
    let kills = 0;
    const long = queue.run(async (turn) => {
      void queue.run(() => {
        kills += 1;
      }, "kill");
      await workOn(turn);
    });
    await expect(long).rejects.toMatchObject({ code: "OVERLOADED", message: expect.stringContaining("10 kills") });
    await queue.close();
    expect(kills).toBe(10);
  });
});
