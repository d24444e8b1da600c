import type { MemberList, MembersImported, MembersWritten } from "../api-types.ts";
import { createClient } from "./client.ts";
import { EXIT, type Output, table } from "./commands.ts";
import { type Input, readFile } from "./input.ts";
import { type Options, UsageProblem } from "./options.ts";

/** What the server takes. */
const CSV_BYTES_MAX = 32 * 1024 * 1024;
const UNITS_TOGETHER_MAX = 10_000;
const PAGE = 1_000;
const NAMED_MAX = 5;

const VERBS = ["list", "add", "remove", "import", "export"] as const;
type Verb = (typeof VERBS)[number];

/** Who is in a group by list or of early access. */
export async function members(options: Options, output: Output, input: Input): Promise<number> {
  const verb = VERBS.find((each) => each === options.key);
  const [group, ...units] = options.rest;
  if (!verb || group === undefined) {
    throw new UsageProblem(`Write "signalbox members ${verb ?? VERBS.join("|")} GROUP -e ENVIRONMENT".`);
  }
  const takesUnits = verb === "add" || verb === "remove";
  if (takesUnits && units.length === 0) throw new UsageProblem(`Whom? Write "signalbox members ${verb} ${group} UNIT -e ENVIRONMENT".`);
  if (!takesUnits && units[0] !== undefined) throw new UsageProblem(`"${units[0]}" is one word too many: "members ${verb}" takes a group.`);
  return RUNS[verb]({ options, group, units }, output, input);
}

interface Asked {
  readonly options: Options;
  readonly group: string;
  readonly units: readonly string[];
}

const RUNS: Readonly<Record<Verb, (asked: Asked, output: Output, input: Input) => Promise<number>>> = {
  list: async ({ options, group }, { out }) => {
    const { client, path } = at(options, group);
    const found: MemberList["members"] = [];
    for (let after: string | null = ""; after !== null; ) {
      const query = new URLSearchParams({ limit: String(PAGE), ...(after !== "" && { after }) });
      const page: MemberList = await client.get<MemberList>(`${path}/members?${query}`);
      found.push(...page.members);
      after = page.next;
    }
    if (options.json) out(JSON.stringify({ members: found }, null, 2));
    else if (found.length === 0) out(`Nobody is in ${group} of ${options.environment}.`);
    else {
      const rows = found.map(({ unit, state, at: since, by }) => [
        unit,
        state === "left" ? "left" : "in",
        new Date(since).toISOString(),
        by,
      ]);
      for (const line of table([["UNIT", "STATE", "SINCE", "BY"], ...rows])) out(line);
    }
    return EXIT.done;
  },
  add: (asked, output) => move("add", asked, output),
  remove: (asked, output) => move("remove", asked, output),
  import: async ({ options, group }, { out, err }, input) => {
    if (options.file === undefined) throw new UsageProblem("Which file? Add --file with its name, or - for the standard input.");
    const { client, path } = at(options, group);
    const csv = await readFile(options.file, input, CSV_BYTES_MAX);
    const query = new URLSearchParams({
      mode: options.mode ?? "add",
      ...(options.column !== undefined && { column: options.column }),
      ...(options.rejoin && { rejoin: "true" }),
      ...(options.dryRun && { dryRun: "true" }),
      ...(options.reason !== undefined && { reason: options.reason }),
    });
    const done = await client.upload<MembersImported>(`${path}/members/csv?${query}`, csv, "text/csv");
    if (options.json) out(JSON.stringify(done, null, 2));
    else for (const line of importLines(done, `${group} in ${options.environment}`)) out(line);
    for (const { line, message } of options.json ? [] : done.bad) err(`line ${line} ${message}`);
    if (done.badLines > done.bad.length && !options.json) err(`and ${done.badLines - done.bad.length} lines more`);
    return done.badLines > 0 ? NOT_DONE : EXIT.done;
  },
  export: async ({ options, group }, { out }) => {
    const { client, path } = at(options, group);
    const csv = await client.download(`${path}/members.csv`);
    out(csv.replace(/\n$/, "")); // `out` ends the line
    return EXIT.done;
  },
};

const NOT_DONE = 1;

async function move(verb: "add" | "remove", { options, group, units }: Asked, { out, err }: Output): Promise<number> {
  if (units.length > UNITS_TOGETHER_MAX) throw new UsageProblem(`Write so many units into a file and use "members import".`);
  const { client, path } = at(options, group);
  const body = { [verb]: units, ...(options.rejoin && { rejoin: true }) };
  const done = await client.post<MembersWritten>(`${path}/members`, body);
  if (options.json) out(JSON.stringify(done, null, 2));
  else {
    const moved = verb === "add" ? done.added : done.removed;
    const where = `${verb === "add" ? "to" : "from"} ${group} in ${options.environment}`;
    const others = units.length - moved.length - done.keptOut.length;
    out(`${verb === "add" ? "added" : "removed"} ${moved.length} ${where} (revision ${done.revision})`);
    if (others > 0) out(`${others} ${verb === "add" ? "were in it already" : "were not in it"}`);
    if (done.keptOut.length > 0) err(keptOutLine(done.keptOut.length, done.keptOut));
  }
  return EXIT.done;
}

function importLines(
  { dryRun, coming, going, keptOut, members: after, changed, revision, badLines }: MembersImported,
  where: string,
): string[] {
  const named = ({ count, first }: MembersImported["coming"]) => (count === 0 ? "" : ` (${someOf(count, first)})`);
  const lines = [
    `${where}: ${coming.count} ${dryRun ? "would come" : "came"}${named(coming)}, ${going.count} ${dryRun ? "would go" : "went"}${named(going)}`,
    dryRun
      ? `${after} members afterwards; nothing was changed`
      : `${after} members now (revision ${revision}${changed ? "" : ", nothing was changed"})`,
  ];
  if (keptOut.count > 0) lines.push(keptOutLine(keptOut.count, keptOut.first));
  if (badLines > 0) lines.push(`${badLines} ${badLines === 1 ? "line" : "lines"} cannot be taken, so the import would be refused:`);
  return lines;
}

function keptOutLine(count: number, first: readonly string[]): string {
  return `${count} stay out (${someOf(count, first)}): they left early access by themselves; --rejoin adds them all the same`;
}

function someOf(count: number, first: readonly string[]): string {
  const shown = first.slice(0, NAMED_MAX);
  return shown.join(", ") + (count > shown.length ? ` and ${count - shown.length} more` : "");
}

function at(options: Options, group: string) {
  const { client, at: environment } = createClient(options);
  return { client, path: `${environment}/groups/${encodeURIComponent(group)}` };
}
