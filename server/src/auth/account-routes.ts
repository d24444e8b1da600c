import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Account, Invitation } from "../api-types.ts";
import { problem } from "../errors.ts";
import { type ApiEnv, answer, apiRoute, authorOf, body, createApi, type Identity } from "../http/route.ts";
import type { StoredGrant } from "../store/define.ts";
import type { Store } from "../store/store.ts";
import type { StoredAccount } from "./accounts.ts";
import type { Auth } from "./auth.ts";
import { fromOf, originOf } from "./from.ts";
import { EVERYTHING, may, mayGrant } from "./permissions.ts";
import { namedRoles, storedRole } from "./role-names.ts";
import * as schema from "./schema.ts";

const none = { description: "done" };
const number = z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER);
const named = z.object({ account: z.string().max(100) });
const optional = { ...body(schema.reasonOnly), required: false };

const listRoute = apiRoute("grant", {
  method: "get",
  path: "/api/v1/accounts",
  summary: "People and their roles, where the caller may give roles",
  responses: { 200: answer(schema.accountList, "by name") },
});
const giveRoute = apiRoute("grant", {
  method: "post",
  path: "/api/v1/accounts/{account}/roles",
  summary: "Gives a role; it takes the place of the one at the same place",
  request: { params: named, body: body(schema.giveRoleBody) },
  responses: { 200: answer(schema.account, "the account as it is now") },
});
const takeRoute = apiRoute("grant", {
  method: "delete",
  path: "/api/v1/accounts/{account}/roles/{id}",
  summary: "Takes a role away",
  request: { params: named.extend({ id: number }), query: schema.reasonQuery },
  responses: { 204: none },
});
const patchRoute = apiRoute("admin", {
  method: "patch",
  path: "/api/v1/accounts/{account}",
  summary: "Disables an account, which ends its sessions and personal tokens, or enables it again",
  request: { params: named, body: body(schema.patchAccount) },
  responses: { 200: answer(schema.account, "the account as it is now") },
});
const deleteRoute = apiRoute("admin", {
  method: "delete",
  path: "/api/v1/accounts/{account}",
  summary: "Deletes an account with its roles, sessions and personal tokens",
  request: { params: named, query: schema.reasonQuery },
  responses: { 204: none },
});
const resetRoute = apiRoute("admin", {
  method: "post",
  path: "/api/v1/accounts/{account}/reset-link",
  summary: "Makes a link with which somebody who lost their password sets a new one, within a day",
  request: { params: named, body: optional },
  responses: { 201: answer(schema.resetLink, "the link") },
});
const invitationsRoute = apiRoute("grant", {
  method: "get",
  path: "/api/v1/invitations",
  summary: "Open invitations that the caller could have made",
  responses: { 200: answer(schema.invitationList, "newest first") },
});
const inviteRoute = apiRoute("grant", {
  method: "post",
  path: "/api/v1/invitations",
  summary: "Makes a link with which somebody makes an account that has these roles, within seven days",
  request: { body: body(schema.createInvitation) },
  responses: { 201: answer(schema.invitationCreated, "the invitation; its link is in this answer only") },
});
const revokeRoute = apiRoute("grant", {
  method: "delete",
  path: "/api/v1/invitations/{id}",
  summary: "Takes an invitation back",
  request: { params: z.object({ id: number }), query: schema.reasonQuery },
  responses: { 204: none },
});
const sessionsRoute = apiRoute("own", {
  method: "get",
  path: "/api/v1/sessions",
  summary: "Where the caller is signed in",
  responses: { 200: answer(schema.ownSessions, "newest first") },
});
const endSessionRoute = apiRoute("own", {
  method: "delete",
  path: "/api/v1/sessions/{id}",
  summary: "Ends one of the caller's sessions",
  request: { params: z.object({ id: z.string().max(64) }) },
  responses: { 204: none },
});
const passwordRoute = apiRoute("own", {
  method: "post",
  path: "/api/v1/password",
  summary: "Changes the caller's password, which ends all their other sessions",
  request: { body: body(schema.changePassword) },
  responses: { 204: none },
});

export interface AccountRoutesDeps {
  readonly auth: Auth;
  readonly store: Pick<Store, "projects">;
  readonly addressOf: (c: Context) => string;
}

