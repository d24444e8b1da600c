import { z } from "@hono/zod-openapi";
import { PATTERN_LENGTH_MAX, SCHEDULE_POINTS_MAX } from "@signalbox/core";

/** Shapes of flags on the admin API. The same schemas validate, describe the OpenAPI document and type the admin UI. */

export const flagKey = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/,
    "a flag key is 1 to 100 letters, digits, dots, dashes, underscores or colons, and starts with a letter or digit",
  );
const variantKey = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/,
    "the name of a variant is 1 to 50 letters, digits, dots, dashes or underscores, and starts with a letter or digit",
  );
const attributeName = z.string().min(1).max(100);
const ruleId = z
  .string()
  .regex(
    /^[A-Za-z0-9_-]{1,40}$/,
    "the id of a rule is 1 to 40 letters, digits, dashes or underscores; leave it out and the server gives one",
  );
const scalar = z.union([z.string().max(1000), z.number(), z.boolean()]);
const strings = z.array(z.string().min(1).max(1000)).min(1).max(10_000);

export type ConditionInput =
  | z.infer<typeof leafCondition>
  | { op: "all" | "any"; of: ConditionInput[] }
  | { op: "not"; of: ConditionInput };

const leafCondition = z.discriminatedUnion("op", [
  z.strictObject({
    op: z.literal("in"),
    attribute: attributeName,
    values: z.array(scalar).min(1).max(10_000),
    ignoreCase: z.boolean().optional(),
  }),
  z.strictObject({ op: z.literal("contains"), attribute: attributeName, values: strings, ignoreCase: z.boolean().optional() }),
  z.strictObject({ op: z.literal("startsWith"), attribute: attributeName, values: strings, ignoreCase: z.boolean().optional() }),
  z.strictObject({ op: z.literal("endsWith"), attribute: attributeName, values: strings, ignoreCase: z.boolean().optional() }),
  z.strictObject({ op: z.literal("number"), attribute: attributeName, is: z.enum(["<", "<=", ">", ">=", "=", "!="]), value: z.number() }),
  z.strictObject({
    op: z.literal("matches"),
    attribute: attributeName,
    values: z.array(z.string().min(1).max(PATTERN_LENGTH_MAX)).min(1).max(50).describe("patterns in RE2 syntax; not anchored"),
    ignoreCase: z.boolean().optional(),
  }),
  z.strictObject({
    op: z.literal("semver"),
    attribute: attributeName,
    is: z.enum(["<", "<=", ">", ">=", "=", "!="]),
    value: z.string().min(1).max(256),
  }),
  z.strictObject({
    op: z.literal("date"),
    attribute: attributeName.optional().describe("absent: the clock"),
    is: z.enum(["<", "<=", ">", ">="]),
    value: z.string().min(1).max(40).describe("2026-12-01, 2026-12-01T09:30 or 2026-12-01T09:30:00+01:00"),
    zone: z.string().min(1).max(60).optional().describe("Europe/Zurich; of a value without an offset, UTC when absent"),
  }),
  z.strictObject({ op: z.literal("cidr"), attribute: attributeName, values: z.array(z.string().min(1).max(50)).min(1).max(1_000) }),
  z.strictObject({ op: z.literal("exists"), attribute: attributeName }),
  z.strictObject({ op: z.literal("group"), group: z.string().min(1).max(100) }),
]);
/** Nested to a depth of 8; the decisions check it, so that the message can name the rule. */
export const condition: z.ZodType<ConditionInput> = z
  .lazy(() =>
    z.union([
      leafCondition,
      z.strictObject({ op: z.enum(["all", "any"]), of: z.array(condition).max(100) }),
      z.strictObject({ op: z.literal("not"), of: condition }),
    ]),
  )
  .openapi("Condition"); // A name is what lets the OpenAPI document refer to it from within itself.

/** Any JSON value; described by its types, because its own recursive schema has no name that the document could refer to. */
export const json = z.json().openapi({ type: ["string", "number", "boolean", "object", "array", "null"] });

/**
 * `percentage` is in percent with at most three decimals, as people say it: the size of the slice, which begins at `from` (0 when
 * absent). The wire holds thresholds of 100,000.
 */
export const rollout = z.strictObject({
  percentage: z.number().min(0).max(100).multipleOf(0.001),
  from: z.number().min(0).max(100).multipleOf(0.001).optional(),
  by: attributeName.optional(),
  salt: z.string().min(1).max(100).optional(),
  random: z.boolean().optional(),
  over: z
    .strictObject({
      kind: z.enum(["steps", "line"]),
      points: z
        .array(
          z.strictObject({
            at: z.iso.datetime({ offset: true }).describe("2026-12-01T09:00:00+01:00"),
            percentage: z.number().min(0).max(100).multipleOf(0.001),
          }),
        )
        .min(1)
        .max(SCHEDULE_POINTS_MAX),
    })
    .optional()
    .describe("how the percentage changes with time: `percentage` holds until the first point"),
});

