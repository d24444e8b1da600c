import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { environmentIn, projectAt } from "../environments/located.ts";
import { ENVIRONMENT, environmentParams, PROJECT, projectParams } from "../environments/params.ts";
import { problem } from "../errors.ts";
import { json } from "../flags/schema.ts";
import { type ApiEnv, answer, apiRoute, authorOf, body, createApi } from "../http/route.ts";
import { verifyAudit } from "../store/audit.ts";
import { findFlag } from "../store/model.ts";
import type { Store } from "../store/store.ts";
import type { Usage } from "../usage/usage.ts";
import { type AuditFilter, type AuditLine, CSV_COLUMNS, csvLine, readAudit, walkAudit } from "./audit-log.ts";
import { erase } from "./erase.ts";
import { whenOf } from "./routes.ts";
import { auditCheck, erased } from "./schema.ts";

const auditLine = z.object({
  id: z.number(),
  at: z.number(),
  by: z.string(),
  words: z.string().describe("what was done: `killed new-checkout`"),
  action: z.string(),
  target: z.string(),
  reason: z.string().nullable(),
  project: z.string().nullable(),
  environment: z.string().nullable(),
  revision: z.number().nullable(),
  before: json,
  after: json,
  token: z.string().nullable().describe("the selector of the token that was sent; null for a session and for Signalbox itself"),
  address: z.string().nullable(),
  requestId: z.string().nullable(),
});
const auditList = z.object({
  rows: z.array(auditLine).describe("newest first"),
  next: z.number().nullable().describe("`before` of the next request; null: there is no older row"),
});
const time = z.string().max(40).describe("2026-12-01T09:00:00Z or milliseconds since 1970");
const filters = {
  who: z.string().max(300).optional(),
  action: z.string().max(100).optional().describe("`flag.kill`, or `flag.*`"),
  target: z.string().max(300).optional(),
  from: time.optional(),
  to: time.optional(),
  text: z.string().max(200).optional().describe("in the reason, the target or the action"),
};
const flagFilter = { flag: z.string().max(100).optional().describe("only what concerns this flag, also under other keys") };
const page = {
  before: z.coerce.number().int().min(1).optional(),
  limit: z.coerce.number().int().min(1).max(200).optional().describe("50 when absent"),
};
const format = { format: z.enum(["json", "csv"]).optional().describe("json (a row on each line) when absent") };
const exported = {
  200: {
    description: "every row that fits, oldest first, streamed",
    content: { "application/x-ndjson": { schema: z.string() }, "text/csv": { schema: z.string() } },
  },
};

