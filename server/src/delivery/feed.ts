import type { Entry, EntryId, Hex64, MembersChange, Position, Projection } from "@signalbox/core";
import type { EnvironmentSettings } from "../store/model.ts";

/** One committed step of one environment, as one projection sees it. Entries are those whose fingerprint changed. */
export interface ProjectedChange {
  readonly digest: Hex64;
  readonly put: readonly Entry[];
  readonly remove: readonly EntryId[];
  /** Groups of which only the list changed; absent for none. They are not in `put`. */
  readonly members?: readonly MembersChange[];
  /** Of the projection for browsers only: lists that facts are about changed, so these facts hold for others now. */
  readonly facts?: FactsChange;
}

/** Whom a change of facts may concern: everybody, or whose `unitTag` is listed (ascending, at most 64). */
export type FactsChange = { readonly all: true } | { readonly units: readonly number[] };

/** One committed change-set. `to` is `from + 1`; a projection in which nothing changed has empty `put` and `remove` and no `members`. */
export interface Commit {
  readonly environmentId: number;
  readonly generation: number;
  readonly from: number;
  readonly to: number;
  /** When the transaction committed, ms since 1970, and how long it took from request to commit. */
  readonly at: number;
  readonly storedMs: number;
  readonly by: string;
  /** The audit word and what it was done to: `flag.kill`, `new-checkout`. */
  readonly action: string;
  readonly target: string;
  readonly reason: string | null;
  /** True when it holds a kill: it goes out at once and is acknowledged. */
  readonly kill: boolean;
  readonly projections: Readonly<Record<Projection, ProjectedChange>>;
}

/** The committed state of a projection. Immutable: a commit makes a new one. */
export interface ProjectedState extends Position {
  readonly digest: Hex64;
  /** The last revision that changed the content of a fact, 0 if none did. */
  readonly factsAt: number;
  readonly entries: ReadonlyMap<EntryId, Entry>;
}

export interface EnvironmentInfo {
  readonly id: number;
  readonly key: string;
  readonly name: string;
  readonly production: boolean;
  readonly projectId: number;
  readonly projectKey: string;
}

/**
 * What the fan-out knows of the store. Everything is read from memory; the store swaps a state only after its commit.
 * The fan-out is level-triggered: `onCommit` only wakes it, and it sends each connection what lies between its position
 * and the head.
 */
export interface Feed {
  environments(): readonly EnvironmentInfo[];
  state(environmentId: number, projection: Projection): ProjectedState;
  settings(environmentId: number): EnvironmentSettings;
  /** The commits after `revision` up to the head, contiguous; undefined when the ring no longer reaches back that far. */
  commitsSince(environmentId: number, revision: number): readonly Commit[] | undefined;
  onCommit(listener: (commit: Commit) => void): () => void;
  /** Gives the environment a generation above this one, because programs hold a position that it never had. Absent where none is kept. */
  raiseGeneration?(environmentId: number, above: number): Promise<void>;
}

/** What an SDK key stands for. */
export interface SdkKeyInfo {
  readonly id: number;
  readonly environment: EnvironmentInfo;
  readonly projection: Projection;
  /** Of a browser key: the origins of pages that may use it; every page may where it is empty. */
  readonly origins: readonly string[];
}