export const serve = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("variant"), variant: variantKey }),
  z.strictObject({
    kind: z.literal("split"),
    weights: z
      .array(z.strictObject({ variant: variantKey, percentage: z.number().min(0).max(100).multipleOf(0.001) }))
      .min(1)
      .max(32),
    by: attributeName.optional(),
    salt: z.string().min(1).max(100).optional(),
  }),
]);

export const rule = z.strictObject({
  id: ruleId.optional().describe("given by the server when absent"),
  name: z.string().max(100).optional(),
  when: condition.optional().describe("absent: for everyone else"),
  rollout: rollout.optional(),
  serve,
});

export const requirement = z.strictObject({ flag: flagKey, variants: z.array(variantKey).min(1).max(32) });
export const mode = z.enum(["off", "targeted", "on", "inherit"]);
const flagType = z.enum(["boolean", "string", "number", "json"]);
const flagKind = z
  .enum(["release", "experiment", "ops", "permission"])
  .describe("release: goes when everybody has it; experiment: goes when it is decided; ops: a switch that stays; permission: who may what");
const link = z.strictObject({
  title: z.string().trim().min(1).max(100),
  url: z.url({ protocol: /^https?$/, error: "a link begins with https:// or http://" }).max(2000),
});
const links = z.array(link).max(20);
const expectedDays = z
  .number()
  .int()
  .min(1)
  .max(3650)
  .nullable()
  .describe("days after its creation by which it should be gone; null: it stays");
const reason = z.string().max(500).optional();
const reuse = z.boolean().optional().describe("also a key that a deleted flag had");

/** What one environment holds of a flag, without the kill. PATCH takes any of these fields; a field given replaces the old one whole. */
export const configuration = z.strictObject({
  mode,
  off: variantKey,
  on: variantKey,
  values: z.record(variantKey, json).describe("variant names to values"),
  rules: z.array(rule).max(100),
  requires: z.array(requirement).max(20),
  parent: flagKey.nullable(),
  detached: z.boolean().describe("opted out of the parent"),
  browser: z.boolean().describe("visible to browser SDK keys"),
  archived: z.boolean(),
});
export const configurationPatch = configuration.partial();

export const createFlag = z.strictObject({
  key: flagKey,
  name: z.string().max(200).optional(),
  description: z.string().max(5000).optional(),
  tags: z.array(z.string().min(1).max(50)).max(50).optional(),
  owner: z.string().max(100).optional(),
  links: links.optional(),
  kind: flagKind.optional().describe("release when absent"),
  expectedDays: expectedDays.optional(),
  type: flagType.optional().describe("boolean when absent"),
  values: z.record(variantKey, json).optional().describe("for types other than boolean"),
  off: variantKey.optional(),
  on: variantKey.optional(),
  browser: z.boolean().optional().describe("visible to browser SDK keys, in every environment; false when absent"),
  reuse,
});

export const patchFlag = z.strictObject({
  key: flagKey.optional().describe("renames; the old key goes on answering"),
  name: z.string().max(200).optional(),
  description: z.string().max(5000).optional(),
  tags: z.array(z.string().min(1).max(50)).max(50).optional(),
  owner: z.string().max(100).nullable().optional(),
  links: links.optional(),
  kind: flagKind.optional(),
  expectedDays: expectedDays.optional(),
  reuse,
});

export const reasonBody = z.strictObject({ reason });
/** Which flags: `flags`, their keys, or `tag`. One of the two. */
export const chosenFlags = z
  .strictObject({
    flags: z.array(z.string()).min(1).max(10_000).optional().describe("their keys"),
    tag: z.string().max(50).optional().describe("instead of the keys: all flags that have it"),
    reason,
  })
  .refine(({ flags, tag }) => (flags === undefined) !== (tag === undefined), {
    error: 'either "flags" or "tag" says which flags are meant, and one of the two is needed',
  });
export const deleteFlag = z.strictObject({
  confirm: z.string().max(100).optional().describe("the flag's key: deletes it although it is not archived in every environment"),
  reason,
});

export const state = z.object({
  word: z.enum(["OFF", "KILLED", "SOME", "ON", "INHERITS"]),
  percentage: z.number().nullable(),
  text: z.string().describe('as shown: "SOME 12 %"'),
});
export const killed = z.object({
  at: z.number(),
  by: z.string(),
  reason: z.string().nullable(),
  edited: z.boolean().describe("its configuration was edited after the kill: to restore it then needs the right to edit"),
});
export const seen = z.object({ at: z.number(), app: z.string(), variant: z.string() });

