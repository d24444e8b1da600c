import { sentenceOf } from "@signalbox/core";
import { configurationEtag } from "../flags/decide.ts";
import { configurationDifferences, type Difference, groupDifferences } from "../flags/diff.ts";
import { groupEtag } from "../groups/decide.ts";
import { sameJson } from "../store/fingerprint.ts";
import type { EnvironmentModel, FlagRecord, GroupRecord } from "../store/model.ts";
import { groupsIn, serverFlag } from "../store/project.ts";
import type { Turn } from "../turns.ts";

/** What two environments of a project have differently. */

export interface FlagCompared {
  readonly key: string;
  /** Of both sides as they are: what is promoted is what was looked at. */
  readonly etag: string;
  readonly from: FlagRecord;
  readonly to: FlagRecord;
  readonly differences: readonly Difference[];
  /** Groups that its rules name where it comes from and that are not where it goes. */
  readonly missingGroups: readonly string[];
}

export interface GroupCompared {
  readonly key: string;
  readonly etag: string;
  readonly from: GroupRecord | undefined;
  readonly to: GroupRecord | undefined;
  readonly differences: readonly Difference[];
}

export interface Compared {
  /** By key; only those that differ. */
  readonly flags: readonly FlagCompared[];
  readonly groups: readonly GroupCompared[];
}

/** `only`: the key of the only flag to compare, and no group. */
export async function compareEnvironments(
  from: EnvironmentModel,
  to: EnvironmentModel,
  only: string | undefined,
  turn: Turn,
): Promise<Compared> {
  const flags: FlagCompared[] = [];
  for (const [key, flag] of from.flags) {
    await turn();
    const other = to.flags.get(key);
    if (!other || (only !== undefined && key !== only)) continue;
    const compared = compareFlag(from, to, flag, other);
    if (compared) flags.push(compared);
  }
  const groups: GroupCompared[] = [];
  for (const key of only === undefined ? new Set([...from.groups.keys(), ...to.groups.keys()]) : []) {
    await turn();
    const compared = compareGroup(from, to, key);
    if (compared) groups.push(compared);
  }
  const byKey = (a: { readonly key: string }, b: { readonly key: string }) => (a.key < b.key ? -1 : 1);
  return { flags: flags.sort(byKey), groups: groups.sort(byKey) };
}

/** Undefined when the configurations are the same; a kill is none. */
export function compareFlag(from: EnvironmentModel, to: EnvironmentModel, flag: FlagRecord, other: FlagRecord): FlagCompared | undefined {
  if (sameJson(flag.body, other.body)) return undefined;
  const names = { group: (key: string) => from.groups.get(key)?.name ?? to.groups.get(key)?.name ?? key };
  return {
    key: flag.identity.key,
    etag: flagEtag(from, to, flag, other),
    from: flag,
    to: other,
    differences: configurationDifferences(flag.identity.type, other.body, flag.body, names),
    missingGroups: [...groupsNamed(flag, from)].filter((key) => !to.groups.has(key)),
  };
}

/** Of a list only how it is called differs: who is in it is meant to be another in each environment. */
export function compareGroup(from: EnvironmentModel, to: EnvironmentModel, key: string): GroupCompared | undefined {
  const [group, other] = [from.groups.get(key), to.groups.get(key)];
  const names = { group: (name: string) => from.groups.get(name)?.name ?? to.groups.get(name)?.name ?? name };
  const differences = groupDifferences(other ?? NOTHING, group ?? NOTHING, names);
  if (differences.length === 0) return undefined;
  const etags = [group, other].map((one) => (one ? groupEtag(one).slice(1, -1) : "none"));
  return { key, etag: `"${etags.join("_")}"`, from: group, to: other, differences };
}

export function flagEtag(from: EnvironmentModel, to: EnvironmentModel, flag: FlagRecord, other: FlagRecord): string {
  return `"${configurationEtag(from, flag).slice(1, -1)}_${configurationEtag(to, other).slice(1, -1)}"`;
}

/** What a group is where there is none. */
const NOTHING = { kind: null, name: "", description: "", by: null, when: null } as const;

/** The groups of an environment that the flag's rules name, themselves or through other groups. */
export function groupsNamed(flag: FlagRecord, { groups }: EnvironmentModel): Set<string> {
  const named = new Set<string>();
  for (const rule of flag.body.rules) groupsIn(rule.when, groups, named);
  return named;
}

/** What a flag does in an environment, in words. */
export function sentenceIn({ groups }: EnvironmentModel, flag: FlagRecord): string {
  return sentenceOf(serverFlag(flag), { group: (key) => groups.get(key)?.name ?? key });
}
