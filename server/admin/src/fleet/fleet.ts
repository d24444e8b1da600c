import type { Instance } from "../../../src/api-types.ts";

/** Whether every word of the search is in what is shown of the program, or is what it does: silent, polling, behind. */
export function fits(instance: Instance, search: string): boolean {
  const { app, appVersion, sdk, host, kind, state } = instance;
  const behind = (instance.behind ?? 0) > 0 ? "behind" : "";
  const text = [app, appVersion ?? "", sdk, host ?? "", kind, state, behind, instance.instance].join("\n").toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** "up to date", "2 revisions behind for 14 s". */
export function lagText({ behind, behindMs }: Pick<Instance, "behind" | "behindMs">): string {
  if (behind === null) return "does not say how far it is";
  if (behind === 0) return "up to date";
  const since = behindMs === null ? "" : ` for ${behindMs < 1_000 ? `${behindMs} ms` : durationOf(behindMs)}`;
  return `${behind} ${behind === 1 ? "revision" : "revisions"} behind${since}`;
}

function durationOf(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3_600)} h`;
}
