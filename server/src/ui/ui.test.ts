import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { asProblem } from "../errors.ts";
import { uiRoutes } from "./ui.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "signalbox-ui-"));
  mkdirSync(join(folder, "dist/assets"), { recursive: true });
  writeFileSync(join(folder, "secret.txt"), "secret");
  writeFileSync(join(folder, "dist/index.html"), '<meta name="csp-nonce" content="__CSP_NONCE__">');
  writeFileSync(join(folder, "dist/assets/index-abc123.js"), "x".repeat(5_000));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function ui(path = "dist") {
  const app = uiRoutes(join(folder, path));
  app.onError((error, c) => c.text(asProblem(error).message, asProblem(error).status as 404));
  return (route: string, headers: Record<string, string> = {}) => app.request(route, { headers });
}

describe("uiRoutes", () => {
  it("serves the page for every address of the UI, each time with another nonce that the policy names", async () => {
    const nonces = new Set<string>();
    for (const path of ["/", "/index.html", "/default/production/flags/web.checkout", "/setup"]) {
      const answer = await ui()(path);
      const [, nonce = ""] = /content="([^"]+)"/.exec(await answer.text()) ?? [];
      expect(answer.headers.get("content-security-policy")).toContain(`style-src 'self' 'nonce-${nonce}';`);
      expect(answer.headers.get("content-security-policy")).toContain("script-src 'self';");
      expect(answer.headers.get("cache-control")).toBe("no-store");
      nonces.add(nonce);
    }
    expect(nonces.size).toBe(4);
  });

  it("serves hashed files for good, packed where the browser can", async () => {
    const plain = await ui()("/assets/index-abc123.js");
    expect([plain.headers.get("cache-control"), plain.headers.get("content-type")]).toEqual([
      "public, max-age=31536000, immutable",
      "text/javascript; charset=utf-8",
    ]);
    const packed = await ui()("/assets/index-abc123.js", { "accept-encoding": "br, gzip" });
    expect(packed.headers.get("content-encoding")).toBe("gzip");
    expect(gunzipSync(Buffer.from(await packed.arrayBuffer())).toString()).toBe(await plain.text());
  });

  it("serves a file that was built anew", async () => {
    const get = ui();
    expect(await (await get("/assets/index-abc123.js")).text()).toContain("xxx");
    writeFileSync(join(folder, "dist/assets/index-abc123.js"), "new");
    expect(await (await get("/assets/index-abc123.js")).text()).toBe("new");
  });

  it.each(["/../secret.txt", "/..%2fsecret.txt", "/assets/../../secret.txt", "/assets/..%2f..%2fsecret.txt"])(
    "never leaves its folder for %s",
    async (path) => {
      expect(await (await ui()(path)).text()).not.toBe("secret");
    },
  );

  it("says what to do when it was not built", async () => {
    const answer = await ui("absent")("/");
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining('run "npm run build"')]);
  });
});
