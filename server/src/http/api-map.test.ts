import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mappedRoutes } from "./api-map.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

interface Operation {
  readonly "x-signalbox-action": string;
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
}

describe("docs/api-map.md", () => {
  it("has every route of the router with its permission and whether it takes If-Match, and no other", async () => {
    const answer = await fetch(`${server.url}/api/v1/openapi.json`);
    const { paths } = (await answer.json()) as { paths: Record<string, Record<string, Operation>> };
    const served = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({
        route: `${method.toUpperCase()} ${path}`,
        permission: operation["x-signalbox-action"],
        ifMatch: operation.parameters?.some((one) => one.in === "header" && one.name === "if-match") ?? false,
      })),
    );
    const byRoute = (a: { route: string }, b: { route: string }) => (a.route < b.route ? -1 : 1);
    expect(served.sort(byRoute)).toEqual(
      mappedRoutes()
        .map(({ words: _words, ...row }) => row)
        .sort(byRoute),
    );
  });

  it("has an audit word for every write that is not a question, and each of them is one that the code writes", () => {
    const code = sources();
    for (const { route, words } of mappedRoutes()) {
      const isQuestion = route.startsWith("GET ") || /\/(evaluate|explain|effect|compare|preview)$/.test(route);
      expect(`${route}: ${words.length > 0}`).toBe(`${route}: ${!isQuestion}`);
      for (const word of words) expect(code, word).toContain(`"${word}"`);
    }
  });
});

function sources(): string {
  const folder = fileURLToPath(new URL("..", import.meta.url));
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => readFileSync(`${folder}/${file}`, "utf8"))
    .join("\n");
}
