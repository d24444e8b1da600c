import type { Entry, EntryId, UnknownEntry } from "./model.ts";
import { entryId } from "./model.ts";
import { newFlagSlot, type SlotMaps } from "./slots.ts";

export type AnyEntry = Entry | UnknownEntry;

const FLAG = "flag:";
const GROUP = "group:";

/**
 * All entries of a state by their ids. Flags and groups lie in their slots, so that a state of ten thousand flags does not hold a second
 * table of them; aliases and what is not known lie here.
 */
export class EntryTable implements ReadonlyMap<EntryId, AnyEntry> {
  readonly #slots: SlotMaps;
  readonly #others = new Map<EntryId, AnyEntry>();
  #size = 0;

  constructor(slots: SlotMaps) {
    this.#slots = slots;
  }

  get size(): number {
    return this.#size;
  }

  get(id: EntryId): AnyEntry | undefined {
    // What is in a slot was put there by `put`.
    if (id.startsWith(FLAG)) return this.#slots.flags.get(id.slice(FLAG.length))?.entry as AnyEntry | undefined;
    if (id.startsWith(GROUP)) return this.#slots.groups.get(id.slice(GROUP.length))?.entry as AnyEntry | undefined;
    return this.#others.get(id);
  }

  has(id: EntryId): boolean {
    return this.get(id) !== undefined;
  }

  /** Fills an empty table. False if an entry came twice; the table is then of no use. One look-up for each flag, since a start waits for it. */
  fill(all: readonly AnyEntry[]): boolean {
    const { flags, groups } = this.#slots;
    const others: AnyEntry[] = [];
    for (const entry of all) {
      const { kind, key } = entry;
      if (kind === "flag") flags.set(key, newFlagSlot(key, entry));
      else if (kind === "group") groups.set(key, { key, entry, plan: undefined });
      else others.push(entry);
    }
    this.#size = flags.size + groups.size;
    for (const entry of others) this.put(entry);
    return this.#size === all.length;
  }

  /** Answers the entry that was there before. */
  put(entry: AnyEntry): AnyEntry | undefined {
    const { kind, key } = entry;
    if (kind === "flag" || kind === "group") {
      const slot = kind === "flag" ? this.#slots.flag(key) : this.#slots.group(key);
      const old = slot.entry as AnyEntry | undefined;
      slot.entry = entry;
      slot.plan = undefined;
      if (old === undefined) this.#size++;
      return old;
    }
    const id = entryId(entry);
    const old = this.#others.get(id);
    this.#others.set(id, entry);
    if (old === undefined) this.#size++;
    if (kind === "alias") this.#lead(key, "flag" in entry && typeof entry.flag === "string" ? entry.flag : undefined);
    return old;
  }

  /** Replaces a group of which the list alone changed; what it is compiled to has the change already. */
  amend(group: AnyEntry): void {
    this.#slots.group(group.key).entry = group;
  }

  /** Answers the entry that was there. */
  remove(id: EntryId): AnyEntry | undefined {
    const old = this.get(id);
    if (old === undefined) return undefined;
    this.#size--;
    if (old.kind === "flag" || old.kind === "group") {
      const slot = old.kind === "flag" ? this.#slots.flag(old.key) : this.#slots.group(old.key);
      slot.entry = undefined;
      slot.plan = undefined;
    } else {
      this.#others.delete(id);
      if (old.kind === "alias") this.#lead(old.key, undefined);
    }
    return old;
  }

  #lead(key: string, flag: string | undefined): void {
    this.#slots.flag(key).alias = flag === undefined ? undefined : this.#slots.flag(flag);
  }

  *values(): MapIterator<AnyEntry> {
    for (const { entry } of this.#slots.flags.values()) if (entry !== undefined) yield entry as AnyEntry;
    for (const { entry } of this.#slots.groups.values()) if (entry !== undefined) yield entry as AnyEntry;
    yield* this.#others.values();
  }

  *entries(): MapIterator<[EntryId, AnyEntry]> {
    for (const entry of this.values()) yield [entryId(entry), entry];
  }

  *keys(): MapIterator<EntryId> {
    for (const entry of this.values()) yield entryId(entry);
  }

  [Symbol.iterator](): MapIterator<[EntryId, AnyEntry]> {
    return this.entries();
  }

  forEach(each: (entry: AnyEntry, id: EntryId, table: ReadonlyMap<EntryId, AnyEntry>) => void): void {
    for (const [id, entry] of this) each(entry, id, this);
  }
}
