import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { accessOf } from "../auth/access.ts";
import { accountRoutes } from "../auth/account-routes.ts";
import type { Auth } from "../auth/auth.ts";
import { authRoutes } from "../auth/auth-routes.ts";
import { tokenRoutes } from "../auth/token-routes.ts";
import type { Delivery } from "../delivery/delivery.ts";
import { deliveryRoutes } from "../delivery/delivery-routes.ts";
import { sdkRoutes } from "../delivery/sdk-routes.ts";
import { ENVIRONMENT, environmentParams } from "../environments/params.ts";
import { environmentRoutes } from "../environments/routes.ts";
import { settingsRoutes } from "../environments/settings-routes.ts";
import { asProblem, problem, problemResponse } from "../errors.ts";
import { createFacts } from "../facts/facts.ts";
import { flagRoutes } from "../flags/routes.ts";
import { CSV_BYTES_MAX } from "../groups/csv.ts";
import { createLists } from "../groups/lists.ts";
import { createMembers } from "../groups/members.ts";
import { groupRoutes } from "../groups/routes.ts";
import type { Heartbeat } from "../heartbeat/heartbeat.ts";
import { heartbeatRoutes } from "../heartbeat/heartbeat-routes.ts";
import { auditRoutes } from "../history/audit-routes.ts";
import { createHistory } from "../history/history.ts";
import { historyRoutes } from "../history/routes.ts";
import { killPage } from "../kill-page/kill-page.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { metricsRoute } from "../metrics/metrics-route.ts";
import { projectRoutes } from "../projects/routes.ts";
import { sdkKeyRoutes } from "../sdk-keys/routes.ts";
import type { Store } from "../store/store.ts";
import { transferRoutes } from "../transfer/routes.ts";
import { uiRoutes } from "../ui/ui.ts";
import { usageRoutes } from "../usage/routes.ts";
import type { Usage } from "../usage/usage.ts";
import type { ClientAddress } from "./client-address.ts";
import { strictHeaders } from "./headers.ts";
import { createIdempotency } from "./idempotency.ts";
import { assertActions, openApiDocument, registerComponents } from "./openapi.ts";
import { type ReferenceDocument, referencePage } from "./reference.ts";
import { type ApiEnv, apiRoute, asHttpProblem } from "./route.ts";

export interface RouterDeps {
  readonly store: Store;
  readonly auth: Auth;
  readonly delivery: Delivery;
  readonly heartbeat: Heartbeat;
  readonly usage: Usage;
  readonly metrics: Metrics;
  readonly metricsToken: string | undefined;
  readonly log: Log;
  readonly version: string;
  readonly publicUrl: string;
  readonly sdkDirectory: string;
  readonly clientAddress: ClientAddress;
  /** Whether the server lets go of its programs. */
  readonly isStopping: () => boolean;
}

const BODY_BYTES_MAX = 1024 * 1024;
/** Of `effect`, which takes 10,000 contexts: 800 bytes for each. Only for whoever is signed in. */
const EFFECT_BYTES_MAX = 8 * 1024 * 1024;
const CSV_PATH = /^\/api\/v1\/projects\/[^/]+\/environments\/[^/]+\/groups\/[^/]+\/members\/csv$/;
/** Of a project as a file: 5,000 flags in three environments take some 8 MiB. */
const IMPORT_BYTES_MAX = 32 * 1024 * 1024;
const IMPORT_PATH = /^\/api\/v1\/projects\/[^/]+\/import$/;
const EFFECT_PATH = /^\/api\/v1\/projects\/[^/]+\/environments\/[^/]+\/effect$/;

