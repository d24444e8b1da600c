import { unitTag } from "@signalbox/core";
import type { FactsChange } from "../delivery/feed.ts";
import { canonicalJson, sha256 } from "./fingerprint.ts";
import type { FactCondition, GroupRecord } from "./model.ts";

/** A number that a fact got, as it is stored. */
export interface NewFact {
  readonly number: number;
  readonly hash: string;
}

/** Past so many different tags, a change of facts is told to everybody. */
const TAGS_MAX = 64;

/**
 * Gives facts their numbers. A condition has the same number for ever, also after it was away, and another condition never gets it; a
 * group by list is the same fact whoever is in it, until it is deleted.
 */
export class FactBook {
  readonly added: NewFact[] = [];
  #numbers: ReadonlyMap<string, number>;

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
    // Numbers have no holes, since rows of facts are never deleted.
    const number = this.#numbers.size + 1;
    this.#numbers = new Map(this.#numbers).set(hash, number);
    this.added.push({ number, hash });
    return number;
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
