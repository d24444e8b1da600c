import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Token } from "../api-types.ts";
import { problem } from "../errors.ts";
import { type ApiEnv, answer, apiRoute, authorOf, body, createApi } from "../http/route.ts";
import type { Store } from "../store/store.ts";
import type { Auth } from "./auth.ts";
import { namedRoles, storedRole } from "./role-names.ts";
import * as schema from "./token-schema.ts";
import type { StoredToken } from "./tokens.ts";

const oneToken = z.object({ id: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER) });
const made = answer(schema.tokenCreated, "the token, with its text for this once");

const listRoute = apiRoute("own", {
  method: "get",
  path: "/api/v1/tokens",
  summary: "The caller's own tokens that hold, and those for services where they are an admin; an admin of everything sees all",
  responses: { 200: answer(schema.tokenList, "newest first") },
});
const createRoute = apiRoute("own", {
  method: "post",
  path: "/api/v1/tokens",
  summary: "Makes a token; its text is in this answer only",
  request: { body: body(schema.createToken) },
  responses: { 201: made },
});
const rotateRoute = apiRoute("own", {
  method: "post",
  path: "/api/v1/tokens/{id}/rotate",
  summary: "Makes a token in the place of another, which holds until it is revoked or for so many hours more",
  request: { params: oneToken, body: { ...body(schema.rotateToken), required: false } },
  responses: { 201: made },
});
const revokeRoute = apiRoute("own", {
  method: "delete",
  path: "/api/v1/tokens/{id}",
  summary: "Revokes a token at once; what listens with it hears no more",
  request: { params: oneToken, query: schema.tokenQuery },
  responses: { 204: { description: "done" } },
});

export interface TokenRoutesDeps {
  readonly auth: Pick<Auth, "tokens">;
  readonly store: Pick<Store, "projects">;
}

export function tokenRoutes({ auth: { tokens }, store }: TokenRoutesDeps): OpenAPIHono<ApiEnv> {
  const api = createApi();

  /** Places by their keys. One whose place is gone holds nowhere, and is left out. */
  function shown(rows: readonly StoredToken[]): Token[] {
    const named = namedRoles<StoredToken["scope"], StoredToken & { readonly role: StoredToken["scope"] }>(
      store,
      rows.map((row) => ({ ...row, role: row.scope })),
    );
    return named.map(({ role: _role, flags, may, ...row }) => ({ ...row, flags: flags && [...flags], may: [...may] }));
  }
  function shownOnce({ text, ...row }: StoredToken & { readonly text: string }): z.infer<typeof schema.tokenCreated> {
    const [token] = shown([row]);
    if (!token) throw problem("NOT_FOUND", "The place where the token was to hold is gone.");
    return { ...token, token: text };
  }

  api.openapi(listRoute, async (c) => c.json({ tokens: shown(await tokens.list(c.var.identity)) }, 200));
  api.openapi(createRoute, async (c) => {
    const { reason, project, environment, flags = null, days, ...wanted } = c.req.valid("json");
    const { projectId, environmentId } = storedRole(c.var.access, { role: "viewer", project, environment });
    const created = await tokens.create(c.var.identity, { ...wanted, projectId, environmentId, flags, days }, { ...authorOf(c), reason });
    return c.json(shownOnce(created), 201);
  });
  api.openapi(rotateRoute, async (c) => {
    const { reason, ...wanted } = c.req.valid("json") ?? {};
    return c.json(shownOnce(await tokens.rotate(c.var.identity, c.req.valid("param").id, wanted, { ...authorOf(c), reason })), 201);
  });
  api.openapi(revokeRoute, async (c) => {
    await tokens.revoke(c.var.identity, c.req.valid("param").id, { ...authorOf(c), reason: c.req.valid("query").reason });
    return c.body(null, 204);
  });
  return api;
}
