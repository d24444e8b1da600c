import type { GroupPlan, RegexEngine, Slots } from "./conditions.ts";
import type { FlagPlan } from "./plan.ts";
import type { UsageRow } from "./usage-counts.ts";

/**
 * The place of a flag key in a state. It stays the same object while entries come, change and go, so a compiled flag refers
 * to the slots of its groups, its parent and the flags it requires, and needs no recompiling when one of those changes.
 */
export interface FlagSlot {
  readonly key: string;
  /** As it came off the wire, checked only when it is compiled. */
  entry: unknown;
  /** Compiled at the first evaluation after a change. */
  plan: FlagPlan | undefined;
  /** Where the key leads if no flag has it: a renamed flag's old key. */
  alias: FlagSlot | undefined;
  /** Where an SDK counts what it has served under this key. */
  usage: UsageRow | undefined;
}

export interface GroupSlot {
  readonly key: string;
  entry: unknown;
  plan: GroupPlan | undefined;
}

export interface SlotMaps extends Slots {
  readonly flags: Map<string, FlagSlot>;
  readonly groups: Map<string, GroupSlot>;
}

/** A flag whose old keys form a longer chain than this is not found by the oldest of them. */
export const ALIAS_STEPS_MAX = 8;

export function createSlots(regex?: RegexEngine): SlotMaps {
  const flags = new Map<string, FlagSlot>();
  const groups = new Map<string, GroupSlot>();
  return {
    flags,
    groups,
    regex,
    flag(key) {
      let slot = flags.get(key);
      if (!slot) {
        slot = newFlagSlot(key, undefined);
        flags.set(key, slot);
      }
      return slot;
    },
    group(key) {
      let slot = groups.get(key);
      if (!slot) {
        slot = { key, entry: undefined, plan: undefined };
        groups.set(key, slot);
      }
      return slot;
    },
  };
}

export function newFlagSlot(key: string, entry: unknown): FlagSlot {
  return { key, entry, plan: undefined, alias: undefined, usage: undefined };
}

/** Follows aliases to the slot that holds a flag; undefined when none does. */
export function flagSlot(slot: FlagSlot | undefined): FlagSlot | undefined {
  let at = slot;
  for (let i = 0; at && at.entry === undefined; i++) at = i < ALIAS_STEPS_MAX ? at.alias : undefined;
  return at;
}
