import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Project } from "../api-types.ts";
import type { Access } from "../auth/access.ts";
import { type ApiEnv, answer, apiRoute, createApi } from "../http/route.ts";
import type { ProjectModel } from "../store/model.ts";
import { inOrder } from "./located.ts";
import { projectList } from "./schema.ts";

const listRoute = apiRoute("list", {
  method: "get",
  path: "/api/v1/projects",
  summary: "Projects with their environments",
  responses: { 200: answer(projectList, "those that the caller may read") },
});

export function environmentRoutes(): OpenAPIHono<ApiEnv> {
  const api = createApi();
  api.openapi(listRoute, (c) => c.json({ projects: c.var.access.projects().map((project) => projectOf(project, c.var.access)) }, 200));
  return api;
}

function projectOf(project: ProjectModel, access: Access): Project {
  const environments = inOrder(project).map(({ info, color, generation, revision }) => {
    const may = access.actions({ project: project.key, environment: info.key });
    return { key: info.key, name: info.name, production: info.production, color, generation, revision, may };
  });
  return { key: project.key, name: project.name, environments, may: access.actions({ project: project.key }) };
}
