import { readFileSync } from "node:fs";
import { generateDrizzleJson, generateMigration, generateSQLiteDrizzleJson, generateSQLiteMigration } from "drizzle-kit/api";
import { describe, expect, test } from "vitest";
import * as postgres from "../server/src/store/schema.pg.ts";
import * as sqlite from "../server/src/store/schema.sqlite.ts";
import { refusalOf } from "./lint.ts";

const read = (file: string) => JSON.parse(readFileSync(new URL(file, import.meta.url), "utf8"));
const journalOf = (dialect: string): { entries: { idx: number; tag: string }[] } => read(`./${dialect}/meta/_journal.json`);

function newestOf(dialect: string) {
  const newest = journalOf(dialect).entries.at(-1)?.idx ?? 0;
  return read(`./${dialect}/meta/${String(newest).padStart(4, "0")}_snapshot.json`);
}

describe("the migrations lead to the schema that the program uses", () => {
  test("of SQLite", async () => {
    const migrated = newestOf("sqlite");
    const { tables: _all, ...tables } = sqlite;
    expect(await generateSQLiteMigration(migrated, await generateSQLiteDrizzleJson(tables, migrated.id))).toEqual([]);
  });

  test("of PostgreSQL", async () => {
    const migrated = newestOf("postgres");
    expect(await generateMigration(migrated, generateDrizzleJson(postgres, migrated.id))).toEqual([]);
  });

  test("both have the same tables", () => {
    const { tables, ...exported } = sqlite;
    expect(Object.keys(postgres).sort()).toEqual(Object.keys(tables).sort());
    expect(Object.keys(exported).sort()).toEqual(Object.keys(tables).sort());
  });
});

test.each(["sqlite", "postgres"])("migrations only ever add: %s", (dialect) => {
  for (const { tag } of journalOf(dialect).entries) {
    expect(refusalOf(readFileSync(new URL(`./${dialect}/${tag}.sql`, import.meta.url), "utf8")), tag).toBeUndefined();
  }
});

test.each([
  ["DROP TABLE `flag`;", "drop"],
  ["ALTER TABLE `flag` RENAME COLUMN `name` TO `title`;", "rename"],
  ['ALTER TABLE "flag" ALTER COLUMN "name" SET NOT NULL;', "alter column"],
  ["ALTER TABLE `flag` ADD `owner` text NOT NULL;", "without a default"],
  [
    'CREATE TABLE "a" ("b" bigint NOT NULL);--> statement-breakpoint\nALTER TABLE "flag" ADD COLUMN "owner" text NOT NULL;',
    "without a default",
  ],
  ["DELETE FROM flag;", "delete"],
  ["ALTER TABLE `flag` ADD `owner` text DEFAULT '' NOT NULL;", undefined],
  ['ALTER TABLE "flag" ADD COLUMN "owner" text;', undefined],
  ["CREATE TABLE `a` (`b` text NOT NULL, `dropped` text);", undefined],
])("the lint says of %s: %s", (sql, why) => {
  const said = refusalOf(sql);
  if (why === undefined) expect(said).toBeUndefined();
  else expect(said).toContain(why);
});
