import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { applyChange, applySnapshot, createState } from "@signalbox/core";
import { asc } from "drizzle-orm";
import { expect, test } from "vitest";
import { brokenAuditRow } from "./audit.ts";
import { loadCommits } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";
import { openStore } from "./store.ts";
import { missingPostgres, startPostgres } from "./test-postgres.ts";

const LONG = process.env.LONG === "1";
/** After how many acknowledgements the process is killed, each time. */
const countsOf = (rounds: number) => Array.from({ length: LONG ? 500 : rounds }, (_, i) => 1 + ((i * 7) % 20));
const TIMEOUT = LONG ? 3_600_000 : 300_000;

const CHILD = fileURLToPath(new URL("./crash-child.ts", import.meta.url));

/** Runs the writing process until it has acknowledged `acknowledgements` writes, then kills it in the middle of the next ones. */
function writeAndKill(directory: string, databaseUrl: string | undefined, acknowledgements: number): Promise<string[]> {
  const url = databaseUrl === undefined ? [] : [databaseUrl];
  const child = spawn(process.execPath, ["--import", "tsx", CHILD, directory, ...url], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  let refusal: Promise<unknown> = Promise.resolve();
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    // While it writes, no other process gets into its folder.
    if (lines.length === 1) refusal = expect(openStore({ directory, databaseUrl })).rejects.toThrow(/in use by another Signalbox/);
    if (lines.length === acknowledgements) void refusal.finally(() => child.kill("SIGKILL"));
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) =>
      signal === "SIGKILL" ? resolve(refusal.then(() => lines)) : reject(new Error(`the child ended by itself: ${code}`)),
    );
  });
}

test(
  "after kill -9 in the middle of writes every acknowledged one is there, revisions are contiguous and digests fit",
  () => survives(countsOf(25)),
  TIMEOUT,
);

const missing = missingPostgres();
if (missing && process.env.REQUIRE_SERVICES === "1") throw new Error(missing);

test.skipIf(missing !== undefined)(
  "after kill -9 in the middle of writes to PostgreSQL every acknowledged one is there, revisions are contiguous and digests fit",
  async () => {
    const server = await startPostgres();
    try {
      await survives(countsOf(10), await server.createDatabase());
    } finally {
      await server.stop();
    }
  },
  TIMEOUT,
);

async function survives(counts: readonly number[], databaseUrl?: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "signalbox-crash-"));
  try {
    const acknowledged: string[] = [];
    for (const count of counts) {
      // The second and third also prove that the lock of a killed process is gone.
      acknowledged.push(...(await writeAndKill(directory, databaseUrl, count)));
      const store = await openStore({ directory, databaseUrl }); // compares the rows with the digests of the head
      try {
        const project = store.project("default");
        for (const environment of project?.environments ?? []) {
          for (const line of acknowledged) expect(environment.flags.has(line.split(" ")[1] ?? "")).toBe(true);
          const commits = await loadCommits(store.db, environment.info.id, 10_000, Number.POSITIVE_INFINITY);
          expect(commits.map(({ to }) => to)).toEqual(commits.map((_, i) => i + 1));
          expect(commits.length).toBe(environment.revision);
          for (const projection of ["server", "browser"] as const) {
            const { generation, digest } = environment.states[projection];
            const state = createState();
            applySnapshot(state, {
              generation,
              revision: 0,
              digest: "0".repeat(16),
              factsAt: 0,
              environment: "e",
              project: "p",
              entries: [],
            });
            for (const { from, to, projections } of commits) applyChange(state, { generation, from, to, ...projections[projection] });
            expect(state.position).toEqual({ generation, revision: environment.revision });
            expect(state.digest).toBe(digest);
          }
        }
        const log = await store.db.select().from(tables.changeSet).orderBy(asc(tables.changeSet.revision));
        for (const line of acknowledged) {
          const [revision, key] = line.split(" ");
          const row = log.find(({ target }) => target === key);
          expect(row?.revision).toBe(Number(revision));
        }
        expect(await brokenAuditRow(store.db)).toBeUndefined();
      } finally {
        await store.close();
      }
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(counts.reduce((sum, count) => sum + count, 0));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
