import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import type { ChangeDetail, ChangeList, FlagThen, PastState, RevertEnvironment, Reverted } from "../../../src/api-types.ts";
import { call } from "../api.ts";
import { flagPath, type Place, pathOf, placeKey } from "../queries.ts";

const CHANGES_PER_PAGE = 30;

/** What was changed, newest first, more with each page; of one flag or group, or of the whole environment. */
export function historyQuery(place: Place, of: { readonly flag?: string; readonly group?: string }) {
  return infiniteQueryOptions({
    queryKey: [...placeKey(place), "history", of],
    initialPageParam: undefined as number | undefined,
    queryFn: ({ signal, pageParam }) => {
      const query = new URLSearchParams({
        ...of,
        limit: String(CHANGES_PER_PAGE),
        ...(pageParam !== undefined && { before: String(pageParam) }),
      });
      return call<ChangeList>("GET", `${pathOf(place)}/history?${query}`, { signal });
    },
    getNextPageParam: ({ next }) => next ?? undefined,
  });
}

/** One change whole. It never changes, but for names that are erased. */
export function changeQuery(place: Place, revision: number) {
  return queryOptions({
    queryKey: [...placeKey(place), "change", revision],
    queryFn: ({ signal }) => call<ChangeDetail>("GET", `${pathOf(place)}/history/${revision}`, { signal }),
  });
}

export function flagThenQuery(place: Place, flag: string, revision: number) {
  return queryOptions({
    queryKey: [...placeKey(place), "flag-then", flag, revision],
    queryFn: ({ signal }) => call<FlagThen>("GET", `${flagPath(place, flag)}/at?revision=${revision}`, { signal }),
  });
}

/** `when` is a revision, or a time as ISO text. */
export function stateThenQuery(place: Place, when: number | string) {
  const query = typeof when === "number" ? `revision=${when}` : `at=${encodeURIComponent(when)}`;
  return queryOptions({
    queryKey: [...placeKey(place), "state-then", when],
    queryFn: ({ signal }) => call<PastState>("GET", `${pathOf(place)}/state-at?${query}&limit=1000`, { signal }),
    retry: false,
  });
}

/** What is taken back: one change, a flag to what it was after a revision, or everything. */
export type Target =
  | { readonly kind: "change"; readonly revision: number }
  | { readonly kind: "flag"; readonly flag: string; readonly revision: number }
  | { readonly kind: "all"; readonly revision: number };

export function revert(
  place: Place,
  target: Target,
  more: { dryRun?: true; reason?: string; ifMatch?: string; signal?: AbortSignal },
): Promise<Reverted> {
  const { ifMatch, signal, ...wish } = more;
  const options = { ...(ifMatch !== undefined && { ifMatch }), ...(signal && { signal }) };
  if (target.kind === "flag") {
    return call("POST", `${flagPath(place, target.flag)}/revert`, { ...options, body: { revision: target.revision, ...wish } });
  }
  const body: RevertEnvironment = { ...(target.kind === "change" ? { change: target.revision } : { to: target.revision }), ...wish };
  return call("POST", `${pathOf(place)}/revert`, { ...options, body });
}
