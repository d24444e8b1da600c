import { z } from "@hono/zod-openapi";

export const accountName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/, "a name is 1 to 100 letters, digits, dots, dashes, underscores, plus or at signs");
export const password = z.string().min(12, "a password has at least 12 characters").max(128);
export const setupStatus = z.object({ needed: z.boolean() });
export const setup = z.strictObject({ token: z.string().max(200), name: accountName, password });
/** Either a name with a password, or the token of a one-time sign-in link. */
export const signIn = z.union([
  z.strictObject({ name: z.string().max(100), password: z.string().max(128) }),
  z.strictObject({ link: z.string().max(200) }),
]);
export const session = z.object({
  user: z.object({ name: z.string() }),
  version: z.string(),
  sqlite: z.string().describe("which driver is open"),
});
export const signInLink = z.object({ url: z.string(), expiresAt: z.number() });

/** What a token may do: everything its maker may, or list, show, kill and restore only, or kill only. */
export const tokenScope = z.enum(["admin", "releaser", "editor", "operator", "viewer", "kill"]);
export const createToken = z.strictObject({
  name: z.string().min(1).max(100),
  scope: tokenScope,
  days: z.int().min(1).max(365).optional(),
});
export const token = z.object({
  id: z.number(),
  name: z.string(),
  scope: tokenScope,
  createdAt: z.number(),
  createdBy: z.string(),
  expiresAt: z.number(),
  lastUsedAt: z.number().nullable(),
});
export const tokenCreated = token.extend({ token: z.string().describe("shown once; only its hash is kept") });
export const tokenList = z.object({ tokens: z.array(token) });

/** Every error of the API: problem+json. */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  code: z.string(),
  detail: z.string(),
  requestId: z.string(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  current: z.unknown().optional().describe("with 412: the resource as it is now"),
});
