import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Project } from "../api-types.ts";
import type { Access } from "../auth/access.ts";
import { problem } from "../errors.ts";
import { type ApiEnv, answer, apiRoute, createApi } from "../http/route.ts";
import type { ProjectModel } from "../store/model.ts";
import type { Store } from "../store/store.ts";
import { environmentIn, inOrder, projectAt } from "./located.ts";
import { ENVIRONMENT, environmentParams } from "./params.ts";
import { projectList, sdkKeys } from "./schema.ts";

export interface EnvironmentDeps {
  readonly store: Store;
  /** Where SDKs reach this server. */
  readonly publicUrl: string;
}

const listRoute = apiRoute("list", {
  method: "get",
  path: "/api/v1/projects",
  summary: "Projects with their environments",
  responses: { 200: answer(projectList, "those that the caller may read") },
});
const keysRoute = apiRoute("admin", {
  method: "get",
  path: `${ENVIRONMENT}/sdk-keys`,
  summary: "The SDK keys of the environment",
  request: { params: environmentParams },
  responses: { 200: answer(sdkKeys, "one key for servers, one for browsers") },
});

export function environmentRoutes({ store, publicUrl }: EnvironmentDeps): OpenAPIHono<ApiEnv> {
  const api = createApi();
  api.openapi(listRoute, (c) => c.json({ projects: c.var.access.projects().map((project) => projectOf(project, c.var.access)) }, 200));
  api.openapi(keysRoute, (c) => {
    const { project, environment } = c.req.valid("param");
    const { info } = environmentIn(projectAt(store, project), environment);
    const server = store.showSdkKey(info.id, "server");
    const browser = store.showSdkKey(info.id, "browser");
    if (server === undefined || browser === undefined) {
      throw problem(
        "UNAVAILABLE",
        "The SDK keys go on working but cannot be shown: secret.key in the data folder is not the one that they were made with; put it back from the backup.",
      );
    }
    c.header("cache-control", "no-store");
    return c.json({ server, browser, url: publicUrl }, 200);
  });
  return api;
}

function projectOf(project: ProjectModel, access: Access): Project {
  const environments = inOrder(project).map(({ info, color, generation, revision }) => {
    const may = access.actions({ project: project.key, environment: info.key });
    return { key: info.key, name: info.name, production: info.production, color, generation, revision, may };
  });
  return { key: project.key, name: project.name, environments, may: access.actions({ project: project.key }) };
}
