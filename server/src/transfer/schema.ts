import { z } from "@hono/zod-openapi";
import { flagKey, json, state } from "../flags/schema.ts";
import { groupKey, groupKind } from "../groups/schema.ts";
import { MEMBERS } from "./document.ts";
import { FIELDS } from "./promote.ts";

/** Shapes of comparing, promoting, exporting and importing. */

export const difference = z.object({
  field: z.string().describe("`mode`, `rules.r1`, `values.blue`"),
  what: z.string().describe("what the field is called on pages"),
  from: z.string().nullable().describe("in words, as it is; null where there is nothing"),
  to: z.string().nullable().describe("in words, as it would be"),
  before: json.describe("as it is stored"),
  after: json,
});

const environmentKey = z.string().min(1).max(100);

export const compareQuery = z.object({
  from: environmentKey,
  to: environmentKey,
  flag: z.string().max(100).optional().describe("compares this flag alone"),
});
const side = z.object({ state, sentence: z.string(), archived: z.boolean(), killed: z.boolean() });
export const flagCompared = z.object({
  key: flagKey,
  name: z.string(),
  etag: z.string().describe("of both sides: what `promote` takes as `ifMatch`"),
  from: side,
  to: side,
  differences: z.array(difference).describe("what would change where it goes"),
  missingGroups: z.array(z.string()).describe("groups that its rules name and that are not where it goes"),
});
const groupSide = z.object({ kind: groupKind, name: z.string(), members: z.number() });
export const groupCompared = z.object({
  key: groupKey,
  etag: z.string(),
  from: groupSide.nullable(),
  to: groupSide.nullable(),
  differences: z.array(difference),
  copies: z.boolean().describe("whether `promote` can copy it: only conditions are"),
});
export const comparison = z.object({
  from: z.string(),
  to: z.string(),
  flags: z.array(flagCompared).describe("by key, those that differ, 500 at most"),
  groups: z.array(groupCompared).describe("by key, those that differ, 500 at most"),
  total: z.object({ flags: z.number(), groups: z.number() }).describe("how many differ"),
});

const chosen = z.strictObject({
  key: z.string().min(1).max(100),
  ifMatch: z.string().max(200).optional().describe("the etag of the comparison; needed where the goal is production"),
});
export const promoteBody = z.strictObject({
  from: environmentKey,
  to: environmentKey,
  flags: z.array(chosen).max(1_000).optional(),
  groups: z.array(chosen).max(100).optional().describe("groups by conditions that are made or changed too"),
  fields: z
    .array(z.enum([...FIELDS, "salt"]))
    .min(1)
    .optional()
    .describe("fields of the configuration that are copied; all but the salt when absent"),
  dryRun: z.boolean().optional().describe("says what would change, or why not, and changes nothing"),
  reason: z.string().max(500).optional(),
});
export const promoted = z.object({
  from: z.string(),
  to: z.string(),
  dryRun: z.boolean(),
  changed: z.boolean(),
  revision: z.number().describe("of the environment where it went"),
  flags: z.array(z.object({ key: flagKey, state, killed: z.boolean(), differences: z.array(difference) })),
  groups: z.array(z.object({ key: groupKey, differences: z.array(difference) })),
});

export const exportQuery = z.object({
  members: z.enum(MEMBERS).optional().describe("who is in groups: none (when absent), hashes, or clear units, which only admins get"),
});
export const importQuery = z.object({
  mode: z
    .enum(["merge", "replace"])
    .optional()
    .describe(
      "merge (when absent) adds and changes what the file names; replace also archives flags and deletes groups that it does not name",
    ),
  dryRun: z.enum(["true", "false"]).optional().describe("true: says what it would do and changes nothing"),
  reuse: z.enum(["true", "false"]).optional().describe("makes flags also under keys that deleted flags had"),
  reason: z.string().max(500).optional(),
});
const objection = z.object({ pointer: z.string().describe("where in the file: a JSON pointer"), message: z.string() });
const counts = z.object({ created: z.number(), changed: z.number(), archived: z.number(), deleted: z.number() });
export const imported = z.object({
  dryRun: z.boolean(),
  mode: z.enum(["merge", "replace"]),
  changed: z.boolean(),
  totals: z.object({ flags: counts, groups: counts, settings: counts }),
  changes: z
    .array(
      z.object({
        what: z.enum(["created", "changed", "archived", "deleted"]),
        kind: z.enum(["flag", "group", "settings"]),
        key: z.string(),
        environment: z.string().nullable().describe("null for what belongs to the whole project"),
        differences: z.array(difference),
        members: z.object({ coming: z.number(), going: z.number() }).optional(),
      }),
    )
    .describe("the first 500"),
  refusals: z.array(objection).describe("why the file cannot be imported, the first 100; empty when it can"),
  refused: z.number().describe("how many there are"),
  notes: z.array(objection).describe("what in the file is not taken, the first 100"),
  revisions: z.record(z.string(), z.number()).describe("of the environments that the caller may read, as they are now"),
});
