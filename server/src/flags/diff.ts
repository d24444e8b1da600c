import { conditionSentence, type FlagBody, type Json, type Names, ruleSentence } from "@signalbox/core";
import type { StoredConfiguration } from "../store/define.ts";
import { sameJson } from "../store/fingerprint.ts";
import type { FlagIdentity, GroupRecord } from "../store/model.ts";

/**
 * What is different between two states of a flag or a group, field by field: in words for people, and as it is stored. The same for
 * history, reverting, comparing environments and importing.
 */
export interface Difference {
  /** `mode`, `rules.r1`, `values.blue`; the part after the dot is the id of a rule or the name of a variant. */
  readonly field: string;
  /** What the field is called on pages: "Who gets it", "Rule 2". */
  readonly what: string;
  /** In words; null where there is nothing. */
  readonly from: string | null;
  readonly to: string | null;
  /** As it is stored; null where there is nothing. */
  readonly before: Json;
  readonly after: Json;
}

export type Described = Pick<FlagIdentity, "key" | "name" | "description" | "tags" | "owner" | "links" | "kind" | "expectedDays">;
/** What a group is apart from who is in it; nulls where there is none. */
export type GroupForm = Pick<GroupRecord, "name" | "description" | "when"> & {
  readonly kind: GroupRecord["kind"] | null;
  readonly by: string | null;
};

const MODE_WORDS = { off: "Nobody", targeted: "Some", on: "Everybody", inherit: "As parent" } as const;

/** `Who gets it: Nobody → Everybody`; one that came or went has one side only. */
export function differenceSentence({ what, from, to }: Difference): string {
  if (from === null) return `${what}: ${to ?? "nothing"}`;
  return to === null ? `${what}: no longer ${from}` : `${what}: ${from} → ${to}`;
}

/** Of what an environment holds of a flag, in the order of its page. */
export function configurationDifferences(
  type: FlagIdentity["type"],
  before: StoredConfiguration,
  after: StoredConfiguration,
  names: Names = {},
): Difference[] {
  const found: Difference[] = [];
  const compare = <F extends keyof StoredConfiguration>(
    field: F,
    what: string,
    words: (value: StoredConfiguration[F]) => string | null,
  ): void => push(found, field, what, before[field], after[field], words);

  compare("mode", "Who gets it", (mode) => MODE_WORDS[mode]);
  found.push(...ruleDifferences(type, before, after, names));
  compare(
    "requires",
    "Requires",
    (requires) => requires.map(({ flag, variants }) => `${flag} is ${variants.join(" or ")}`).join(", ") || null,
  );
  compare("parent", "Parent", (parent) => parent);
  compare("detached", "Follows its parent", (detached) => yesNo(!detached));
  compare("browser", "Visible in browsers", yesNo);
  compare("archived", "Archived", yesNo);
  for (const name of new Set([...Object.keys(before.values), ...Object.keys(after.values)])) {
    push(found, `values.${name}`, `Variant "${name}"`, storedValue(before, name), storedValue(after, name), (value) =>
      value === undefined ? null : JSON.stringify(value),
    );
  }
  compare("on", "On variant", (on) => on);
  compare("off", "Off variant", (off) => off);
  compare("salt", "Salt of its percentages", (salt) => salt);
  return found;
}

/** Of what the project holds of a flag. */
export function identityDifferences(before: Described, after: Described): Difference[] {
  const found: Difference[] = [];
  push(found, "key", "Key", before.key, after.key, (key) => key);
  push(found, "name", "Name", before.name, after.name, (name) => name || null);
  push(found, "description", "Description", before.description, after.description, (text) => text || null);
  push(found, "tags", "Tags", before.tags, after.tags, (tags) => tags.join(", ") || null);
  push(found, "owner", "Owner", before.owner, after.owner, (owner) => owner);
  push(
    found,
    "links",
    "Links",
    before.links,
    after.links,
    (links) => links.map(({ title, url }) => `${title} (${url})`).join(", ") || null,
  );
  push(found, "kind", "Kind", before.kind, after.kind, (kind) => kind);
  push(found, "expectedDays", "Expected life", before.expectedDays, after.expectedDays, (days) => (days === null ? null : `${days} days`));
  return found;
}

/** Of a group; who is in its list is another question. */
export function groupDifferences(before: GroupForm, after: GroupForm, names: Names = {}): Difference[] {
  const found: Difference[] = [];
  push(found, "kind", "Kind", before.kind, after.kind, (kind) => kind);
  push(found, "name", "Name", before.name, after.name, (name) => name || null);
  push(found, "description", "Description", before.description, after.description, (text) => text || null);
  push(found, "by", "Attribute", before.by, after.by, (by) => by);
  push(found, "when", "Who is in it", before.when, after.when, (when) => when && conditionSentence(when, names));
  return found;
}

function ruleDifferences(type: FlagIdentity["type"], before: StoredConfiguration, after: StoredConfiguration, names: Names): Difference[] {
  const found: Difference[] = [];
  const was = new Map(before.rules.map((rule) => [rule.id, rule]));
  const is = new Set(after.rules.map(({ id }) => id));
  const sentence = (rule: StoredConfiguration["rules"][number], of: StoredConfiguration) => ruleSentence(rule, bodyOf(type, of), names);
  for (const [index, rule] of before.rules.entries()) {
    if (!is.has(rule.id))
      found.push({ ...gone, field: `rules.${rule.id}`, what: `Rule ${index + 1}`, from: sentence(rule, before), before: plain(rule) });
  }
  for (const [index, rule] of after.rules.entries()) {
    const old = was.get(rule.id);
    if (sameJson(old, rule)) continue;
    found.push({
      field: `rules.${rule.id}`,
      what: `Rule ${index + 1}`,
      from: old ? sentence(old, before) : null,
      to: sentence(rule, after),
      before: old ? plain(old) : null,
      after: plain(rule),
    });
  }
  const order = before.rules.map(({ id }) => id).filter((id) => is.has(id));
  const now = after.rules.map(({ id }) => id).filter((id) => was.has(id));
  if (!sameJson(order, now)) {
    const words = (ids: readonly string[], of: StoredConfiguration) =>
      ids.map((id) => of.rules.find((rule) => rule.id === id)?.name ?? id).join(", ");
    found.push({
      field: "rules",
      what: "Order of the rules",
      from: words(order, before),
      to: words(now, after),
      before: order,
      after: now,
    });
  }
  return found;
}

const gone = { from: null, to: null, before: null, after: null } as const;

function push<T>(found: Difference[], field: string, what: string, before: T, after: T, words: (value: T) => string | null): void {
  if (sameJson(before, after)) return;
  found.push({ field, what, from: words(before), to: words(after), before: plain(before), after: plain(after) });
}

/** As core puts it into words: what a rule serves is named by the flag's type. */
function bodyOf(type: FlagIdentity["type"], { off, on, mode, salt, rules }: StoredConfiguration): FlagBody {
  return { kind: "flag", key: "", type, off, on, mode, salt, rules };
}

function storedValue({ values }: StoredConfiguration, name: string): Json | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}

/** What is stored is plain JSON already; this only says so to the compiler. */
function plain(value: unknown): Json {
  return value === undefined ? null : (value as Json);
}
