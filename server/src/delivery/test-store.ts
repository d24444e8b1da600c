/** A real store in a folder of its own, for the tests of delivery and usage. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Projection } from "@signalbox/core";
import { createFlag } from "../flags/decide.ts";
import { setKilled } from "../flags/kills.ts";
import { createGroup } from "../groups/decide.ts";
import { openStore, type Store } from "../store/store.ts";
import { testDatabase } from "../store/test-postgres.ts";
import type { EnvironmentInfo } from "./feed.ts";

export interface TestStore {
  readonly store: Store;
  readonly folder: string;
  readonly development: EnvironmentInfo;
  sdkKey(projection: Projection, environment?: EnvironmentInfo): string;
  createFlag(key: string, browser?: boolean): Promise<void>;
  kill(key: string): Promise<number>;
  restore(key: string): Promise<number>;
  createEarlyAccess(key: string, by?: string): Promise<void>;
  /** Closes the store and opens the same folder again. */
  reopen(): Promise<TestStore>;
  close(): Promise<void>;
}

export async function openTestStore(folder = mkdtempSync(join(tmpdir(), "signalbox-delivery-"))): Promise<TestStore> {
  const store = await openStore({ directory: folder, databaseUrl: await testDatabase(folder) });
  const development = store.feed.environments().find(({ key }) => key === "development");
  if (!development) throw new Error("a new store has an environment development");
  const head = () => store.feed.state(development.id, "server").revision;
  const write = async (decide: Parameters<Store["write"]>[1]) => {
    const { outcome } = await store.write({ project: "default", by: "ada" }, decide);
    if (outcome.kind !== "changed") throw new Error(`the write came to ${outcome.kind}`);
  };
  return {
    store,
    folder,
    development,
    sdkKey(projection, environment = development) {
      const key = store.sdkKeys.show(environment.id, projection);
      if (key === undefined) throw new Error("a new store shows its SDK keys");
      return key;
    },
    createFlag: (key, browser = true) => write((current) => createFlag(current, { key, browser })),
    async kill(key) {
      await write((current) => setKilled(current, "development", key, { at: current.now, by: "ada", reason: "test" }));
      return head();
    },
    async restore(key) {
      await write((current) => setKilled(current, "development", key, null));
      return head();
    },
    createEarlyAccess: (key, by) =>
      write((current) => createGroup(current, "development", { key, kind: "early-access", by }, "0".repeat(32))),
    async reopen() {
      await store.close();
      return openTestStore(folder);
    },
    async close() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
