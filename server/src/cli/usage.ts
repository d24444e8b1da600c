import type { FlagUsage } from "../api-types.ts";
import { createClient } from "./client.ts";
import { ago, flagOf, type Output, table } from "./commands.ts";
import type { Options } from "./options.ts";

const BAR = 40;

/** What a flag served in the last hour, variant by variant, what was changed meanwhile, and whether a kill took effect. */
export async function usage(options: Options, { out }: Output): Promise<number> {
  const { client, at } = createClient(options);
  const told = await client.get<FlagUsage>(`${at}/flags/${encodeURIComponent(flagOf(options))}/usage`);
  if (options.json) out(JSON.stringify(told, null, 2));
  else for (const line of usageLines(told)) out(line);
  return 0;
}

export function usageLines(told: FlagUsage, now = Date.now()): string[] {
  const { flag, environment, perMinute, seen, series, changes, sinceKill } = told;
  const many = (count: number) => count.toLocaleString("en");
  if (!seen) return [`${flag} was never evaluated in ${environment}.`];
  const lines = [
    `${flag} in ${environment}: ${many(perMinute)} a minute, last evaluated ${ago(seen.at, now)} in ${seen.app}, as ${seen.variant}`,
  ];
  if (series.length === 0) lines.push("No evaluation in the last hour.");
  else {
    const most = Math.max(...series.map(({ total }) => total));
    const rows = series.map(({ variant, total }) => [variant, many(total), "#".repeat(Math.max(1, Math.round((total / most) * BAR)))]);
    lines.push("", ...table([["VARIANT", "LAST HOUR", ""], ...rows]));
  }
  if (sinceKill) {
    lines.push("", `Killed ${ago(sinceKill.at, now)}: ${sinceKill.sentence}.`);
    for (const { app, variant, count, firstAt, lastAt } of sinceKill.apps) {
      lines.push(`  ${app} still served ${variant}, ${many(count)} times from ${ago(firstAt, now)} to ${ago(lastAt, now)}`);
    }
  }
  if (changes.length > 0) {
    lines.push("", "Changes in the last hour:");
    for (const { revision, at, by, action, target, reason } of changes) {
      lines.push(`  ${ago(at, now)}  ${action} ${target} by ${by}${reason ? `: ${reason}` : ""} (revision ${revision})`);
    }
  }
  return lines;
}
