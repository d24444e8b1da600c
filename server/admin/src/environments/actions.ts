import { useQueryClient } from "@tanstack/react-query";
import type {
  CreateEnvironment,
  Environment,
  EnvironmentWritten,
  PatchEnvironment,
  Project,
  ProjectWritten,
} from "../../../src/api-types.ts";
import { call, environmentPath, projectPath } from "../api.ts";
import { projectsQuery } from "../queries.ts";

/** The writes on a project and its environments. Each then asks for the list of projects again, which every page is drawn from. */
export function useEnvironmentActions(project: string) {
  const client = useQueryClient();
  const again = () => client.invalidateQueries({ queryKey: projectsQuery.queryKey });

  return {
    async create(body: CreateEnvironment): Promise<Environment> {
      const { environment } = await call<EnvironmentWritten>("POST", `${projectPath(project)}/environments`, { body });
      await again();
      return environment;
    },
    async edit({ key, etag }: Environment, body: PatchEnvironment): Promise<void> {
      await call<EnvironmentWritten>("PATCH", environmentPath(project, key), { body, ifMatch: etag });
      await again();
    },
    async order(environments: readonly string[]): Promise<void> {
      await call<ProjectWritten>("POST", `${projectPath(project)}/environments/order`, { body: { environments } });
      await again();
    },
    async remove({ key, etag }: Environment, reason: string): Promise<void> {
      await call("DELETE", environmentPath(project, key), { body: { confirm: key, ...(reason && { reason }) }, ifMatch: etag });
      await again();
    },
    async createProject(body: { key: string; name?: string; description?: string }): Promise<Project> {
      const made = await call<ProjectWritten>("POST", "/api/v1/projects", { body });
      await again();
      return made.project;
    },
    async editProject({ key, etag }: Project, body: { name: string; description: string }): Promise<void> {
      await call<ProjectWritten>("PATCH", projectPath(key), { body, ifMatch: etag });
      await again();
    },
    async removeProject({ key, etag }: Project, reason: string): Promise<void> {
      await call("DELETE", projectPath(key), { body: { confirm: key, ...(reason && { reason }) }, ifMatch: etag });
      await again();
    },
  };
}
