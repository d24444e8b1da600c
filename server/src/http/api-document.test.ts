import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mappedRoutes } from "./api-map.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

/** "GET /api/v1/tokens admin" for each route. */
const documented = () => mappedRoutes().map(({ route, permission }) => `${route} ${permission}`);

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, { "x-signalbox-action": string; responses: Record<string, unknown> }>>;
  readonly components: { schemas: Record<string, unknown> };
}

describe("the OpenAPI document", () => {
  it("is one of OpenAPI 3.1", async () => {
    const { openapi } = (await (await fetch(`${server.url}/api/v1/openapi.json`)).json()) as Document;
    expect(openapi).toBe("3.1.0");
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
});
