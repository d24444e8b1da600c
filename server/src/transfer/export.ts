import { and, asc, eq, gt } from "drizzle-orm";
import { inOrder } from "../environments/located.ts";
import { problem } from "../errors.ts";
import { fromCondition, fromRule } from "../flags/convert.ts";
import { BY_A_PAGE, BY_THEMSELVES } from "../groups/decide.ts";
import type { EnvironmentModel, FlagIdentity, FlagRecord, GroupRecord, ProjectModel } from "../store/model.ts";
import type { Database } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { Store } from "../store/store.ts";
import type { Turn } from "../turns.ts";
import {
  type ConfigurationDocument,
  type EnvironmentDocument,
  type FlagDocument,
  FORMAT,
  FORMAT_VERSION,
  type GroupDocument,
  type MembersTold,
} from "./document.ts";

/** Writes a project as a file: the same state gives the same bytes. */

/** Who is in the groups by list and of early access, by the id of the group. */
export type Units = ReadonlyMap<number, { readonly members: readonly string[]; readonly left: readonly string[] }>;

/**
 * The parts of the file, in their order: keys sorted, two spaces, environments as people order them, everything else by key. `project` has
 * the environments that are told, and `units` is needed for clear members.
 */
export async function* exportProject(project: ProjectModel, told: MembersTold, units: Units, turn: Turn): AsyncGenerator<string> {
  const environments = inOrder(project);
  yield '{\n  "environments": ';
  yield* listed(environments, (environment) => environmentDocument(environment, told, units), turn);
  yield ',\n  "flags": ';
  const identities = new Map(environments.flatMap(({ flags }) => [...flags.values()].map(({ identity }) => [identity.key, identity])));
  yield* listed([...identities.values()].sort(byKey), (identity) => flagDocument(identity, environments), turn);
  const end = { format: FORMAT, members: told, project: { key: project.key, name: project.name }, version: FORMAT_VERSION };
  yield `,\n${sortedJson(end).slice(2)}\n`;
}

async function* listed<T>(all: readonly T[], documentOf: (one: T) => object, turn: Turn): AsyncGenerator<string> {
  if (all.length === 0) {
    yield "[]";
    return;
  }
  for (const [index, one] of all.entries()) {
    await turn();
    const text = sortedJson(documentOf(one)).replaceAll("\n", "\n    ");
    yield `${index === 0 ? "[" : ","}\n    ${text}`;
  }
  yield "\n  ]";
}

function environmentDocument({ info, color, settings, groups }: EnvironmentModel, told: MembersTold, units: Units): EnvironmentDocument {
  const { secureMode, privateAttributes, sampleContexts } = settings;
  return {
    key: info.key,
    name: info.name,
    color,
    production: info.production,
    settings: { secureMode, privateAttributes: [...privateAttributes], sampleContexts },
    groups: [...groups.values()].sort(byKey).map((group) => groupDocument(group, told, units)),
  };
}

function groupDocument(group: GroupRecord, told: MembersTold, units: Units): GroupDocument {
  const { key, kind, name, description, by, when, hashKey, list } = group;
  const form = { key, kind, name, description, by, when: when && fromCondition(when) };
  if (kind === "conditions" || told === "none") return form;
  if (told === "hashes") return { ...form, hashKey, hashes: [...list] };
  const { members, left } = units.get(group.id) ?? { members: [], left: [] };
  return { ...form, members: [...members], ...(kind === "early-access" && { left: [...left] }) };
}

function flagDocument(identity: FlagIdentity, environments: readonly EnvironmentModel[]): FlagDocument {
  const { key, aliases, name, description, type, tags, owner, kind, links, expectedDays } = identity;
  const configurations = environments.flatMap(({ info, flags }) => {
    const flag = flags.get(key);
    return flag ? [[info.key, configurationDocument(flag)] as const] : [];
  });
  return {
    key,
    aliases: [...aliases].sort(),
    name,
    description,
    type,
    tags: [...tags],
    owner,
    kind,
    links: links.map(({ title, url }) => ({ title, url })),
    expectedDays,
    configurations: Object.fromEntries(configurations),
  };
}

function configurationDocument({ body, killed }: FlagRecord): ConfigurationDocument {
  const { rules, requires, values, ...rest } = body;
  return {
    ...rest,
    values: values as ConfigurationDocument["values"],
    rules: rules.map(fromRule),
    requires: requires.map(({ flag, variants }) => ({ flag, variants: [...variants] })),
    ...(killed && { killed: { reason: killed.reason } }),
  };
}

function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
  return a.key < b.key ? -1 : 1;
}

function sortedJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, field: unknown) => {
      if (typeof field !== "object" || field === null || Array.isArray(field)) return field;
      return Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)));
    },
    2,
  );
}

const ROWS_PER_QUERY = 1_000;
const ATTEMPTS_MAX = 3;

/** The project and the clear units of its groups, of one state. Throws CONFLICT when people come and go faster than they can be read. */
export async function withUnits(
  store: Pick<Store, "db">,
  current: () => ProjectModel,
  turn: Turn,
): Promise<{ readonly project: ProjectModel; readonly units: Units }> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const project = current();
    const groups = groupsOf(project);
    const units = new Map<number, { members: string[]; left: string[] }>();
    for (const group of groups) units.set(group.id, await unitsOf(store.db, group, turn));
    const now = groupsOf(current());
    if (now.length === groups.length && now.every((group, index) => group === groups[index])) return { project, units };
  }
  throw problem("CONFLICT", "People came and went in the groups each time that their members were read; try again in a moment.");
}

function groupsOf({ environments }: ProjectModel): GroupRecord[] {
  return environments.flatMap(({ groups }) => [...groups.values()].filter(({ kind }) => kind !== "conditions"));
}

async function unitsOf(db: Database, group: GroupRecord, turn: Turn): Promise<{ members: string[]; left: string[] }> {
  const { groupId, unit, state, by } = tables.groupMember;
  const members: string[] = [];
  const left: string[] = [];
  for (let after: string | undefined; ; ) {
    const rows = await db
      .select({ unit, state, by })
      .from(tables.groupMember)
      .where(and(eq(groupId, group.id), after === undefined ? undefined : gt(unit, after)))
      .orderBy(asc(unit))
      .limit(ROWS_PER_QUERY);
    for (const row of rows) {
      if (row.state === "member") members.push(row.unit);
      else if (row.by === BY_THEMSELVES || row.by === BY_A_PAGE) left.push(row.unit);
    }
    after = rows.at(-1)?.unit;
    // Databases order texts by rules of their own.
    if (rows.length < ROWS_PER_QUERY) return { members: members.sort(), left: left.sort() };
    await turn();
  }
}
