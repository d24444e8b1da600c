import { queryOptions } from "@tanstack/react-query";
import type { Comparison, ProjectImported, PromoteBody, Promoted } from "../../../src/api-types.ts";
import { call, projectPath } from "../api.ts";
import { type Place, placeKey } from "../queries.ts";

/** What `place` would get from the environment `from`. */
export function comparisonQuery(place: Place, from: string) {
  const query = new URLSearchParams({ from, to: place.environment });
  return queryOptions({
    queryKey: [...placeKey(place), "compare", from],
    queryFn: ({ signal }) => call<Comparison>("GET", `${projectPath(place.project)}/compare?${query}`, { signal }),
    staleTime: 0,
  });
}

export function promote(project: string, body: PromoteBody): Promise<Promoted> {
  return call("POST", `${projectPath(project)}/promote`, { body });
}

export interface ImportWish {
  readonly file: File;
  readonly mode: "merge" | "replace";
  readonly dryRun: boolean;
  readonly reason?: string;
}

export function importFile(project: string, { file, mode, dryRun, reason }: ImportWish, signal?: AbortSignal): Promise<ProjectImported> {
  const query = new URLSearchParams({ mode, dryRun: String(dryRun), ...(reason && { reason }) });
  return call("POST", `${projectPath(project)}/import?${query}`, {
    file: { content: file, type: "application/json" },
    ...(signal && { signal }),
  });
}
