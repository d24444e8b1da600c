import type { Context } from "hono";
import type { Session } from "../api-types.ts";
import { problem } from "../errors.ts";
import { type ApiEnv, answer, apiRoute, body, createApi, type Identity, unauthenticated } from "../http/route.ts";
import type { StoredGrant } from "../store/define.ts";
import type { Store } from "../store/store.ts";
import { accessOf } from "./access.ts";
import type { Auth, SignedIn } from "./auth.ts";
import { checkOrigin, fromOf, originOf } from "./from.ts";
import { mayGrantSomething } from "./permissions.ts";
import { namedRoles } from "./role-names.ts";
import * as schema from "./schema.ts";
import { SESSION_MS_MAX } from "./sessions.ts";

export interface AuthRoutesDeps {
  readonly auth: Auth;
  readonly store: Pick<Store, "projects">;
  /** Told by `GET /api/v1/session`: the program's version, and which SQLite driver is open. */
  readonly version: string;
  readonly sqlite: string;
  /** The address that a request came from, for the limits on failed attempts. */
  readonly addressOf: (c: Context) => string;
}

const none = { description: "done" };

/** First account, sessions and one-time links. */
export function authRoutes({ auth, store, version, sqlite, addressOf }: AuthRoutesDeps) {
  const api = createApi();
  function sessionOf(identity: Identity): Session {
    const { name, grants, limit } = identity;
    const may = accessOf(identity, store).actions();
    const roles = namedRoles(store, limit ? [limit] : grants);
    return { user: { name }, roles, may, mayGrant: mayGrantSomething(identity), version, sqlite };
  }
  function setCookie(c: Context<ApiEnv>, { secret }: SignedIn): void {
    c.header("set-cookie", auth.cookie.set(secret, SESSION_MS_MAX / 1000));
  }

  api.openapi(
    apiRoute("none", {
      method: "get",
      path: "/api/v1/setup",
      summary: "Whether the first account is still to be named",
      responses: { 200: answer(schema.setupStatus, "the status") },
    }),
    async (c) => c.json({ needed: await auth.setupNeeded() }, 200),
  );

  api.openapi(
    apiRoute("none", {
      method: "post",
      path: "/api/v1/setup",
      summary: "Makes the first account and signs in",
      request: { body: body(schema.setup) },
      responses: { 201: answer(schema.session, "signed in") },
    }),
    async (c) => {
      checkOrigin(c, auth.publicUrl);
      const { token, name, password } = c.req.valid("json");
      const signedIn = await auth.setUp(token, name, password, fromOf(c, addressOf));
      setCookie(c, signedIn);
      return c.json(sessionOf(signedIn.identity), 201);
    },
  );

  api.openapi(
    apiRoute("none", {
      method: "post",
      path: "/api/v1/session",
      summary: "Signs in by name and password, or by a one-time link",
      request: { body: body(schema.signIn) },
      responses: { 200: answer(schema.session, "signed in") },
    }),
    async (c) => {
      checkOrigin(c, auth.publicUrl);
      const given = c.req.valid("json");
      const from = fromOf(c, addressOf);
      const signedIn = "link" in given ? await auth.signInByLink(given.link, from) : await auth.signIn(given.name, given.password, from);
      setCookie(c, signedIn);
      return c.json(sessionOf(signedIn.identity), 200);
    },
  );

  api.openapi(
    apiRoute("none", {
      method: "get",
      path: "/api/v1/session",
      summary: "Who is signed in",
      responses: { 200: answer(schema.session, "the session") },
    }),
    (c) => c.json(sessionOf(caller(c)), 200),
  );

  api.openapi(
    apiRoute("none", { method: "delete", path: "/api/v1/session", summary: "Signs out", responses: { 204: none } }),
    async (c) => {
      const secret = auth.cookie.read(c.req.header("cookie"));
      if (caller(c).via !== "session" || secret === undefined) {
        throw problem("BAD_REQUEST", "A token has no session to end; revoke it instead.");
      }
      await auth.signOut(secret, originOf(c));
      c.header("set-cookie", auth.cookie.clear());
      return c.body(null, 204);
    },
  );

  api.openapi(
    apiRoute("none", {
      method: "post",
      path: "/api/v1/invitations/preview",
      summary: "What the link of an invitation offers",
      request: { body: body(schema.previewInvitation) },
      responses: { 200: answer(schema.offer, "an account of one's own, or a new password") },
    }),
    async (c) => {
      const { grants, ...offer } = await auth.previewInvitation(c.req.valid("json").token, fromOf(c, addressOf));
      return c.json({ ...offer, roles: namedRoles<StoredGrant["role"], StoredGrant>(store, grants) }, 200);
    },
  );

  api.openapi(
    apiRoute("none", {
      method: "post",
      path: "/api/v1/invitations/accept",
      summary: "Uses an invitation: makes the account, or sets its new password, and signs in",
      request: { body: body(schema.acceptInvitation) },
      responses: { 201: answer(schema.session, "signed in") },
    }),
    async (c) => {
      checkOrigin(c, auth.publicUrl);
      const { token, name, password } = c.req.valid("json");
      const signedIn = await auth.acceptInvitation(token, name, password, fromOf(c, addressOf));
      setCookie(c, signedIn);
      return c.json(sessionOf(signedIn.identity), 201);
    },
  );

  api.openapi(
    apiRoute("own", {
      method: "post",
      path: "/api/v1/sign-in-links",
      summary: "Makes a one-time link that signs the caller's own account in, for 15 minutes",
      responses: { 201: answer(schema.signInLink, "the link") },
    }),
    async (c) => c.json(await auth.createSignInLink(caller(c), originOf(c)), 201),
  );

  return api;
}

/** Who calls. Throws why nobody does. */
function caller(c: Context<ApiEnv>): Identity {
  const identity: Identity | undefined = c.get("identity");
  if (!identity) throw c.get("refusal") ?? unauthenticated();
  return identity;
}
