import { readFileSync } from "node:fs";
import { generateSQLiteDrizzleJson, generateSQLiteMigration } from "drizzle-kit/api";
import { expect, test } from "vitest";
import * as schema from "../../server/src/store/schema.sqlite.ts";

const read = (file: string) => JSON.parse(readFileSync(new URL(file, import.meta.url), "utf8"));

test("the migrations lead to the schema that the program uses", async () => {
  const newest: { idx: number } = read("./meta/_journal.json").entries.at(-1);
  const migrated = read(`./meta/${String(newest.idx).padStart(4, "0")}_snapshot.json`);
  const { tables: _all, ...tables } = schema;
  const wanted = await generateSQLiteDrizzleJson(tables, migrated.id);
  expect(await generateSQLiteMigration(migrated, wanted)).toEqual([]);
});

test("migrations only ever add", () => {
  const { entries }: { entries: { tag: string }[] } = read("./meta/_journal.json");
  for (const { tag } of entries) {
    const sql = readFileSync(new URL(`./${tag}.sql`, import.meta.url), "utf8");
    expect(sql).not.toMatch(/\b(drop|rename)\b/i);
  }
});
