import type { Json } from "@signalbox/core";
import type { Issue, ProblemCode } from "../errors.ts";
import type { Applied, Edit } from "./edit.ts";
import type { ProjectModel } from "./model.ts";

/** What a decision sees: the committed state, and everything that it may not make up itself. */
export interface Current {
  readonly project: ProjectModel;
  readonly now: number;
  readonly by: string;
  /** The ids that new ones get. */
  readonly newIds: NewIds;
}

export interface NewIds {
  readonly flag: number;
  readonly group: number;
  readonly environment: number;
  readonly project: number;
}

/** For decisions of which nothing is written. */
export const NO_IDS: NewIds = { flag: 0, group: 0, environment: 0, project: 0 };

/**
 * What a decision came to. Decisions are pure and synchronous, `(current) => Outcome`; the store runs them inside its
 * transaction, on the state that the transaction has locked, and writes what they say.
 */
export type Outcome =
  | {
      readonly kind: "changed";
      /** The audit word and what it was done to. */
      readonly action: string;
      readonly target: string;
      readonly edits: readonly Edit[];
      readonly applied: Applied;
      /** For the audit: what was there and what is there now. */
      readonly before: Json;
      readonly after: Json;
      /** Of a write that does the same to several: the audit then has a row for each instead, so that the story of each is whole. */
      readonly each?: readonly { readonly target: string; readonly before: Json; readonly after: Json }[];
    }
  /** Nothing would change: no revision is made. */
  | { readonly kind: "unchanged" }
  /** It was changed since the caller read it. */
  | { readonly kind: "conflict" }
  | { readonly kind: "missing"; readonly code: ProblemCode; readonly detail: string }
  | { readonly kind: "invalid"; readonly code: ProblemCode; readonly detail: string; readonly issues?: readonly Issue[] };

export type Refusal = Extract<Outcome, { readonly kind: "invalid" }>;

/** Refuses with issues; the detail is the first of them. */
export function refused(code: ProblemCode, issues: readonly Issue[]): Refusal {
  const [first] = issues;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  return { kind: "invalid", code, detail: `${first?.message ?? "refused"}${more}`, issues };
}

/**
 * Compares If-Match with the ETag: undefined when the write may go on. Without the header a write is taken where nothing is
 * production, so that scripts stay simple where nobody can be hurt.
 */
export function guard(ifMatch: string | undefined, etag: string, production: boolean): Outcome | undefined {
  if (ifMatch === undefined) {
    if (!production) return undefined;
    const detail = `This changes production, so the header If-Match is needed; as it is now: If-Match: ${etag}.`;
    return { kind: "invalid", code: "IF_MATCH_REQUIRED", detail };
  }
  const tags = ifMatch.split(",").map((tag) => tag.trim());
  return tags.includes(etag) || tags.includes("*") ? undefined : { kind: "conflict" };
}
