import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isNewer, type Position } from "@signalbox/core";
import { eq, isNull } from "drizzle-orm";
import { z } from "zod";
import type { Log } from "../log.ts";
import { appendAudit } from "./audit.ts";
import type { Tx } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";

/** The file is written this long after the first commit that it does not hold. */
const WRITE_AFTER_MS = 1_000;

const marksSchema = z.record(z.string(), z.object({ generation: z.int().min(0), revision: z.int().min(0) }));
export type Marks = ReadonlyMap<string, Position>;

/**
 * The furthest position of each environment that this data folder has seen, in a file beside the database. A database that is behind it was
 * put back or made anew, and programs hold what it does not: its generation has to go up. The file is a hint and not a truth: it is not flushed,
 * may be up to a second behind, and may be gone. What it misses is found when a program shows what it holds (`delivery/ahead.ts`).
 */
export interface HighWater {
  readonly marks: Marks;
  note(environment: string, position: Position): void;
  /** Writes what the file does not hold yet. */
  close(): void;
}

export const environmentName = (projectKey: string, environmentKey: string) => `${projectKey}/${environmentKey}`;

/** A file that cannot be read counts as absent, with a warning. */
export function openHighWater(directory: string, log?: Pick<Log, "warn">): HighWater {
  const file = join(directory, "high-water.json");
  const marks = new Map(readMarks(file, log));
  let timer: NodeJS.Timeout | undefined;
  let warned = false;

  function write(): void {
    timer = undefined;
    try {
      writeFileSync(`${file}.new`, `${JSON.stringify(Object.fromEntries(marks))}\n`, { mode: 0o600 });
      renameSync(`${file}.new`, file);
      warned = false;
    } catch (error) {
      // A full disk, most likely; the next commit tries again.
      if (!warned) log?.warn({ err: error }, "the file high-water.json in the data folder cannot be written");
      warned = true;
    }
  }

  return {
    marks,
    note(environment, position) {
      marks.set(environment, { generation: position.generation, revision: position.revision });
      timer ??= setTimeout(write, WRITE_AFTER_MS).unref();
    },
    close() {
      if (!timer) return;
      clearTimeout(timer);
      write();
    },
  };
}

function readMarks(file: string, log: Pick<Log, "warn"> | undefined): [string, Position][] {
  try {
    return Object.entries(marksSchema.parse(JSON.parse(readFileSync(file, "utf8"))));
  } catch (error) {
    const isAbsent = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (!isAbsent) log?.warn({ err: error }, "the file high-water.json in the data folder is damaged and counts as absent");
    return [];
  }
}

/**
 * Raises the generation of each environment that is behind its mark, or of all if `always`: above the mark and the stored one, and at least
 * the second of now, so that it is newer than whatever a program holds. Answers with the environments that were raised.
 */
export async function raiseGenerations(tx: Tx, marks: Marks, now: number, always = false): Promise<string[]> {
  const raised: string[] = [];
  const { environment, project } = tables;
  const heads = await tx
    .select()
    .from(environment)
    .innerJoin(project, eq(project.id, environment.projectId))
    .where(isNull(environment.deletedAt))
    .orderBy(environment.id);
  for (const { environment: head, project: owner } of heads) {
    const name = environmentName(owner.key, head.key);
    const mark = marks.get(name);
    if (!always && !(mark && isNewer(mark, head))) continue;
    const generation = Math.max(head.generation + 1, (mark?.generation ?? 0) + 1, Math.floor(now / 1_000));
    await tx.update(environment).set({ generation }).where(eq(environment.id, head.id));
    if (!owner.hidden) {
      const at = { projectId: owner.id, environmentId: head.id, revision: head.revision };
      const change = { before: { generation: head.generation }, after: { generation } };
      await appendAudit(tx, { at: now, by: "signalbox", action: "environment.restored", target: head.key, ...at, ...change });
    }
    raised.push(name);
  }
  return raised;
}
