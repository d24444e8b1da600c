import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useEffect } from "react";
import type { Environment, Project } from "../../../src/api-types.ts";
import { type Place, projectsQuery } from "../queries.ts";

const STORED_AS = "signalbox-place";

/** The place in the address of the page. Only for pages under `/{project}/{environment}`. */
export function usePlace(): Place {
  const { project, environment } = useParams({ from: "/$project/$environment" });
  return { project, environment };
}

export function useEnvironment(): { project: Project | undefined; environment: Environment | undefined; loaded: boolean } {
  const place = usePlace();
  const { data } = useQuery(projectsQuery);
  const project = data?.projects.find(({ key }) => key === place.project);
  return { project, environment: project?.environments.find(({ key }) => key === place.environment), loaded: data !== undefined };
}

/** The place that was looked at last, if it still exists; else the first environment that is not production. */
export function lastPlace(projects: readonly Project[]): Place | undefined {
  const [project, environment] = stored();
  const known = projects.find(({ key }) => key === project)?.environments.some(({ key }) => key === environment);
  if (known && project !== undefined && environment !== undefined) return { project, environment };
  const first = projects[0];
  const calm = first?.environments.find(({ production }) => !production) ?? first?.environments[0];
  return first && calm && { project: first.key, environment: calm.key };
}

export function useRemembered(place: Place): void {
  useEffect(() => {
    try {
      localStorage.setItem(STORED_AS, `${place.project}/${place.environment}`);
    } catch {
      // Storage can be forbidden; `/` then leads to the first environment.
    }
  }, [place.project, place.environment]);
}

function stored(): (string | undefined)[] {
  try {
    return (localStorage.getItem(STORED_AS) ?? "").split("/");
  } catch {
    return [];
  }
}

/** The title of the browser tab: the page first, so that tabs can be told apart. */
export function useTitle(...parts: (string | undefined)[]): void {
  const title = [...parts.filter((part) => part !== undefined && part !== ""), "Signalbox"].join(" · ");
  useEffect(() => {
    document.title = title;
  }, [title]);
}
