import type { OpenAPIHono } from "@hono/zod-openapi";
import { problem as problemSchema } from "../auth/schema.ts";
import { IDEMPOTENCY_HEADER } from "./idempotency.ts";
import { ACTION_FIELD, type ApiEnv, ROUTE_ACTIONS, type RouteAction } from "./route.ts";

interface DeclaredRoute {
  readonly method: string;
  /** As in the OpenAPI document: `/api/v1/tokens/{id}`. */
  readonly path: string;
  readonly action: RouteAction;
}

/** Every route that was made with `apiRoute`. */
function declaredRoutes(app: OpenAPIHono<ApiEnv>): DeclaredRoute[] {
  return app.openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== "route") return [];
    const { method, path } = definition.route;
    const action: unknown = (definition.route as Record<string, unknown>)[ACTION_FIELD];
    return isAction(action) ? [{ method: method.toUpperCase(), path, action }] : [];
  });
}

/** Throws if a route under /api/v1 says not which action it needs: it would be open to everybody by mistake. */
export function assertActions(app: OpenAPIHono<ApiEnv>): void {
  const declared = new Set(declaredRoutes(app).map(({ method, path }) => `${method} ${path.replace(/\{(\w+)\}/g, ":$1")}`));
  const open = app.routes
    .filter(({ method, path }) => method !== "ALL" && path.startsWith("/api/v1"))
    .map(({ method, path }) => `${method} ${path}`)
    .filter((route) => !declared.has(route));
  if (open.length > 0) throw new Error(`these routes declare no action, make them with apiRoute: ${[...new Set(open)].join(", ")}`);
}

/** The OpenAPI 3.1 document of the admin API, made from the schemas that validate. */
export function openApiDocument(app: OpenAPIHono<ApiEnv>, version: string): object {
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Signalbox",
      version,
      description: `Everything that the admin UI and the command line do goes through this API. \`${ACTION_FIELD}\` is what the caller needs.`,
    },
    security: [{ token: [] }, { session: [] }],
  });
  const failure = {
    description: "a problem: a code, a sentence that names the value, the rule and the next step, and a request id",
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  };
  const idempotencyKey = {
    in: "header",
    name: IDEMPOTENCY_HEADER,
    schema: { type: "string", minLength: 1, maxLength: 200 },
    description: "for a day, the same write with the same key is done once; not where an answer holds a secret",
  };
  for (const operations of Object.values(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(operations ?? {})) {
      if (!isOperation(operation)) continue;
      operation.responses.default = failure;
      if (method !== "get" && !isOpen(operation)) operation.parameters = [...(operation.parameters ?? []), idempotencyKey];
    }
  }
  return document;
}

/** What the document refers to; registered once, by the composition root. */
export function registerComponents(app: OpenAPIHono<ApiEnv>, cookieName: string): void {
  app.openAPIRegistry.register("Problem", problemSchema);
  app.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  app.openAPIRegistry.registerComponent("securitySchemes", "session", { type: "apiKey", in: "cookie", name: cookieName });
}

function isOpen(operation: object): boolean {
  return (operation as Record<string, unknown>)[ACTION_FIELD] === "none";
}

function isOperation(value: unknown): value is { responses: Record<string, unknown>; parameters?: unknown[] } {
  return typeof value === "object" && value !== null && "responses" in value;
}

function isAction(value: unknown): value is RouteAction {
  return ROUTE_ACTIONS.some((action) => action === value);
}
