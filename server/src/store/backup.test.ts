import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterEach, describe, expect, test } from "vitest";
import { createFlag } from "../flags/decide.ts";
import { createBackup, restoreBackup, verifyBackup } from "./backup.ts";
import { openSqlite } from "./driver.ts";
import { openStore, type Store } from "./store.ts";

const folders: string[] = [];
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "signalbox-backup-"));
  folders.push(made);
  return made;
}
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true });
});

const NOW = 1_800_000_000_000;
const open = (directory: string) => openStore({ directory, now: () => NOW });
const write = (store: Store, key: string) =>
  store.write({ project: "default", by: "ann" }, (current) => createFlag(current, { key, browser: true }));
function development(store: Store) {
  const [found] = store.project("default")?.environments ?? [];
  return found ?? expect.fail("no environment");
}

/** A stopped data folder with one flag, and a backup of it. */
async function backedUp() {
  const directory = folder();
  const file = join(folder(), "backup.db");
  const store = await open(directory);
  await write(store, "a");
  const key = store.sdkKeys.show(1, "server");
  await store.close();
  await createBackup(directory, file, NOW);
  return { directory, file, key };
}

describe("a backup", () => {
  test("made under writes holds every write that was acknowledged before it, and is a state that there was", async () => {
    const directory = folder();
    const file = join(folder(), "backup.db");
    const store = await open(directory);
    const digests = new Map<number, string>();
    store.feed.onCommit(({ environmentId, to, projections }) => {
      if (environmentId === 1) digests.set(to, projections.server.digest);
    });
    let stop = false;
    let acknowledged = 0;
    const writing = (async () => {
      for (let i = 0; !stop; i += 1) {
        await write(store, `flag-${i}`);
        acknowledged = i + 1;
        // As many turns as other requests would take: the copying is in one of them.
        await new Promise(setImmediate);
      }
    })();
    while (acknowledged < 20) await new Promise(setImmediate);
    const before = acknowledged;
    await createBackup(directory, file, NOW);
    stop = true;
    await writing;
    await store.close();

    const empty = folder();
    const restored = await restoreBackup(empty, file, NOW);
    const [found] = restored.environments;
    expect(found?.flags).toBeGreaterThanOrEqual(before);
    const again = await open(empty);
    expect(development(again).states.server.digest).toBe(digests.get(found?.revision ?? 0));
    for (let i = 0; i < before; i += 1) expect(development(again).flags.has(`flag-${i}`)).toBe(true);
    await again.close();
  });

  test("is one file for its owner alone, and what is there is not overwritten", async () => {
    const { directory, file } = await backedUp();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await expect(createBackup(directory, file, NOW)).rejects.toThrow(/exists already: choose another name/);
    await expect(createBackup(folder(), `${file}2`, NOW)).rejects.toThrow(/There is no database in/);
    expect(readdirSync(join(file, ".."))).toEqual(["backup.db"]);
  });

  test("restored on an empty host has the flags, the keys, and a newer generation", async () => {
    const { file, key } = await backedUp();
    const empty = folder();
    expect(await restoreBackup(empty, file, NOW)).toMatchObject({
      at: NOW,
      hasSecret: true,
      aside: undefined,
      environments: [{ name: "default/development", generation: NOW / 1_000 + 1, revision: 1, flags: 1 }, { name: "default/production" }],
    });
    const store = await open(empty);
    expect(store.sdkKeys.show(1, "server")).toBe(key);
    expect(store.sdkKeys.find(key ?? "")).toMatchObject({ projection: "server" });
    expect(store.db.all(sql`select key from meta where key like 'backup.%'`)).toEqual([]);
    await write(store, "b");
    await store.close();
  });

  test("restored twice over a folder with newer writes: each time newer than everything before, and what was there stays beside it", async () => {
    const { directory, file } = await backedUp();
    let store = await open(directory);
    await write(store, "lost");
    await store.close();
    const generations: number[] = [];
    for (const later of [1, 2]) {
      const { aside } = await restoreBackup(directory, file, NOW + later * 1_000);
      expect(existsSync(aside ?? "")).toBe(true);
      store = await open(directory);
      generations.push(development(store).generation);
      expect([...development(store).flags.keys()]).toEqual(["a"]);
      await write(store, `later-${later}`);
      await store.close();
      const before = folder();
      cpSync(aside ?? "", join(before, "signalbox.db"));
      cpSync(join(directory, "secret.key"), join(before, "secret.key"));
      const old = await open(before);
      expect([...development(old).flags.keys()]).toEqual(later === 1 ? ["a", "lost"] : ["a", "later-1"]);
      await old.close();
    }
    expect(generations[0]).toBeGreaterThan(NOW / 1_000);
    expect(generations[1]).toBeGreaterThan(generations[0] ?? 0);
  });

  test("in the place of a damaged database brings the folder back", async () => {
    const { directory, file } = await backedUp();
    writeFileSync(join(directory, "signalbox.db"), Buffer.alloc(100_000, 7));
    await expect(open(directory)).rejects.toThrow(/is damaged/);
    await restoreBackup(directory, file, NOW);
    const store = await open(directory);
    expect([...development(store).flags.keys()]).toEqual(["a"]);
    await store.close();
  });

  test("is not restored under a running server", async () => {
    const { directory, file } = await backedUp();
    const store = await open(directory);
    await expect(restoreBackup(directory, file, NOW)).rejects.toThrow(/in use by another Signalbox: stop that one first/);
    await write(store, "b");
    await store.close();
  });

  const spoiled: readonly [string, (file: string) => Promise<void> | void, RegExp][] = [
    ["cut in the middle", (file) => writeFileSync(file, readFileSync(file).subarray(0, 40_000)), /cannot be used/],
    ["no database", (file) => writeFileSync(file, "hello"), /cannot be used/],
    ["absent", (file) => rmSync(file), /There is no file/],
    [
      "with an audit row that was changed",
      (file) => change(file, `update audit set "by" = 'eve' where id = 1`),
      /audit does not fit its chain/,
    ],
    [
      "with a flag that was changed",
      (file) => change(file, `update flag_configuration set body = replace(body, '"off"', '"on"')`),
      /digest/,
    ],
    [
      "of a newer version",
      (file) => change(file, "insert into __drizzle_migrations (hash, created_at) values ('x', 9999999999999)"),
      /newer Signalbox/,
    ],
  ];
  test.each(spoiled)("%s is refused, by verify and by restore, and the folder stays as it is", async (_name, spoil, why) => {
    const { directory, file } = await backedUp();
    await spoil(file);
    await expect(verifyBackup(file, folder(), NOW)).rejects.toThrow(why);
    await expect(restoreBackup(directory, file, NOW)).rejects.toThrow(why);
    const store = await open(directory);
    expect([...development(store).flags.keys()]).toEqual(["a"]);
    expect(development(store).generation).toBe(NOW / 1_000);
    await store.close();
  });

  async function change(file: string, statement: string): Promise<void> {
    const handle = await openSqlite(file);
    handle.raw.exec(statement);
    handle.close();
  }
});
