import { createHmac, randomBytes } from "node:crypto";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { z } from "zod";
import type { Flag, FlagList, FlagWritten, Problem as ProblemBody, ProjectList, Receipt } from "../api-types.ts";
import type { Auth } from "../auth/auth.ts";
import { fromOf } from "../auth/from.ts";
import { CSRF_HEADER, crossOriginRefusal } from "../auth/origin.ts";
import { sameHash } from "../auth/secrets.ts";
import { SESSION_MS_MAX } from "../auth/sessions.ts";
import { asProblem, Problem, problem } from "../errors.ts";
import type { ApiEnv } from "../http/route.ts";
import { address, confirmPage, type Frame, failurePage, type Html, listPage, type Place, page, receiptPage, signInPage } from "./pages.ts";

export interface KillPageDeps {
  readonly auth: Auth;
  /** Asks the HTTP API of this server: the page can do nothing that the API does not offer. */
  readonly api: (path: string, init: RequestInit) => Promise<Response>;
  readonly addressOf: (c: Context) => string;
}

const FORM_BYTES_MAX = 16 * 1024;
const ROWS_MAX = 100;
/** How long a request of the receipt waits for programs, so that a page is there within a second, and how often it asks again by itself: 10 s in all. */
const RECEIPT_WAIT_MS = 500;
const REFRESH_SECONDS = 1;
const REFRESHES_MAX = 6;

const verb = z.enum(["kill", "restore"]);
const text = (charactersMax: number) => z.string().max(charactersMax);
const target = z.object({ project: text(100), environment: text(100), flag: text(100), do: verb });
const doForm = target.extend({ csrf: text(100), reason: text(500) });
const signInForm = z.object({ name: text(100), password: text(128), next: text(2_000).optional() });
const receiptQuery = target.extend({
  revision: z.coerce.number().int().min(0),
  changed: z.enum(["yes", "no"]),
  seen: z.coerce.number().int().min(0).max(100).optional(),
});

interface Session {
  readonly name: string;
  readonly csrf: string;
  readonly cookie: string;
}

