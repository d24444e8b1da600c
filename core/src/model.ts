/**
 * The wire form of one environment: what the server sends to SDKs and what the vectors hold.
 * Everything here is plain JSON. Additions are append-only: an SDK meets entries, operators and fields that are newer
 * than itself, keeps them for the digest, and treats a flag that it cannot read as row 4 of the precedence table says.
 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** 16 lower-case hexadecimal digits. */
export type Hex64 = string;

/** What a flag is evaluated for: `key` identifies the unit (user, device, account); the rest are attributes, nested one level (`account.key`). */
export interface Context {
  readonly key?: string | number;
  readonly [attribute: string]: unknown;
}

export type FlagType = "boolean" | "string" | "number" | "json";

/** How a flag decides, below the kill: nobody, some (rules), everybody, as the parent. */
export type Mode = "off" | "targeted" | "on" | "inherit";

export type Comparison = "<" | "<=" | ">" | ">=" | "=" | "!=";
export type DateComparison = "<" | "<=" | ">" | ">=";

/**
 * A condition is true, false or unknown for a context (see `evaluate.ts`). `op` says which kind it is.
 * A string operator is true if any of `values` fits; `ignoreCase` folds both sides with `toLowerCase`.
 * What would take long to look at (megabytes of text, ten thousand elements) is unknown: see `EFFORT_MAX` in `conditions.ts`.
 */
export type Condition =
  | { readonly op: "all"; readonly of: readonly Condition[] }
  | { readonly op: "any"; readonly of: readonly Condition[] }
  | { readonly op: "not"; readonly of: Condition }
  | {
      readonly op: "in";
      readonly attribute: string;
      readonly values: readonly (string | number | boolean)[];
      readonly ignoreCase?: boolean;
    }
  | {
      readonly op: "contains" | "startsWith" | "endsWith";
      readonly attribute: string;
      readonly values: readonly string[];
      readonly ignoreCase?: boolean;
    }
  | { readonly op: "number"; readonly attribute: string; readonly is: Comparison; readonly value: number }
  /** True if any of the patterns, in RE2 syntax and not anchored, is found in the text; a text longer than `textLengthMax` is unknown. */
  | {
      readonly op: "matches";
      readonly attribute: string;
      readonly values: readonly string[];
      readonly ignoreCase?: boolean;
      readonly textLengthMax: number;
    }
  /** Compares by the precedence of Semantic Versioning 2.0.0 (see `semver.ts`). */
  | { readonly op: "semver"; readonly attribute: string; readonly is: Comparison; readonly value: string }
  /**
   * Compares a point in time; without `attribute` the clock. `value` is as somebody wrote it, `at` is the instant in ms since 1970
   * that it stands for in `zone` (UTC when absent). A text without a zone in the attribute is compared with `value` as a local time.
   */
  | {
      readonly op: "date";
      readonly attribute?: string;
      readonly is: DateComparison;
      readonly value: string;
      readonly zone?: string;
      readonly at: number;
    }
  /** True if an address is in one of the ranges: `10.0.0.0/8`, `2001:db8::/32`, or one address. */
  | { readonly op: "cidr"; readonly attribute: string; readonly values: readonly string[] }
  | { readonly op: "exists"; readonly attribute: string }
  | { readonly op: "group"; readonly group: string }
  /** Only in the projection for browsers: a condition that the server answers by number. Unknown until answered. */
  | { readonly op: "fact"; readonly fact: number };

/**
 * A slice of the units: inside when `from <= bucket < to`, in buckets of 100,000 (see `bucket.ts`).
 * `by` names the attribute that holds the unit, `key` when absent; `salt` is the flag's when absent.
 * `method` is the place for other bucketing methods: an SDK that does not know the named method cannot read the flag.
 */
export interface Rollout {
  readonly from?: number;
  readonly to: number;
  readonly by?: string;
  readonly salt?: string;
  readonly random?: boolean;
  /** How `to` changes with time. */
  readonly over?: Schedule;
  readonly method?: string;
}

/**
 * The end of a slice in time: `to` of the rollout holds before the first point. By steps each point's `to` holds from its time on; by
 * a line `to` runs straight from one point to the next, rounded down, and stays where the last one leaves it. Points are in ascending order of time.
 */
export interface Schedule {
  readonly kind: "steps" | "line";
  readonly points: readonly SchedulePoint[];
}

