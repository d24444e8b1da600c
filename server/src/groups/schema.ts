import { z } from "@hono/zod-openapi";
import { condition } from "../flags/schema.ts";

export const groupKey = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/,
    "a group key is 1 to 100 letters, digits, dots, dashes or underscores, and starts with a letter or digit",
  );
export const groupKind = z.enum(["conditions", "list", "early-access"]);
const name = z.string().max(200);
const description = z.string().max(5000);
const by = z.string().min(1).max(100).describe("the attribute that holds the unit; `key` when absent");

export const createGroup = z.strictObject({
  key: groupKey,
  kind: groupKind,
  name: name.optional(),
  description: description.optional(),
  by: by.optional(),
  when: condition.optional().describe("needed by a group by conditions, refused by the others"),
});
export const patchGroup = z.strictObject({ name: name.optional(), description: description.optional(), when: condition.optional() });

export const unit = z.string().min(1).max(200);
export const changeMembers = z.strictObject({
  add: z.array(unit).max(10_000).optional(),
  remove: z.array(unit).max(10_000).optional(),
  rejoin: z.boolean().optional().describe("adds also those who have left early access by themselves, who are kept out otherwise"),
});

export const group = z.object({
  key: groupKey,
  kind: groupKind,
  name: z.string(),
  description: z.string(),
  by: z.string(),
  when: condition.nullable(),
  members: z.number().describe("how many are listed or have joined; 0 for a group by conditions"),
  usedBy: z.array(z.string()).describe("keys of the flags whose rules name it"),
  sentence: z.string().describe("who is in it, in words"),
  etag: z.string(),
  updatedAt: z.number(),
  updatedBy: z.string(),
});
export const groupList = z.object({ environment: z.string(), revision: z.number(), groups: z.array(group) });
export const groupWritten = z.object({ group, revision: z.number(), changed: z.boolean() });
export const membersWritten = groupWritten.extend({
  added: z.array(z.string()).describe("who came in; the others were in already"),
  removed: z.array(z.string()).describe("who went out"),
  keptOut: z.array(z.string()).describe("who was not added, because they have left early access by themselves"),
});
/** `first` of them, 20 at most. */
const some = z.object({ count: z.number(), first: z.array(z.string()) });
export const listMode = z.enum(["add", "replace", "remove"]);
export const csvQuery = z.object({
  mode: listMode
    .optional()
    .describe("add (when absent): its units come in; replace: it is the whole list afterwards; remove: its units go"),
  column: z.string().min(1).max(200).optional().describe("the name of the column of units in the first line; the first column when absent"),
  rejoin: z.enum(["true", "false"]).optional().describe("adds also those who have left early access by themselves"),
  dryRun: z.enum(["true", "false"]).optional().describe("true: says what it would do and changes nothing"),
  reason: z.string().max(500).optional(),
});
export const csvAnswer = z.object({
  dryRun: z.boolean(),
  mode: listMode,
  lines: z.number().describe("lines with a unit"),
  units: z.number().describe("different units"),
  coming: some.describe("who came in, or would"),
  going: some.describe("who went out, or would"),
  keptOut: some.describe("who is not added, because they have left early access by themselves"),
  members: z.number().describe("how many are in it afterwards"),
  badLines: z.number().describe("lines that cannot be taken: with one, nothing is changed"),
  bad: z.array(z.object({ line: z.number(), message: z.string() })).describe("the first 100 of them"),
  changed: z.boolean(),
  revision: z.number(),
});

export const member = z.object({ unit, state: z.enum(["member", "left"]), at: z.number(), by: z.string() });
/** Ordered by unit; `next` is the cursor of the following page, null at the end. */
export const memberList = z.object({ members: z.array(member), next: z.string().nullable() });
