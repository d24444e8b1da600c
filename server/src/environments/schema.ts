import { z } from "@hono/zod-openapi";
import { ACTIONS } from "../auth/permissions.ts";

/** First parts of addresses, and words that mean something else in their place. */
const RESERVED_PROJECTS = [
  "account",
  "all",
  "api",
  "assets",
  "healthz",
  "invitation",
  "kill",
  "metrics",
  "new",
  "none",
  "people",
  "projects",
  "readyz",
  "sdk",
  "settings",
  "setup",
  "sign-in",
  "signalbox",
  "tokens",
];
const RESERVED_ENVIRONMENTS = ["all", "any", "compare", "environments", "new", "none", "order", "settings"];

const placeKey = (what: string, reserved: readonly string[]) =>
  z
    .string()
    .regex(
      /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/,
      `the key of ${what} is 1 to 40 small letters, digits and dashes, and begins and ends with a letter or digit; it is for good`,
    )
    .refine((key) => !reserved.includes(key), { error: ({ input }) => `"${String(input)}" is a reserved word; choose another key` });
const name = z.string().trim().min(1).max(100);
const COLORS = ["gray", "red", "pink", "grape", "violet", "indigo", "blue", "cyan", "teal", "green", "lime", "yellow", "orange"] as const;
const color = z.enum(COLORS);
const reason = z.string().max(500).optional();

const may = z.array(z.enum(ACTIONS)).describe("what the caller may do here");
export const environment = z.object({
  key: z.string(),
  name: z.string(),
  production: z.boolean(),
  color: z.string(),
  etag: z.string(),
  generation: z.number(),
  revision: z.number(),
  may,
});
export const project = z.object({
  key: z.string(),
  name: z.string(),
  description: z.string(),
  flags: z.number().describe("how many it has, archived ones too"),
  etag: z.string(),
  environments: z.array(environment).describe("in the order of people"),
  may,
});
export const projectList = z.object({ projects: z.array(project) });
export const createProject = z.strictObject({
  key: placeKey("a project", RESERVED_PROJECTS),
  name: name.optional(),
  description: z.string().max(5000).optional(),
  reason,
});
export const patchProject = z.strictObject({ name: name.optional(), description: z.string().max(5000).optional(), reason });
export const createEnvironment = z.strictObject({
  key: placeKey("an environment", RESERVED_ENVIRONMENTS),
  name: name.optional(),
  production: z.boolean().optional().describe("false when absent"),
  color: color.optional(),
  copyOf: z.string().max(100).optional().describe("the key of the environment whose flags, groups and settings it begins with"),
  reason,
});
export const patchEnvironment = z.strictObject({
  name: name.optional(),
  production: z.boolean().optional().describe("turning it off needs a reason"),
  color: color.optional(),
  reason,
});
export const environmentOrder = z.strictObject({
  environments: z.array(z.string().max(100)).max(100).describe("the keys of all of them, in their new order"),
  reason,
});
export const confirmed = z.strictObject({ confirm: z.string().max(100).optional().describe("its key"), reason });
export const projectWritten = z.object({ project, changed: z.boolean() });
export const environmentWritten = z.object({ environment, changed: z.boolean() });

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
