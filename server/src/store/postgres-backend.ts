import { and, asc, eq, isNull, sql } from "drizzle-orm";
import type { PgSelect } from "drizzle-orm/pg-core";
import { databaseProblem } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Backend } from "./backend.ts";
import { queryRows } from "./database.ts";
import { openPostgres } from "./postgres.ts";
import type { Head } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";
import { isConflict } from "./sql-state.ts";
import type { WriteGuard } from "./write-guard.ts";

/** Ids that one process takes at once. */
const IDS_RESERVED = 100_000;
/** Held while ids are taken. Any number of our own, as that of `postgres.ts`. */
const IDS = 7_261_846_002;

/** PostgreSQL, which other processes may be writing to. */
export async function openPostgresBackend(url: string, log: Pick<Log, "warn"> | undefined): Promise<Backend> {
  const handle = await openPostgres(url, log);
  const { db, driver, transaction, snapshot, alone, close } = handle;
  const { environment, project } = tables;
  return {
    db,
    driver,
    isShared: true,
    guard,
    transaction,
    snapshot,
    alone,
    unusable: (error) => error,
    close,
    async lockHeads(tx, projectId) {
      const heads = tx
        .select()
        .from(environment)
        .where(and(eq(environment.projectId, projectId), isNull(environment.deletedAt)))
        .orderBy(asc(environment.id));
      // A builder of PostgreSQL, whatever its type says: see `Database`.
      return (heads as unknown as PgSelect).for("update") as unknown as Promise<Head[]>;
    },
    reserveIds: (table) =>
      transaction(async (tx) => {
        await queryRows(tx, sql`select pg_advisory_xact_lock(${sql.raw(String(IDS))})`);
        const sequence = sql`pg_get_serial_sequence(${table}, 'id')::regclass`;
        const [row] = await queryRows<{ first: number }>(tx, sql`select nextval(${sequence}) as first`);
        if (!row) throw new RangeError(`the table ${table} has no sequence`);
        const end = row.first + IDS_RESERVED;
        await queryRows(tx, sql`select setval(${sequence}, ${end})`);
        return { first: row.first, end };
      }),
    async heads(from) {
      const heads = new Map<number, Pick<Head, "id" | "generation" | "revision">[]>();
      for (const { id } of await from.select({ id: project.id }).from(project).where(isNull(project.deletedAt))) heads.set(id, []);
      const { id, projectId, generation, revision, deletedAt } = environment;
      const rows = await from.select({ id, projectId, generation, revision }).from(environment).where(isNull(deletedAt)).orderBy(asc(id));
      for (const { projectId: of, ...head } of rows) heads.get(of)?.push(head);
      return heads;
    },
    async keysVersion() {
      const key = sql`concat_ws(':', id, revoked_at, expires_at, origins)`;
      const [row] = await queryRows<{ version: string | null }>(
        db,
        sql`select md5(string_agg(${key}, ',' order by id)) as version from sdk_key`,
      );
      return row?.version ?? "";
    },
  };
}

/** Nothing is remembered: whether the next write goes through, the database says. */
const guard: WriteGuard = {
  async run(job) {
    try {
      return await job();
    } catch (error) {
      if (isConflict(error)) throw error;
      throw databaseProblem(error) ?? error;
    }
  },
  trouble: () => undefined,
  close() {},
};
