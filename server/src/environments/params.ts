import { z } from "@hono/zod-openapi";
import * as auth from "../auth/schema.ts";

/** Parts that the routes of flags, groups and environments share. */

export const projectParams = z.object({ project: z.string().max(100) });
export const environmentParams = projectParams.extend({ environment: z.string().max(100) });
export const ifMatchHeader = z.object({ "if-match": z.string().max(1000).optional() });

export const PROJECT = "/api/v1/projects/{project}";
export const ENVIRONMENT = `${PROJECT}/environments/{environment}` as const;

/** The OpenAPI description of a JSON answer. */
export function answer<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { "application/json": { schema } } };
}

/** The OpenAPI description of a JSON body. */
export function body<S extends z.ZodType>(schema: S) {
  return { content: { "application/json": { schema } } };
}

/** How every route may also answer. */
export const refusal = { default: { description: "a problem", content: { "application/problem+json": { schema: auth.problem } } } };
