import { z } from "@hono/zod-openapi";
import { ACTIONS } from "../auth/permissions.ts";

const may = z.array(z.enum(ACTIONS)).describe("what the caller may do here");
export const environment = z.object({
  key: z.string(),
  name: z.string(),
  production: z.boolean(),
  color: z.string(),
  generation: z.number(),
  revision: z.number(),
  may,
});
export const project = z.object({ key: z.string(), name: z.string(), environments: z.array(environment), may });
export const projectList = z.object({ projects: z.array(project) });

const PRIVATE_ATTRIBUTES_MAX = 50;
const privateAttributes = z
  .array(z.string().trim().min(1).max(100))
  .max(PRIVATE_ATTRIBUTES_MAX)
  .describe("attributes whose conditions are answered by the server, never sent to browsers, and which are taken out of sampled contexts");

export const settings = z.object({
  environment: z.string(),
  secureMode: z.boolean().describe("browsers have to send their context signed by the app's own server"),
  privateAttributes: z.array(z.string()),
  sampleContexts: z.boolean().describe("programs send some of the contexts that they evaluate for, to try edits on"),
  signingSecret: z.object({
    version: z.number().describe("of the newest signing secret"),
    oldHolds: z.boolean().describe("whether the one before it is taken too"),
  }),
  etag: z.string(),
});
export const patchSettings = z.strictObject({
  secureMode: z.boolean().optional(),
  privateAttributes: privateAttributes.optional(),
  sampleContexts: z.boolean().optional(),
});
export const settingsWritten = z.object({ settings, revision: z.number(), changed: z.boolean() });
export const signingSecrets = z.object({
  secrets: z.array(z.object({ version: z.number(), secret: z.string() })).describe("newest first, one or two"),
});