/** People, their roles, invitations, and what everybody does with their own account. */
export function accountRoutes({ auth, store, addressOf }: AccountRoutesDeps): OpenAPIHono<ApiEnv> {
  const { accounts, invitations, sessions, publicUrl } = auth;
  const api = createApi();
  const linkOf = (secret: string) => `${publicUrl}/invitation#token=${secret}`;

  /** What the caller is to see of an account: the roles that they may take away. */
  function shown({ name, createdAt, seenAt, disabledAt, grants, id }: StoredAccount, identity: Identity): Account {
    const roles = namedRoles<StoredGrant["role"], StoredAccount["grants"][number]>(
      store,
      grants.filter((one) => mayGrant(identity, one)),
    );
    return { name, createdAt, seenAt, disabled: disabledAt !== null, roles, self: id === identity.accountId };
  }
  const shownInvitation = (row: {
    id: number;
    note: string;
    grants: readonly StoredGrant[];
    createdAt: number;
    by: string;
    expiresAt: number;
  }): Invitation => {
    const { id, note, grants, createdAt, by, expiresAt } = row;
    return { id, note, roles: namedRoles<StoredGrant["role"], StoredGrant>(store, grants), createdAt, by, expiresAt };
  };

  api.openapi(listRoute, async (c) => {
    const { identity } = c.var;
    const all = (await accounts.list()).map((one) => shown(one, identity));
    const seesAll = may(identity, "admin", EVERYTHING);
    return c.json({ accounts: all.filter(({ roles }) => seesAll || roles.length > 0) }, 200);
  });
  api.openapi(giveRoute, async (c) => {
    const { account } = c.req.valid("param");
    const { reason, ...role } = c.req.valid("json");
    demandPerson(c.var.identity);
    await accounts.give(c.var.identity, account, storedRole(c.var.access, role), { ...authorOf(c), reason });
    return c.json(shown(await accounts.find(account), c.var.identity), 200);
  });
  api.openapi(takeRoute, async (c) => {
    const { account, id } = c.req.valid("param");
    demandPerson(c.var.identity);
    await accounts.take(c.var.identity, account, id, { ...authorOf(c), reason: c.req.valid("query").reason });
    return c.body(null, 204);
  });
  api.openapi(patchRoute, async (c) => {
    const { account } = c.req.valid("param");
    const { disabled, reason } = c.req.valid("json");
    demandPerson(c.var.identity);
    await accounts.setDisabled(account, disabled, { ...authorOf(c), reason });
    return c.json(shown(await accounts.find(account), c.var.identity), 200);
  });
  api.openapi(deleteRoute, async (c) => {
    demandPerson(c.var.identity);
    const author = { ...authorOf(c), reason: c.req.valid("query").reason };
    await accounts.remove(c.req.valid("param").account, c.var.identity.accountId, author);
    return c.body(null, 204);
  });
  api.openapi(resetRoute, async (c) => {
    demandPerson(c.var.identity);
    const author = { ...authorOf(c), reason: c.req.valid("json")?.reason };
    const { secret, expiresAt } = await invitations.createReset(c.req.valid("param").account, author);
    return c.json({ url: linkOf(secret), expiresAt }, 201);
  });
  api.openapi(invitationsRoute, async (c) => {
    return c.json({ invitations: (await invitations.list(c.var.identity)).map(shownInvitation) }, 200);
  });
  api.openapi(inviteRoute, async (c) => {
    const { roles, note, reason } = c.req.valid("json");
    const voucher = demandPerson(c.var.identity);
    const grants = roles.map((role) => storedRole(c.var.access, role));
    const by = await accounts.nameOf(voucher);
    const { secret, ...link } = await invitations.create(c.var.identity, by, { grants, note }, { ...authorOf(c), reason });
    return c.json({ ...shownInvitation({ ...link, note, grants, by }), url: linkOf(secret) }, 201);
  });
  api.openapi(revokeRoute, async (c) => {
    const author = { ...authorOf(c), reason: c.req.valid("query").reason };
    await invitations.revoke(c.var.identity, c.req.valid("param").id, author);
    return c.body(null, 204);
  });

  api.openapi(sessionsRoute, async (c) => {
    const secret = auth.cookie.read(c.req.header("cookie"));
    return c.json({ sessions: await sessions.list(demandPerson(c.var.identity), secret) }, 200);
  });
  api.openapi(endSessionRoute, async (c) => {
    const { name } = c.var.identity;
    if (c.var.identity.via !== "session")
      throw problem("FORBIDDEN", "A token ends no sessions; sign in and end them on the page of your account.");
    await sessions.endOne({ id: c.var.identity.accountId, name }, c.req.valid("param").id, originOf(c));
    return c.body(null, 204);
  });
  api.openapi(passwordRoute, async (c) => {
    const secret = auth.cookie.read(c.req.header("cookie")) ?? "";
    await auth.changePassword(c.var.identity, c.req.valid("json"), secret, fromOf(c, addressOf));
    return c.body(null, 204);
  });

  return api;
}

/** The account behind the caller. A token for a service is nobody's: it lets nobody in and gives nobody rights. Throws FORBIDDEN. */
function demandPerson({ via, limit, accountId }: Identity): number {
  if (via === "session" || limit) return accountId;
  throw problem("FORBIDDEN", "A token for a service changes nothing about people; sign in, or use a personal token.");
}