const listRoute = apiRoute("admin", {
  method: "get",
  path: "/api/v1/audit",
  summary: "Everything that was written, by whom, from where and why",
  request: { query: z.object({ ...filters, ...page }) },
  responses: { 200: answer(auditList, "the rows") },
});
const projectRoute = apiRoute("read", {
  method: "get",
  path: `${PROJECT}/audit`,
  summary: "The audit of a project",
  request: { params: projectParams, query: z.object({ ...filters, ...page }) },
  responses: { 200: answer(auditList, "the rows") },
});
const environmentRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/audit`,
  summary: "The audit of an environment, or of one flag in it",
  request: { params: environmentParams, query: z.object({ ...filters, ...flagFilter, ...page }) },
  responses: { 200: answer(auditList, "the rows") },
});
const exportRoute = apiRoute("admin", {
  method: "get",
  path: "/api/v1/audit/export",
  summary: "The whole audit as lines of JSON or as CSV",
  request: { query: z.object({ ...filters, ...format }) },
  responses: exported,
});
const exportProjectRoute = apiRoute("read", {
  method: "get",
  path: `${PROJECT}/audit/export`,
  summary: "The audit of a project as lines of JSON or as CSV",
  request: { params: projectParams, query: z.object({ ...filters, ...format }) },
  responses: exported,
});
const verifyRoute = apiRoute("admin", {
  method: "get",
  path: "/api/v1/audit/verify",
  summary: "Goes through the chain of hashes: finds rows that were changed, taken out, moved or cut off",
  request: {
    query: z.object({
      head: z
        .string()
        .regex(/^[0-9a-f]{64}$/, "a head is 64 hexadecimal digits")
        .optional(),
    }),
  },
  responses: {
    200: answer(auditCheck, "what was found first"),
  },
});
const eraseRoute = apiRoute("admin", {
  method: "post",
  path: "/api/v1/erase",
  summary: "Erases a person: the name of a deleted account, or a unit with all its memberships; the audit stays valid",
  request: {
    body: body(
      z.strictObject({
        name: z.string().min(1).max(300).optional().describe("of an account that is deleted"),
        unit: z.string().min(1).max(1_000).optional().describe("the key of a person as groups and early access hold it"),
        reason: z.string().max(500).optional(),
      }),
    ),
  },
  responses: {
    200: answer(erased, "what was erased"),
  },
});

interface AuditRoutesDeps {
  readonly store: Store;
  readonly usage: Pick<Usage, "eraseSamples">;
}

export function auditRoutes({ store, usage }: AuditRoutesDeps): OpenAPIHono<ApiEnv> {
  const api = createApi();
  const { db } = store;

  /** The places of rows by their keys. Rows of what is deleted name none. From where somebody wrote is told to admins of the place. */
  function placed({ projectId, environmentId, token, address, ...line }: AuditLine, isAdmin: boolean) {
    const project = store.projects().find(({ id }) => id === projectId);
    const environment = project?.environments.find(({ info }) => info.id === environmentId);
    const origin = isAdmin ? { token, address } : { token: null, address: null };
    return { ...line, ...origin, project: project?.key ?? null, environment: environment?.info.key ?? null };
  }

  async function list(
    filter: AuditFilter,
    isAdmin: boolean,
    { before, limit = 50 }: { readonly before?: number | undefined; readonly limit?: number | undefined },
  ) {
    const rows = await readAudit(db, filter, { before, limit: limit + 1 });
    const shown = rows.slice(0, limit);
    type Shape = z.infer<typeof auditLine>;
    return { rows: shown.map((line) => placed(line, isAdmin)) as Shape[], next: rows.length > limit ? (shown.at(-1)?.id ?? null) : null };
  }

  function exportOf(filter: AuditFilter, isAdmin: boolean, kind: "json" | "csv"): Response {
    const pages = walkAudit(db, filter);
    const encoder = new TextEncoder();
    let isFirst = true;
    const stream = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const next = await pages.next();
        const rows: readonly AuditLine[] = next.done ? [] : next.value;
        const lead = isFirst && kind === "csv" ? csvLine(CSV_COLUMNS) : "";
        isFirst = false;
        const lines = rows.map((line) => (kind === "csv" ? csvOf(placed(line, isAdmin)) : `${JSON.stringify(placed(line, isAdmin))}\n`));
        controller.enqueue(encoder.encode(lead + lines.join("")));
        if (next.done) controller.close();
      },
      async cancel() {
        await pages.return(undefined);
      },
    });
    const type = kind === "csv" ? "text/csv; charset=utf-8" : "application/x-ndjson";
    const name = `signalbox-audit.${kind === "csv" ? "csv" : "jsonl"}`;
    return new Response(stream, {
      headers: { "content-type": type, "content-disposition": `attachment; filename="${name}"`, "cache-control": "no-store" },
    });
  }

  api.openapi(listRoute, async (c) => {
    const { before, limit, ...wanted } = c.req.valid("query");
    return c.json(await list(filterOf(wanted), true, { before, limit }), 200);
  });
  api.openapi(projectRoute, async (c) => {
    const { before, limit, ...wanted } = c.req.valid("query");
    const { project } = c.req.valid("param");
    const { id } = projectAt(store, project);
    return c.json(await list({ ...filterOf(wanted), projectId: id }, c.var.access.may("admin", { project }), { before, limit }), 200);
  });
  api.openapi(environmentRoute, async (c) => {
    const { before, limit, flag, ...wanted } = c.req.valid("query");
    const { project, environment } = c.req.valid("param");
    const found = environmentIn(projectAt(store, project), environment);
    const identity = flag === undefined ? undefined : findFlag(found, flag)?.identity;
    if (flag !== undefined && !identity) {
      throw problem(
        "FLAG_NOT_FOUND",
        `There is no flag with the key "${flag}" in ${environment}; of one that is deleted, ask with "target".`,
      );
    }
    return c.json(
      await list(
        { ...filterOf(wanted), environmentId: found.info.id, flagId: identity?.id },
        c.var.access.may("admin", { project, environment }),
        { before, limit },
      ),
      200,
    );
  });
  // What they answer is a stream and no JSON, which the types of a route do not know.
  api.openapi(exportRoute, (c) => {
    const { format = "json", ...wanted } = c.req.valid("query");
    return exportOf(filterOf(wanted), true, format) as never;
  });
  api.openapi(exportProjectRoute, (c) => {
    const { format = "json", ...wanted } = c.req.valid("query");
    const { project } = c.req.valid("param");
    const { id } = projectAt(store, project);
    return exportOf({ ...filterOf(wanted), projectId: id }, c.var.access.may("admin", { project }), format) as never;
  });
  api.openapi(verifyRoute, async (c) => {
    const { rows, head, problem: wrong } = await verifyAudit(db, c.req.valid("query").head);
    return c.json({ ok: wrong === null, rows, head, problem: wrong }, 200);
  });
  api.openapi(eraseRoute, async (c) => {
    const { reason, ...whom } = c.req.valid("json");
    return c.json(await erase(store, whom, { ...authorOf(c), reason }, usage), 200);
  });
  return api;
}

function csvOf(
  line: Omit<AuditLine, "projectId" | "environmentId"> & { readonly project: string | null; readonly environment: string | null },
): string {
  const plain = { ...line, at: new Date(line.at).toISOString(), before: JSON.stringify(line.before), after: JSON.stringify(line.after) };
  return csvLine(CSV_COLUMNS.map((column) => plain[column]));
}

interface Wanted {
  readonly who?: string | undefined;
  readonly action?: string | undefined;
  readonly target?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly text?: string | undefined;
}

function filterOf({ from, to, ...wanted }: Wanted): AuditFilter {
  const time = (at: string | undefined) => {
    if (at === undefined) return undefined;
    const when = whenOf({ at });
    return "at" in when ? when.at : undefined;
  };
  return { ...wanted, from: time(from), to: time(to) };
}
