import { z } from "@hono/zod-openapi";
import { configuration, flagKey, json, state } from "../flags/schema.ts";
import { groupKind } from "../groups/schema.ts";

/** Shapes of history, the audit and reverting on the admin API. */

export const revision = z.coerce.number().int().min(0);

export const difference = z.object({
  field: z.string().describe("`mode`, `rules.r1`"),
  what: z.string().describe("what the field is called on pages"),
  from: z.string().nullable().describe("in words; null: there was nothing"),
  to: z.string().nullable(),
  before: json.describe("as it is stored"),
  after: json,
});

export const item = z.object({
  kind: z.enum(["flag", "group", "settings"]),
  key: z.string(),
  event: z.enum(["added", "changed", "removed"]),
  differences: z.array(difference),
  members: z.object({ added: z.number(), removed: z.number() }).nullable().describe("how many units came to the list and left it"),
});

export const change = z.object({
  revision: z.number(),
  at: z.number(),
  by: z.string(),
  action: z.string().describe("the audit word: `flag.kill`"),
  target: z.string(),
  reason: z.string().nullable(),
  title: z.string().describe("what was done, in words: `killed new-checkout`"),
  lines: z.array(z.string()).describe("what differs, in words; the first few of many"),
  more: z.number().describe("how many flags and groups it touched besides"),
  recorded: z
    .boolean()
    .describe("false: a version of Signalbox made it that kept nothing for history, so it cannot be looked into or taken back"),
});

export const changeList = z.object({
  environment: z.string(),
  revision: z.number().describe("the environment's revision when this was read"),
  beginning: z.number().describe("the first revision that can be looked at and gone back to"),
  changes: z.array(change).describe("newest first"),
  next: z.number().nullable().describe("`before` of the next request; null: there is no older change"),
});

export const changeDetail = change.extend({
  environment: z.string(),
  items: z.array(item).describe("everything that it changed, the first 200"),
  alsoIn: z.array(z.object({ environment: z.string(), revision: z.number() })).describe("what the same write changed elsewhere"),
  raw: json.describe("what programs with a server key got of it"),
});

export const diff = z.object({
  environment: z.string(),
  from: z.number(),
  to: z.number(),
  items: z.array(item).describe("the first 200"),
  total: z.number().describe("how many there are"),
  lines: z.array(z.string()),
});

const pastFlag = z.object({
  key: flagKey,
  name: z.string(),
  description: z.string(),
  type: z.enum(["boolean", "string", "number", "json"]),
  tags: z.array(z.string()),
  owner: z.string().nullable(),
  archived: z.boolean(),
  browser: z.boolean(),
  state,
  killed: z.object({ at: z.number(), by: z.string(), reason: z.string().nullable() }).nullable(),
  updatedAt: z.number(),
  updatedBy: z.string(),
});

export const pastState = z.object({
  environment: z.string(),
  revision: z.number(),
  total: z.number().describe("how many flags there were"),
  flags: z.array(pastFlag).describe("by key"),
  next: z.string().nullable().describe("`after` of the next request; null: these are the last"),
  groups: z.array(z.object({ key: z.string(), name: z.string(), kind: groupKind, members: z.number() })),
});

export const flagThen = pastFlag.extend({
  environment: z.string(),
  revision: z.number().describe("the one that was asked for, or the last at the time that was asked for"),
  aliases: z.array(z.string()),
  configuration,
  sentence: z.string(),
});

const reason = z.string().max(500).optional();
export const revertFlag = z.strictObject({
  revision: z.int().min(0).describe("the configuration becomes what it was after this revision"),
  reason,
  dryRun: z.boolean().optional().describe("true: nothing is written, the answer says what would be"),
});
export const revertEnvironment = z.strictObject({
  change: z.int().min(1).optional().describe("takes back what this revision changed"),
  to: z
    .union([z.int().min(0), z.string().max(40)])
    .optional()
    .describe("everything becomes what it was after this revision, or at this time"),
  reason,
  dryRun: z.boolean().optional(),
});
export const reverted = z.object({
  environment: z.string(),
  revision: z.number().describe("the new one; the head if nothing changed"),
  changed: z.boolean(),
  dryRun: z.boolean(),
  items: z.array(item).describe("what it does, the first 200"),
  total: z.number(),
  lines: z.array(z.string()),
  etag: z.string().describe("of the environment with everything up to `revision`: If-Match of the revert that follows a dry run"),
  leftAlone: z.array(z.string()).describe("what differs and stays as it is, and why"),
});

export const auditCheck = z.object({
  ok: z.boolean(),
  rows: z.number(),
  head: z.string().describe("the hash of the newest row: kept elsewhere, it proves later that nothing up to it was written anew"),
  problem: z.object({ id: z.number().nullable(), what: z.string() }).nullable(),
});
export const erased = z.object({
  names: z.number().describe("names that were erased"),
  groups: z.array(z.string()).describe("what the unit was in, or had left"),
});
