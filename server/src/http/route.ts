import { createRoute, OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { HTTPException } from "hono/http-exception";
import type { z } from "zod";
import type { Access, Named } from "../auth/access.ts";
import type { Holder } from "../auth/permissions.ts";
import { type Problem, problem, problemResponse } from "../errors.ts";
import type { IdempotentWrite } from "../store/idempotency.ts";
import type { Author } from "../store/origin.ts";
import { type Idempotency, idempotent } from "./idempotency.ts";
import { validationProblem } from "./validation.ts";
import { hasHalfCharacter } from "./whole-characters.ts";

/**
 * What a route needs of its caller. `none`: open to everybody. `own`: whoever is signed in, for what is theirs. `list`: whoever is
 * signed in, and the handler shows only what they may read. `grant`: an admin of something, and the handler asks whether of the place
 * that the body names. The others are asked for the project and the environment that the path names, the whole server where it names none.
 */
export const ROUTE_ACTIONS = ["none", "own", "list", "grant", "read", "edit", "kill", "restore", "admin"] as const;
export type RouteAction = (typeof ROUTE_ACTIONS)[number];

/** Who calls: `grants` are the account's or the service token's own, `limit` is what a personal token keeps of them. */
export interface Identity extends Holder {
  readonly name: string;
  readonly accountId: number;
  readonly via: "session" | "token";
  /** Of the token that was sent: for the audit. */
  readonly selector?: string;
}

/**
 * What middleware tells routes. `identity` and `access` are set before any route when the request carries valid credentials; a route
 * with an action other than `none` runs only when they are. `refusal` says why credentials that were sent are not valid.
 */
export type ApiEnv = {
  Variables: {
    identity: Identity;
    access: Access;
    requestId: string;
    refusal: Problem;
    address: string;
    idempotency: Idempotency;
    idempotentWrite: IdempotentWrite;
  };
};

/** Who sent this request, and from where, for what it writes. Only in routes with an action other than `none`. */
export function authorOf(c: Context<ApiEnv>): Author {
  const { identity, address, requestId } = c.var;
  return { by: identity.name, token: identity.selector, address, requestId, idempotent: c.get("idempotentWrite") };
}

/** Where `apiRoute` keeps the action in the route's OpenAPI operation, so that the document tells it too. */
export const ACTION_FIELD = "x-signalbox-action";

/**
 * A router for one subject. Input that does not fit its schema is answered 400, a property that is not known 422, with one issue for each field, and whatever a
 * handler throws becomes problem+json. The composition root mounts these routers and logs what was not expected.
 */
export function createApi(): OpenAPIHono<ApiEnv> {
  const api = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      // The library hands on what was sent, which its type does not say.
      if (!result.success) throw validationProblem(result.error, result.target, (result as { data?: unknown }).data);
    },
  });
  api.onError((error, c) => problemResponse(asHttpProblem(error), c.get("requestId") ?? "none"));
  return api;
}

/**
 * `createRoute` with the action that the caller needs, checked before the input is. A body is required unless `required: false`, and is JSON
 * unless another content type is declared: then the handler reads it.
 */
export function apiRoute<const R extends RouteConfig>(action: RouteAction, config: R) {
  const body = config.request?.body;
  const request = body ? { ...config.request, body: { required: true, ...body } } : config.request;
  const mediaType = Object.keys(body?.content ?? {})[0] ?? JSON_TYPE;
  const route = createRoute({ ...config, [ACTION_FIELD]: action, middleware: [authorize(action), onlyOf(mediaType), idempotent] as const });
  // Only `required` is filled in, which is no part of the types that createRoute infers.
  return request ? Object.assign(route, { request }) : route;
}

/** The OpenAPI description of a JSON answer. */
export function answer<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { "application/json": { schema } } };
}

/** The OpenAPI description of a JSON body. */
export function body<S extends z.ZodType>(schema: S) {
  return { content: { "application/json": { schema } } };
}

function authorize(action: RouteAction) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    if (action !== "none") {
      const identity: Identity | undefined = c.get("identity");
      if (!identity) throw c.get("refusal") ?? unauthenticated();
      const project = c.req.param("project");
      demand(c.get("access"), action, project === undefined ? undefined : { ...c.req.param(), project });
    }
    await next();
  });
}

function demand(access: Access, action: Exclude<RouteAction, "none">, at: Named | undefined): void {
  if (action === "own") return;
  if (action === "grant") access.demandGrant();
  else if (action === "list") {
    if (at) access.demandSight(at);
  } else if (at) access.demand(action, at);
  else access.demandEverywhere(action);
}

export function unauthenticated(): Problem {
  return problem("UNAUTHENTICATED", "Sign in, or send a token as 'Authorization: Bearer sb_…'.", {
    headers: { "www-authenticate": 'Bearer realm="signalbox"' },
  });
}

const JSON_TYPE = "application/json";

/**
 * A body that is not declared as what the route takes is refused: the validator would otherwise skip it, and a form of another site could
 * send it.
 */
function onlyOf(mediaType: string) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const hasBody = Number(c.req.header("content-length") ?? 0) > 0 || c.req.header("transfer-encoding") !== undefined;
    const type = c.req.header("content-type");
    if (hasBody && type?.split(";", 1)[0]?.trim().toLowerCase() !== mediaType) {
      const sent = JSON.stringify(type ?? "");
      throw problem("UNSUPPORTED_CONTENT_TYPE", `The body has the content type ${sent}, expected "${mediaType}".`);
    }
    if (hasBody && mediaType === JSON_TYPE) checkText(await c.req.text());
    await next();
  });
}

/** What no schema sees. Throws VALIDATION_FAILED. */
export function checkText(json: string): void {
  if (isDeep(json)) throw problem("VALIDATION_FAILED", `The body is nested deeper than ${DEPTH_MAX} levels; send it flatter.`);
  if (hasHalfCharacter(json)) {
    throw problem(
      "VALIDATION_FAILED",
      "The body holds half a character (a surrogate such as \\ud800 alone), which cannot be stored; send whole ones.",
    );
  }
}

/** Far more than a condition of the greatest depth needs. Without a bound, a body of nested lists overflows the stack of the validator. */
const DEPTH_MAX = 64;

function isDeep(json: string): boolean {
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < json.length; i += 1) {
    const character = json[i];
    if (isInString) {
      if (character === "\\") i += 1;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === "{" || character === "[") {
      depth += 1;
      if (depth > DEPTH_MAX) return true;
    } else if (character === "}" || character === "]") depth -= 1;
  }
  return false;
}

/** Turns what a bad request makes hono and node:http throw into a problem; leaves everything else as it is. */
export function asHttpProblem(error: unknown): unknown {
  if (error instanceof Error && "code" in error && error.code === "ECONNRESET" && error.message === "aborted") {
    return problem("BAD_REQUEST", "The request ended before its body did.", { cause: error });
  }
  if (!(error instanceof HTTPException) || error.status >= 500) return error;
  if (/json/i.test(error.message)) return problem("MALFORMED_JSON", "The body cannot be read as JSON.", { cause: error });
  return problem("BAD_REQUEST", "The request cannot be understood.", { cause: error });
}
