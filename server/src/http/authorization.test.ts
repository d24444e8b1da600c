import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ZERO64 } from "@signalbox/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, startServer } from "../app.ts";
import { sessionCookie } from "../auth/cookie.ts";
import { hashOf, newSecret, newToken } from "../auth/secrets.ts";
import { createLog } from "../log.ts";
import { readSettings } from "../settings.ts";
import { tables } from "../store/schema.sqlite.ts";
import { openStore } from "../store/store.ts";
import { mappedRoutes } from "./api-map.ts";

/**
 * Every route of docs/api-map.md, asked by everybody that there can be, of every place, against a table that is written down here a
 * second time. A body of the wrong type is refused behind the check of the caller and before anything is done (415): so nothing is
 * changed, and 415 means that the caller was let in.
 */

const ALL = ["read", "edit", "kill", "restore", "admin"];
const RIGHTS: Record<string, { elsewhere: string[]; production: string[] }> = {
  viewer: { elsewhere: ["read"], production: ["read"] },
  editor: { elsewhere: ["read", "edit", "kill", "restore"], production: ["read"] },
  releaser: { elsewhere: ["read", "edit", "kill", "restore"], production: ["read", "edit", "kill", "restore"] },
  operator: { elsewhere: ["read", "kill", "restore"], production: ["read", "kill", "restore"] },
  admin: { elsewhere: ALL, production: ALL },
  kill: { elsewhere: ["read", "kill"], production: ["read", "kill"] },
};
/** Where a role is held: a part of the path of what it covers. */
const SCOPES = ["", "default", "default/development", "default/production", "other"];
const PLACES = ["default", "default/development", "default/production", "other", "other/harbor", "nowhere", "default/nowhere"];
const EXISTING = ["default", "default/development", "default/production", "other", "other/staging", "other/harbor"];
const KILLABLE = "canary-default";

interface Caller {
  readonly name: string;
  readonly headers: Record<string, string>;
  /** Each must allow what is done. */
  readonly held: readonly { role: string; scope: string; flags?: readonly string[] }[];
}

const lies = (place: string, scope: string) => scope === "" || place === scope || place.startsWith(`${scope}/`);
function can({ held }: Caller, action: string, place: string, flag?: string): boolean {
  return held.every(({ role, scope, flags }) => {
    const rights = RIGHTS[role]?.[place === "" || /\/(production|harbor)$/.test(place) ? "production" : "elsewhere"] ?? [];
    // A route that kills several lets in whoever may kill one of the flags there, and asks for each.
    const killed = flag ?? (place.startsWith("default/") ? KILLABLE : "");
    return lies(place, scope) && rights.includes(action) && !(action === "kill" && flags && !flags.includes(killed));
  });
}
/** One may read something of it. */
const sees = (caller: Caller, place: string) => EXISTING.some((each) => lies(each, place) && can(caller, "read", each));

/** What the answer must be: the code of a refusal, or "in". */
function expected(caller: Caller | undefined, permission: string, place: string | undefined, flag?: string): string {
  if (permission === "none") return "in";
  if (!caller) return "UNAUTHENTICATED";
  if (permission === "own") return "in";
  if (permission === "grant") return ["", ...EXISTING].some((each) => can(caller, "admin", each)) ? "in" : "FORBIDDEN";
  if (place === undefined) return permission === "list" || can(caller, permission, "") ? "in" : "FORBIDDEN";
  const [project = "", environment] = place.split("/");
  if (!EXISTING.includes(project) || !sees(caller, project)) return "PROJECT_NOT_FOUND";
  if (environment && (!EXISTING.includes(place) || !can(caller, "read", place))) return "ENVIRONMENT_NOT_FOUND";
  return permission === "list" || can(caller, permission, place, flag) ? "in" : "FORBIDDEN";
}

