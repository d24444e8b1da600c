import { z } from "@hono/zod-openapi";
import { ACTIONS } from "./permissions.ts";

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
export const role = z.enum(["viewer", "editor", "releaser", "operator", "admin"]);
const reason = z.string().trim().min(1).max(500).optional().describe("for the audit");
/** A role at a place: everywhere without a project, in all environments of the project without an environment. */
const place = { project: z.string().nullable(), environment: z.string().nullable() };
export const heldRole = z.object({ role, ...place });
export const giveRole = z.strictObject({
  role,
  project: z.string().max(100).nullable().default(null),
  environment: z.string().max(100).nullable().default(null),
});

export const session = z.object({
  user: z.object({ name: z.string() }),
  roles: z.array(z.object({ role: z.enum([...role.options, "kill"]), ...place })).describe("what the caller holds"),
  may: z.array(z.enum(ACTIONS)).describe("what the caller may do on the whole server; of each place the list of projects tells"),
  mayGrant: z.boolean().describe("whether there is a place where the caller may give roles"),
  version: z.string(),
  sqlite: z.string().describe("which driver is open"),
});
export const signInLink = z.object({ url: z.string(), expiresAt: z.number() });

export const account = z.object({
  name: z.string(),
  createdAt: z.number(),
  seenAt: z.number().nullable(),
  disabled: z.boolean(),
  roles: z.array(heldRole.extend({ id: z.number() })).describe("those that the caller may take away"),
  self: z.boolean().describe("the caller's own"),
});
export const accountList = z.object({ accounts: z.array(account) });
export const giveRoleBody = giveRole.extend({ reason });
export const patchAccount = z.strictObject({ disabled: z.boolean(), reason });
export const reasonOnly = z.strictObject({ reason });
export const reasonQuery = z.object({ reason });

const ROLES_MAX = 50;
export const invitation = z.object({
  id: z.number(),
  note: z.string(),
  roles: z.array(heldRole),
  createdAt: z.number(),
  by: z.string(),
  expiresAt: z.number(),
});
export const invitationList = z.object({ invitations: z.array(invitation) });
export const createInvitation = z.strictObject({
  roles: z.array(giveRole).min(1).max(ROLES_MAX),
  note: z.string().trim().max(200).default("").describe("whom it is for; seen by admins only"),
  reason,
});
export const invitationCreated = invitation.extend({ url: z.string().describe("shown once; only its hash is kept") });
export const resetLink = z.object({ url: z.string().describe("shown once; only its hash is kept"), expiresAt: z.number() });
export const previewInvitation = z.strictObject({ token: z.string().max(200) });
export const offer = z.object({
  account: z.string().nullable().describe("whose password it sets; null for an account that is still to be named"),
  by: z.string(),
  expiresAt: z.number(),
  roles: z.array(heldRole),
});
export const acceptInvitation = z.strictObject({ token: z.string().max(200), name: accountName.optional(), password });

export const ownSession = z.object({
  id: z.string(),
  createdAt: z.number(),
  seenAt: z.number(),
  address: z.string().nullable(),
  agent: z.string().nullable().describe("what the browser calls itself"),
  current: z.boolean().describe("the one that asks"),
});
export const ownSessions = z.object({ sessions: z.array(ownSession) });
export const changePassword = z.strictObject({ old: z.string().max(128), new: password });

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
