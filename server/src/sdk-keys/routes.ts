import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { environmentIn, projectAt } from "../environments/located.ts";
import { ENVIRONMENT, environmentParams, ifMatchHeader } from "../environments/params.ts";
import { type ApiEnv, answer, apiRoute, authorOf, body, createApi } from "../http/route.ts";
import type { Store } from "../store/store.ts";
import * as shapes from "./schema.ts";
import { createSdkKeys, type SdkKeyDeps } from "./sdk-keys.ts";

const oneKey = environmentParams.extend({ id: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER) });
const made = answer(shapes.sdkKeyMade, "the key, with its text for this once");

const listRoute = apiRoute("admin", {
  method: "get",
  path: `${ENVIRONMENT}/sdk-keys`,
  summary: "The SDK keys of the environment that hold, and which programs come with them",
  request: { params: environmentParams },
  responses: { 200: answer(shapes.sdkKeys, "the keys without their texts, but for the two that were made with the environment") },
});
const createRoute = apiRoute("admin", {
  method: "post",
  path: `${ENVIRONMENT}/sdk-keys`,
  summary: "Makes an SDK key; its text is in this answer only",
  request: { params: environmentParams, body: body(shapes.createSdkKey) },
  responses: { 201: made },
});
const editRoute = apiRoute("admin", {
  method: "patch",
  path: `${ENVIRONMENT}/sdk-keys/{id}`,
  summary: "Changes the name or the origins of an SDK key",
  request: { params: oneKey, headers: ifMatchHeader, body: body(shapes.patchSdkKey) },
  responses: { 200: answer(shapes.sdkKey, "the key as it is now") },
});
const rotateRoute = apiRoute("admin", {
  method: "post",
  path: `${ENVIRONMENT}/sdk-keys/{id}/rotate`,
  summary: "Makes a key in the place of another, which holds until it is revoked or for so many hours more",
  request: { params: oneKey, body: { ...body(shapes.rotateSdkKey), required: false } },
  responses: { 201: made },
});
const revokeRoute = apiRoute("admin", {
  method: "delete",
  path: `${ENVIRONMENT}/sdk-keys/{id}`,
  summary: "Revokes an SDK key at once: it is refused, and streams that came with it end",
  request: { params: oneKey, query: shapes.sdkKeyQuery },
  responses: { 204: { description: "done" } },
});

export interface SdkKeyRoutesDeps extends SdkKeyDeps {
  readonly store: Store;
  /** Where SDKs reach this server. */
  readonly publicUrl: string;
}

export function sdkKeyRoutes({ store, delivery, publicUrl }: SdkKeyRoutesDeps): OpenAPIHono<ApiEnv> {
  const api = createApi();
  const keys = createSdkKeys({ store, delivery });
  const at = ({ project, environment }: { project: string; environment: string }) =>
    environmentIn(projectAt(store, project), environment).info;

  api.openapi(listRoute, async (c) => {
    const environment = at(c.req.valid("param"));
    const first = (kind: "server" | "browser") => store.sdkKeys.show(environment.id, kind) ?? null;
    return c.json({ server: first("server"), browser: first("browser"), url: publicUrl, keys: await keys.list(environment) }, 200);
  });
  api.openapi(createRoute, async (c) => {
    const { reason, ...wanted } = c.req.valid("json");
    return c.json(await keys.create(at(c.req.valid("param")), wanted, { ...authorOf(c), reason }), 201);
  });
  api.openapi(editRoute, async (c) => {
    const { id, ...place } = c.req.valid("param");
    const { reason, ...patch } = c.req.valid("json");
    const key = await keys.edit(at(place), id, patch, c.req.valid("header")["if-match"], { ...authorOf(c), reason });
    c.header("etag", key.etag);
    return c.json(key, 200);
  });
  api.openapi(rotateRoute, async (c) => {
    const { id, ...place } = c.req.valid("param");
    const { reason, ...wanted } = c.req.valid("json") ?? {};
    return c.json(await keys.rotate(at(place), id, wanted, { ...authorOf(c), reason }), 201);
  });
  api.openapi(revokeRoute, async (c) => {
    const { id, ...place } = c.req.valid("param");
    await keys.revoke(at(place), id, { ...authorOf(c), reason: c.req.valid("query").reason });
    return c.body(null, 204);
  });
  return api;
}
