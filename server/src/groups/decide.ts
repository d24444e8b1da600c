import { type Condition, checkCondition, type Hex64, type Json, sipHash, unitTag } from "@signalbox/core";
import type { Issue } from "../errors.ts";
import { refusals } from "../flags/refusals.ts";
import { applyEdits, type Edit } from "../store/edit.ts";
import { tagsOf } from "../store/facts.ts";
import { sameJson } from "../store/fingerprint.ts";
import { changedList, changedListInTurns } from "../store/member-changes.ts";
import { type EnvironmentModel, findEnvironment, type GroupKind, type GroupRecord, type Member } from "../store/model.ts";
import { type Current, guard, type Outcome, type Refusal, refused } from "../store/outcome.ts";
import { flagsUsing, groupsIn } from "../store/project.ts";
import type { Turn } from "../turns.ts";

/** What may become of groups: pure functions of the committed state and the request. The store writes what they say. */

export const GROUPS_MAX = 1_000;
/** Units in one group. The list travels whole to every server program, 19 bytes for each unit: 1.9 of the 8 MiB that a projection may have. */
export const MEMBERS_MAX = 100_000;
/** Who is named where units join and leave by themselves, through a program. */
export const BY_THEMSELVES = "early access";
/** The same where nobody vouches for it: a page said so, with a context that is not signed. */
export const BY_A_PAGE = "early access, from a page";

export interface NewGroup {
  readonly key: string;
  readonly kind: GroupKind;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly by?: string | undefined;
  readonly when?: Condition | undefined;
}

export interface GroupPatch {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly when?: Condition | undefined;
}

export function groupEtag({ id, version }: GroupRecord): string {
  return `"g${id}-${version}"`;
}

/** `hashKey` is random: 32 hexadecimal digits. */
export function createGroup(current: Current, environmentKey: string, input: NewGroup, hashKey: string): Outcome {
  const { project, now, by, newIds } = current;
  const environment = findEnvironment(project, environmentKey);
  if (!environment) return missingGroup(input.key, environmentKey);
  if (environment.groups.has(input.key)) {
    const detail = `There is a group with the key "${input.key}" in ${environmentKey} already; choose another key.`;
    return { kind: "invalid", code: "GROUP_EXISTS", detail };
  }
  if (environment.groups.size >= GROUPS_MAX) {
    return refused("GROUP_REFUSED", [
      {
        path: "",
        message: `${environmentKey} has ${environment.groups.size} groups, the most is ${GROUPS_MAX}; delete one that no flag uses`,
      },
    ]);
  }
  const group: GroupRecord = {
    id: newIds.group,
    key: input.key,
    kind: input.kind,
    name: input.name ?? input.key,
    description: input.description ?? "",
    by: input.by ?? "key",
    when: input.when ?? null,
    hashKey,
    version: 1,
    updatedAt: now,
    updatedBy: by,
    list: [],
  };
  const after = { kind: group.kind, name: group.name, by: group.by, when: plain(group.when) };
  return save(current, environment, undefined, group, "group.create", null, after);
}

export function patchGroup(current: Current, environmentKey: string, key: string, patch: GroupPatch, ifMatch: string | undefined): Outcome {
  const { project, now, by } = current;
  const environment = findEnvironment(project, environmentKey);
  const group = environment?.groups.get(key);
  if (!environment || !group) return missingGroup(key, environmentKey);
  const stopped = guard(ifMatch, groupEtag(group), environment.info.production);
  if (stopped) return stopped;
  const next: GroupRecord = {
    ...group,
    name: patch.name ?? group.name,
    description: patch.description ?? group.description,
    when: patch.when ?? group.when,
    version: group.version + 1,
    updatedAt: now,
    updatedBy: by,
  };
  const facts = ({ name, description, when }: GroupRecord) => ({ name, description, when: plain(when) });
  if (sameJson(facts(group), facts(next))) return { kind: "unchanged" };
  return save(current, environment, group, next, "group.edit", facts(group), facts(next));
}

export function deleteGroup(current: Current, environmentKey: string, key: string, ifMatch: string | undefined): Outcome {
  const { project } = current;
  const environment = findEnvironment(project, environmentKey);
  const group = environment?.groups.get(key);
  if (!environment || !group) return missingGroup(key, environmentKey);
  const stopped = guard(ifMatch, groupEtag(group), environment.info.production);
  if (stopped) return stopped;
  const uses = usesOf(environment, key);
  if (uses.length > 0) {
    const detail = `The group "${key}" is in use by ${listed(uses)}; take it out there first.`;
    return { kind: "invalid", code: "GROUP_IN_USE", detail };
  }
  const edits: Edit[] = [{ kind: "group-gone", environmentId: environment.info.id, group }];
  const before = { kind: group.kind, name: group.name, by: group.by, when: plain(group.when), members: group.list.length };
  return { kind: "changed", action: "group.delete", target: key, edits, applied: applyEdits(project, edits), before, after: null };
}