let directory: string;
let server: RunningServer;
let callers: Caller[];
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "signalbox-authorization-"));
  const made: ((origin: string) => Caller)[] = [];
  const store = await openStore({ directory });
  await store.transaction(async (tx) => {
    const [other] = await tx.insert(tables.project).values({ key: "other", name: "Other" }).returning();
    for (const [position, key] of ["staging", "harbor"].entries()) {
      const digests = { serverDigest: ZERO64, browserDigest: ZERO64 };
      const head = { key, name: key, production: key === "harbor", color: "green", position, generation: 1, revision: 0, ...digests };
      await tx.insert(tables.environment).values({ ...head, projectId: other?.id ?? 0 });
    }
    const projects = await tx.select().from(tables.project);
    const environments = await tx.select().from(tables.environment);
    const at = (scope: string) => {
      const [project, environment] = scope.split("/");
      const projectId = projects.find(({ key }) => key === project)?.id ?? null;
      const found = environments.find((each) => each.projectId === projectId && each.key === environment);
      return { projectId, environmentId: found?.id ?? null };
    };
    const account = async (name: string, role: string, scope: string): Promise<number> => {
      const [row] = await tx.insert(tables.account).values({ name, passwordHash: "none", createdAt: 1 }).returning();
      const accountId = row?.id ?? 0;
      await tx.insert(tables.grant).values({ accountId, role: role as "viewer", ...at(scope), at: 1, by: "test" });
      return accountId;
    };
    const bySession = async (role: string, scope: string) => {
      const name = `${role} of ${scope || "everything"}`;
      const secret = newSecret();
      const accountId = await account(name, role, scope);
      await tx.insert(tables.session).values({ hash: hashOf(secret), accountId, createdAt: Date.now(), seenAt: Date.now() });
      made.push((origin) => {
        return {
          name,
          headers: { cookie: `${sessionCookie(origin).name}=${secret}`, origin, "x-signalbox-csrf": "1" },
          held: [{ role, scope }],
        };
      });
    };
    const byToken = async (kind: "service" | "personal", accountId: number, held: Caller["held"]) => {
      const last = held.at(-1) ?? { role: "", scope: "" };
      const { selector, text } = newToken(last.role as "kill");
      const row = { selector, hash: hashOf(text), name: "test", scope: last.role as "kill", accountId, kind, ...at(last.scope) };
      const flags = last.flags ?? null;
      await tx.insert(tables.token).values({ ...row, flags, createdAt: 1, expiresAt: Date.now() + 3_600_000, lastUsedAt: Date.now() });
      const name = `${kind} token, ${held.map(({ role, scope }) => `${role} of ${scope || "everything"}`).join(" within ")}${flags ? `, ${flags}` : ""}`;
      made.push(() => ({ name, headers: { authorization: `Bearer ${text}` }, held }));
    };
    for (const scope of SCOPES) for (const role of Object.keys(RIGHTS)) if (role !== "kill") await bySession(role, scope);
    const admin = await account("maker", "admin", "");
    for (const scope of SCOPES) await byToken("service", admin, [{ role: "kill", scope }]);
    await byToken("service", admin, [{ role: "kill", scope: "", flags: [KILLABLE] }]);
    await byToken("personal", admin, [
      { role: "admin", scope: "" },
      { role: "operator", scope: "default/development" },
    ]);
    const editor = await account("editor", "editor", "default");
    await byToken("personal", editor, [
      { role: "editor", scope: "default" },
      { role: "admin", scope: "" },
    ]);
    await tx.insert(tables.meta).values({ key: "accounts-have-grants", value: "yes" });
    const [nothing] = await tx.insert(tables.account).values({ name: "nobody", passwordHash: "none", createdAt: 1 }).returning();
    const secret = newSecret();
    await tx
      .insert(tables.session)
      .values({ hash: hashOf(secret), accountId: nothing?.id ?? 0, createdAt: Date.now(), seenAt: Date.now() });
    made.push((origin) => ({
      name: "an account without a role",
      headers: { cookie: `${sessionCookie(origin).name}=${secret}`, origin, "x-signalbox-csrf": "1" },
      held: [{ role: "none", scope: "" }],
    }));
  });
  await store.close();
  const env = { PORT: "0", SIGNALBOX_DATA: directory, SIGNALBOX_HEARTBEAT: "off" };
  server = await startServer(readSettings(env), { log: createLog(), version: "0.0.0-test" });
  callers = made.map((make) => make(server.url));
  const admin = callerNamed("admin of everything");
  for (const project of ["default", "other"]) {
    const flag = await ask("POST", `/api/v1/projects/${project}/flags`, admin.headers, JSON.stringify({ key: `canary-${project}` }));
    expect(flag.status).toBe(201);
  }
  for (const place of EXISTING.filter((each) => each.includes("/"))) {
    const [project = "", environment = ""] = place.split("/");
    const group = { key: `canary-${environment}`, kind: "list", name: "G", by: "key" };
    const at = `/api/v1/projects/${project}/environments/${environment}/groups`;
    expect((await ask("POST", at, admin.headers, JSON.stringify(group))).status).toBe(201);
  }
});
afterAll(async () => {
  agent.destroy();
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

function callerNamed(name: string): Caller {
  const found = callers.find((each) => each.name === name);
  if (!found) throw new Error(`there is no caller "${name}"`);
  return found;
}

interface Answer {
  readonly status: number;
  readonly code: string;
  readonly text: string;
}

/** With a text as body it is sent as JSON, with "wrong type" as something that no route takes. An endless answer is cut off at its head. */
function ask(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const type = body === "wrong type" ? "text/plain" : "application/json";
    const sent = body === undefined ? {} : { "content-type": type, "content-length": String(Buffer.byteLength(body)) };
    const req = request(server.url + path, { method, agent, headers: { ...headers, ...sent } }, (res) => {
      const { statusCode: status = 0 } = res;
      if (res.headers["content-type"] === "text/event-stream") {
        req.destroy();
        return resolve({ status, code: "", text: "" });
      }
      let text = "";
      res.setEncoding("utf8");
      res.on("data", (part) => {
        text += part;
      });
      res.on("end", () => {
        const code = status >= 400 && text.startsWith("{") ? (JSON.parse(text) as { code: string }).code : "";
        resolve({ status, code, text });
      });
      res.on("error", reject);
    });
    req.on("error", reject);
    req.end(body);
  });
}

