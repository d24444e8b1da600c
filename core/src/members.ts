import { isObject } from "./attribute.ts";
import { compileGroup } from "./conditions.ts";
import { isHex64 } from "./digest.ts";
import type { AnyEntry } from "./entries.ts";
import type { Hex64 } from "./model.ts";
import type { MembersChange } from "./protocol.ts";
import { type SipKey, SipSet } from "./siphash.ts";
import type { SlotMaps } from "./slots.ts";

/** A change of one group's list that was found to fit, and is not made yet. */
export interface ListStep {
  readonly group: AnyEntry;
  readonly fp: Hex64;
  /** Makes it; answers the group's entry from now on. */
  run(): AnyEntry;
}

/**
 * Looks whether changes of lists fit the groups that are held: each group once, with a list; what comes is not there yet, what goes is.
 * Undefined if not. The lists themselves are sets that stay, so a member costs the same in a list of ten and of 100,000.
 */
export function listSteps(changes: readonly MembersChange[], slots: SlotMaps): readonly ListStep[] | undefined {
  const steps: ListStep[] = [];
  for (const change of changes as readonly unknown[]) {
    if (!isObject(change) || typeof change.group !== "string" || !isHex64(change.fp)) return undefined;
    const { group: key, fp, add, remove } = change;
    if (!Array.isArray(add) || !Array.isArray(remove) || !add.every(isHex64) || !remove.every(isHex64)) return undefined;
    const slot = slots.groups.get(key);
    const entry: unknown = slot?.entry;
    if (!slot || !isObject(entry) || !isObject(entry.list)) return undefined;
    const { list } = entry;
    const group = entry as unknown as AnyEntry; // what lies in a slot came as an entry
    if (steps.some((step) => step.group === group) || new Set([...add, ...remove]).size < add.length + remove.length) return undefined;
    slot.plan ??= compileGroup(entry, slots);
    const members = slot.plan.list ?? unreadList(list.members);
    if (!members || add.some((member) => members.hasHash(member)) || !remove.every((member) => members.hasHash(member))) return undefined;
    steps.push({
      group,
      fp,
      run() {
        for (const member of remove) members.remove(member);
        for (const member of add) members.add(member);
        const after = { ...group, fp, list: viewOf(members, list) };
        return after;
      },
    });
  }
  return steps;
}

const NO_KEY: SipKey = [0, 0, 0, 0];

/** The list of a group that this version cannot read: nobody asks it, but it is kept for whoever copies the state. */
function unreadList(members: unknown): SipSet | undefined {
  return Array.isArray(members) ? new SipSet(NO_KEY, members) : undefined;
}

const views = new WeakMap<SipSet, object>();

/** The list as it travels; its members are written out of the set when somebody reads them, so that they are not held twice. */
function viewOf(members: SipSet, list: object): object {
  let view = views.get(members);
  if (!view) {
    const { members: _inTheSet, ...rest } = list as { members: unknown };
    view = Object.defineProperty(rest, "members", { enumerable: true, get: () => members.hashes() });
    views.set(members, view);
  }
  return view;
}
