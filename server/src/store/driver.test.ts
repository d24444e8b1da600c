import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSqlite, refusalOf, SqliteUnavailable } from "./driver.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "signalbox-driver-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.each(["better-sqlite3", "libsql"] as const)("openSqlite over %s", (driver) => {
  it("makes the file, names the driver and keeps what was written", async () => {
    const file = join(folder, "a.db");
    const first = await openSqlite(file, { driver });
    expect(first.driver).toMatch(new RegExp(`^${driver} \\d+\\.\\d+\\.\\d+ \\(SQLite 3\\.\\d+\\.\\d+\\)$`));
    first.raw.exec("create table t (a integer primary key)");
    first.db.run(sql`insert into t values (7)`);
    first.close();

    const again = await openSqlite(file, { driver });
    expect(again.raw.prepare("select a from t").raw().all()).toEqual([[7]]);
    again.close();
  });

  it("is durable at each commit and checks foreign keys", async () => {
    const handle = await openSqlite(join(folder, "b.db"), { driver });
    const pragma = (name: string) => handle.raw.prepare(`pragma ${name}`).raw().get();
    expect(pragma("journal_mode")).toEqual(["wal"]);
    expect(pragma("synchronous")).toEqual([2]);
    expect(pragma("foreign_keys")).toEqual([1]);
    handle.close();
  });

  it("says in one sentence what to do when the file cannot be opened", async () => {
    const opening = openSqlite(join(folder, "absent", "c.db"), { driver });
    await expect(opening).rejects.toThrow(SqliteUnavailable);
    await expect(opening).rejects.toThrow(/absent\/c\.db cannot be opened .*check that its folder exists/);
  });
});

describe("refusalOf", () => {
  it.each(["20.19.0", "20.20.2", "22.13.1"])("refuses better-sqlite3 13 on Node %s before it is loaded", (node) => {
    expect(refusalOf("13.2.0", node)).toContain(node);
  });
  it.each(["22.14.0", "24.0.0", "26.1.0"])("lets better-sqlite3 13 load on Node %s", (node) => {
    expect(refusalOf("13.2.0", node)).toBeUndefined();
  });
  it("lets better-sqlite3 12 load everywhere", () => {
    expect(refusalOf("12.9.0", "20.19.0")).toBeUndefined();
  });
});