/** Runs through all with a few at a time. */
async function each<T>(all: readonly T[], run: (one: T) => Promise<void>): Promise<void> {
  const left = all.values();
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (const one of left) await run(one);
    }),
  );
}

/** Whoever asks every route: each role for one project, which makes it its own or another. The further ones ask one route of each kind. */
const OWN_AND_OTHER = / of (default|other)$|everything, canary|without a role|^personal/;

interface Case {
  /** The first route that needs this at so deep a place. */
  readonly isFirst: boolean;
  readonly method: string;
  readonly path: string;
  readonly permission: string;
  readonly place: string | undefined;
  readonly flag: string | undefined;
}

/** Every route at every place that its path can name. */
function cases(): Case[] {
  const kinds = new Set<string>();
  return mappedRoutes().flatMap(({ route, permission }) => {
    const [method = "", template = ""] = route.split(" ");
    const depth = template.includes("{environment}") ? 2 : template.includes("{project}") ? 1 : 0;
    const kind = `${permission} ${depth}`;
    const isFirst = !kinds.has(kind);
    kinds.add(kind);
    const places = depth === 0 ? [undefined] : PLACES.filter((place) => place.split("/").length === depth);
    const flags = template.includes("{flag}") ? [KILLABLE, ...(permission === "kill" ? ["another"] : [])] : [undefined];
    return places.flatMap((place) =>
      flags.map((flag) => {
        const [project = "", environment = ""] = place?.split("/") ?? [];
        const path = template
          .replace("{project}", project)
          .replace("{environment}", environment)
          .replace("{flag}", flag ?? "")
          .replace(/\{\w+\}/g, "1");
        return { method, path, permission, place, flag, isFirst };
      }),
    );
  });
}

const ENDLESS = /\/receipt\/stream$|^\/api\/v1\/events$/;

