import type { Hex64 } from "@signalbox/core";
import type { Turn } from "../turns.ts";

/** What came to and what left one list. No hash is in both. */
export interface ListChange {
  readonly add: ReadonlySet<Hex64>;
  readonly remove: ReadonlySet<Hex64>;
}

/** Changes of lists, by the key of the group, gathered over several steps: who came and left again is in neither set. */
export class MemberChanges {
  readonly #groups = new Map<string, { add: Set<Hex64>; remove: Set<Hex64> }>();

  /** What a list went through next. What comes was not in it, and what leaves was. */
  push(group: string, add: Iterable<Hex64>, remove: Iterable<Hex64>): void {
    const change = this.#groups.get(group) ?? { add: new Set(), remove: new Set() };
    this.#groups.set(group, change);
    for (const hash of remove) if (!change.add.delete(hash)) change.remove.add(hash);
    for (const hash of add) if (!change.remove.delete(hash)) change.add.add(hash);
  }

  forget(group: string): void {
    this.#groups.delete(group);
  }

  get(group: string): ListChange | undefined {
    return this.#groups.get(group);
  }

  /** The groups whose list is another one than before. */
  *changed(): Generator<[group: string, change: ListChange]> {
    for (const [group, change] of this.#groups) if (change.add.size + change.remove.size > 0) yield [group, change];
  }
}

/** So many parts are put together at once: each is an argument of a call, and the stack holds only so many. */
const PARTS_TOGETHER_MAX = 20_000;

/** A sorted list after a change, sorted. Costs one copy and a few comparisons for each hash that changed. */
export function changedList(list: readonly Hex64[], added: readonly Hex64[], removed: readonly Hex64[]): readonly Hex64[] {
  const gone = new Set(removed);
  const moves = [...added, ...removed].sort();
  // concat copies whole parts; flat looks at each of 100,000 elements, for 35 ms.
  let whole: Hex64[] = [];
  const parts: (readonly Hex64[])[] = [];
  let copied = 0;
  for (const hash of moves) {
    const at = placeOf(list, hash);
    parts.push(list.slice(copied, at));
    copied = at;
    if (gone.has(hash)) copied += list[at] === hash ? 1 : 0;
    else parts.push([hash]);
    if (parts.length >= PARTS_TOGETHER_MAX) whole = whole.concat(...parts.splice(0));
  }
  return whole.concat(...parts, list.slice(copied));
}

/** Sorted at once, in a few milliseconds. */
const SORTED_TOGETHER_MAX = 5_000;

/** The same when half of a long list or more comes and goes: others get their turn in between. */
export async function changedListInTurns(
  list: readonly Hex64[],
  added: readonly Hex64[],
  removed: readonly Hex64[],
  turn: Turn,
): Promise<readonly Hex64[]> {
  let runs: (readonly Hex64[])[] = [];
  for (let i = 0; i < added.length; i += SORTED_TOGETHER_MAX) {
    runs.push(added.slice(i, i + SORTED_TOGETHER_MAX).sort());
    await turn();
  }
  while (runs.length > 1) {
    const longer: (readonly Hex64[])[] = [];
    for (let i = 0; i < runs.length; i += 2) {
      longer.push(merged(runs[i] ?? [], runs[i + 1] ?? []));
      await turn();
    }
    runs = longer;
  }
  const gone = new Set(removed);
  const kept = gone.size === 0 ? list : list.filter((hash) => !gone.has(hash));
  await turn();
  return merged(kept, runs[0] ?? []);
}

function merged(a: readonly Hex64[], b: readonly Hex64[]): readonly Hex64[] {
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a;
  const all: Hex64[] = [];
  let [i, j] = [0, 0];
  for (let [x, y] = [a[0], b[0]]; x !== undefined && y !== undefined; ) {
    if (x <= y) {
      all.push(x);
      x = a[++i];
    } else {
      all.push(y);
      y = b[++j];
    }
  }
  for (; i < a.length; i++) all.push(a[i] as Hex64);
  for (; j < b.length; j++) all.push(b[j] as Hex64);
  return all;
}

/** Where a hash is in a sorted list, or would be. */
function placeOf(list: readonly Hex64[], hash: Hex64): number {
  let low = 0;
  for (let high = list.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((list[middle] ?? hash) < hash) low = middle + 1;
    else high = middle;
  }
  return low;
}
