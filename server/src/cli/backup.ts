import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { BackupReport } from "../store/backup.ts";
import { ago, type Output } from "./commands.ts";
import { type Options, UsageProblem } from "./options.ts";

const HOW = 'write "signalbox backup create FILE", "signalbox backup verify FILE" or "signalbox backup restore FILE".';

/** On the data folder itself (SIGNALBOX_DATA), not over HTTP: `create` beside a running server, `restore` with the server stopped. */
export async function backup(options: Options, output: Output, env: NodeJS.ProcessEnv): Promise<number> {
  const { key: verb, rest } = options;
  const [name] = rest;
  if (verb !== "create" && verb !== "verify" && verb !== "restore") throw new UsageProblem(`What about a backup? Please ${HOW}`);
  if (name === undefined) throw new UsageProblem(`Which file? Please ${HOW}`);
  if (env.DATABASE_URL?.trim()) {
    throw new UsageProblem(
      "DATABASE_URL is set, so the flags are in Postgres: back it up with pg_dump and restore it with pg_restore, as docs/postgres.md shows.",
    );
  }
  // What it imports needs SQLite, which the other commands do not.
  const store = await import("../store/backup.ts");
  const { StoreUnusable } = await import("../store/rows.ts");
  const { SqliteUnavailable } = await import("../store/driver.ts");
  const { readSettings, StartProblem } = await import("../settings.ts");
  const file = resolve(name);
  try {
    const { data } = readSettings(env);
    if (verb === "create") tell(options, output, `${name} holds`, await store.createBackup(data, file, Date.now()));
    else if (verb === "verify") {
      const scratch = mkdtempSync(join(tmpdir(), "signalbox-verify-"));
      try {
        tell(options, output, `${name} holds`, await store.verifyBackup(file, scratch, Date.now()));
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    } else {
      const restored = await store.restoreBackup(data, file, Date.now());
      tell(options, output, `${data} holds now`, restored);
      if (options.json) return 0;
      if (restored.aside !== undefined) output.out(`What was there before lies in ${restored.aside}; delete it when you do not need it.`);
      output.out("Start the server: programs that are connected then take the state as it is in the backup, by its new generation.");
    }
    return 0;
  } catch (error) {
    if (!(error instanceof StoreUnusable || error instanceof SqliteUnavailable || error instanceof StartProblem)) throw error;
    output.err(error.message);
    return 1;
  }
}

function tell(options: Options, { out }: Output, what: string, report: BackupReport): void {
  if (options.json) {
    out(JSON.stringify(report, null, 2));
    return;
  }
  const mib = (report.bytes / (1024 * 1024)).toFixed(1);
  const made = report.at > 0 ? `, of ${new Date(report.at).toISOString()} (${ago(report.at)})` : "";
  out(`${what} ${mib} MiB${made}:`);
  for (const { name, generation, revision, flags } of report.environments) {
    out(`  ${name}: ${flags} ${flags === 1 ? "flag" : "flags"} at revision ${revision} of generation ${generation}`);
  }
  out(`Its structure, its digests and the chain of its ${report.auditRows} audit rows are proved.`);
  if (report.hasSecret) out("It holds the secret of the data folder too: keep it as you keep passwords.");
}
