import { existsSync } from "node:fs";
import { join } from "node:path";
import type { AuditCheck, ChangeDetail, ChangeList, Erased, Flag, RevertEnvironment, Reverted } from "../api-types.ts";
import { connect, createClient } from "./client.ts";
import { EXIT, type Output } from "./commands.ts";
import { type Options, UsageProblem } from "./options.ts";

const CHANGES_DEFAULT = 20;
/** The audit is not as it was written. */
const BROKEN = 2;

/** What was changed, newest first; `--change N` shows one change whole. */
export async function history(options: Options, { out }: Output): Promise<number> {
  const { client, at } = createClient(options);
  if (options.change !== undefined) {
    const change = await client.get<ChangeDetail>(`${at}/history/${revisionOf(options.change, "--change")}`);
    if (options.json) out(JSON.stringify(change, null, 2));
    else {
      out(headOf(change));
      for (const { key, differences, event, members } of change.items) {
        out(`  ${key}${event === "changed" ? "" : `: ${event}`}`);
        for (const { what, from, to } of differences) out(`    ${what}: ${from ?? "(nothing)"} -> ${to ?? "(nothing)"}`);
        if (members) out(`    Members: ${members.added} came, ${members.removed} left`);
      }
      for (const { environment, revision } of change.alsoIn) out(`  the same write made revision ${revision} of ${environment}`);
    }
    return EXIT.done;
  }
  const query = new URLSearchParams({
    limit: options.limit ?? String(CHANGES_DEFAULT),
    ...(options.key !== undefined && { flag: options.key }),
    ...(options.before !== undefined && { before: revisionOf(options.before, "--before") }),
  });
  const list = await client.get<ChangeList>(`${at}/history?${query}`);
  if (options.json) out(JSON.stringify(list, null, 2));
  else {
    for (const change of list.changes) {
      out(headOf(change));
      for (const line of change.lines) out(`  ${line}`);
      if (change.more > 0) out(`  and ${change.more} more`);
      if (!change.recorded) out("  (made by a version of Signalbox that kept nothing for history)");
    }
    if (list.changes.length === 0) out("Nothing was changed yet.");
    if (list.next !== null) out(`older changes: --before ${list.next}`);
  }
  return EXIT.done;
}

/** `revert KEY --to N` takes a flag back, `revert --to N` the whole environment, `revert --change N` takes one change back. */
export async function revert(options: Options, { out, err }: Output): Promise<number> {
  const { client, at } = createClient(options);
  const { key, to, change, reason, dryRun, environment } = options;
  if ((to === undefined) === (change === undefined)) {
    throw new UsageProblem(
      `To where? Write "signalbox revert ${key ?? "KEY"} --to REVISION -e ${environment}", or --change REVISION to take one change back.`,
    );
  }
  if (change !== undefined && key !== undefined) {
    throw new UsageProblem(
      `--change takes a whole change back: write it without "${key}", or write "signalbox revert ${key} --to REVISION".`,
    );
  }
  const common = { ...(reason !== undefined && { reason }), ...(dryRun && { dryRun }) };
  let done: Reverted;
  if (key !== undefined) {
    const flag = `${at}/flags/${encodeURIComponent(key)}`;
    const { configurationEtag } = await client.get<Flag>(flag);
    const revision = Number(revisionOf(to ?? "", "--to"));
    done = await client.post<Reverted>(`${flag}/revert`, { revision, ...common }, configurationEtag);
  } else {
    const body: RevertEnvironment = change === undefined ? { to: whenOf(to ?? "") } : { change: Number(revisionOf(change, "--change")) };
    // Whoever takes a whole environment back sees first what it does, so that nothing is overwritten that was saved since.
    const seen = change === undefined && !dryRun ? await client.post<Reverted>(`${at}/revert`, { ...body, dryRun: true }) : undefined;
    done = await client.post<Reverted>(`${at}/revert`, { ...body, ...common }, seen?.etag);
  }
  if (options.json) out(JSON.stringify(done, null, 2));
  else {
    for (const line of done.lines) out(line);
    if (done.total > done.items.length) out(`and ${done.total - done.items.length} more`);
    for (const line of done.leftAlone) err(line);
    if (!done.changed) out("Nothing differs, and nothing was changed.");
    else out(done.dryRun ? "Nothing was changed." : `revision ${done.revision} of ${done.environment}`);
  }
  return EXIT.done;
}

