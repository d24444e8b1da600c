import { ZERO64 } from "@signalbox/core";
import type { Database } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";
import { insertSdkKey } from "./sdk-keys.ts";

const ENVIRONMENTS = [
  { key: "development", name: "Development", production: false, color: "green" },
  { key: "production", name: "Production", production: true, color: "red" },
] as const;

/** Fills an empty database: the project "Default" with two environments, each with a server and a browser key. */
export function seedDatabase(db: Database, secret: Buffer, now: number): void {
  if (db.select({ id: tables.project.id }).from(tables.project).limit(1).get()) return;
  db.transaction(
    (tx) => {
      const project = tx.insert(tables.project).values({ key: "default", name: "Default" }).returning().get();
      for (const [position, environment] of ENVIRONMENTS.entries()) {
        const { id, key } = tx
          .insert(tables.environment)
          .values({
            ...environment,
            projectId: project.id,
            position,
            // At least the second of creation: a database that is made anew is newer than the one before for every program.
            generation: Math.floor(now / 1000),
            revision: 0,
            serverDigest: ZERO64,
            browserDigest: ZERO64,
          })
          .returning()
          .get();
        insertSdkKey(tx, secret, { id, key }, "server", now);
        insertSdkKey(tx, secret, { id, key }, "browser", now);
      }
    },
    { behavior: "immediate" },
  );
}
