import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { ENVIRONMENT, environmentParams, ifMatchHeader } from "../environments/params.ts";
import { problem } from "../errors.ts";
import { type ApiEnv, answer, apiRoute, authorOf, body, createApi } from "../http/route.ts";
import type { History, When } from "./history.ts";
import * as shapes from "./schema.ts";

const flagParams = environmentParams.extend({ flag: z.string().max(100) });
const when = {
  revision: shapes.revision.optional(),
  at: z.string().max(40).optional().describe("2026-12-01T09:00:00Z or milliseconds since 1970: the last revision by then"),
};

const listRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/history`,
  summary: "What was changed, newest first, in words",
  request: {
    params: environmentParams,
    query: z.object({
      flag: z.string().max(100).optional().describe("only what this flag went through, also under other keys"),
      group: z.string().max(100).optional(),
      before: shapes.revision.optional().describe("only older ones"),
      limit: z.coerce.number().int().min(1).max(100).optional().describe("30 when absent"),
    }),
  },
  responses: { 200: answer(shapes.changeList, "the changes") },
});
const changeRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/history/{revision}`,
  summary: "One change: everything that differs, in words and as it is stored",
  request: { params: environmentParams.extend({ revision: shapes.revision }) },
  responses: { 200: answer(shapes.changeDetail, "the change") },
});
const diffRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/diff`,
  summary: "What differs between two revisions",
  request: { params: environmentParams, query: z.object({ from: shapes.revision, to: shapes.revision }) },
  responses: { 200: answer(shapes.diff, "what the second has and the first has not") },
});
const stateRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/state-at`,
  summary: "The flags and groups as they were at a revision or a time",
  request: {
    params: environmentParams,
    query: z.object({
      ...when,
      after: z.string().max(100).optional().describe("only flags with a later key"),
      limit: z.coerce.number().int().min(1).max(1_000).optional().describe("500 when absent"),
    }),
  },
  responses: { 200: answer(shapes.pastState, "the state then") },
});
const flagRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/flags/{flag}/at`,
  summary: "One flag as it was at a revision or a time",
  request: { params: flagParams, query: z.object(when) },
  responses: { 200: answer(shapes.flagThen, "the flag then") },
});
const revertFlagRoute = apiRoute("edit", {
  method: "post",
  path: `${ENVIRONMENT}/flags/{flag}/revert`,
  summary: "Gives a flag the configuration that it had after a revision; a kill stays",
  request: { params: flagParams, headers: ifMatchHeader, body: body(shapes.revertFlag) },
  responses: { 200: answer(shapes.reverted, "what it does, and the new revision") },
});
const revertRoute = apiRoute("edit", {
  method: "post",
  path: `${ENVIRONMENT}/revert`,
  summary: "Takes one change back, or the whole environment back to a revision or a time; kills and sign-ups stay",
  request: { params: environmentParams, headers: ifMatchHeader, body: body(shapes.revertEnvironment) },
  responses: { 200: answer(shapes.reverted, "what it does, and the new revision") },
});

/** What happened in an environment, what it was, and taking it back. */
export function historyRoutes({ history }: { readonly history: History }): OpenAPIHono<ApiEnv> {
  const api = createApi();
  api.openapi(listRoute, async (c) => {
    const { limit = 30, ...filter } = c.req.valid("query");
    return c.json(await history.list(c.req.valid("param"), { ...filter, limit }), 200);
  });
  api.openapi(changeRoute, async (c) => {
    const { revision, ...place } = c.req.valid("param");
    const change = await history.change(place, revision);
    const mayRead = (environment: string) => c.var.access.may("read", { project: place.project, environment });
    return c.json({ ...change, alsoIn: change.alsoIn.filter(({ environment }) => mayRead(environment)) }, 200);
  });
  api.openapi(diffRoute, async (c) => {
    const { from, to } = c.req.valid("query");
    return c.json(await history.diff(c.req.valid("param"), from, to), 200);
  });
  api.openapi(stateRoute, async (c) => {
    const { after, limit = 500, ...at } = c.req.valid("query");
    return c.json(await history.stateAt(c.req.valid("param"), whenOf(at), { after, limit }), 200);
  });
  api.openapi(flagRoute, async (c) => {
    const { flag, ...place } = c.req.valid("param");
    return c.json(await history.flagAt(place, flag, whenOf(c.req.valid("query"))), 200);
  });
  api.openapi(revertFlagRoute, async (c) => {
    const { flag, ...place } = c.req.valid("param");
    const { revision, reason, dryRun } = c.req.valid("json");
    const author = { ...authorOf(c), reason, ifMatch: c.req.valid("header")["if-match"] };
    return c.json(await history.revertFlag(place, flag, revision, author, { dryRun }), 200);
  });
  api.openapi(revertRoute, async (c) => {
    const place = c.req.valid("param");
    const { change, to, reason, dryRun } = c.req.valid("json");
    const author = { ...authorOf(c), reason };
    if (change !== undefined && to === undefined) {
      const { access } = c.var;
      const rights = {
        project: access.may("edit", { project: place.project }),
        // Taking back that there is a flag, or its key, changes it in every environment.
        everywhere: access.mayEverywhereIn("edit", place.project),
        settings: access.may("admin", place),
      };
      return c.json(await history.revertChange(place, change, author, rights, { dryRun }), 200);
    }
    if (change !== undefined || to === undefined) {
      throw problem(
        "VALIDATION_FAILED",
        'The body needs either "change", the revision to take back, or "to", the revision or time to go back to.',
      );
    }
    const when = typeof to === "number" ? { revision: to } : whenOf({ at: to });
    const ifMatch = c.req.valid("header")["if-match"];
    const result = await history.revertTo(place, when, { ...author, ifMatch }, { dryRun });
    c.header("etag", result.etag);
    return c.json(result, 200);
  });
  return api;
}

/** Throws VALIDATION_FAILED for what is neither a revision nor a time. */
export function whenOf({ revision, at }: { readonly revision?: number | undefined; readonly at?: string | undefined }): When {
  if ((revision === undefined) === (at === undefined)) {
    throw problem("VALIDATION_FAILED", 'Give either "revision" or "at", the revision or the time to look at.');
  }
  if (revision !== undefined) return { revision };
  const text = at ?? "";
  const time = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text);
  // Without an offset it would be a time of this machine.
  if (Number.isNaN(time) || !/^\d+$|(Z|[+-]\d\d:?\d\d)$/.test(text)) {
    throw problem(
      "VALIDATION_FAILED",
      `"${text}" is no time; write one as 2026-12-01T09:00:00Z, with its offset, or as milliseconds since 1970.`,
    );
  }
  return { at: time };
}
