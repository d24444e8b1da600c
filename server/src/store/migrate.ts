import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { sql } from "drizzle-orm";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { z } from "zod";
import { type Database, queryRows } from "./database.ts";
import { StoreUnusable } from "./rows.ts";

const journal = z.object({ entries: z.array(z.object({ when: z.number() })) });

/** Brings the schema up to this program's. Refuses a database that a newer program has already changed. */
export async function migrateDatabase(db: Database): Promise<void> {
  const folder = migrationsFolder();
  const newest = Math.max(
    ...journal.parse(JSON.parse(readFileSync(join(folder, "meta/_journal.json"), "utf8"))).entries.map((e) => e.when),
  );
  const applied = await appliedMigration(db);
  if (applied > newest) {
    throw new StoreUnusable(
      `The database was written by a newer Signalbox (schema of ${new Date(applied).toISOString()}, this program knows ${new Date(newest).toISOString()}): start that version or a later one, or put a backup from before the upgrade in its place.`,
    );
  }
  if (applied < newest) migrate(db, { migrationsFolder: folder });
}

/** When the newest applied migration was made; 0 for an empty database. */
async function appliedMigration(db: Database): Promise<number> {
  const tables = await queryRows(db, sql`select name from sqlite_master where type = 'table' and name = '__drizzle_migrations'`);
  if (tables.length === 0) return 0;
  const [row] = await queryRows<{ newest: number | null }>(db, sql`select max(created_at) as newest from __drizzle_migrations`);
  return Number(row?.newest ?? 0);
}

/** Beside the bundle when built, at the root of the repository otherwise. */
function migrationsFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const places = [join(here, "migrations/sqlite"), join(here, "../migrations/sqlite"), join(here, "../../../migrations/sqlite")];
  const found = places.find((place) => existsSync(join(place, "meta/_journal.json")));
  if (!found) throw new StoreUnusable(`The migrations are missing (looked in ${places.join(", ")}): install Signalbox again.`);
  return found;
}
