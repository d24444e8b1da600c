import { z } from "@hono/zod-openapi";
import { configurationPatch, flagKey, json } from "./schema.ts";

/** Shapes of what explains answers and compares versions of a flag, on the admin API. */

/** Contexts of one comparison, given or made up. */
export const CONTEXTS_MAX = 10_000;
const SAMPLE_MIN = 100;

const context = z.record(z.string(), z.unknown());

export const explainBody = z.strictObject({
  flag: flagKey,
  context,
  configuration: configurationPatch.optional().describe("unsaved edits to explain with; refused as saving them would be"),
  revision: z.int().min(0).optional().describe("answers as it was after this revision; without unsaved edits"),
});

export const effectBody = z.strictObject({
  flag: flagKey,
  configuration: configurationPatch.describe("the edits to look ahead of; refused as saving them would be"),
  contexts: z
    .array(context)
    .min(1, 'the list of contexts is empty; give at least one, or leave "contexts" out to ask for made-up ones')
    .max(CONTEXTS_MAX, {
      error: ({ input }) => `there are ${count(input)} contexts, the most is ${CONTEXTS_MAX}; ask in several requests`,
    })
    .optional(),
  sample: z
    .int()
    .min(SAMPLE_MIN, { error: ({ input }) => `the sample is ${input}, the least is ${SAMPLE_MIN}; fewer say too little` })
    .max(CONTEXTS_MAX, { error: ({ input }) => `the sample is ${input}, the most is ${CONTEXTS_MAX}` })
    .optional()
    .describe("how many contexts are made up when none are given; 10,000 when absent"),
});

function count(input: unknown): number {
  return Array.isArray(input) ? input.length : 0;
}

const verdict = z.enum(["true", "false", "unknown"]);

export interface ConditionTraceShape {
  words: string;
  verdict: z.infer<typeof verdict>;
  attribute?: string | undefined;
  value?: z.infer<typeof json> | undefined;
  group?: string | undefined;
  of?: ConditionTraceShape[] | undefined;
}

const conditionTrace: z.ZodType<ConditionTraceShape> = z
  .lazy(() =>
    z.object({
      words: z.string(),
      verdict,
      attribute: z.string().optional(),
      value: json.optional().describe("what the context holds there, shortened; absent if it holds nothing"),
      group: z.string().optional(),
      of: z.array(conditionTrace).optional(),
    }),
  )
  .openapi("ConditionTrace");

const bucket = z.number().optional().describe("0 to 99,999; absent without a unit and for a random percentage");

const ruleTrace = z.object({
  id: z.string(),
  title: z.string(),
  reached: z.boolean().describe("false: an earlier rule or something above the rules has decided"),
  applies: z.boolean(),
  denial: z.boolean(),
  when: conditionTrace.optional(),
  rollout: z
    .object({
      verdict,
      by: z.string(),
      salt: z.string(),
      unit: z.string().optional(),
      bucket,
      from: z.number().describe("inside when from <= bucket < to, in buckets of 100,000"),
      to: z.number().optional(),
      random: z.boolean(),
    })
    .optional(),
  split: z.object({ by: z.string(), salt: z.string(), unit: z.string().optional(), bucket }).optional(),
});

const needTrace = z.object({
  kind: z.enum(["requirement", "parent"]),
  flag: z.string(),
  variants: z.array(z.string()).optional(),
  serves: z.string().optional(),
  met: z.boolean(),
});

const evaluation = z.object({
  served: z.boolean(),
  variant: z.string().optional(),
  value: json.optional(),
  reason: z.object({ kind: z.string() }).loose(),
});

const where = { flag: z.string(), environment: z.string(), generation: z.number(), revision: z.number() };

export const explanation = z.object({
  ...where,
  evaluation,
  sentence: z.string().describe('one true sentence: `on: rule "Staff" applies, because plan is pro.`'),
  needs: z.array(needTrace).describe("required flags and the parent"),
  rules: z.array(ruleTrace).describe("in order; empty unless the mode is targeted"),
});

const variant = z.string().nullable().describe("null: the caller's default");
const example = z.object({
  index: z.number().describe("which of the contexts, from 0"),
  key: z.string().optional(),
  before: variant,
  after: variant,
  sentence: z.string().optional().describe("why, of those who gain and lose"),
});

function each<S extends z.ZodType>(shape: S) {
  return z.object({ gains: shape, loses: shape, changes: shape, keeps: shape, staysOut: shape });
}

export const effectAnswer = z.object({
  ...where,
  total: z.number().describe("how many contexts were compared"),
  asked: z.number().describe("how many there were; more than total only if time ran out"),
  madeUp: z.boolean(),
  sampled: z
    .object({ oldestAt: z.number(), newestAt: z.number() })
    .nullable()
    .describe("the contexts are those that programs sent (ms since 1970); null: they are not"),
  killed: z.boolean().describe("true: the flag is killed, and this is what the edits do once it is restored"),
  setAside: z.array(z.string()).describe("denials that made-up users are taken not to be concerned by: they have no attributes to tell"),
  counts: each(z.number()),
  examples: each(z.array(example)).describe("the first 20 of each"),
  sentence: z.string(),
});
