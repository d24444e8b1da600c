import { unitTag } from "@signalbox/core";
import type { FactsChange } from "../delivery/feed.ts";
import { canonicalJson, sha256 } from "./fingerprint.ts";
import type { FactCondition, FlagFacts, GroupRecord } from "./model.ts";

/** A number that a fact got, as it is stored. */
export interface NewFact {
  readonly number: number;
  readonly hash: string;
}

/** What an edit does to the rows of facts. */
export interface FactRows {
  readonly added: readonly NewFact[];
  /** Numbers whose rows go. */
  readonly forgotten: readonly number[];
}

/** Facts that no flag needs are remembered up to this many (2 MB of disk, 1 MB of memory), so that a condition that comes back soon has its number. */
export const UNUSED_FACTS_MAX = 10_000;
/** Past so many different tags, a change of facts is told to everybody. */
const TAGS_MAX = 64;

/**
 * Gives facts their numbers. A condition keeps its number as long as a flag needs it, and mostly when it was away for a while; another
 * condition never gets it. A group by list is the same fact whoever is in it, until it is deleted.
 */
export class FactBook {
  readonly added: NewFact[] = [];
  /** By the hash of the condition, in ascending order. */
  #numbers: ReadonlyMap<string, number>;
  /** The same once it is our own to write to. */
  #own: Map<string, number> | undefined;
  #last = 0;

  constructor(numbers: ReadonlyMap<string, number>) {
    this.#numbers = numbers;
  }

  get numbers(): ReadonlyMap<string, number> {
    return this.#numbers;
  }

  ofCondition(condition: Exclude<FactCondition, { readonly op: "group" }>): number {
    return this.#numberOf(sha256(canonicalJson(condition)));
  }

  ofGroup(group: Pick<GroupRecord, "id">): number {
    return this.#numberOf(groupHash(group));
  }

  #numberOf(hash: string): number {
    const known = this.#numbers.get(hash);
    if (known !== undefined) return known;
    const own = this.#writable();
    const number = ++this.#last;
    own.set(hash, number);
    this.added.push({ number, hash });
    return number;
  }

  #writable(): Map<string, number> {
    if (this.#own === undefined) {
      for (const number of this.#numbers.values()) this.#last = Math.max(this.#last, number);
      this.#own = new Map(this.#numbers);
      this.#numbers = this.#own;
    }
    return this.#own;
  }

  /**
   * Forgets the oldest of the facts that no flag needs, down to UNUSED_FACTS_MAX, and returns their numbers. The highest number of all is
   * never among them, and the next one is higher still, so none is given twice. A page that holds such a number in an older state is told
   * nothing of it, which is unknown.
   */
  forget(flagFacts: ReadonlyMap<string, FlagFacts>): readonly number[] {
    // There are no more than before unless one came.
    if (this.added.length === 0 || this.#numbers.size <= UNUSED_FACTS_MAX) return [];
    const needed = new Set([...flagFacts.values()].flatMap((facts) => [...facts.keys()]));
    const unused = [...this.#numbers].filter(([, number]) => !needed.has(number));
    const gone = unused.slice(0, Math.max(0, unused.length - UNUSED_FACTS_MAX));
    const own = this.#writable();
    for (const [hash] of gone) own.delete(hash);
    return gone.map(([, number]) => number);
  }
}

/** By its id, which no other group ever gets: a key can be given again. */
export function groupHash({ id }: Pick<GroupRecord, "id">): string {
  return sha256(canonicalJson({ op: "group", id }));
}

/** Whom it concerns that these units came or went. */
export function factsChange(tags: Iterable<number>): FactsChange {
  const units = [...new Set(tags)].sort((a, b) => a - b);
  return units.length > TAGS_MAX ? { all: true } : { units };
}

/** Of changes one after the other. */
export function bothChanges(a: FactsChange | undefined, b: FactsChange): FactsChange {
  if (a === undefined) return b;
  return "all" in a || "all" in b ? { all: true } : factsChange([...a.units, ...b.units]);
}

/** What a change-set holds of units instead of their names, sorted. More than can be told apart are not looked at. */
export function tagsOf(units: readonly string[]): number[] {
  return [...new Set(units.map(unitTag))].sort((a, b) => a - b);
}