/** `audit verify` and `audit export`. */
export async function audit(options: Options, { out, err }: Output): Promise<number> {
  if (options.key === "export") {
    const at = options.givenProject === undefined ? "/api/v1" : `/api/v1/projects/${encodeURIComponent(options.givenProject)}`;
    const format = options.format ?? "json";
    if (format !== "json" && format !== "csv") throw new UsageProblem(`--format is "${format}": write json or csv.`);
    out((await connect(options).download(`${at}/audit/export?format=${format}`)).trimEnd());
    return EXIT.done;
  }
  if (options.key !== "verify") throw new UsageProblem('Write "signalbox audit verify" or "signalbox audit export".');
  const query = options.head === undefined ? "" : `?head=${encodeURIComponent(options.head)}`;
  const check =
    options.folder === undefined
      ? await connect(options).get<AuditCheck>(`/api/v1/audit/verify${query}`)
      : await verifyFolder(options.folder, options.head);
  if (options.json) out(JSON.stringify(check, null, 2));
  else if (check.problem) err(brokenSentence(check));
  else {
    out(`All ${check.rows} rows of the audit are as they were written.`);
    out(`Its head is ${check.head}: keep it elsewhere, and "--head" proves later that nothing up to here was written anew.`);
  }
  return check.ok ? EXIT.done : BROKEN;
}

/** Of a data folder, or a copy of one, without a server. Nothing is written. */
async function verifyFolder(folder: string, head: string | undefined): Promise<AuditCheck> {
  const file = join(folder, "signalbox.db");
  if (!existsSync(file)) throw new UsageProblem(`There is no signalbox.db in ${folder}: name the data folder.`);
  // What it imports needs SQLite, which the other commands do not.
  const { openSqlite } = await import("../store/driver.ts");
  const { verifyAudit } = await import("../store/audit.ts");
  const handle = await openSqlite(file);
  try {
    const { rows, head: newest, problem } = await verifyAudit(handle.db, head);
    return { ok: problem === null, rows, head: newest, problem };
  } finally {
    handle.close();
  }
}

function brokenSentence({ problem, rows }: Pick<AuditCheck, "problem" | "rows">): string {
  const where = problem?.id === null || problem === null ? "" : `row ${problem.id}: `;
  return `The audit is not as it was written: ${where}${problem?.what ?? ""} (${rows} rows before it fit).`;
}

/** Erases a person, by the name of a deleted account or by the unit of groups. */
export async function erase(options: Options, { out }: Output): Promise<number> {
  const { key, unit, reason } = options;
  if ((key === undefined) === (unit === undefined)) {
    throw new UsageProblem(
      'Whom? Write "signalbox erase NAME" for a deleted account, or "signalbox erase --unit UNIT" for somebody in groups.',
    );
  }
  const body = { ...(key !== undefined ? { name: key } : { unit }), ...(reason !== undefined && { reason }) };
  const erased = await connect(options).post<Erased>("/api/v1/erase", body);
  if (options.json) out(JSON.stringify(erased, null, 2));
  else if (key !== undefined) out(`The name "${key}" is erased.`);
  else out(erased.groups.length > 0 ? `Erased from ${erased.groups.join(", ")}.` : "No group holds or held this unit.");
  return EXIT.done;
}

function headOf({ revision, at, by, title, reason }: Pick<ChangeDetail, "revision" | "at" | "by" | "title" | "reason">): string {
  return `${revision}  ${new Date(at).toISOString()}  ${by} ${title}${reason === null ? "" : `  "${reason}"`}`;
}

function revisionOf(text: string, option: string): string {
  if (!/^\d{1,15}$/.test(text))
    throw new UsageProblem(`${option} is "${text}": write a revision, a whole number; "signalbox history" has them.`);
  return text;
}

/** A revision, or a time that the server reads. */
function whenOf(text: string): number | string {
  return /^\d{1,9}$/.test(text) ? Number(text) : text;
}
