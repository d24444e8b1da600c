import { and, asc, eq } from "drizzle-orm";
import type { Log } from "../log.ts";
import { appendAudit } from "./audit.ts";
import type { SqliteHandle } from "./driver.ts";
import { type Edit, projectAll } from "./edit.ts";
import { sameJson } from "./fingerprint.ts";
import type { FlagRecord } from "./model.ts";
import { rowsAt } from "./past.ts";
import { readEnvironments, type Tx, writeEdits } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";

const { environment, flag, flagConfiguration, group, project } = tables;
type Head = typeof environment.$inferSelect;
type Owner = typeof project.$inferSelect;

/**
 * Puts back what something other than Signalbox has done to the rows of flags and groups: a body that cannot be read, a kill that is gone. The log
 * of changes has each of them as it was committed, and the digest of the head proves it. Only rows that differ are written, audited as
 * `environment.repaired`; so one bad row is nobody's outage. What cannot be proved is left as it is, and the start then says so.
 */
export async function repairRows({ transaction }: Pick<SqliteHandle, "transaction">, now: number, log?: Pick<Log, "warn">): Promise<void> {
  await transaction(async (tx) => {
    for (const owner of await tx.select().from(project).orderBy(asc(project.id))) {
      // The records of a hidden project are cut short, and its one flag changes all the time.
      if (owner.hidden) continue;
      const digests = await digestsOf(tx, owner);
      for (const head of await tx.select().from(environment).where(eq(environment.projectId, owner.id)).orderBy(asc(environment.id))) {
        if (head.deletedAt !== null || digests.get(head.id) === head.serverDigest) continue;
        const repaired = await repair(tx, owner, head);
        if (repaired === undefined) continue;
        const target = { projectId: owner.id, environmentId: head.id, revision: head.revision, target: head.key };
        await appendAudit(tx, {
          at: now,
          by: "Signalbox",
          action: "environment.repaired",
          ...target,
          before: null,
          after: { rows: repaired },
        });
        log?.warn(
          { environment: `${owner.key}/${head.key}`, rows: repaired },
          "rows that something else had changed were put back as they were committed",
        );
      }
    }
  });
}

/** The digests that the rows of a project give, by environment; empty if some of them cannot be read at all. */
async function digestsOf(tx: Tx, owner: Owner): Promise<ReadonlyMap<number, string>> {
  try {
    return new Map((await readEnvironments(tx, owner)).map(({ head, model }) => [head.id, model.states.server.digest]));
  } catch (error) {
    if (isUnreadable(error)) return new Map();
    throw error;
  }
}

/** A column that does not hold JSON, or not what its type says. */
function isUnreadable(error: unknown): boolean {
  return error instanceof SyntaxError || error instanceof TypeError;
}

/** The rows that were put back; undefined if the log does not prove what they were, or none of these differs. */
async function repair(tx: Tx, owner: Owner, head: Head): Promise<string[] | undefined> {
  const past = await rowsAt(tx, head.id, head.revision);
  if (!past) return undefined;
  const position = { generation: head.generation, revision: head.revision, factsAt: head.factsAt };
  if (projectAll({ ...past, factNumbers: new Map() }, position).states.server.digest !== head.serverDigest) return undefined;
  const repaired: string[] = [];
  for (const record of past.flags.values()) {
    if (await isStored(tx, head.id, record)) continue;
    const { identity } = record;
    const edits: Edit[] = [
      { kind: "identity", key: identity.key, identity },
      { kind: "flag", environmentId: head.id, flag: record },
    ];
    await writeEdits(tx, owner.id, edits, noTurn);
    repaired.push(`flag ${record.identity.key}`);
  }
  for (const record of past.groups.values()) {
    const [row] = await ifReadable(
      tx.select({ key: group.key, when: group.when, by: group.by }).from(group).where(eq(group.id, record.id)),
    );
    if (row && row.key === record.key && row.by === record.by && sameJson(row.when, record.when)) continue;
    await writeEdits(tx, owner.id, [{ kind: "group", environmentId: head.id, group: record }], noTurn);
    repaired.push(`group ${record.key}`);
  }
  return repaired.length > 0 ? repaired : undefined;
}

async function isStored(tx: Tx, environmentId: number, { identity, body, killed }: FlagRecord): Promise<boolean> {
  const { key, type, tags, links } = flag;
  const [own] = await ifReadable(tx.select({ key, type, tags, links }).from(flag).where(eq(flag.id, identity.id)));
  const here = and(eq(flagConfiguration.flagId, identity.id), eq(flagConfiguration.environmentId, environmentId));
  const [row] = await ifReadable(
    tx.select({ body: flagConfiguration.body, killed: flagConfiguration.killed }).from(flagConfiguration).where(here),
  );
  return own?.key === identity.key && own.type === identity.type && row !== undefined && sameJson(row, { body, killed });
}

/** No row if it cannot be read. */
async function ifReadable<T>(query: PromiseLike<T[]>): Promise<T[]> {
  try {
    return await query;
  } catch (error) {
    if (isUnreadable(error)) return [];
    throw error;
  }
}

const noTurn = () => undefined;