export interface MemberChange {
  readonly add: readonly string[];
  readonly remove: readonly string[];
  /** Adds also those who have left early access by themselves; staff say so on purpose. */
  readonly rejoin?: boolean | undefined;
}

/** What a change does to whom; the others are where they should be already. */
export interface MemberMoves {
  readonly coming: readonly string[];
  readonly going: readonly string[];
  /** They have left early access by themselves and stay out: a list that is imported again does not bring them back. */
  readonly keptOut: readonly string[];
}

/** `known` are the rows of these units as they are. */
export function movesOf(
  group: Pick<GroupRecord, "kind">,
  { add, remove, rejoin }: MemberChange,
  known: ReadonlyMap<string, Member>,
  action: MembersAction,
): MemberMoves {
  const hasLeft = (unit: string) => {
    const member = known.get(unit);
    return member?.state === "left" && (member.by === BY_THEMSELVES || member.by === BY_A_PAGE);
  };
  const isHeld = group.kind === "early-access" && action === "group.members" && !rejoin;
  const wanted = [...new Set(add)].filter((unit) => known.get(unit)?.state !== "member");
  return {
    coming: isHeld ? wanted.filter((unit) => !hasLeft(unit)) : wanted,
    going: [...new Set(remove)].filter((unit) => known.get(unit)?.state === "member"),
    keptOut: isHeld ? wanted.filter(hasLeft) : [],
  };
}

export type MembersAction = "group.members" | "early-access.join" | "early-access.leave";

/**
 * Puts units into a group and takes units out, as one step. `known` are the rows of these units as they are. Who leaves an
 * early-access group is remembered as having left, and comes back only by joining or if staff say `rejoin`; from a list the row goes.
 * A unit in both lists is refused.
 */
export function changeMembers(
  current: Current,
  environmentKey: string,
  key: string,
  change: MemberChange,
  known: ReadonlyMap<string, Member>,
  action: MembersAction,
): Outcome {
  const environment = findEnvironment(current.project, environmentKey);
  const group = environment?.groups.get(key);
  if (!environment || !group) return missingGroup(key, environmentKey);
  if (group.kind === "conditions") return noList(group);
  const removed = new Set(change.remove);
  const both = change.add.find((unit) => removed.has(unit));
  if (both !== undefined) {
    return refused("GROUP_REFUSED", [
      { path: "remove", message: `"${both}" is to be added and removed at once; name it in one of the two` },
    ]);
  }
  const { coming, going } = movesOf(group, change, known, action);
  // A leave of somebody who never joined, or whom staff had taken out, is remembered too: it says that this person does not want in.
  const declined = action === "early-access.leave" ? change.remove.filter((unit) => isUndecided(known.get(unit))) : [];
  if (coming.length + going.length + declined.length === 0) return { kind: "unchanged" };
  const full = tooMany(group, coming, going);
  if (full) return full;
  return saveMoves(current, environment, group, { coming, going, declined }, hashed(group, coming, going), action);
}

export function noList({ key }: GroupRecord): Refusal {
  const message = `the group "${key}" has conditions and no list; edit its conditions, or make a group of kind "list"`;
  return refused("GROUP_REFUSED", [{ path: "", message }]);
}

/** Refuses what would make a list too long. */
export function tooMany(group: GroupRecord, coming: readonly string[], going: readonly string[]): Refusal | undefined {
  const size = group.list.length + coming.length - going.length;
  if (size <= MEMBERS_MAX || coming.length === 0) return undefined;
  const message = `the group "${group.key}" would have ${size} members, the most is ${MEMBERS_MAX}; use a condition on an attribute for so many`;
  return refused("GROUP_REFUSED", [{ path: "add", message }]);
}

/** What a change does to the list that travels. */
export interface HashedMoves {
  readonly added: readonly Hex64[];
  readonly gone: readonly Hex64[];
  /** Afterwards. */
  readonly list: readonly Hex64[];
  readonly tags: readonly number[];
}

function hashed({ hashKey, list }: GroupRecord, coming: readonly string[], going: readonly string[]): HashedMoves {
  const added = coming.map((unit) => sipHash(hashKey, unit));
  const gone = going.map((unit) => sipHash(hashKey, unit));
  return { added, gone, list: changedList(list, added, gone), tags: tagsOf([...coming, ...going]) };
}

