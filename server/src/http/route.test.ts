import { z } from "@hono/zod-openapi";
import { describe, expect, it } from "vitest";
import type { Grant } from "../auth/permissions.ts";
import { problem } from "../errors.ts";
import { apiRoute, createApi, type RouteAction } from "./route.ts";
import { callerWith } from "./test-caller.ts";

const NO_PROJECTS = { projects: () => [] };

function api(action: RouteAction, role?: Grant["role"]) {
  const app = createApi();
  app.use(async (c, next) => {
    c.set("requestId", "r1");
    await next();
  });
  if (role) app.use(callerWith(NO_PROJECTS, "ana", [{ role, projectId: null, environmentId: null }]));
  app.openapi(
    apiRoute(action, {
      method: "post",
      path: "/things/{thing}",
      request: {
        params: z.object({ thing: z.string().max(3) }),
        body: { content: { "application/json": { schema: z.strictObject({ size: z.int() }) } } },
      },
      responses: {
        200: { description: "done", content: { "application/json": { schema: z.object({ by: z.string(), size: z.number() }) } } },
      },
    }),
    (c) => {
      const { size } = c.req.valid("json");
      if (size === 13) throw problem("CONFLICT", "13 is taken.");
      if (size === 14) throw new Error("secret of the database");
      return c.json({ by: c.get("identity")?.name ?? "nobody", size }, 200);
    },
  );
  return (body: string | undefined, headers: Record<string, string> = { "content-type": "application/json" }, thing = "a") =>
    app.request(`/things/${thing}`, { method: "POST", headers, ...(body === undefined ? {} : { body }) });
}

const code = async (answer: Response | Promise<Response>) => {
  const { status, code } = (await (await answer).json()) as { status: number; code: string };
  return `${status} ${code}`;
};

describe("apiRoute", () => {
  it.each<[RouteAction, Grant["role"], boolean]>([
    ["read", "kill", true],
    ["kill", "kill", true],
    ["restore", "kill", false],
    ["edit", "kill", false],
    ["admin", "kill", false],
    ["own", "kill", true],
    ["list", "kill", true],
    ["grant", "releaser", false],
    ["grant", "admin", true],
    ["edit", "editor", false],
    ["edit", "releaser", true],
    ["restore", "operator", true],
    ["edit", "operator", false],
    ["admin", "operator", false],
    ["edit", "admin", true],
    ["admin", "admin", true],
  ])("for the action %s and the role %s everywhere allows: %s", async (action, role, allowed) => {
    const answer = await api(action, role)('{"size":1}');
    expect(answer.status).toBe(allowed ? 200 : 403);
  });

  it("refuses before it reads the input when nobody is signed in", async () => {
    expect(await code(api("read")("{"))).toBe("401 UNAUTHENTICATED");
  });

  it("is open with the action none", async () => {
    expect(await (await api("none")('{"size":1}')).json()).toEqual({ by: "nobody", size: 1 });
  });

  it.each([
    ["malformed JSON", "{", "400 MALFORMED_JSON"],
    ["an absent body", undefined, "400 MALFORMED_JSON"],
    ["a wrong type", '{"size":"1"}', "400 VALIDATION_FAILED"],
    ["an unknown field", '{"size":1,"admin":true}', "422 UNKNOWN_PROPERTY"],
    ["null", "null", "400 VALIDATION_FAILED"],
    ["a thrown problem", '{"size":13}', "409 CONFLICT"],
    ["an unexpected error", '{"size":14}', "500 INTERNAL"],
  ])("answers %s with a problem", async (_, body, expected) => {
    expect(await code(api("none")(body))).toBe(expected);
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])("refuses the content type %s", async (type) => {
    expect(await code(api("none")('{"size":1}', { "content-type": type, "content-length": "10" }))).toBe("415 UNSUPPORTED_CONTENT_TYPE");
  });

  it("refuses a body without a declared type and length too", async () => {
    expect((await api("none")('{"size":1}', {})).status).toBeGreaterThanOrEqual(400);
  });

  it("names each field that does not fit", async () => {
    const answer = await api("none")('{"size":1.5,"admin":true}');
    expect(await answer.json()).toMatchObject({ requestId: "r1", issues: [{ path: "admin" }, { path: "size" }] });
  });

  it("tells nothing of an unexpected error", async () => {
    expect(await (await api("none")('{"size":14}')).text()).not.toContain("secret");
  });

  it("refuses a parameter that does not fit", async () => {
    expect(await code(api("none")('{"size":1}', undefined, "abcdef"))).toBe("400 VALIDATION_FAILED");
  });
});
