import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

/** "GET /api/v1/tokens admin" for each row of the table in docs/api.md, its shorthands written out. */
function documented(): string[] {
  const text = readFileSync(new URL("../../../docs/api.md", import.meta.url), "utf8");
  const P = "/api/v1/projects/{project}";
  const routes: string[] = [];
  for (const line of text.slice(0, text.indexOf("## SDKs")).split("\n")) {
    const [, cell = "", , actions = ""] = line.split("|").map((part) => part.trim());
    if (!cell.startsWith("`")) continue;
    let path = "";
    for (const [index, [, written = ""]] of [...cell.matchAll(/`([^`]+)`/g)].entries()) {
      const [method = "", given] = written.split(" ");
      if (given) path = given.split("?")[0] ?? "";
      const listed = actions.split(", ");
      const action = listed[Math.min(index, listed.length - 1)];
      routes.push(`${method} ${path.replace(/^E\//, `${P}/environments/{environment}/`).replace(/^P\//, `${P}/`)} ${action}`);
    }
  }
  return routes.filter((route) => route.includes(" /api/v1/"));
}

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, { "x-signalbox-action": string; responses: Record<string, unknown> }>>;
  readonly components: { schemas: Record<string, unknown> };
}

describe("the OpenAPI document", () => {
  it("has every route of docs/api.md with the action named there, and no other", async () => {
    const { openapi, paths } = (await (await fetch(`${server.url}/api/v1/openapi.json`)).json()) as Document;
    const served = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => `${method.toUpperCase()} ${path} ${operation["x-signalbox-action"]}`),
    );
    expect(openapi).toBe("3.1.0");
    expect(served.sort()).toEqual(documented().sort());
  });

  it("says that every operation may answer with a problem", async () => {
    const { paths, components } = (await (await fetch(`${server.url}/api/v1/openapi.json`)).json()) as Document;
    for (const operations of Object.values(paths)) {
      for (const { responses } of Object.values(operations)) expect(responses).toHaveProperty("default");
    }
    expect(components.schemas).toHaveProperty("Problem");
  });
});

describe("every route that needs an action", () => {
  it("answers 401 to nobody and to a wrong token, before anything else", async () => {
    for (const route of documented()) {
      const [method = "", path = "", action] = route.split(" ");
      if (action === "none") continue;
      for (const headers of [{}, { authorization: `Bearer sb_admin_0123456789ab_${"x".repeat(43)}` }, { authorization: "Basic eA==" }]) {
        const answer = await fetch(server.url + path.replace(/\{\w+\}/g, "1"), { method, headers });
        expect(`${route}: ${answer.status}`).toBe(`${route}: 401`);
        expect(answer.headers.get("content-type")).toBe("application/problem+json");
      }
    }
  });

  it("answers 403 to a token whose scope does not reach", async () => {
    const allowed = { kill: ["read", "kill"], operator: ["read", "kill", "restore"] } as const;
    for (const scope of ["kill", "operator"] as const) {
      const authorization = `Bearer ${await server.token(scope)}`;
      for (const route of documented()) {
        const [method = "", path = "", action = ""] = route.split(" ");
        // The endless route would go on; that it is refused without a token is seen above.
        if (action === "none" || path === "/api/v1/events") continue;
        const answer = await fetch(server.url + path.replace(/\{\w+\}/g, "1"), { method, headers: { authorization } });
        const isRefused = answer.status === 403;
        expect(`${scope} ${route}: ${isRefused}`).toBe(`${scope} ${route}: ${!(allowed[scope] as readonly string[]).includes(action)}`);
        expect(answer.status).toBeLessThan(500);
      }
    }
  });
});
