import { z } from "@hono/zod-openapi";

export const environment = z.object({
  key: z.string(),
  name: z.string(),
  production: z.boolean(),
  color: z.string(),
  generation: z.number(),
  revision: z.number(),
});
export const project = z.object({ key: z.string(), name: z.string(), environments: z.array(environment) });
export const projectList = z.object({ projects: z.array(project) });
export const sdkKeys = z.object({
  server: z.string(),
  browser: z.string(),
  url: z.string().describe("the public URL of this server, for SDKs"),
});
