import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { createFlag } from "../flags/decide.ts";
import { setKilled } from "../flags/kills.ts";
import { brokenAuditRow } from "./audit.ts";
import { openStore, type Store } from "./store.ts";

const folders: string[] = [];
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "signalbox-high-water-"));
  folders.push(made);
  return made;
}
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true });
});

const SECOND = 1_800_000_000;
const now = () => SECOND * 1_000;
const open = (directory: string, log?: { warn: (fields: object, message: string) => void }) =>
  openStore({ directory, now, ...(log && { log }) });
const generations = (store: Store) => store.projects().flatMap(({ environments }) => environments.map(({ generation }) => generation));

async function write(store: Store, key: string): Promise<void> {
  await store.write({ project: "default", by: "ann" }, (current) => createFlag(current, { key }));
}
const removeDatabase = (directory: string) => {
  for (const end of ["", "-wal", "-shm"]) rmSync(join(directory, `signalbox.db${end}`), { force: true });
};

test("a database that is put back, twice, and one that is made anew: the generation goes up each time, audited", async () => {
  const directory = folder();
  const copy = folder();
  let store = await open(directory);
  await write(store, "a");
  await store.close();
  cpSync(join(directory, "signalbox.db"), join(copy, "signalbox.db"));
  store = await open(directory);
  expect(generations(store)).toEqual([SECOND, SECOND]);
  await write(store, "b");
  await store.close();

  for (const generation of [SECOND + 1, SECOND + 2]) {
    removeDatabase(directory);
    cpSync(join(copy, "signalbox.db"), join(directory, "signalbox.db"));
    store = await open(directory);
    expect(generations(store)).toEqual([generation, generation]);
    expect(await brokenAuditRow(store.db)).toBeUndefined();
    await store.write({ project: "default", by: "ann" }, (current) =>
      setKilled(current, "development", "a", { at: 1, by: "ann", reason: null }),
    );
    await write(store, `later-${generation}`);
    await store.close();
    // Started once more, nothing has gone back.
    store = await open(directory);
    expect(generations(store)).toEqual([generation, generation]);
    await store.close();
  }

  removeDatabase(directory);
  store = await open(directory);
  expect(generations(store)).toEqual([SECOND + 3, SECOND + 3]);
  await store.close();
});

test("a file that is damaged or gone is said and stands in nobody's way", async () => {
  const directory = folder();
  await (await open(directory)).close();
  writeFileSync(join(directory, "high-water.json"), '{"default/development": {"generation": "x"}}');
  const said: string[] = [];
  const store = await open(directory, { warn: (_fields, message) => said.push(message) });
  expect(said).toEqual([expect.stringContaining("high-water.json")]);
  await write(store, "a");
  await store.close();
  expect(JSON.parse(readFileSync(join(directory, "high-water.json"), "utf8"))).toEqual({
    "default/development": { generation: SECOND, revision: 1 },
    "default/production": { generation: SECOND, revision: 1 },
  });
});
