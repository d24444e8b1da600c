import { z } from "@hono/zod-openapi";
import { SAMPLED_ATTRIBUTES_MAX, SAMPLED_MAX, SAMPLED_VALUE_LENGTH_MAX } from "@signalbox/core";
import type { Context } from "hono";
import { problem } from "../errors.ts";
import { SIGNED_CONTEXT_BYTES_MAX } from "../facts/signed-context.ts";
import { checkText } from "../http/route.ts";
import { validationProblem } from "../http/validation.ts";

/** Bodies that SDKs send. Browsers send them as text/plain (so that no preflight is needed), so the bytes decide, not the type. */
export const SDK_BODY_BYTES_MAX = 64 * 1024;
const ROWS_MAX = 500;

const instance = z.string().min(1).max(64);
// Not the pattern of flag keys: what an app asks for by mistake is what the report is for.
const askedKey = z.string().min(1).max(200);
/** Of one row: more than a program evaluates in the minute that a row is about. */
const count = z.int().min(1).max(1_000_000_000);
const counter = z.int().min(0);

/** A context that a program sends to try edits on. */
const sampledContext = z
  .record(z.string().min(1).max(100), z.json())
  .refine((context) => Object.keys(context).length <= SAMPLED_ATTRIBUTES_MAX, {
    error: `has more than ${SAMPLED_ATTRIBUTES_MAX} attributes; send fewer`,
  })
  .refine((context) => Object.values(context).every((value) => JSON.stringify(value).length <= SAMPLED_VALUE_LENGTH_MAX), {
    error: `has an attribute of more than ${SAMPLED_VALUE_LENGTH_MAX} characters as JSON; leave it out`,
  });

export const usageBody = z.strictObject({
  instance,
  app: z.string().min(1).max(100),
  sdk: z.string().max(50),
  run: z.string().min(1).max(16).optional(),
  batch: z.int().min(1).optional(),
  evaluated: z
    .array(
      z.strictObject({ flag: askedKey, variant: z.string().min(1).max(100), count, revision: counter.optional(), at: counter.optional() }),
    )
    .max(ROWS_MAX),
  unknown: z.array(z.strictObject({ flag: askedKey, count })).max(ROWS_MAX),
  contexts: z.array(sampledContext).max(SAMPLED_MAX).optional(),
});
export const acknowledgementBody = z.strictObject({ instance, generation: counter, revision: counter });
export const membershipBody = z.strictObject({ unit: z.string().min(1).max(200) });

const CONTEXT_ATTRIBUTES_MAX = 64;

/** Whom a page asks for, as it is or signed. Which of the two counts is decided where the environment is known. */
export const contextBody = z.strictObject({
  context: z
    .record(z.string().max(100), z.unknown())
    .refine((context) => Object.keys(context).length <= CONTEXT_ATTRIBUTES_MAX, {
      error: `has more than ${CONTEXT_ATTRIBUTES_MAX} attributes; send those that conditions ask for`,
    })
    .optional(),
  token: z.string().max(SIGNED_CONTEXT_BYTES_MAX).optional(),
});

/** Which facts hold for whom; `generation` and `at` are the newest change of facts that the page knows of. */
export const factsBody = contextBody.extend({ generation: counter.optional(), at: counter.optional() });

/** Reads and checks the JSON of a request, whatever content type it declares. */
export async function readBody<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  const text = await c.req.text();
  checkText(text);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw problem("MALFORMED_JSON", "The body cannot be read as JSON; send an object as the API describes it.", { cause });
  }
  const result = schema.safeParse(json);
  // 400 and no other number for whatever an SDK sends wrongly: docs/protocol.md.
  if (!result.success) throw validationProblem(result.error, "json", json, "VALIDATION_FAILED");
  return result.data;
}
