import { expect, test } from "vitest";
import { browserPage, installLine, nodeProgram } from "./snippets.ts";

const keys = { server: "sb_server_development_a_b", browser: "sb_browser_development_a_b", url: "https://flags.example/" };

test("the lines name this server once, without a doubled slash, and the key of their own kind", () => {
  expect(installLine(keys)).toBe("npm install https://flags.example/sdk/node.tgz");
  const program = nodeProgram(keys, "new-checkout");
  expect(program).toContain('url: "https://flags.example"');
  expect(program).toContain('sdkKey: "sb_server_development_a_b"');
  expect(program).not.toContain("sb_browser");
  const page = browserPage(keys, "new-checkout");
  expect(page).toContain('from "https://flags.example/sdk/browser.js"');
  expect(page).not.toContain("sb_server");
});
