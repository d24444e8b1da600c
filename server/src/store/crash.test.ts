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

/** After how many acknowledgements the process is killed, each time. */
const COUNTS = Array.from({ length: process.env.LONG === "1" ? 500 : 25 }, (_, i) => 1 + ((i * 7) % 20));

const CHILD = fileURLToPath(new URL("./crash-child.ts", import.meta.url));

/** Runs the writing process until it has acknowledged `acknowledgements` writes, then kills it in the middle of the next ones. */
function writeAndKill(directory: string, acknowledgements: number): Promise<string[]> {
  const child = spawn(process.execPath, ["--import", "tsx", CHILD, directory], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  let refusal: Promise<unknown> = Promise.resolve();
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    // While it writes, no other process gets in.
    if (lines.length === 1) refusal = expect(openStore({ directory })).rejects.toThrow(/in use by another Signalbox/);
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
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "signalbox-crash-"));
    try {
      const acknowledged: string[] = [];
      for (const count of COUNTS) {
        // The second and third also prove that the lock of a killed process is gone.
        acknowledged.push(...(await writeAndKill(directory, count)));
        const store = await openStore({ directory }); // compares the rows with the digests of the head
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
          for (const line of acknowledged) {
            const [revision, key] = line.split(" ");
            const row = store.db
              .select()
              .from(tables.changeSet)
              .orderBy(asc(tables.changeSet.revision))
              .all()
              .find(({ target }) => target === key);
            expect(row?.revision).toBe(Number(revision));
          }
          expect(await brokenAuditRow(store.db)).toBeUndefined();
        } finally {
          await store.close();
        }
      }
      expect(acknowledged.length).toBeGreaterThanOrEqual(58);
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
  process.env.LONG === "1" ? 3_600_000 : 300_000,
);
