import type { Condition, Hex64, Projection } from "@signalbox/core";
import type { EnvironmentInfo, ProjectedState } from "../delivery/feed.ts";
import type { FlagKind, FlagLink, StoredConfiguration, StoredKill } from "./define.ts";

/**
 * What the store holds in memory of its rows. Everything is immutable: a write makes new objects that share what did not
 * change, so whoever holds a model sees one committed state for as long as it likes.
 */

/** What the project holds of a flag: the same in every environment. */
export interface FlagIdentity {
  readonly id: number;
  readonly key: string;
  readonly name: string;
  readonly description: string;
  readonly type: "boolean" | "string" | "number" | "json";
  readonly tags: readonly string[];
  readonly owner: string | null;
  readonly links: readonly FlagLink[];
  readonly kind: FlagKind;
  /** Days after its creation by which it should be gone; null for one that stays. */
  readonly expectedDays: number | null;
  readonly version: number;
  readonly createdAt: number;
  readonly createdBy: string;
  /** Old keys, which go on answering. */
  readonly aliases: readonly string[];
}

/** A flag in one environment. */
export interface FlagRecord {
  readonly identity: FlagIdentity;
  readonly body: StoredConfiguration;
  readonly killed: StoredKill | null;
  readonly version: number;
  readonly updatedAt: number;
  readonly updatedBy: string;
}

export type GroupKind = "conditions" | "list" | "early-access";

export interface GroupRecord {
  readonly id: number;
  readonly key: string;
  readonly kind: GroupKind;
  readonly name: string;
  readonly description: string;
  /** The attribute that holds the unit. */
  readonly by: string;
  readonly when: Condition | null;
  readonly hashKey: string;
  readonly version: number;
  readonly updatedAt: number;
  readonly updatedBy: string;
  /** Hashes of the units that are in it, sorted; empty for a group by conditions. The clear units stay in the database. */
  readonly list: readonly Hex64[];
}

/** One row of the side table of clear units. `left` remembers that this unit has left. */
export interface Member {
  readonly unit: string;
  readonly state: "member" | "left";
  readonly at: number;
  readonly by: string;
}

/** What staff set for a whole environment; columns of its head row. */
export interface EnvironmentSettings {
  /** Browsers have to send their context signed. */
  readonly secureMode: boolean;
  /** The newest signing secret; those up to `signingRetired` hold no more. One or two are live: 1 <= version - retired <= 2. */
  readonly signingVersion: number;
  readonly signingRetired: number;
  /** Attributes that never leave the server in a condition, and are removed from sampled contexts. */
  readonly privateAttributes: readonly string[];
  readonly sampleContexts: boolean;
}

/** What a fact stands for: a condition without parts, or a group by list or sign-up. */
export type FactCondition = Exclude<Condition, { readonly op: "all" | "any" | "not" | "fact" }>;

/** Facts by their numbers. */
export type FlagFacts = ReadonlyMap<number, FactCondition>;

export interface EnvironmentModel {
  readonly info: EnvironmentInfo;
  readonly settings: EnvironmentSettings;
  readonly color: string;
  /** Its place in the order in which people see them. */
  readonly position: number;
  /** Of key, name, color, position and production; an ETag. */
  readonly version: number;
  readonly generation: number;
  readonly revision: number;
  readonly flags: ReadonlyMap<string, FlagRecord>;
  readonly groups: ReadonlyMap<string, GroupRecord>;
  readonly states: Readonly<Record<Projection, ProjectedState>>;
  /** The last revision that changed whom a fact holds for; 0 if none did. */
  readonly factsAt: number;
  /** The numbers of facts, also of many that no flag needs now, by the hash of the condition, ascending (see `facts.ts`). */
  readonly factNumbers: ReadonlyMap<string, number>;
  /** The facts of the flags that are marked for browsers, by the flag's key; only flags that have some. */
  readonly flagFacts: ReadonlyMap<string, FlagFacts>;
  /** Bytes of all entries of a projection as JSON. */
  readonly bytes: Readonly<Record<Projection, number>>;
}

export interface ProjectModel {
  readonly id: number;
  /** Signalbox's own: no list shows it, no person writes it, its log is short and its writes are no part of the audit. */
  readonly hidden?: boolean;
  readonly key: string;
  readonly name: string;
  readonly description: string;
  /** Of name and description; an ETag. */
  readonly version: number;
  readonly createdAt: number;
  /** In the order in which their head rows are locked: by id. */
  readonly environments: readonly EnvironmentModel[];
}

/** The flag that has this key now or had it once. */
export function findFlag(environment: EnvironmentModel, key: string): FlagRecord | undefined {
  const flag = environment.flags.get(key);
  if (flag) return flag;
  const alias = environment.states.server.entries.get(`alias:${key}`);
  return alias?.kind === "alias" ? environment.flags.get(alias.flag) : undefined;
}

export function findEnvironment(project: ProjectModel, key: string): EnvironmentModel | undefined {
  return project.environments.find((environment) => environment.info.key === key);
}
