import type { ProjectImported } from "../api-types.ts";
import { connect } from "./client.ts";
import { EXIT, type Output } from "./commands.ts";
import { type Input, readFile } from "./input.ts";
import { type Options, UsageProblem } from "./options.ts";

/** What the server takes. */
const IMPORT_BYTES_MAX = 32 * 1024 * 1024;
const NOT_DONE = 1;
const LINES_MAX = 100;

/** Prints the project as one file. */
export async function exportProject(options: Options, { out }: Output): Promise<number> {
  const query = options.members === undefined ? "" : `?${new URLSearchParams({ members: options.members })}`;
  const file = await connect(options).download(`${projectPath(options)}/export${query}`);
  out(file.replace(/\n$/, "")); // `out` ends the line
  return EXIT.done;
}

/** Takes a file into a project. */
export async function importProject(options: Options, { out, err }: Output, input: Input): Promise<number> {
  const path = options.file ?? options.key;
  if (path === undefined)
    throw new UsageProblem('Which file? Write "signalbox import FILE --project PROJECT", or - for the standard input.');
  const text = await readFile(path, input, IMPORT_BYTES_MAX);
  const query = new URLSearchParams({
    ...(options.mode !== undefined && { mode: options.mode }),
    ...(options.dryRun && { dryRun: "true" }),
    ...(options.reuse && { reuse: "true" }),
    ...(options.reason !== undefined && { reason: options.reason }),
  });
  const done = await connect(options).upload<ProjectImported>(`${projectPath(options)}/import?${query}`, text, "application/json");
  if (options.json) out(JSON.stringify(done, null, 2));
  else {
    for (const line of changeLines(done)) out(line);
    for (const { pointer, message } of done.notes) err(`${pointer}: ${message}`);
    for (const { pointer, message } of done.refusals) err(`${pointer || "/"}: ${message}`);
    if (done.refused > done.refusals.length) err(`and ${done.refused - done.refusals.length} refusals more`);
    out(summary(done));
  }
  return done.refused > 0 ? NOT_DONE : EXIT.done;
}

function changeLines({ changes, totals }: ProjectImported): string[] {
  const lines: string[] = [];
  for (const { what, kind, key, environment, differences, members } of changes.slice(0, LINES_MAX)) {
    lines.push(`${what} ${kind} ${key}${environment === null || kind === "settings" ? "" : ` in ${environment}`}`);
    for (const { what: field, from, to } of differences) lines.push(`  ${field}: ${from ?? "(nothing)"} -> ${to ?? "(nothing)"}`);
    if (members) lines.push(`  members: ${members.coming} come, ${members.going} go`);
  }
  const all = Object.values(totals).reduce((sum, counts) => sum + Object.values(counts).reduce((a, b) => a + b, 0), 0);
  if (all > LINES_MAX) lines.push(`and ${all - LINES_MAX} changes more`);
  return lines;
}

function summary({ dryRun, changed, refused, revisions }: ProjectImported): string {
  if (refused > 0) return `It would be refused for ${refused} ${refused === 1 ? "reason" : "reasons"}; nothing was changed.`;
  if (dryRun) return changed ? "Nothing was changed." : "It is as the file says already.";
  if (!changed) return "It is as the file says already; nothing was changed.";
  return `Imported: ${Object.entries(revisions)
    .map(([environment, revision]) => `${environment} is at revision ${revision}`)
    .join(", ")}.`;
}

function projectPath({ project }: Options): string {
  return `/api/v1/projects/${encodeURIComponent(project)}`;
}