export const flagSummary = z.object({
  key: flagKey,
  name: z.string(),
  description: z.string(),
  type: flagType,
  tags: z.array(z.string()),
  owner: z.string().nullable(),
  kind: flagKind,
  expectedDays,
  stale: z.boolean().describe("past its expected life"),
  archived: z.boolean(),
  browser: z.boolean(),
  state,
  killed: killed.nullable(),
  seen: seen.nullable().describe("the last reported evaluation in this environment"),
  perMinute: z.number().describe("evaluations reported in the last minute"),
  updatedAt: z.number(),
  updatedBy: z.string(),
});

export const flag = flagSummary.extend({
  aliases: z.array(z.string()),
  links,
  createdAt: z.number(),
  createdBy: z.string(),
  environment: z.string(),
  revision: z.number().describe("the environment's revision when this was read"),
  configuration,
  identityEtag: z.string(),
  configurationEtag: z.string(),
  sentence: z.string(),
  warnings: z.array(z.string()),
  browserObstacles: z.array(z.string()).describe("why it cannot be marked for browsers; empty when it can"),
  hiddenAsked: z
    .object({ at: z.number(), app: z.string() })
    .nullable()
    .describe("a browser asked for it although it is hidden from browsers"),
  environments: z.array(
    z.object({ environment: z.string(), production: z.boolean(), state, archived: z.boolean(), configurationEtag: z.string() }),
  ),
});

export const flagList = z.object({
  environment: z.string(),
  revision: z.number(),
  flags: z.array(flagSummary),
  next: z.string().nullable().describe("as after gives the next page; null on the last one"),
  matching: z.number().describe("how many there are on all pages"),
  totals: z
    .object({ live: z.number(), archived: z.number(), killed: z.number(), stale: z.number() })
    .describe("of the whole environment; live: not archived, and of those killed and past their expected life"),
});
const yesNo = z.enum(["true", "false"]).transform((text) => text === "true");
export const listQuery = z.object({
  search: z.string().max(200).optional().describe("words in key, old keys, name, description, owner and tags"),
  tag: z.string().max(50).optional(),
  owner: z.string().max(100).optional().describe("empty: those without"),
  kind: flagKind.optional(),
  state: z.enum(["OFF", "KILLED", "SOME", "ON", "INHERITS"]).optional(),
  mode: mode.optional(),
  killed: yesNo.optional(),
  stale: yesNo.optional().describe("past its expected life"),
  unused: yesNo.optional().describe("no evaluation reported in this environment for 30 days"),
  archived: z.enum(["true", "false", "only"]).optional().describe("true: with archived ones, only: nothing else; without them when absent"),
  sort: z.enum(["key", "updated"]).optional().describe("updated: the newest first"),
  limit: z.coerce.number().int().min(1).max(1_000).optional().describe("100 when absent"),
  after: z.string().max(300).optional().describe("next of the page before"),
});
/** Answer of every write on a flag. `revision` is the one that this write made in the environment of the path, or the head if nothing changed. */
export const flagWritten = z.object({ flag, revision: z.number(), changed: z.boolean() });

/** Answer of a kill or restore of several. */
export const flagsWritten = z.object({
  environment: z.string(),
  revision: z.number().describe("the one that this made, or the head if nothing changed"),
  changed: z.boolean(),
  flags: z.array(z.object({ key: z.string(), state })).describe("those that were meant, as they are now"),
  missing: z.array(z.string()).describe("keys that no flag has"),
});

export const evaluateBody = z.strictObject({
  flag: flagKey,
  context: z.record(z.string(), z.unknown()),
  configuration: configurationPatch.optional().describe("unsaved edits to evaluate with"),
  revision: z.int().min(0).optional().describe("answers as it was after this revision; without unsaved edits"),
});
export const evaluation = z.object({
  served: z.boolean(),
  variant: z.string().optional(),
  value: json.optional(),
  reason: z.object({ kind: z.string() }).loose(),
});

/** What whoever holds the browser key can read of a flag. */
export const browserView = z.object({
  flag: z.string(),
  environment: z.string(),
  revision: z.number(),
  visible: z.boolean().describe("whether browsers are told anything of it"),
  entry: z.record(z.string(), z.unknown()).nullable().describe("exactly what is sent to browsers; null when nothing is"),
  bytes: z.number().describe("of the entry as JSON"),
  told: z.array(z.string()).describe("the conditions that are sent as they are, in words"),
  facts: z
    .array(z.object({ number: z.number(), sentence: z.string() }))
    .describe("the conditions that stay on the server, which tells a browser by their numbers whether they hold for its context"),
  secureMode: z.boolean().describe("whether facts are told for signed contexts only"),
  obstacles: z.array(z.string()).describe("why it cannot be marked for browsers; empty when it can"),
});