/** Every route but the two endless ones. Throws if one under /api/v1 declares no action. */
export function createRouter(deps: RouterDeps): OpenAPIHono<ApiEnv> {
  const { store, auth, delivery, heartbeat, usage, log, version, publicUrl, sdkDirectory } = deps;
  const facts = createFacts({ store, clock: delivery.clock });
  const connectionOf = (c: Context) => ((c.env ?? {}) as { incoming?: IncomingMessage }).incoming?.socket.remoteAddress;
  /** Where a request comes from; undefined where a proxy that is trusted does not say. */
  const knownAddressOf = (c: Context) => deps.clientAddress(connectionOf(c), c.req.header("x-forwarded-for"));
  /** What limits go by: whoever hides where a request comes from shares the limit of the connection. */
  const addressOf = (c: Context) => knownAddressOf(c) ?? connectionOf(c) ?? "unknown";
  const members = createMembers(store);
  const idempotency = createIdempotency({ store, log });
  const app = new OpenAPIHono<ApiEnv>();

  app.use(strictHeaders({ https: publicUrl.startsWith("https:") }));
  app.use(async (c, next) => {
    await next();
    // Routers answer what they throw themselves; here is the one place that knows of all of them.
    if (c.res.status >= 500 && c.error) logFailure(log, c, c.error);
  });
  app.onError((error, c) => problemResponse(asHttpProblem(error), c.get("requestId")));
  app.notFound((c) =>
    problemResponse(problem("ROUTE_NOT_FOUND", `${c.req.method} ${c.req.path} is no route of this server.`), c.get("requestId")),
  );

  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => {
    if (deps.isStopping()) return c.json({ status: "stopping" }, 503);
    const refused = store.trouble();
    // Flags are served and streams go on all the same: a balancer that took the node out would make one trouble two.
    return c.json({ status: "ready", ...(refused !== undefined && { writes: refused }) });
  });
  app.route("/", metricsRoute({ metrics: deps.metrics, auth, token: deps.metricsToken }));

  app.use("/api/v1/*", async (c, next) => {
    const { identity, refusal } = await auth.identify(c.req.method, (name) => c.req.header(name));
    if (identity) {
      c.set("identity", identity);
      c.set("access", accessOf(identity, store));
    }
    if (refusal) c.set("refusal", refusal);
    c.set("address", addressOf(c));
    c.set("idempotency", idempotency);
    c.header("cache-control", "no-store");
    await next();
  });
  const limit = limited(BODY_BYTES_MAX);
  const longer = [
    { path: EFFECT_PATH, limit: limited(EFFECT_BYTES_MAX) },
    { path: CSV_PATH, limit: limited(CSV_BYTES_MAX) },
    { path: IMPORT_PATH, limit: limited(IMPORT_BYTES_MAX) },
  ];
  app.use("/api/*", (c, next) => {
    const own = c.get("identity") && longer.find(({ path }) => path.test(c.req.path));
    return (own?.limit ?? limit)(c, next);
  });
  app.route("/", authRoutes({ auth, store, version, sqlite: store.driver, addressOf }));
  app.route("/", tokenRoutes({ auth, store }));
  app.route("/", accountRoutes({ auth, store, addressOf }));
  app.route("/", projectRoutes({ store }));
  app.route("/", environmentRoutes({ store }));
  app.route("/", sdkKeyRoutes({ store, delivery, publicUrl }));
  app.route("/", settingsRoutes({ store }));
  app.route("/", flagRoutes({ store, usage }));
  app.route("/", auditRoutes({ store, usage }));
  app.route("/", historyRoutes({ history: createHistory({ store }) }));
  app.route("/", usageRoutes({ store, usage }));
  app.route("/", groupRoutes({ store, members, lists: createLists(store) }));
  app.route("/", transferRoutes({ store }));
  app.route("/", deliveryRoutes({ delivery }));
  app.route("/", heartbeatRoutes({ heartbeat }));
  describe(app, auth.cookie.name, version);

  app.route("/", sdkRoutes({ delivery, store, members, usage, facts, sdkDirectory, addressOf, knownAddressOf }));
  app.route("/", killPage({ auth, addressOf, api: async (path, init) => app.request(path, init) }));

  app.all("/api/*", (c) => c.notFound());
  app.all("/kill/*", (c) => c.notFound());
  app.route("/", uiRoutes());
  assertActions(app);
  return app;
}

/** Refuses a body with more bytes, before it is read where it says its length. */
function limited(bytes: number) {
  return bodyLimit({
    maxSize: bytes,
    onError: () => {
      throw problem(
        "BODY_TOO_LARGE",
        `The body has more than ${bytes / (1024 * 1024)} MiB, the most that this request may have; send less.`,
      );
    },
  });
}

/** The document itself, and the route that the stream listener answers before hono. */
function describe(app: OpenAPIHono<ApiEnv>, cookieName: string, version: string): void {
  registerComponents(app, cookieName);
  const any = z.record(z.string(), z.unknown());
  // Made when it is first asked for: making it takes a while, and everybody may ask.
  let made: object | undefined;
  const document = () => {
    made ??= openApiDocument(app, version);
    return made;
  };
  app.openapi(
    apiRoute("none", {
      method: "get",
      path: "/api/v1/openapi.json",
      summary: "This document",
      responses: { 200: { description: "OpenAPI 3.1", content: { "application/json": { schema: any } } } },
    }),
    (c) => c.json({ ...document() }, 200),
  );
  app.openapi(
    apiRoute("none", {
      method: "get",
      path: "/api/v1/reference",
      summary: "This document as a page for people",
      responses: { 200: { description: "a page", content: { "text/html": { schema: z.string() } } } },
    }),
    async (c) => {
      const nonce = randomBytes(16).toString("base64");
      c.header(
        "content-security-policy",
        `default-src 'none'; style-src 'nonce-${nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      );
      return c.html(await referencePage(document() as ReferenceDocument, nonce), 200);
    },
  );
  const stream = { description: "a stream", content: { "text/event-stream": { schema: z.string() } } };
  app.openAPIRegistry.registerPath(
    apiRoute("read", {
      method: "get",
      path: `${ENVIRONMENT}/revisions/{revision}/receipt/stream`,
      summary: "The receipt of a revision as it grows, as server-sent events; ends when it is complete or after 30 s",
      request: { params: environmentParams.extend({ revision: z.coerce.number().int().min(0) }) },
      responses: { 200: stream },
    }),
  );
  app.openAPIRegistry.registerPath(
    apiRoute("list", {
      method: "get",
      path: "/api/v1/events",
      summary: "Server-sent events for the admin UI: revision, usage, instances, receipt, ping",
      responses: { 200: stream },
    }),
  );
}

function logFailure(log: Log, c: Context<ApiEnv>, error: Error): void {
  const failure = asProblem(error);
  const fields = { requestId: c.get("requestId"), method: c.req.method, path: c.req.path, err: failure.cause ?? failure };
  if (failure.code === "INTERNAL") log.error(fields, "a request could not be answered");
  else log.warn(fields, failure.message);
}
