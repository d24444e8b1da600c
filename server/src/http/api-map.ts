import { readFileSync } from "node:fs";

/** For tests: docs/api-map.md, from which they learn every route there is. */
export interface MappedRoute {
  readonly route: string;
  readonly permission: string;
  readonly ifMatch: boolean;
  readonly words: readonly string[];
}

/** The table of docs/api-map.md, its shorthands written out. */
export function mappedRoutes(): MappedRoute[] {
  const P = "/api/v1/projects/{project}";
  return readFileSync(new URL("../../../docs/api-map.md", import.meta.url), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => {
      const [, cell = "", permission = "", ifMatch = "", words = ""] = line.split("|").map((part) => part.trim());
      const route = cell
        .replaceAll("`", "")
        .replace(/ E(\/|$)/, ` ${P}/environments/{environment}$1`)
        .replace(/ P(\/|$)/, ` ${P}$1`);
      return { route, permission, ifMatch: ifMatch === "yes", words: [...words.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word) };
    });
}
