import { isObject } from "./attribute.ts";
import { CONDITION_DEPTH_READ_MAX } from "./conditions.ts";
import { colonParent } from "./plan.ts";

/** A key that can be asked for (a flag or an alias) as `flag:key`, a group as `group:key`. */
export type NodeId = string;

/**
 * What an entry refers to, directly: the groups in its conditions, the flags it requires, its parent, named or by colon key,
 * whether or not these exist; for an alias its flag. Takes any entry off the wire, also one that cannot be read.
 */
export function referencesOf(entry: unknown): NodeId[] {
  const found: NodeId[] = [];
  if (!isObject(entry)) return found;
  if (entry.kind === "alias" && typeof entry.flag === "string") found.push(`flag:${entry.flag}`);
  if (entry.kind === "group") addGroups(entry.when, found, 0);
  if (entry.kind !== "flag") return found;
  if (Array.isArray(entry.rules)) {
    for (const rule of entry.rules) if (isObject(rule) && rule.when !== undefined) addGroups(rule.when, found, 0);
  }
  if (Array.isArray(entry.requires)) {
    for (const one of entry.requires) if (isObject(one) && typeof one.flag === "string") found.push(`flag:${one.flag}`);
  }
  const parent = typeof entry.parent === "string" ? entry.parent : typeof entry.key === "string" ? colonParent(entry.key) : undefined;
  if (parent !== undefined) found.push(`flag:${parent}`);
  return found;
}

function addGroups(condition: unknown, found: NodeId[], depth: number): void {
  if (!isObject(condition) || depth > CONDITION_DEPTH_READ_MAX) return;
  if (condition.op === "group" && typeof condition.group === "string") found.push(`group:${condition.group}`);
  else if (Array.isArray(condition.of)) for (const part of condition.of) addGroups(part, found, depth + 1);
  else if (condition.of !== undefined) addGroups(condition.of, found, depth + 1);
}

/** The node that an entry is, for those who refer to it; undefined for a kind that nothing refers to. */
export function nodeOf(kind: string, key: string): NodeId | undefined {
  return kind === "flag" || kind === "alias" ? `flag:${key}` : kind === "group" ? `group:${key}` : undefined;
}

/** Who refers to what, kept up to date as entries come and go. */
export class ReferenceIndex {
  readonly #referrers = new Map<NodeId, Set<NodeId>>();

  add(node: NodeId, references: readonly NodeId[]): void {
    for (const to of references) {
      const referrers = this.#referrers.get(to);
      if (referrers) referrers.add(node);
      else this.#referrers.set(to, new Set([node]));
    }
  }

  remove(node: NodeId, references: readonly NodeId[]): void {
    for (const to of references) {
      const referrers = this.#referrers.get(to);
      referrers?.delete(node);
      if (referrers?.size === 0) this.#referrers.delete(to);
    }
  }

  /** The given nodes and all that depend on them, directly or not. */
  closure(changed: Iterable<NodeId>): Set<NodeId> {
    const reached = new Set(changed);
    // A set that grows while it is walked is walked to its end; each node once, so circles end.
    for (const node of reached) for (const referrer of this.#referrers.get(node) ?? []) reached.add(referrer);
    return reached;
  }
}
