import { CONDITION_DEPTH_READ_MAX, type Condition, type FlagBody, type GroupEntry, namesPeople, type Rule } from "@signalbox/core";
import { FactBook } from "./facts.ts";
import { type EntryBody, fingerprint } from "./fingerprint.ts";
import type { EnvironmentModel, FactCondition, FlagFacts, FlagRecord, GroupRecord } from "./model.ts";

/**
 * The two projections of an environment's rows: what a server key may see (everything) and what a browser key may see (flags
 * marked for browsers, and nothing that names people or customers: facts stand there instead). A projection is a function of the
 * rows alone, so it can be rebuilt and compared at any time; a release in which it gives other entries for rows that are stored raises
 * `PROJECTION_VERSION`, so that `upgrade.ts` commits them as a revision, or it would take every older database for damaged.
 * Defaults are left out of the entries, because they travel to every program.
 */

/** - 1: marked flags with conditions that name people were left out. - 2: such conditions are facts. */
export const PROJECTION_VERSION = 2;

export type Groups = ReadonlyMap<string, GroupRecord>;
type GroupBody = Omit<GroupEntry, "fp">;

export function serverFlag(flag: FlagRecord): FlagBody {
  return flagBody(flag, flag.body.rules);
}

export function serverGroup(group: GroupRecord): GroupBody {
  if (group.kind === "conditions") return { kind: "group", key: group.key, ...(group.when && { when: group.when }) };
  return {
    kind: "group",
    key: group.key,
    list: { hashKey: group.hashKey, ...(group.by !== "key" && { by: group.by }), members: group.list },
  };
}

/** What the projection for browsers needs of an environment besides its flags. */
export interface BrowserView {
  readonly groups: Groups;
  readonly privateAttributes: ReadonlySet<string>;
  readonly facts: FactBook;
}

export function browserView({ groups, settings, factNumbers }: Pick<EnvironmentModel, "groups" | "settings" | "factNumbers">): BrowserView {
  return { groups, privateAttributes: new Set(settings.privateAttributes), facts: new FactBook(factNumbers) };
}

/**
 * The flag as browsers see it, with its facts, or undefined if they do not: it is not marked, or a condition cannot be written out.
 * Groups by conditions are written out where they are used, so neither their names nor those of rules leave; what names people, customers
 * or addresses becomes a fact, in the smallest part, so that what stands around it is evaluated in the browser.
 */
export function browserFlag(flag: FlagRecord, view: BrowserView): { readonly body: FlagBody; readonly facts: FlagFacts } | undefined {
  if (!flag.body.browser) return undefined;
  const rules: Rule[] = [];
  const facts = new Map<number, FactCondition>();
  for (const { name: _staysHere, ...rule } of flag.body.rules) {
    if (rule.when === undefined) rules.push(rule);
    else {
      const when = writtenOut(rule.when, { ...view, found: facts, parts: 0 });
      if (!when) return undefined;
      rules.push({ ...rule, when });
    }
  }
  return { body: flagBody(flag, rules), facts };
}

function flagBody({ identity, body, killed }: FlagRecord, rules: readonly Rule[]): FlagBody {
  return {
    kind: "flag",
    key: identity.key,
    type: identity.type,
    ...(identity.type !== "boolean" && { variants: body.values }),
    off: body.off,
    on: body.on,
    mode: body.mode,
    ...(killed && { killed: true }),
    ...(body.archived && { archived: true }),
    salt: body.salt,
    ...(rules.length > 0 && { rules }),
    ...(body.requires.length > 0 && { requires: body.requires }),
    ...(body.parent !== null && { parent: body.parent }),
    ...(body.detached && { detached: true }),
  };
}

/** Parts of one rule's conditions once its groups are written out: groups in groups multiply. */
const PARTS_MAX = 2_000;

interface Writing extends BrowserView {
  readonly found: Map<number, FactCondition>;
  parts: number;
}

