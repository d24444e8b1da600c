import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { problemOf, projectAt } from "../environments/located.ts";
import { ifMatchHeader, PROJECT, projectParams } from "../environments/params.ts";
import * as shapes from "../environments/schema.ts";
import { problem } from "../errors.ts";
import { type ApiEnv, answer, apiRoute, authorOf, body, createApi } from "../http/route.ts";
import type { Decide, Store } from "../store/store.ts";
import { createProject, deleteProject, patchProject } from "./decide.ts";
import { presentProject } from "./present.ts";

const written = answer(shapes.projectWritten, "the project as it is now");

const listRoute = apiRoute("list", {
  method: "get",
  path: "/api/v1/projects",
  summary: "Projects with their environments",
  responses: { 200: answer(shapes.projectList, "those that the caller may read") },
});
const createRoute = apiRoute("admin", {
  method: "post",
  path: "/api/v1/projects",
  summary: "Makes a project with the environments development and production",
  request: { body: body(shapes.createProject) },
  responses: { 201: written },
});
const patchRoute = apiRoute("admin", {
  method: "patch",
  path: PROJECT,
  summary: "Changes name and description",
  request: { params: projectParams, headers: ifMatchHeader, body: body(shapes.patchProject) },
  responses: { 200: written },
});
const deleteRoute = apiRoute("admin", {
  method: "delete",
  path: PROJECT,
  summary: "Deletes it with its environments: one without flags, or confirmed",
  request: { params: projectParams, headers: ifMatchHeader, body: { ...body(shapes.confirmed), required: false } },
  responses: { 204: { description: "it is gone" } },
});

export function projectRoutes({ store }: { readonly store: Store }): OpenAPIHono<ApiEnv> {
  const api = createApi();

  async function write(c: Context<ApiEnv>, key: string, reason: string | undefined, decide: Decide, mayBeNew = false) {
    if (!mayBeNew) projectAt(store, key);
    const { outcome, project } = await store.write({ ...authorOf(c), reason, project: key, mayBeNew }, decide);
    if (outcome.kind === "conflict") {
      const current = presentProject(project, c.var.access);
      const detail = `The project "${key}" was changed in the meantime; look at it as it is now and save again.`;
      throw problem("ETAG_MISMATCH", detail, { current, headers: { etag: current.etag } });
    }
    if (outcome.kind === "missing" || outcome.kind === "invalid") throw problemOf(outcome);
    return { project: presentProject(project, c.var.access), changed: outcome.kind === "changed" };
  }

  api.openapi(listRoute, (c) => c.json({ projects: c.var.access.projects().map((one) => presentProject(one, c.var.access)) }, 200));
  api.openapi(createRoute, async (c) => {
    const { reason, ...input } = c.req.valid("json");
    return c.json(await write(c, input.key, reason, (current) => createProject(current, input), true), 201);
  });
  api.openapi(patchRoute, async (c) => {
    const { project: key } = c.req.valid("param");
    const { reason, ...patch } = c.req.valid("json");
    const ifMatch = c.req.valid("header")["if-match"];
    const result = await write(c, key, reason, (current) => patchProject(current, patch, ifMatch));
    c.header("etag", result.project.etag);
    return c.json(result, 200);
  });
  api.openapi(deleteRoute, async (c) => {
    const { project: key } = c.req.valid("param");
    const { confirm, reason } = c.req.valid("json") ?? {};
    const ifMatch = c.req.valid("header")["if-match"];
    // One write after the other: two of the last two cannot both go.
    await write(c, key, reason, (current) => deleteProject(current, store.projects().length === 1, confirm, ifMatch));
    return c.body(null, 204);
  });
  return api;
}
