import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
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

  it("answers for the parameters of this call when a statement is used again", async () => {
    const { raw, close } = await openSqlite(join(folder, "d.db"), { driver });
    raw.exec("create table t (a integer primary key, b text unique not null)");
    const insert = raw.prepare("insert into t (b) values (?) returning b");
    expect([insert.all("x"), insert.get("y"), insert.raw().get("z")]).toEqual([[{ b: "x" }], { b: "y" }, ["z"]]);
    const select = raw.prepare("select a from t where b = ?");
    expect([select.all("x"), select.get("z"), select.all("y"), select.get("absent")]).toEqual([
      [{ a: 1 }],
      { a: 3 },
      [{ a: 2 }],
      undefined,
    ]);
    expect([...raw.prepare("select b from t order by a").pluck().iterate()]).toEqual(["x", "y", "z"]);
    expect(raw.prepare("select b from t where a = @a").pluck().get({ a: 2 })).toBe("y");
    expect(raw.prepare("update t set b = ? where a = ?").run("w", 1)).toEqual({ changes: 1, lastInsertRowid: 3 });
    expect(() => insert.get("w")).toThrow(expect.objectContaining({ code: "SQLITE_CONSTRAINT_UNIQUE" }));
    close();
  });

  it("binds null alone and throws for what SQLite cannot hold", async () => {
    const { raw, close } = await openSqlite(join(folder, "e.db"), { driver });
    expect(raw.prepare("select ?").pluck().get(null)).toBe(null);
    expect(raw.prepare("select ?").pluck().get(Buffer.from("ab"))).toEqual(Buffer.from("ab"));
    expect(() => raw.prepare("select ?").get(true)).toThrow(TypeError);
    expect(raw.prepare("select ?").pluck().get(undefined)).toBe(null);
    expect(() => raw.prepare("select nonsense from nowhere")).toThrow(/nowhere/);
    close();
  });

  it("rolls a transaction back whose function throws", async () => {
    const { raw, close } = await openSqlite(join(folder, "f.db"), { driver });
    raw.exec("create table t (a integer primary key)");
    const failing = raw.transaction(() => {
      raw.prepare("insert into t values (1)").run();
      throw new Error("no");
    });
    expect(() => failing.immediate()).toThrow("no");
    expect([raw.inTransaction, raw.prepare("select count(*) from t").pluck().get()]).toEqual([false, 0]);
    close();
  });

  it("says that a file is no database, and what to do", async () => {
    const file = join(folder, "d.db");
    writeFileSync(file, "this is a text, and far longer than the header of a database would be. ".repeat(20));
    await expect(openSqlite(file, { driver })).rejects.toThrow(/is not a Signalbox database or is damaged: put a backup in its place/);
  });

  it("says in one sentence what to do when the file cannot be opened", async () => {
    const opening = openSqlite(join(folder, "absent", "c.db"), { driver });
    await expect(opening).rejects.toThrow(SqliteUnavailable);
    await expect(opening).rejects.toThrow(/absent\/c\.db cannot be opened .*check that its folder exists/);
  });
});

describe("openSqlite without better-sqlite3", () => {
  it("opens libsql, also when no module may import the other", async () => {
    // Plays a machine on which npm could not build better-sqlite3 and has removed it.
    const program = `
      import Module, { register } from "node:module";
      register("data:text/javascript," + encodeURIComponent(\`export async function resolve(name, context, next) {
        if (name === "better-sqlite3") throw new Error("Cannot find package 'better-sqlite3'");
        return next(name, context);
      }\`));
      const resolve = Module._resolveFilename;
      Module._resolveFilename = (name, ...rest) => {
        if (name === "better-sqlite3") throw new Error("Cannot find module 'better-sqlite3'");
        return resolve.call(Module, name, ...rest);
      };
      const { openStore } = await import(${JSON.stringify(new URL("./store.ts", import.meta.url).href)});
      const store = await openStore({ directory: ${JSON.stringify(join(folder, "data"))} });
      console.log(store.driver, store.projects().length);
      await store.close();
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", program]);
    expect(stdout).toMatch(/^libsql \d+\.\d+\.\d+ \(SQLite [\d.]+\) 1\n$/);
  });
});

describe("package-lock.json", () => {
  it("holds no better-sqlite3 that would crash Node 20", () => {
    const lock = JSON.parse(readFileSync(new URL("../../../package-lock.json", import.meta.url), "utf8")) as {
      packages: Record<string, { version?: string }>;
    };
    const versions = Object.entries(lock.packages).flatMap(([path, { version }]) =>
      path.endsWith("node_modules/better-sqlite3") && version ? [version] : [],
    );
    expect(versions).not.toEqual([]);
    expect(versions.map((version) => refusalOf(version, "20.19.0"))).toEqual(versions.map(() => undefined));
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
