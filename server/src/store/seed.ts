import { ZERO64 } from "@signalbox/core";
import { eq } from "drizzle-orm";
import type { Backend } from "./backend.ts";
import type { Tx } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";
import { firstKey } from "./sdk-keys.ts";

const ENVIRONMENTS = [
  { key: "development", name: "Development", production: false, color: "green" },
  { key: "production", name: "Production", production: true, color: "red" },
] as const;

/** Fills an empty database: the project "Default" with two environments, each with a server and a browser key. */
export async function seedDatabase({ transaction }: Writer, secret: Buffer, now: number): Promise<void> {
  await transaction(async (tx) => {
    const [known] = await tx.select({ id: tables.project.id }).from(tables.project).where(eq(tables.project.hidden, false)).limit(1);
    if (known) return;
    const projectId = await insertProject(tx, { key: "default", name: "Default", hidden: false });
    for (const [position, environment] of ENVIRONMENTS.entries()) {
      const made = await insertEnvironment(tx, { ...environment, projectId, position }, now);
      for (const projection of ["server", "browser"] as const) {
        await tx.insert(tables.sdkKey).values(firstKey(secret, made, projection, now));
      }
    }
  });
}

/** The project of the heartbeat switch. People's keys have no dot, so none of theirs is ever in its way. */
export const HEARTBEAT_PROJECT = "signalbox.heartbeat";

/** Makes the hidden project of the heartbeat switch, with an environment and a server key, if it is not there yet. */
export async function seedHeartbeat({ transaction }: Writer, secret: Buffer, now: number): Promise<void> {
  await transaction(async (tx) => {
    const [known] = await tx.select({ id: tables.project.id }).from(tables.project).where(eq(tables.project.key, HEARTBEAT_PROJECT));
    if (known) return;
    const projectId = await insertProject(tx, { key: HEARTBEAT_PROJECT, name: "Heartbeat", hidden: true });
    const environment = { key: "heartbeat", name: "Heartbeat", production: false, color: "gray", projectId, position: 0 };
    const made = await insertEnvironment(tx, environment, now);
    await tx.insert(tables.sdkKey).values(firstKey(secret, made, "server", now));
  });
}

type Writer = Pick<Backend, "transaction">;

type NewEnvironment = Pick<typeof tables.environment.$inferInsert, "key" | "name" | "production" | "color" | "projectId" | "position">;

async function insertProject(tx: Tx, project: { key: string; name: string; hidden: boolean }): Promise<number> {
  const [made] = await tx.insert(tables.project).values(project).returning({ id: tables.project.id });
  if (!made) throw new RangeError(`the project ${project.key} was not made`);
  return made.id;
}

async function insertEnvironment(tx: Tx, environment: NewEnvironment, now: number): Promise<{ readonly id: number; readonly key: string }> {
  const [made] = await tx
    .insert(tables.environment)
    .values({
      ...environment,
      // At least the second of creation: a database that is made anew is newer than the one before for every program.
      generation: Math.floor(now / 1000),
      revision: 0,
      serverDigest: ZERO64,
      browserDigest: ZERO64,
    })
    .returning({ id: tables.environment.id, key: tables.environment.key });
  if (!made) throw new RangeError(`the environment ${environment.key} was not made`);
  return made;
}
