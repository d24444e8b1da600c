import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Evaluation } from "@signalbox/core";
import type { Context } from "hono";
import type { EvaluationAnswer } from "../api-types.ts";
import { ENVIRONMENT, environmentParams, ifMatchHeader, PROJECT, projectParams } from "../environments/params.ts";
import { problem } from "../errors.ts";
import { createHistory } from "../history/history.ts";
import { type ApiEnv, answer, apiRoute, authorOf, body, createApi } from "../http/route.ts";
import * as explaining from "./explain-schema.ts";
import { createFlags, type FlagAuthor, type FlagsDeps, type May } from "./flags.ts";
import * as shapes from "./schema.ts";

const flagInProject = projectParams.extend({ flag: z.string().max(100) });
const flagInEnvironment = environmentParams.extend({ flag: z.string().max(100) });
const writtenAnswer = answer(shapes.flagWritten, "the flag as it is now, and the revision");

const listRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/flags`,
  summary: "Flag summaries, searched and filtered, a page at a time",
  request: {
    params: environmentParams,
    query: shapes.listQuery,
  },
  responses: { 200: answer(shapes.flagList, "the flags of the environment") },
});
const createRoute = apiRoute("edit", {
  method: "post",
  path: `${PROJECT}/flags`,
  summary: "Makes a flag, off in every environment",
  request: { params: projectParams, body: body(shapes.createFlag) },
  responses: { 201: writtenAnswer },
});
const getRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/flags/{flag}`,
  summary: "One flag, identity and configuration; an old key finds it too",
  request: { params: flagInEnvironment },
  responses: { 200: answer(shapes.flag, "the flag") },
});
const browserViewRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/flags/{flag}/browser-view`,
  summary: "What whoever holds the browser key can read of it",
  request: { params: flagInEnvironment },
  responses: { 200: answer(shapes.browserView, "the entry as it is sent, and what stays on the server") },
});
const patchRoute = apiRoute("edit", {
  method: "patch",
  path: `${PROJECT}/flags/{flag}`,
  summary: "Changes key (rename), name, description, tags, owner",
  request: {
    params: flagInProject,
    query: z.object({ environment: z.string().max(100).optional() }),
    headers: ifMatchHeader,
    body: body(shapes.patchFlag),
  },
  responses: { 200: writtenAnswer },
});
const configureRoute = apiRoute("edit", {
  method: "patch",
  path: `${ENVIRONMENT}/flags/{flag}/configuration`,
  summary: "Saves fields of the configuration",
  request: { params: flagInEnvironment, headers: ifMatchHeader, body: body(shapes.configurationPatch) },
  responses: { 200: writtenAnswer },
});
const replaceRoute = apiRoute("edit", {
  method: "put",
  path: `${ENVIRONMENT}/flags/{flag}`,
  summary: "Saves the configuration as a whole document",
  request: { params: flagInEnvironment, headers: ifMatchHeader, body: body(shapes.configuration) },
  responses: { 200: writtenAnswer },
});
const optionalReason = { ...body(shapes.reasonBody), required: false };
const archiveRoute = apiRoute("edit", {
  method: "post",
  path: `${ENVIRONMENT}/flags/{flag}/archive`,
  summary: "Archives it in this environment: everybody gets the off variant",
  request: { params: flagInEnvironment, headers: ifMatchHeader, body: optionalReason },
  responses: { 200: writtenAnswer },
});
const reviveRoute = apiRoute("edit", {
  method: "post",
  path: `${ENVIRONMENT}/flags/{flag}/revive`,
  summary: "Takes it out of the archive of this environment, as it was configured",
  request: { params: flagInEnvironment, headers: ifMatchHeader, body: optionalReason },
  responses: { 200: writtenAnswer },
});
const archiveAllRoute = apiRoute("edit", {
  method: "post",
  path: `${PROJECT}/flags/{flag}/archive`,
  summary: "Archives it in every environment; If-Match lists the ETags of all configurations that change",
  request: { params: flagInProject, headers: ifMatchHeader, body: optionalReason },
  responses: { 200: writtenAnswer },
});
const reviveAllRoute = apiRoute("edit", {
  method: "post",
  path: `${PROJECT}/flags/{flag}/revive`,
  summary: "Takes it out of the archive of every environment; If-Match as for archive",
  request: { params: flagInProject, headers: ifMatchHeader, body: optionalReason },
  responses: { 200: writtenAnswer },
});
const deleteRoute = apiRoute("edit", {
  method: "delete",
  path: `${PROJECT}/flags/{flag}`,
  summary: "Deletes it in every environment: archived in all of them, or confirmed, and used by no other flag",
  request: { params: flagInProject, headers: ifMatchHeader, body: { ...body(shapes.deleteFlag), required: false } },
  responses: { 204: { description: "it is gone" } },
});
const killRoute = apiRoute("kill", {
  method: "post",
  path: `${ENVIRONMENT}/flags/{flag}/kill`,
  summary: "Everybody gets the off variant, at once",
  request: { params: flagInEnvironment, body: optionalReason },
  responses: { 200: writtenAnswer },
});
const restoreRoute = apiRoute("restore", {
  method: "post",
  path: `${ENVIRONMENT}/flags/{flag}/restore`,
  summary: "Lifts the kill",
  request: { params: flagInEnvironment, body: optionalReason },
  responses: { 200: writtenAnswer },
});
const severalWritten = answer(shapes.flagsWritten, "the flags that were meant, and the revision");
const killAllRoute = apiRoute("kill", {
  method: "post",
  path: `${ENVIRONMENT}/kill`,
  summary: "Kills several flags, or all with a tag, as one revision",
  request: { params: environmentParams, body: body(shapes.chosenFlags) },
  responses: { 200: severalWritten },
});
const restoreAllRoute = apiRoute("restore", {
  method: "post",
  path: `${ENVIRONMENT}/restore`,
  summary: "Restores several flags, or all with a tag, as one revision",
  request: { params: environmentParams, body: body(shapes.chosenFlags) },
  responses: { 200: severalWritten },
});
const evaluateRoute = apiRoute("read", {
  method: "post",
  path: `${ENVIRONMENT}/evaluate`,
  summary: "Evaluates a flag for a context, also with unsaved edits",
  request: { params: environmentParams, body: body(shapes.evaluateBody) },
  responses: { 200: answer(shapes.evaluation, "what a server program would get") },
});
const explainRoute = apiRoute("read", {
  method: "post",
  path: `${ENVIRONMENT}/explain`,
  summary: "Explains the answer for a context step by step, also with unsaved edits",
  request: { params: environmentParams, body: body(explaining.explainBody) },
  responses: { 200: answer(explaining.explanation, "the answer and everything that led to it") },
});
const effectRoute = apiRoute("read", {
  method: "post",
  path: `${ENVIRONMENT}/effect`,
  summary: "Who would gain and who would lose a flag by edits that are not saved",
  request: { params: environmentParams, body: body(explaining.effectBody) },
  responses: { 200: answer(explaining.effectAnswer, "how many gain, lose and change, and the first of each") },
});

/** The flag routes of the admin API. */
export function flagRoutes(deps: FlagsDeps): OpenAPIHono<ApiEnv> {
  const flags = createFlags(deps);
  const history = createHistory(deps);
  const api = createApi();
  api.openapi(listRoute, (c) => {
    const { archived, ...query } = c.req.valid("query");
    const kept = archived === "only" ? "only" : archived === "true" ? "with" : undefined;
    return c.json(flags.list(c.req.valid("param"), { ...query, archived: kept }), 200);
  });
  api.openapi(createRoute, async (c) => {
    const { project } = c.req.valid("param");
    return c.json(await flags.create(project, c.req.valid("json"), callerOf(c)), 201);
  });
  api.openapi(getRoute, (c) => {
    const { flag: key, ...place } = c.req.valid("param");
    const flag = flags.get(place, key, mayOf(c));
    c.header("etag", flag.configurationEtag);
    return c.json(flag, 200);
  });
  api.openapi(browserViewRoute, (c) => {
    const { flag, ...place } = c.req.valid("param");
    return c.json(flags.browserView(place, flag), 200);
  });
  api.openapi(patchRoute, async (c) => {
    const { project, flag } = c.req.valid("param");
    const author = { ...callerOf(c), ifMatch: c.req.valid("header")["if-match"] };
    const result = await flags.patch(project, c.req.valid("query").environment, flag, c.req.valid("json"), author);
    c.header("etag", result.flag.identityEtag);
    return c.json(result, 200);
  });
  api.openapi(configureRoute, async (c) => {
    const { flag, ...place } = c.req.valid("param");
    const author = { ...callerOf(c), ifMatch: c.req.valid("header")["if-match"] };
    const result = await flags.configure(place, flag, c.req.valid("json"), author);
    c.header("etag", result.flag.configurationEtag);
    return c.json(result, 200);
  });
  api.openapi(replaceRoute, async (c) => {
    const { flag, ...place } = c.req.valid("param");
    const author = { ...callerOf(c), ifMatch: c.req.valid("header")["if-match"] };
    const result = await flags.replace(place, flag, c.req.valid("json"), author);
    c.header("etag", result.flag.configurationEtag);
    return c.json(result, 200);
  });
  for (const [route, archived] of [
    [archiveRoute, true],
    [reviveRoute, false],
  ] as const) {
    api.openapi(route, async (c) => {
      const { flag, ...place } = c.req.valid("param");
      const author = { ...callerOf(c), ifMatch: c.req.valid("header")["if-match"], reason: c.req.valid("json")?.reason };
      const result = await flags.setArchived(place, flag, archived, author);
      c.header("etag", result.flag.configurationEtag);
      return c.json(result, 200);
    });
  }
  for (const [route, archived] of [
    [archiveAllRoute, true],
    [reviveAllRoute, false],
  ] as const) {
    api.openapi(route, async (c) => {
      const { flag, project } = c.req.valid("param");
      const author = { ...callerOf(c), ifMatch: c.req.valid("header")["if-match"], reason: c.req.valid("json")?.reason };
      return c.json(await flags.setArchived({ project }, flag, archived, author), 200);
    });
  }
  api.openapi(deleteRoute, async (c) => {
    const { flag, project } = c.req.valid("param");
    const { confirm, reason } = c.req.valid("json") ?? {};
    const author = { ...callerOf(c), ifMatch: c.req.valid("header")["if-match"], reason };
    await flags.delete(project, flag, confirm, author);
    return c.body(null, 204);
  });
  api.openapi(killRoute, async (c) => {
    const { flag, ...place } = c.req.valid("param");
    return c.json(await flags.kill(place, flag, { ...callerOf(c), reason: c.req.valid("json")?.reason }), 200);
  });
  api.openapi(restoreRoute, async (c) => {
    const { flag, ...place } = c.req.valid("param");
    return c.json(await flags.restore(place, flag, { ...callerOf(c), reason: c.req.valid("json")?.reason }), 200);
  });
  for (const [route, verb] of [
    [killAllRoute, "killAll"],
    [restoreAllRoute, "restoreAll"],
  ] as const) {
    api.openapi(route, async (c) => {
      const { flags: keys = [], tag, reason } = c.req.valid("json");
      const chosen = tag === undefined ? { keys } : { tag };
      return c.json(await flags[verb](c.req.valid("param"), chosen, { ...callerOf(c), reason }), 200);
    });
  }
  api.openapi(evaluateRoute, async (c) => {
    const { flag, context, configuration, revision } = c.req.valid("json");
    const place = c.req.valid("param");
    if (revision === undefined) return c.json(answerOf(flags.evaluate(place, flag, context, configuration)), 200);
    assertSaved(configuration);
    return c.json(answerOf(await history.evaluateAt(place, revision, flag, context)), 200);
  });
  api.openapi(explainRoute, async (c) => {
    const { flag, context, configuration, revision } = c.req.valid("json");
    const place = c.req.valid("param");
    if (revision === undefined) return c.json(flags.explain(place, flag, context, configuration), 200);
    assertSaved(configuration);
    return c.json(flags.explainIn(await history.modelAt(place, revision), flag, context), 200);
  });
  api.openapi(effectRoute, async (c) => {
    const { flag, configuration, ...whom } = c.req.valid("json");
    return c.json(await flags.effect(c.req.valid("param"), flag, configuration, whom), 200);
  });
  return api;
}

function mayOf(c: Context<ApiEnv>): May {
  return (action, { projectKey: project, key: environment }, flag) => c.var.access.may(action, { project, environment, flag });
}

function callerOf(c: Context<ApiEnv>): FlagAuthor {
  return { ...authorOf(c), may: mayOf(c) };
}

/** The past has no edits that are not saved. */
function assertSaved(configuration: object | undefined): void {
  if (configuration === undefined) return;
  throw problem("VALIDATION_FAILED", 'Give either "configuration" or "revision": what was then is asked as it was.');
}

/** The same, with the value as JSON of our own. */
function answerOf(evaluation: Evaluation): EvaluationAnswer {
  if (!evaluation.served) return { served: false, reason: { ...evaluation.reason } };
  const { variant, value, reason } = evaluation;
  return { served: true, variant, value: structuredClone(value) as EvaluationAnswer["value"], reason: { ...reason } };
}
