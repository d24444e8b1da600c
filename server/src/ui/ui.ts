import { randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { Hono } from "hono";
import { problem } from "../errors.ts";

/** Beside the bundle when built (`dist/ui`); from the sources it is the same folder of the build. */
export function uiFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  return here.endsWith(`${"src"}/ui`) || here.endsWith("src\\ui") ? join(here, "../../dist/ui") : join(here, "ui");
}

const TYPES: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".txt": "text/plain; charset=utf-8",
};

/** Only plain names, at most one folder deep: nothing that could lead out of the folder. */
const FILE = /^\/(?:assets\/)?[A-Za-z0-9_-][A-Za-z0-9._-]*\.[a-z0-9]+$/;
/** Files held in memory; a build of the UI has far fewer. */
const FILES_MAX = 200;
const GZIP_BYTES_MIN = 1_024;

interface UiFile {
  readonly body: Buffer;
  readonly packed: Buffer | undefined;
  readonly changedAt: number;
}

/**
 * Serves the admin UI: files of the build, and `index.html` for every other page, with a fresh nonce for the styles that the UI
 * adds at run time. Hashed files (`/assets`) are cached for good, the page never.
 */
export function uiRoutes(folder = uiFolder()) {
  const ui = new Hono();
  const files = new Map<string, UiFile>();

  async function load(path: string): Promise<UiFile | undefined> {
    const file = join(folder, path);
    const found = await stat(file).catch(() => undefined); // Absent is an answer here, not a failure.
    if (!found?.isFile()) return undefined;
    const known = files.get(path);
    if (known && known.changedAt === found.mtimeMs) return known;
    const body = await readFile(file);
    const packed = body.length >= GZIP_BYTES_MIN && /\.(js|css|svg|json)$/.test(path) ? await promisify(gzip)(body) : undefined;
    const loaded = { body, packed, changedAt: found.mtimeMs };
    if (files.size < FILES_MAX) files.set(path, loaded);
    return loaded;
  }

  ui.get("*", async (c) => {
    const path = c.req.path;
    if (FILE.test(path) && path !== "/index.html") {
      const found = await load(path);
      if (!found) throw problem("NOT_FOUND", `There is no file ${path}.`);
      const packed = /\bgzip\b/.test(c.req.header("accept-encoding") ?? "") ? found.packed : undefined;
      return c.body(new Uint8Array(packed ?? found.body), 200, {
        "content-type": TYPES[extname(path)] ?? "application/octet-stream",
        "cache-control": path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "public, max-age=3600",
        vary: "accept-encoding",
        ...(packed && { "content-encoding": "gzip" }),
      });
    }
    const page = await load("/index.html");
    if (!page) throw problem("NOT_BUILT", 'The admin UI was not built: run "npm run build" in the repository, then load this page again.');
    const nonce = randomBytes(16).toString("base64");
    return c.html(page.body.toString("utf8").replaceAll("__CSP_NONCE__", nonce), 200, {
      "cache-control": "no-store",
      "content-security-policy": contentSecurityPolicy(nonce),
    });
  });
  return ui;
}

function contentSecurityPolicy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
