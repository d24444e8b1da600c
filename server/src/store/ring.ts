import type { Commit } from "../delivery/feed.ts";

export const RING_COMMITS_MAX = 1_000;
export const RING_BYTES_MAX = 1024 * 1024;

/** The newest commits of one environment, contiguous. A program that is further behind than they reach takes a snapshot. */
export interface Ring {
  push(commit: Commit): void;
  /** The commits after `revision` up to the head; undefined when they do not reach back that far, or when it is ahead of the head. */
  since(revision: number): readonly Commit[] | undefined;
}

export function createRing(head: number): Ring {
  let commits: { readonly commit: Commit; readonly bytes: number }[] = [];
  let bytes = 0;
  let newest = head;
  return {
    push(commit) {
      if (commit.from !== newest) commits = []; // never a hole
      if (commits.length === 0) bytes = 0;
      newest = commit.to;
      const size = Buffer.byteLength(JSON.stringify(commit.projections));
      commits.push({ commit, bytes: size });
      bytes += size;
      let drop = 0;
      while (drop < commits.length && (commits.length - drop > RING_COMMITS_MAX || bytes > RING_BYTES_MAX))
        bytes -= commits[drop++]?.bytes ?? 0;
      if (drop > 0) commits = commits.slice(drop);
    },
    since(revision) {
      if (revision === newest) return [];
      const first = commits[0]?.commit.from;
      if (first === undefined || revision < first || revision > newest) return undefined;
      return commits.slice(revision - first).map(({ commit }) => commit);
    },
  };
}