/** `/kill`: plain HTML without JavaScript, for a phone at three in the morning. Each step is a page; writes are POST, then a redirect. */
export function killPage({ auth, api, addressOf }: KillPageDeps) {
  const app = new Hono<ApiEnv>();

  async function sessionOf(c: Context<ApiEnv>): Promise<Session | undefined> {
    const cookie = c.req.header("cookie");
    const secret = auth.cookie.read(cookie);
    if (cookie === undefined || secret === undefined) return undefined;
    const { identity } = await auth.identify("GET", (name) => (name === "cookie" ? cookie : undefined));
    return identity && { name: identity.name, csrf: csrfOf(secret), cookie };
  }

  /** The answer of the API, or its problem thrown. */
  async function ask<T>(session: Session, path: string, body?: object): Promise<T> {
    const headers: Record<string, string> = { cookie: session.cookie };
    // The form's own check has been made; towards the API this request comes from this server.
    if (body) Object.assign(headers, { "content-type": "application/json", "sec-fetch-site": "same-origin", [CSRF_HEADER]: "1" });
    const answer = await api(path, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
    if (answer.ok) return (await answer.json()) as T;
    const { code, detail } = (await answer.json()) as ProblemBody;
    throw new Problem(code as Problem["code"], detail);
  }

  async function places(session: Session): Promise<ProjectList["projects"]> {
    return (await ask<ProjectList>(session, "/api/v1/projects")).projects;
  }

  async function placeOf(session: Session, wanted: { project: string; environment: string }): Promise<Place> {
    for (const project of await places(session)) {
      for (const environment of project.environments) {
        if (project.key === wanted.project && environment.key === wanted.environment) return { project, environment };
      }
    }
    throw problem("ENVIRONMENT_NOT_FOUND", `There is no environment "${wanted.environment}" in the project "${wanted.project}".`);
  }

  app.use("/kill/*", async (c, next) => {
    await next();
    // With no-referrer a browser would send forms with "Origin: null", which cannot be told from another site's.
    c.res.headers.set("referrer-policy", "same-origin");
    c.res.headers.set("cache-control", "no-store");
  });
  app.use(
    "/kill/*",
    bodyLimit({
      maxSize: FORM_BYTES_MAX,
      onError: () => {
        throw problem("BODY_TOO_LARGE", `A form has at most ${FORM_BYTES_MAX} bytes.`);
      },
    }),
  );
  app.onError((error, c) => {
    const failure = asProblem(error);
    return show(c, { title: "Failed" }, failurePage(failure.message), failure.status);
  });

  app.get("/kill", async (c) => {
    const session = await sessionOf(c);
    if (!session) return askToSignIn(c);
    const projects = await places(session);
    const wanted = { project: c.req.query("project"), environment: c.req.query("environment") };
    // A link that names only the environment means the first project: it must never show another environment than it names.
    const place =
      wanted.project || wanted.environment
        ? await placeOf(session, {
            project: wanted.project ?? firstPlace(projects).project.key,
            environment: wanted.environment ?? firstPlace(projects).environment.key,
          })
        : firstPlace(projects);
    const search = (c.req.query("search") ?? "").slice(0, 100);
    const query = `search=${encodeURIComponent(search)}&limit=${ROWS_MAX}`;
    const { flags, matching } = await ask<FlagList>(session, `${pathOf(place)}/flags?${query}`);
    const content = { place, projects, search, flags, more: matching - flags.length };
    return show(c, { title: `Kill - ${place.environment.key}`, place, signedIn: session }, listPage(content));
  });

  app.get("/kill/confirm", async (c) => {
    const session = await sessionOf(c);
    if (!session) return askToSignIn(c);
    const query = parse(target, c.req.query());
    const place = await placeOf(session, query);
    const flag = await ask<Flag>(session, `${pathOf(place)}/flags/${encodeURIComponent(query.flag)}`);
    const title = `${query.do} ${flag.key} in ${place.environment.key}?`;
    return show(c, { title, place, signedIn: session }, confirmPage({ place, flag, verb: query.do, csrf: session.csrf }));
  });

  app.post("/kill/do", async (c) => {
    const session = await sessionOf(c);
    if (!session) return askToSignIn(c);
    const form = parse(doForm, await formOf(c));
    checkForm(c, session, form.csrf);
    const place = await placeOf(session, form);
    const reason = form.reason.trim();
    const written = await ask<FlagWritten>(
      session,
      `${pathOf(place)}/flags/${encodeURIComponent(form.flag)}/${form.do}`,
      reason ? { reason } : {},
    );
    return c.redirect(
      address("/kill/receipt", place, {
        flag: written.flag.key,
        do: form.do,
        revision: String(written.revision),
        changed: written.changed ? "yes" : "no",
      }),
      303,
    );
  });

  app.get("/kill/receipt", async (c) => {
    const session = await sessionOf(c);
    if (!session) return askToSignIn(c);
    const { seen = 0, revision, changed, flag, do: done, ...query } = parse(receiptQuery, c.req.query());
    const place = await placeOf(session, query);
    const receipt = changed === "yes" ? await receiptOf(session, place, revision) : undefined;
    const waiting = receipt !== undefined && !receipt.complete && seen < REFRESHES_MAX;
    const again = { flag, do: done, revision: String(revision), changed, seen: String(seen + 1) };
    const refresh = waiting ? { seconds: REFRESH_SECONDS, url: address("/kill/receipt", place, again) } : undefined;
    return show(
      c,
      { title: `${flag} in ${place.environment.key}`, place, signedIn: session, refresh },
      receiptPage({ place, flag, verb: done, changed: changed === "yes", revision, receipt, waiting }),
    );
  });

  /** Undefined when it is not kept any more. */
  async function receiptOf(session: Session, place: Place, revision: number): Promise<Receipt | undefined> {
    try {
      return await ask<Receipt>(session, `${pathOf(place)}/revisions/${revision}/receipt?waitMs=${RECEIPT_WAIT_MS}`);
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return undefined;
      throw error;
    }
  }

  app.post("/kill/sign-in", async (c) => {
    const refusal = crossOriginRefusal((name) => c.req.header(name), auth.publicUrl);
    if (refusal) throw refusal;
    const form = parse(signInForm, await formOf(c));
    try {
      const { secret } = await auth.signIn(form.name, form.password, fromOf(c, addressOf));
      c.header("set-cookie", auth.cookie.set(secret, SESSION_MS_MAX / 1000));
      return c.redirect(ownPath(form.next), 303);
    } catch (error) {
      const failure = asProblem(error);
      if (failure.status >= 500) throw error;
      for (const [name, value] of Object.entries(failure.extra.headers ?? {})) c.header(name, value);
      const content = { name: form.name, next: ownPath(form.next), failure: failure.message, setupNeeded: false };
      return show(c, { title: "Sign in" }, signInPage(content), failure.status);
    }
  });

  app.post("/kill/sign-out", async (c) => {
    const session = await sessionOf(c);
    if (session) {
      checkForm(c, session, parse(z.object({ csrf: text(100) }), await formOf(c)).csrf);
      await auth.signOut(auth.cookie.read(session.cookie) ?? "");
    }
    c.header("set-cookie", auth.cookie.clear());
    return c.redirect("/kill", 303);
  });

  async function askToSignIn(c: Context<ApiEnv>): Promise<Response> {
    const { pathname, search } = new URL(c.req.url);
    const next = c.req.method === "GET" ? ownPath(pathname + search) : "/kill";
    return show(c, { title: "Sign in" }, signInPage({ name: "", next, setupNeeded: await auth.setupNeeded() }));
  }

  function checkForm(c: Context<ApiEnv>, session: Session, csrf: string): void {
    const refusal = crossOriginRefusal((name) => c.req.header(name), auth.publicUrl);
    if (refusal) throw refusal;
    if (!sameHash(csrf, session.csrf))
      throw problem("CROSS_ORIGIN", "The form is not from this session; load the page again and repeat it.");
  }

  return app;
}

function show(c: Context<ApiEnv>, frame: Omit<Frame, "nonce">, content: Html, status = 200): Response | Promise<Response> {
  const nonce = randomBytes(16).toString("base64");
  c.header(
    "content-security-policy",
    `default-src 'none'; style-src 'nonce-${nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  );
  c.status(status as Parameters<typeof c.status>[0]);
  return c.html(page({ ...frame, nonce }, content));
}

/** Derived from the session's secret, which no other site knows; nothing more is stored. */
function csrfOf(secret: string): string {
  return createHmac("sha256", secret).update("forms of /kill").digest("base64url");
}

async function formOf(c: Context): Promise<unknown> {
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(c.req.header("content-type") ?? "")) {
    throw problem("UNSUPPORTED_CONTENT_TYPE", "This page takes its own forms only.");
  }
  return c.req.parseBody();
}

function parse<S extends z.ZodType>(schema: S, given: unknown): z.output<S> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join(".") ?? "";
  throw problem("VALIDATION_FAILED", `The address or form has a wrong or missing field "${field}"; start again from the list.`);
}

/** Production first, where the reader may kill: this page is for incidents. The band and the confirming page name it. */
function firstPlace(projects: ProjectList["projects"]): Place {
  const all = projects.flatMap((project) => project.environments.map((environment) => ({ project, environment })));
  const killable = all.filter(({ environment }) => environment.may.includes("kill"));
  const place = killable.find(({ environment }) => environment.production) ?? killable[0] ?? all[0];
  if (!place) throw problem("ENVIRONMENT_NOT_FOUND", "There is no environment that you may see: ask an admin for a role.");
  return place;
}

function pathOf({ project, environment }: Place): string {
  return `/api/v1/projects/${encodeURIComponent(project.key)}/environments/${encodeURIComponent(environment.key)}`;
}

/** Where to go after signing in: only pages of `/kill`, so that the form sends nobody elsewhere. */
function ownPath(next: string | undefined): string {
  return next && /^\/kill(\/(confirm|receipt))?(\?[^\\\s]*)?$/.test(next) ? next : "/kill";
}
