import type { InstanceList, ProjectList } from "../api-types.ts";
import { connect, environmentPath } from "./client.ts";
import { ago, EXIT, type Output, table } from "./commands.ts";
import { type Options, UsageProblem } from "./options.ts";

/** The programs of one environment, or of all of the project. */
export async function fleet(options: Options, { out }: Output): Promise<number> {
  if (options.key !== undefined) throw new UsageProblem(`"${options.key}" is one word too many: write "signalbox fleet -e ENVIRONMENT".`);
  const client = connect(options);
  const lists: InstanceList[] = [];
  for (const environment of await environmentsOf(options)) {
    lists.push(await client.get<InstanceList>(`${environmentPath(options.project, environment)}/instances`));
  }
  if (options.json) out(JSON.stringify(options.environment === undefined ? { environments: lists } : lists[0], null, 2));
  else for (const [index, list] of lists.entries()) for (const line of linesOf(list, index)) out(line);
  return EXIT.done;

  async function environmentsOf({ environment, project }: Options): Promise<readonly string[]> {
    if (environment !== undefined) return [environment];
    const { projects } = await client.get<ProjectList>("/api/v1/projects");
    const found = projects.find(({ key }) => key === project);
    if (!found) throw new UsageProblem(`There is no project "${project}", only ${projects.map(({ key }) => `"${key}"`).join(", ")}.`);
    return found.environments.map(({ key }) => key);
  }
}

function linesOf({ environment, revision, counts, total, instances }: InstanceList, index: number): string[] {
  const parts = [
    `${counts.connected} connected`,
    ...(counts.silent > 0 ? [`${counts.silent} silent`] : []),
    ...(counts.polling > 0 ? [`${counts.polling} polling`] : []),
    ...(counts.behind > 0 ? [`${counts.behind} behind`] : []),
  ];
  const head = `${environment}, revision ${revision}: ${parts.join(", ")}`;
  const rows = instances.map((each) => [
    each.appVersion === null ? each.app : `${each.app} ${each.appVersion}`,
    each.state,
    each.applied === null ? "-" : String(each.applied),
    lagOf(each),
    ago(each.heardAt),
    each.sdk,
    each.host ?? "-",
    each.connections > 1 ? `${each.instance} (${each.connections} connections)` : each.instance,
  ]);
  const titles = ["APP", "STATE", "APPLIED", "BEHIND", "HEARD", "SDK", "HOST", "INSTANCE"];
  return [
    ...(index > 0 ? [""] : []),
    head,
    ...(rows.length > 0 ? table([titles, ...rows]) : []),
    ...(total > instances.length ? [`and ${total - instances.length} more`] : []),
  ];
}

function lagOf({ behind, behindMs }: InstanceList["instances"][number]): string {
  if (behind === null) return "not known";
  if (behind === 0) return "no";
  return `${behind} ${behind === 1 ? "revision" : "revisions"}${behindMs === null ? "" : `, ${behindMs < 10_000 ? `${behindMs} ms` : `${Math.round(behindMs / 1000)} s`}`}`;
}
