import { z } from "@hono/zod-openapi";

/** Places of the admin API, for the routes below them. */

export const projectParams = z.object({ project: z.string().max(100) });
export const environmentParams = projectParams.extend({ environment: z.string().max(100) });
export const ifMatchHeader = z.object({ "if-match": z.string().max(1000).optional() });

export const PROJECT = "/api/v1/projects/{project}";
export const ENVIRONMENT = `${PROJECT}/environments/{environment}` as const;
