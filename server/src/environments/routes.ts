import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { problem } from "../errors.ts";
import { type ApiEnv, answer, apiRoute, authorOf, body, createApi } from "../http/route.ts";
import { presentProject } from "../projects/present.ts";
import type { Author } from "../store/origin.ts";
import type { Decide, Store } from "../store/store.ts";
import { createEnvironment, deleteEnvironment, orderEnvironments, patchEnvironment } from "./decide.ts";
import { environmentIn, problemOf, projectAt } from "./located.ts";
import { ENVIRONMENT, environmentParams, ifMatchHeader, PROJECT, projectParams } from "./params.ts";
import { presentEnvironment } from "./present.ts";
import * as shapes from "./schema.ts";

const written = answer(shapes.environmentWritten, "the environment as it is now");

const createRoute = apiRoute("admin", {
  method: "post",
  path: `${PROJECT}/environments`,
  summary: "Makes an environment with two SDK keys, all flags off or as in another",
  request: { params: projectParams, body: body(shapes.createEnvironment) },
  responses: { 201: written },
});
const patchRoute = apiRoute("admin", {
  method: "patch",
  path: ENVIRONMENT,
  summary: "Changes name, color and whether it is production",
  request: { params: environmentParams, headers: ifMatchHeader, body: body(shapes.patchEnvironment) },
  responses: { 200: written },
});
const orderRoute = apiRoute("admin", {
  method: "post",
  path: `${PROJECT}/environments/order`,
  summary: "Puts the environments into an order",
  request: { params: projectParams, body: body(shapes.environmentOrder) },
  responses: { 200: answer(shapes.projectWritten, "the project as it is now") },
});
const deleteRoute = apiRoute("admin", {
  method: "delete",
  path: ENVIRONMENT,
  summary: "Deletes it; its SDK keys hold no more and its streams end",
  request: { params: environmentParams, headers: ifMatchHeader, body: { ...body(shapes.confirmed), required: false } },
  responses: { 204: { description: "it is gone" } },
});

export function environmentRoutes({ store }: { readonly store: Store }): OpenAPIHono<ApiEnv> {
  const api = createApi();

  /** Throws what stopped it; `key` names the environment that a conflict shows. */
  async function write(c: Context<ApiEnv>, project: string, key: string, reason: string | undefined, decide: Decide) {
    projectAt(store, project);
    const author: Author = { ...authorOf(c), reason };
    const { outcome, project: after } = await store.write({ ...author, project }, decide);
    if (outcome.kind === "conflict") {
      const current = presentEnvironment(after, environmentIn(after, key), c.var.access);
      const detail = `The environment "${key}" was changed in the meantime; look at it as it is now and save again.`;
      throw problem("ETAG_MISMATCH", detail, { current, headers: { etag: current.etag } });
    }
    if (outcome.kind === "missing" || outcome.kind === "invalid") throw problemOf(outcome);
    return { project: after, changed: outcome.kind === "changed" };
  }

  api.openapi(createRoute, async (c) => {
    const { project: key } = c.req.valid("param");
    const { reason, ...input } = c.req.valid("json");
    const { project, changed } = await write(c, key, input.key, reason, (current) => createEnvironment(current, input));
    return c.json({ environment: presentEnvironment(project, environmentIn(project, input.key), c.var.access), changed }, 201);
  });
  api.openapi(patchRoute, async (c) => {
    const { project: of, environment: key } = c.req.valid("param");
    const { reason, ...patch } = c.req.valid("json");
    const ifMatch = c.req.valid("header")["if-match"];
    const { project, changed } = await write(c, of, key, reason, (current) => patchEnvironment(current, key, patch, ifMatch, reason));
    const environment = presentEnvironment(project, environmentIn(project, key), c.var.access);
    c.header("etag", environment.etag);
    return c.json({ environment, changed }, 200);
  });
  api.openapi(orderRoute, async (c) => {
    const { project: of } = c.req.valid("param");
    const { reason, environments } = c.req.valid("json");
    const { project, changed } = await write(c, of, "", reason, (current) => orderEnvironments(current, environments));
    return c.json({ project: presentProject(project, c.var.access), changed }, 200);
  });
  api.openapi(deleteRoute, async (c) => {
    const { project, environment: key } = c.req.valid("param");
    const { confirm, reason } = c.req.valid("json") ?? {};
    const ifMatch = c.req.valid("header")["if-match"];
    await write(c, project, key, reason, (current) => deleteEnvironment(current, key, confirm, ifMatch));
    return c.body(null, 204);
  });
  return api;
}
