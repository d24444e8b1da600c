import type { Comparison, Difference, PromoteBody, Promoted } from "../api-types.ts";
import { connect } from "./client.ts";
import { EXIT, type Output } from "./commands.ts";
import { type Options, UsageProblem } from "./options.ts";

/** So that a script can ask whether two environments are the same. */
const DIFFERENT = 2;

/** What two environments have differently. */
export async function compare(options: Options, { out }: Output): Promise<number> {
  const { client, at, from, to } = sidesOf(options);
  const query = new URLSearchParams({ from, to, ...(options.key !== undefined && { flag: options.key }) });
  const found = await client.get<Comparison>(`${at}/compare?${query}`);
  const { flags, groups, total } = found;
  if (options.json) out(JSON.stringify(found, null, 2));
  else {
    for (const flag of flags) {
      out(`${flag.key}: ${from} ${flag.from.state.text}, ${to} ${flag.to.state.text}`);
      for (const line of lines(flag.differences)) out(line);
      if (flag.missingGroups.length > 0) out(`  ${to} does not have the group ${flag.missingGroups.join(", ")}`);
    }
    for (const group of groups) {
      out(`group ${group.key}: ${group.from ? "" : `not in ${from}`}${group.to ? "" : `not in ${to}`}`.replace(/: $/, ""));
      for (const line of lines(group.differences)) out(line);
    }
    const more = total.flags + total.groups - flags.length - groups.length;
    if (more > 0) out(`and ${more} more`);
    if (total.flags + total.groups === 0) out(`${options.key ?? "Everything"} is the same in ${from} and ${to}.`);
  }
  return total.flags + total.groups > 0 ? DIFFERENT : EXIT.done;
}

/** Compares first and sends what it has seen along, so that nothing is copied or written over that has changed since. */
export async function promote(options: Options, { out, err }: Output): Promise<number> {
  const { client, at, from, to } = sidesOf(options);
  const keys = options.key === undefined ? [] : [options.key, ...options.rest];
  if (keys.length + options.groups.length === 0)
    throw new UsageProblem(`Which flags? Write "signalbox promote KEY --from ${from} --to ${to}".`);
  const seen = await client.get<Comparison>(`${at}/compare?${new URLSearchParams({ from, to })}`);
  const chosen = async (key: string) => {
    const found =
      seen.flags.find((flag) => flag.key === key) ??
      // Of very many differences not all are told at once; an old key finds its flag too.
      (await client.get<Comparison>(`${at}/compare?${new URLSearchParams({ from, to, flag: key })}`)).flags[0];
    return { key, ...(found && { ifMatch: found.etag }) };
  };
  const body: PromoteBody = {
    from,
    to,
    flags: await Promise.all(keys.map(chosen)),
    groups: options.groups.map((key) => {
      const found = seen.groups.find((group) => group.key === key);
      return { key, ...(found && { ifMatch: found.etag }) };
    }),
    ...(options.dryRun && { dryRun: true }),
    ...(options.reason !== undefined && { reason: options.reason }),
  };
  const done = await client.post<Promoted>(`${at}/promote`, body);
  if (options.json) out(JSON.stringify(done, null, 2));
  else {
    const did = done.dryRun ? "would be promoted" : "promoted";
    for (const { key, state, killed, differences } of done.flags) {
      out(differences.length > 0 ? `${key} ${did} to ${to}: ${state.text}` : `${key} is the same in ${from} and ${to}`);
      for (const line of lines(differences)) out(line);
      if (killed) err(`${key} is killed in ${to} and stays so; "signalbox restore ${key} -e ${to}" lifts the kill`);
    }
    for (const { key, differences } of done.groups) {
      out(differences.length > 0 ? `group ${key} ${did} to ${to}` : `group ${key} is the same in ${from} and ${to}`);
      for (const line of lines(differences)) out(line);
    }
    out(done.dryRun ? "Nothing was changed." : `revision ${done.revision} of ${to}${done.changed ? "" : ", nothing was changed"}`);
  }
  return EXIT.done;
}

function lines(differences: readonly Difference[]): string[] {
  return differences.map(({ what, from, to }) => `  ${what}: ${from ?? "(nothing)"} -> ${to ?? "(nothing)"}`);
}

function sidesOf(options: Options) {
  const { from, to, command, project } = options;
  if (from === undefined || to === undefined) {
    throw new UsageProblem(`Which environments? Write "signalbox ${command} ${options.key ?? "KEY"} --from development --to production".`);
  }
  return { client: connect(options), at: `/api/v1/projects/${encodeURIComponent(project)}`, from, to };
}