describe("every route, for everybody, everywhere", () => {
  it("lets in and refuses as the table of roles says, and never fails", async () => {
    const wrong: string[] = [];
    // What does not exist is answered before any role is looked at, so one of each kind of caller asks for it.
    const asksAll = (caller: Caller | undefined) =>
      !caller || /^(admin of everything|viewer of default|service token, kill of everything)$/.test(caller.name);
    const asked = [undefined, ...callers].flatMap((caller) =>
      cases()
        .filter(({ place }) => asksAll(caller) || !place?.includes("nowhere"))
        .filter(({ isFirst }) => isFirst || !caller || OWN_AND_OTHER.test(caller.name))
        .map((one) => ({ caller, ...one })),
    );
    await each(asked, async ({ caller, method, path, permission, place, flag }) => {
      const want = expected(caller, permission, place, flag);
      // The endless routes take no body; behind the check there is no such revision, or the stream itself.
      const endless = ENDLESS.test(path);
      const { status, code } = await ask(method, path, caller?.headers ?? {}, endless ? undefined : "wrong type");
      const isIn = endless ? status === 200 || code === "REVISION_NOT_FOUND" : status === 415;
      const got = isIn ? "in" : code;
      if (got !== want || status >= 500) wrong.push(`${caller?.name ?? "nobody"}: ${method} ${path} is ${status} ${got}, not ${want}`);
    });
    expect(asked.length).toBeGreaterThan(3_000);
    expect(wrong).toEqual([]);
  }, 120_000);

  it("shows nothing of another project or environment", async () => {
    const wrong: string[] = [];
    const reads = cases().filter(({ method, path }) => method === "GET" && !ENDLESS.test(path) && !path.endsWith("/openapi.json"));
    // What one may read is the same for all roles.
    const readers = callers.filter(({ name }) => /^viewer|^service token|^an account/.test(name));
    const asked = readers.flatMap((caller) => reads.map((one) => ({ caller, ...one })));
    await each(asked, async ({ caller, path }) => {
      const { status, text } = await ask("GET", path, caller.headers);
      if (status >= 500 && status !== 503) wrong.push(`${caller.name}: ${path} is ${status}`);
      // What was asked for comes back in a refusal.
      const told = path.split("/").reduce((rest, part) => (part === "" ? rest : rest.replaceAll(`\\"${part}\\"`, "")), text);
      for (const hidden of EXISTING.filter((there) => !sees(caller, there))) {
        const [project = "", environment] = hidden.split("/");
        const names = environment
          ? [`"${environment}"`, `\\"${environment}\\"`, `canary-${environment}`]
          : [`"${project}"`, `\\"${project}\\"`];
        for (const name of names) {
          // `"production":` is the name of a field.
          if (told.replaceAll('"production":', "").includes(name)) wrong.push(`${caller.name}: GET ${path} tells ${name}: ${text}`);
        }
      }
    });
    expect(wrong).toEqual([]);
  }, 120_000);

  it("answers for what one may not read in the words for what there is not", async () => {
    const hidden = ["admin of default", "releaser of default/production", "an account without a role"].map(callerNamed);
    const places = cases().filter(({ place, path }) => place?.startsWith("other") && !ENDLESS.test(path));
    const wrong: string[] = [];
    const plain = (text: string) => text.replaceAll("nowhere", "other").replace(/"requestId":"[^"]*"/, "");
    await each(
      hidden.flatMap((caller) => places.map((one) => ({ caller, ...one }))),
      async ({ caller, method, path }) => {
        const [there, nowhere] = await Promise.all([
          ask(method, path, caller.headers, "wrong type"),
          ask(method, path.replace("/other", "/nowhere"), caller.headers, "wrong type"),
        ]);
        if (there.status !== 404 || plain(there.text) !== plain(nowhere.text))
          wrong.push(`${caller.name}: ${method} ${path}: ${there.text}`);
      },
    );
    expect(wrong).toEqual([]);
  }, 120_000);
});
