import { ZERO64 } from "@signalbox/core";
import { eq } from "drizzle-orm";
import type { Database, Tx } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";
import { firstKey } from "./sdk-keys.ts";

const ENVIRONMENTS = [
  { key: "development", name: "Development", production: false, color: "green" },
  { key: "production", name: "Production", production: true, color: "red" },
] as const;

/** Fills an empty database: the project "Default" with two environments, each with a server and a browser key. */
export function seedDatabase(db: Database, secret: Buffer, now: number): void {
  if (db.select({ id: tables.project.id }).from(tables.project).where(eq(tables.project.hidden, false)).limit(1).get()) return;
  db.transaction(
    (tx) => {
      const project = tx.insert(tables.project).values({ key: "default", name: "Default" }).returning().get();
      for (const [position, environment] of ENVIRONMENTS.entries()) {
        const made = insertEnvironment(tx, { ...environment, projectId: project.id, position }, now);
        tx.insert(tables.sdkKey)
          .values(firstKey(secret, made, "server", now))
          .run();
        tx.insert(tables.sdkKey)
          .values(firstKey(secret, made, "browser", now))
          .run();
      }
    },
    { behavior: "immediate" },
  );
}

/** The project of the heartbeat switch. People's keys have no dot, so none of theirs is ever in its way. */
export const HEARTBEAT_PROJECT = "signalbox.heartbeat";

/** Makes the hidden project of the heartbeat switch, with an environment and a server key, if it is not there yet. */
export function seedHeartbeat(db: Database, secret: Buffer, now: number): void {
  if (db.select({ id: tables.project.id }).from(tables.project).where(eq(tables.project.key, HEARTBEAT_PROJECT)).get()) return;
  db.transaction(
    (tx) => {
      const project = tx.insert(tables.project).values({ key: HEARTBEAT_PROJECT, name: "Heartbeat", hidden: true }).returning().get();
      const environment = { key: "heartbeat", name: "Heartbeat", production: false, color: "gray", projectId: project.id, position: 0 };
      tx.insert(tables.sdkKey)
        .values(firstKey(secret, insertEnvironment(tx, environment, now), "server", now))
        .run();
    },
    { behavior: "immediate" },
  );
}

type NewEnvironment = Pick<typeof tables.environment.$inferInsert, "key" | "name" | "production" | "color" | "projectId" | "position">;

function insertEnvironment(tx: Tx, environment: NewEnvironment, now: number): { readonly id: number; readonly key: string } {
  return tx
    .insert(tables.environment)
    .values({
      ...environment,
      // At least the second of creation: a database that is made anew is newer than the one before for every program.
      generation: Math.floor(now / 1000),
      revision: 0,
      serverDigest: ZERO64,
      browserDigest: ZERO64,
    })
    .returning()
    .get();
}
