import { z } from "@hono/zod-openapi";

/** The longest that the token before may go on after a rotation: 90 days. */
const OLD_HOURS_MAX = 90 * 24;
const FLAGS_MAX = 100;

/** A role of docs/roles.md, or `kill`: list, show and kill, and nothing else. */
export const tokenScope = z.enum(["admin", "releaser", "editor", "operator", "viewer", "kill"]);
const tokenKind = z
  .enum(["personal", "service"])
  .describe("personal: ends with its account and never exceeds what that may; service: stays, made by admins of its place");
const place = z.string().max(100).nullable();
const days = z.int().min(1).max(365).optional();
const reason = z.string().trim().max(1_000).optional();

export const createToken = z
  .strictObject({
    name: z.string().trim().min(1).max(100),
    scope: tokenScope,
    kind: tokenKind.default("personal"),
    project: place.default(null).describe("where it holds; everywhere when null"),
    environment: place.default(null).describe("where in the project it holds; everywhere when null"),
    flags: z
      .array(z.string().min(1).max(100))
      .min(1)
      .max(FLAGS_MAX)
      .optional()
      .describe("with the scope kill: keys of the only flags that it may kill"),
    days: days.describe("it ends after so many, 90 when absent"),
    reason,
  })
  .refine(({ scope, flags }) => scope === "kill" || flags === undefined, {
    error: '"flags" is for tokens of the scope "kill" alone; leave it out, or choose that scope',
    path: ["flags"],
  });
export const rotateToken = z.strictObject({
  oldHours: z
    .int()
    .min(0)
    .max(OLD_HOURS_MAX)
    .optional()
    .describe("the token before ends after so many hours, at once with 0; it holds until it is revoked or over when absent"),
  days: days.describe("the new token ends after so many; when absent it holds as long as the one before was made for"),
  reason,
});
export const tokenQuery = z.object({ reason });

export const token = z.object({
  id: z.number(),
  name: z.string(),
  kind: tokenKind,
  scope: tokenScope,
  project: z.string().nullable(),
  environment: z.string().nullable(),
  flags: z.array(z.string()).nullable(),
  selector: z.string().describe("the part of its text that is no secret: by it a token is known again, also in the audit"),
  createdAt: z.number(),
  createdBy: z.string().describe("whose it is, or who answers for it"),
  expiresAt: z.number(),
  lastUsedAt: z.number().nullable().describe("to a few minutes"),
  may: z.array(z.enum(["rotate", "revoke"])).describe("what the caller may do with it"),
});
export const tokenCreated = token.extend({ token: z.string().describe("shown once; only its hash is kept") });
export const tokenList = z.object({ tokens: z.array(token) });
