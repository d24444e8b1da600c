import type { Configuration, Flag } from "../../../src/api-types.ts";

/** What a person can edit on a flag page besides the configuration. */
export interface Identity {
  readonly key: string;
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly owner: string | null;
  readonly links: Flag["links"];
  readonly kind: Flag["kind"];
  readonly expectedDays: number | null;
}

export type Fields = Configuration & Identity;
export type Edits = Partial<Fields>;
export type FieldName = keyof Fields;

export const IDENTITY_FIELDS = [
  "key",
  "name",
  "description",
  "tags",
  "owner",
  "links",
  "kind",
  "expectedDays",
] as const satisfies readonly (keyof Identity)[];

/**
 * Unsaved edits of one flag: the fields that differ from `base`, the state that they were made on.
 * `theirs` names the fields that somebody else changed meanwhile to something else; until the person has chosen, they cannot be saved.
 */
export interface Draft {
  readonly base: Fields;
  readonly edits: Edits;
  readonly theirs: readonly FieldName[];
}

export function fieldsOf(flag: Flag): Fields {
  const { key, name, description, tags, owner, links, kind, expectedDays } = flag;
  return { ...flag.configuration, key, name, description, tags, owner, links, kind, expectedDays };
}

export function startDraft(flag: Flag): Draft {
  return { base: fieldsOf(flag), edits: {}, theirs: [] };
}

/** What the page shows: the state with the edits on top. */
export function shown(draft: Draft): Fields {
  return { ...draft.base, ...draft.edits } as Fields;
}

/** Sets fields. A field that is back at its saved value is no longer an edit. */
export function edit(draft: Draft, changes: Edits): Draft {
  const edits: Record<string, unknown> = { ...draft.edits, ...changes };
  for (const name of Object.keys(changes)) {
    if (same(edits[name], draft.base[name as FieldName])) delete edits[name];
  }
  return { ...draft, edits: edits as Edits, theirs: draft.theirs.filter((name) => name in edits) };
}

/**
 * Moves the edits onto a newer state, field by field: fields without an edit follow it; an edit that somebody else has saved
 * too is settled; an edit of a field that changed to something else is a conflict. Edits are never dropped or overwritten.
 */
export function rebase(draft: Draft, newer: Fields): Draft {
  const edits: Record<string, unknown> = {};
  const theirs: FieldName[] = [];
  for (const [name, mine] of Object.entries(draft.edits)) {
    const field = name as FieldName;
    if (same(mine, newer[field])) continue;
    edits[name] = mine;
    if (draft.theirs.includes(field) || !same(draft.base[field], newer[field])) theirs.push(field);
  }
  return { base: newer, edits: edits as Edits, theirs };
}

/** Settles a conflict: my edit stands, to be saved over theirs. */
export function keepMine(draft: Draft, field: FieldName): Draft {
  return { ...draft, theirs: draft.theirs.filter((name) => name !== field) };
}

/** Settles a conflict: my edit of the field goes. */
export function takeTheirs(draft: Draft, field: FieldName): Draft {
  const edits = { ...draft.edits };
  delete edits[field];
  return { ...draft, edits, theirs: draft.theirs.filter((name) => name !== field) };
}

export interface Split {
  readonly identity: Partial<Identity>;
  readonly configuration: Partial<Configuration>;
}

/** The edits by the resource that each belongs to: identity and configuration have ETags of their own. */
export function splitEdits(edits: Edits): Split {
  const identity: Record<string, unknown> = {};
  const configuration: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(edits)) {
    if ((IDENTITY_FIELDS as readonly string[]).includes(name)) identity[name] = value;
    else configuration[name] = value;
  }
  return { identity: identity as Partial<Identity>, configuration: configuration as Partial<Configuration> };
}

/** The values that the named fields have in `fields`: what Undo writes back. */
export function pick(fields: Fields, names: readonly string[]): Edits {
  return Object.fromEntries(names.map((name) => [name, fields[name as FieldName]])) as Edits;
}

/** Deep equality of JSON values. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.entries(a).filter(([, value]) => value !== undefined);
  const right = Object.entries(b).filter(([, value]) => value !== undefined);
  if (left.length !== right.length) return false;
  return left.every(([name, value]) => same(value, (b as Record<string, unknown>)[name]));
}