/** The same for a hundred thousand units: others get their turn in between. */
export async function hashedInTurns(
  { hashKey, list }: GroupRecord,
  coming: readonly string[],
  going: readonly string[],
  turn: Turn,
): Promise<HashedMoves> {
  const tags = new Set<number>();
  const hashes = async (units: readonly string[]) => {
    const of: Hex64[] = [];
    for (const unit of units) {
      of.push(sipHash(hashKey, unit));
      tags.add(unitTag(unit));
      await turn();
    }
    return of;
  };
  const added = await hashes(coming);
  const gone = await hashes(going);
  return { added, gone, list: await changedListInTurns(list, added, gone, turn), tags: [...tags].sort((a, b) => a - b) };
}

interface Moves extends Pick<MemberMoves, "coming" | "going"> {
  /** They were not in it and do not want in. */
  readonly declined: readonly string[];
}

/** The decision when it is known who moves: `group` is the record that `moves` and `hashes` were made from. */
export function saveMoves(
  { project, now, by }: Current,
  environment: EnvironmentModel,
  group: GroupRecord,
  { coming, going, declined }: Moves,
  { added, gone, list, tags }: HashedMoves,
  action: MembersAction,
): Outcome {
  const remembered = group.kind === "early-access" ? [...going, ...declined] : [];
  const put = [
    ...coming.map((unit): Member => ({ unit, state: "member", at: now, by })),
    ...remembered.map((unit): Member => ({ unit, state: "left", at: now, by })),
  ];
  const drop = group.kind === "early-access" ? [] : going;
  const edits: Edit[] = [
    { kind: "members", environmentId: environment.info.id, group: { ...group, list }, put, drop, added, removed: gone, tags },
  ];
  const after = { added, removed: [...gone, ...declined.map((unit) => sipHash(group.hashKey, unit))], members: list.length };
  const before = { members: group.list.length };
  return { kind: "changed", action, target: group.key, edits, applied: applyEdits(project, edits), before, after };
}

function isUndecided(member: Member | undefined): boolean {
  return member === undefined || (member.state === "left" && member.by !== BY_THEMSELVES);
}

function save(
  { project }: Current,
  environment: EnvironmentModel,
  was: GroupRecord | undefined,
  group: GroupRecord,
  action: string,
  before: Json,
  after: Json,
): Outcome {
  const edits: Edit[] = [{ kind: "group", environmentId: environment.info.id, group }];
  const applied = applyEdits(project, edits);
  const environmentAfter = applied.project.environments.find(({ info }) => info.id === environment.info.id) ?? environment;
  const issues = formIssues(group, environmentAfter);
  if (issues.length === 0 && was) {
    const reached = flagsUsing(group.key, environmentAfter).map(({ identity }) => identity.key);
    issues.push(...refusals(environment, environmentAfter, [], reached));
  }
  if (issues.length > 0) return refused("GROUP_REFUSED", issues);
  return { kind: "changed", action, target: group.key, edits, applied, before, after };
}

/** What speaks against a group as it is among the others. */
export function formIssues(group: GroupRecord, after: EnvironmentModel): Issue[] {
  if (group.kind !== "conditions") {
    if (group.when === null) return [];
    const message = `a group of kind "${group.kind}" has members and no conditions; leave "when" out, or make a group of kind "conditions"`;
    return [{ path: "when", message }];
  }
  if (group.when === null) {
    return [{ path: "when", message: 'a group by conditions needs "when"; give its conditions, or make a group of kind "list"' }];
  }
  if (group.by !== "key") {
    return [{ path: "by", message: `"by" names the attribute of listed units ("${group.by}"), and this group has no list; leave it out` }];
  }
  return checkCondition(group.when, after.states.server.entries, "when", group.key);
}

/** Flags whose rules name the group, and groups whose conditions do. */
export function usesOf(environment: EnvironmentModel, key: string): string[] {
  const flags = flagsUsing(key, environment).map(({ identity }) => `flag "${identity.key}"`);
  const groups = [...environment.groups.values()].filter(({ when }) => groupsIn(when, environment.groups).has(key));
  return [...flags, ...groups.map((group) => `group "${group.key}"`)];
}

const NAMED_MAX = 5;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMED_MAX).join(", ");
  return names.length > NAMED_MAX ? `${shown} and ${names.length - NAMED_MAX} more` : shown;
}

function missingGroup(key: string, where: string): Outcome {
  return {
    kind: "missing",
    code: "GROUP_NOT_FOUND",
    detail: `There is no group with the key "${key}" in ${where}; the list of groups has the keys.`,
  };
}

/** Conditions are plain JSON already; this only says so to the compiler. */
function plain(condition: Condition | null): Json {
  return condition === null ? null : (JSON.parse(JSON.stringify(condition)) as Json);
}