export interface SchedulePoint {
  /** ms since 1970. */
  readonly at: number;
  readonly to: number;
}

/** What a rule serves: one variant, or a split over variants whose weights add up to 100,000. */
export type Serve =
  | { readonly kind: "variant"; readonly variant: string }
  | { readonly kind: "split"; readonly weights: readonly Weight[]; readonly by?: string; readonly salt?: string; readonly method?: string };

export interface Weight {
  readonly variant: string;
  readonly weight: number;
}

/** One line of a flag's targeting. Without `when` it is for everyone else; a rule that serves the off variant is a denial. */
export interface Rule {
  readonly id: string;
  readonly name?: string;
  readonly when?: Condition;
  readonly rollout?: Rollout;
  readonly serve: Serve;
}

/** Met when the named flag serves one of the named variants. */
export interface Requirement {
  readonly flag: string;
  readonly variants: readonly string[];
}

interface EntryBase {
  readonly key: string;
  /** Fingerprint of this entry in this projection, computed by the server; the digest is the XOR of all of them. */
  readonly fp: Hex64;
}

export interface FlagEntry extends EntryBase {
  readonly kind: "flag";
  /** The schema that a reader must know, absent for 1; an SDK that knows less cannot read the flag. */
  readonly schema?: number;
  readonly type: FlagType;
  /** Variant names to values. Absent for a boolean flag, whose variants are always `on` = true and `off` = false. */
  readonly variants?: { readonly [variant: string]: Json };
  /** The off variant: the flag's safe value. */
  readonly off: string;
  readonly on: string;
  readonly mode: Mode;
  readonly killed?: boolean;
  readonly archived?: boolean;
  readonly salt: string;
  readonly rules?: readonly Rule[];
  readonly requires?: readonly Requirement[];
  /** A parent by name. Absent: the part of the key before its last colon, if a flag has that key. */
  readonly parent?: string;
  /** True: the flag has opted out of its parent. */
  readonly detached?: boolean;
  readonly maxStaleMs?: number;
}

/** A set of contexts: by conditions, by list, or both. Only the keyed hashes of the listed units travel (see `siphash.ts`). */
export interface GroupEntry extends EntryBase {
  readonly kind: "group";
  readonly schema?: number;
  readonly when?: Condition;
  readonly list?: { readonly hashKey: string; readonly by?: string; readonly members: readonly Hex64[] };
}

/** The old key of a renamed flag goes on answering as the flag does. */
export interface AliasEntry extends EntryBase {
  readonly kind: "alias";
  readonly flag: string;
}

/** An entry of a kind that this SDK does not know: kept for the digest, used for nothing. */
export interface UnknownEntry extends EntryBase {
  readonly kind: string;
}

export type Entry = FlagEntry | GroupEntry | AliasEntry;

/** Names an entry inside a projection: `flag:new-checkout`. */
export type EntryId = string;

export function entryId(entry: { readonly kind: string; readonly key: string }): EntryId {
  return `${entry.kind}:${entry.key}`;
}

/** Order is (generation, revision): after a database was restored, a newer generation with a lower revision is newer. */
export interface Position {
  readonly generation: number;
  readonly revision: number;
}

export type Projection = "server" | "browser";

// OpenFeature's names, so that providers map one to one.
export type ErrorCode = "PROVIDER_NOT_READY" | "FLAG_NOT_FOUND" | "PARSE_ERROR" | "TYPE_MISMATCH";

export type Reason =
  | { readonly kind: "DISABLED"; readonly killed: boolean }
  | { readonly kind: "STALE" }
  | { readonly kind: "STATIC"; readonly source?: "override" | "preview" }
  | { readonly kind: "PREREQUISITE_FAILED"; readonly flag: string }
  | { readonly kind: "TARGETING_MATCH"; readonly ruleId: string }
  | { readonly kind: "SPLIT"; readonly ruleId: string; readonly bucket: number }
  | { readonly kind: "DEFAULT" }
  | { readonly kind: "ERROR"; readonly code: ErrorCode };

/** The answer for one flag and one context. `served: false` means: use the caller's default. */
export type Evaluation =
  | { readonly served: true; readonly variant: string; readonly value: Json; readonly reason: Reason }
  | { readonly served: false; readonly reason: Reason };
