import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { and, eq } from "drizzle-orm";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createFlags, type Flags } from "../flags/flags.ts";
import { createGroup, deleteGroup } from "../groups/decide.ts";
import { createMembers } from "../groups/members.ts";
import { CHECKPOINT_EVERY } from "./change-log.ts";
import { projectAll } from "./edit.ts";
import type { EnvironmentModel } from "./model.ts";
import { beginningOf, modelOf, revisionBy, rowsAt } from "./past.ts";
import { tables } from "./schema.sqlite.ts";
import { openStore, type Store } from "./store.ts";
import { NO_USAGE } from "./test-project.ts";

vi.setConfig({ testTimeout: 120_000 });

const DEVELOPMENT = { project: "default", environment: "development" };
const ANN = { by: "ann" };
const HASH_KEY = "000102030405060708090a0b0c0d0e0f";

describe("the past of an environment", () => {
  const directory = mkdtempSync(join(tmpdir(), "signalbox-past-"));
  const opened: Store[] = [];
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  let clock = 1_000_000;
  async function open(): Promise<{ store: Store; flags: Flags }> {
    const store = await openStore({ directory, now: () => clock++ });
    opened.push(store);
    return { store, flags: createFlags({ store, usage: NO_USAGE }) };
  }
  const live = (store: Store): EnvironmentModel => store.project("default")?.environments[0] ?? expect.fail("no environment");

  test("is what was live then, over a checkpoint, a restart and changes of a version that kept no records", async () => {
    const { store, flags } = await open();
    const seen: { model: EnvironmentModel; at: number }[] = [];
    const see = (of: Store) => seen.push({ model: live(of), at: clock });
    const group = (key: string) =>
      store.write({ ...ANN, project: "default" }, (current) => createGroup(current, "development", { key, kind: "list" }, HASH_KEY));
    see(store);
    await flags.create("default", { key: "a", browser: true }, ANN);
    see(store);
    await group("g");
    const { id } = live(store).info;
    const change = { environmentId: id, group: "g", author: ANN, action: "group.members" as const };
    await createMembers(store).change({ ...change, change: { add: ["u1", "u2", "u3"], remove: [] } });
    see(store);
    await flags.patch("default", undefined, "a", { key: "b" }, { by: "bob", ifMatch: "*" });
    await createMembers(store).change({ ...change, change: { add: [], remove: ["u2"] } });
    see(store);
    await store.write({ ...ANN, project: "default" }, (current) => deleteGroup(current, "development", "g", "*"));
    while (live(store).revision < CHECKPOINT_EVERY + 10) {
      await flags.kill(DEVELOPMENT, "b", { by: "carla", reason: "again" });
      await flags.restore(DEVELOPMENT, "b", { by: "carla" });
      if (live(store).revision % 300 < 2) see(store);
    }
    see(store);
    await store.close();
    opened.splice(0);

    const second = await open();
    const kept = await second.store.db.select({ revision: tables.checkpoint.revision }).from(tables.checkpoint);
    expect(kept).toEqual([{ revision: CHECKPOINT_EVERY }]);
    expect(seen.length).toBeGreaterThan(7);
    for (const { model, at } of seen) {
      const rows = (await rowsAt(second.store.db, id, model.revision)) ?? expect.fail(`nothing at ${model.revision}`);
      const past = { ...rows, ...projectAll({ ...rows, factNumbers: live(second.store).factNumbers }, model.states.server) };
      const entries = (of: EnvironmentModel) => new Map([...of.states.server.entries].map(([id, { fp: _fp, ...entry }]) => [id, entry]));
      expect(entries(modelOf(live(second.store), rows, model.revision))).toEqual(entries(model));
      expect([...past.flags]).toEqual([...model.flags]);
      expect([...past.groups]).toEqual([...model.groups]);
      expect(past.states.server.digest).toBe(model.states.server.digest);
      expect(past.states.browser.digest).toBe(model.states.browser.digest);
      expect(await revisionBy(second.store.db, id, at - 1)).toBe(model.revision);
    }
    expect(await beginningOf(second.store.db, id)).toBe(0);

    // As an older version leaves it: what it wrote is known from the start after it on.
    await second.flags.configure(DEVELOPMENT, "b", { mode: "on" }, ANN);
    const hole = live(second.store).revision;
    await second.store.transaction(async (tx) => {
      await tx
        .update(tables.changeSet)
        .set({ record: null })
        .where(and(eq(tables.changeSet.environmentId, id), eq(tables.changeSet.revision, hole)));
    });
    await second.store.close();
    opened.splice(0);
    const third = await open();
    await third.flags.configure(DEVELOPMENT, "b", { mode: "off" }, ANN);
    expect((await rowsAt(third.store.db, id, hole))?.flags.get("b")?.body.mode).toBe("on");
    expect((await rowsAt(third.store.db, id, hole + 1))?.flags.get("b")?.body.mode).toBe("off");
    expect((await rowsAt(third.store.db, id, hole - 1))?.flags.get("b")?.body.mode).toBe("off");
  });
});
