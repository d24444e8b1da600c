import { expect, test } from "vitest";
import { openTestStore } from "../delivery/test-store.ts";
import { createActors } from "./actors.ts";
import { CHECKPOINT_EVERY, openChangeLog } from "./change-log.ts";

test("a checkpoint that was not committed is still due", async () => {
  const { store, development, close } = await openTestStore();
  const environment = store.project("default")?.environments.find(({ info }) => info.id === development.id) ?? expect.fail("gone");
  const log = await openChangeLog(store.db, createActors());
  const kept = log.checkpoint(
    (run) =>
      store.transaction(async (tx) => {
        await run(tx);
        throw new Error("the disk is full");
      }),
    { ...environment, revision: CHECKPOINT_EVERY },
    1,
  );
  await expect(kept).rejects.toThrow("the disk is full");
  await close();
  expect(log.isDue(development.id, CHECKPOINT_EVERY)).toBe(true);
});
