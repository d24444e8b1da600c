import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { configure, createFlag } from "../flags/decide.ts";
import { setKilled } from "../flags/kills.ts";
import { createGroup } from "../groups/decide.ts";
import { createMembers } from "../groups/members.ts";
import { brokenAuditRow } from "./audit.ts";
import { queryRows } from "./database.ts";
import { openSqlite } from "./driver.ts";
import { openStore, type Store } from "./store.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "signalbox-repair-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const PLACE = { project: "default", by: "ann" } as const;

/** Flags that are on, one of them killed, and two groups. Resolves with the digests. */
async function fill(): Promise<string[]> {
  const store = await openStore({ directory });
  for (const key of ["a", "b", "c"]) {
    await store.write(PLACE, (current) => createFlag(current, { key }));
    await store.write(PLACE, (current) => configure(current, "development", key, { mode: "on" }, undefined));
  }
  await store.write(PLACE, (current) => setKilled(current, "development", "b", { at: 1, by: "ann", reason: "smoke" }));
  const when = { op: "in", attribute: "plan", values: ["pro"] } as const;
  await store.write(PLACE, (current) => createGroup(current, "development", { key: "pro", kind: "conditions", when }, "0".repeat(32)));
  await store.write(PLACE, (current) => createGroup(current, "development", { key: "beta", kind: "list" }, "1".repeat(32)));
  const change = { add: ["p1", "p2"], remove: [] };
  await createMembers(store).change({ environmentId: 1, group: "beta", author: { by: "ann" }, change, action: "group.members" });
  const digests = digestsOf(store);
  await store.close();
  return digests;
}
const digestsOf = (store: Store) => (store.project("default")?.environments ?? []).map(({ states }) => states.server.digest);

async function spoil(...statements: readonly string[]): Promise<void> {
  const handle = await openSqlite(join(directory, "signalbox.db"));
  for (const statement of statements) handle.raw.exec(statement);
  handle.close();
}

test("rows that something else has changed or made unreadable are put back as they were committed, told and audited", async () => {
  const digests = await fill();
  await spoil(
    'update flag_configuration set body = \'{"mode": "o\' where flag_id = 1 and environment_id = 1',
    "update flag_configuration set killed = null where flag_id = 2",
    "delete from flag_configuration where flag_id = 3 and environment_id = 1",
    "update flag_group set \"when\" = 'nonsense' where key = 'pro'",
  );
  const said: object[] = [];
  const store = await openStore({ directory, log: { warn: (fields: object) => void said.push(fields) } });
  expect(digestsOf(store)).toEqual(digests);
  expect(store.project("default")?.environments[0]?.flags.get("b")?.killed).toMatchObject({ by: "ann", reason: "smoke" });
  expect(said).toContainEqual({ environment: "default/development", rows: ["flag a", "flag b", "flag c", "group pro"] });
  expect(await queryRows<{ action: string }>(store.db, sql`select action from audit order by id desc limit 1`)).toEqual([
    { action: "environment.repaired" },
  ]);
  expect(await brokenAuditRow(store.db)).toBeUndefined();
  await store.write(PLACE, (current) => setKilled(current, "development", "b", null));
  await store.close();
  const again = await openStore({ directory });
  expect(again.project("default")?.environments[0]?.flags.get("b")?.killed).toBeNull();
  await again.close();
});

test.each([
  ["a list that lost a member, whose clear name is in no log", "delete from group_member where unit = 'p1'"],
  [
    "a log that was changed too",
    "update flag_configuration set body = '{}' where flag_id = 1; update change_set set record = null where revision = 1",
  ],
])("%s cannot be put back: the start says so", async (_name, statement) => {
  await fill();
  await spoil(statement);
  await expect(openStore({ directory })).rejects.toThrow(/put a backup of the data folder in its place/);
});