/** The condition without groups; undefined if it names a missing group or grows too large. `inside` guards against circles. */
function writtenOut(condition: Condition, writing: Writing, inside: readonly string[] = [], depth = 1): Condition | undefined {
  writing.parts += 1;
  if (writing.parts > PARTS_MAX || depth > CONDITION_DEPTH_READ_MAX) return undefined;
  switch (condition.op) {
    case "all":
    case "any": {
      const of = condition.of.map((part) => writtenOut(part, writing, inside, depth + 1));
      return of.every((part) => part !== undefined) ? { op: condition.op, of } : undefined;
    }
    case "not": {
      const of = writtenOut(condition.of, writing, inside, depth + 1);
      return of && { op: "not", of };
    }
    case "group": {
      const group = writing.groups.get(condition.group);
      if (!group || inside.includes(group.key)) return undefined;
      if (!group.when) return factOf(writing.facts.ofGroup(group), condition, writing);
      return writtenOut(group.when, writing, [...inside, group.key], depth);
    }
    case "fact":
      return undefined; // nothing saves one
    default:
      return staysHere(condition, writing) ? factOf(writing.facts.ofCondition(condition), condition, writing) : condition;
  }
}

function factOf(fact: number, condition: FactCondition, { found }: Writing): Condition {
  found.set(fact, condition);
  return { op: "fact", fact };
}

/**
 * Whether a condition is for the server to answer. Patterns and addresses show whom they are meant for, and a browser has no engine
 * for the one and a wrong address for the other.
 */
function staysHere(condition: FactCondition, { privateAttributes }: BrowserView): boolean {
  if (condition.op === "matches" || condition.op === "cidr") return true;
  if (condition.op === "group" || condition.attribute === undefined) return false;
  return isPrivate(condition.attribute, privateAttributes) || (condition.op !== "exists" && namesPeople(condition.attribute));
}

/** `account` covers `account.plan` too, and `account.billing` covers `account.billing.plan`. */
function isPrivate(attribute: string, privateAttributes: ReadonlySet<string>): boolean {
  for (let end = attribute.length; end > 0; end = attribute.lastIndexOf(".", end - 1)) {
    if (privateAttributes.has(attribute.slice(0, end))) return true;
  }
  return false;
}

/** The groups that a condition names, itself or through groups by conditions. */
export function groupsIn(condition: Condition | null | undefined, groups: Groups, found = new Set<string>()): Set<string> {
  if (!condition) return found;
  if (condition.op === "group") {
    if (!found.has(condition.group)) {
      found.add(condition.group);
      groupsIn(groups.get(condition.group)?.when, groups, found);
    }
  } else if (condition.op === "all" || condition.op === "any") {
    for (const part of condition.of) groupsIn(part, groups, found);
  } else if (condition.op === "not") groupsIn(condition.of, groups, found);
  return found;
}

/** The flags whose rules name the group, itself or through another group. */
export function flagsUsing(groupKey: string, environment: Pick<EnvironmentModel, "flags" | "groups">): FlagRecord[] {
  return [...environment.flags.values()].filter((flag) =>
    flag.body.rules.some((rule) => groupsIn(rule.when, environment.groups).has(groupKey)),
  );
}

/** For every group that rules name, itself or through another group, the keys of their flags: one pass over all flags. */
export function usesOfGroups({ flags, groups }: Pick<EnvironmentModel, "flags" | "groups">): Map<string, string[]> {
  const uses = new Map<string, string[]>();
  for (const { identity, body } of flags.values()) {
    const named = new Set<string>();
    for (const rule of body.rules) groupsIn(rule.when, groups, named);
    for (const group of named) uses.get(group)?.push(identity.key) ?? uses.set(group, [identity.key]);
  }
  return uses;
}

/** Signs a body with its fingerprint. */
export function signed<B extends EntryBody>(body: B): B & { readonly fp: string } {
  return { ...body, fp: fingerprint(body) };
}
