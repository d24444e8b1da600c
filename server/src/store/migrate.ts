import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { sql } from "drizzle-orm";
import { readMigrationFiles } from "drizzle-orm/migrator";
import type { Backend } from "./backend.ts";
import { type Database, dialectOf, queryRows, runStatement } from "./database.ts";
import { StoreUnusable } from "./rows.ts";

/** Brings the schema up to this program's, in one transaction. Refuses a database that a newer program has already changed. */
export async function migrateDatabase({ db, transaction }: Pick<Backend, "db" | "transaction">): Promise<void> {
  const migrations = readMigrationFiles({ migrationsFolder: migrationsFolder(dialectOf(db)) });
  const newest = Math.max(...migrations.map(({ folderMillis }) => folderMillis));
  await transaction(async (tx) => {
    await runStatement(
      tx,
      sql`create table if not exists __drizzle_migrations (id serial primary key, hash text not null, created_at numeric)`,
    );
    const applied = await appliedMigration(tx);
    if (applied > newest) {
      throw new StoreUnusable(
        `The database was written by a newer Signalbox (schema of ${new Date(applied).toISOString()}, this program knows ${new Date(newest).toISOString()}): start that version or a later one, or put a backup from before the upgrade in its place.`,
      );
    }
    for (const { sql: statements, hash, folderMillis } of migrations) {
      if (folderMillis <= applied) continue;
      // Written as if everybody used the schema `public`: the one that is looked in first may be another.
      for (const statement of statements) await runStatement(tx, sql.raw(statement.replaceAll('"public".', "")));
      await runStatement(tx, sql`insert into __drizzle_migrations (hash, created_at) values (${hash}, ${folderMillis})`);
    }
  });
}

/** When the newest applied migration was made; 0 for an empty database. */
async function appliedMigration(tx: Database): Promise<number> {
  const [row] = await queryRows<{ newest: number | null }>(tx, sql`select max(created_at) as newest from __drizzle_migrations`);
  return Number(row?.newest ?? 0);
}

/** Beside the bundle when built, at the root of the repository otherwise. */
function migrationsFolder(dialect: string): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const places = ["migrations", "../migrations", "../../../migrations"].map((place) => join(here, place, dialect));
  const found = places.find((place) => existsSync(join(place, "meta/_journal.json")));
  if (!found) throw new StoreUnusable(`The migrations are missing (looked in ${places.join(", ")}): install Signalbox again.`);
  return found;
}
