import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Hono } from "hono";
import { problem } from "../errors.ts";
import type { ApiEnv } from "../http/route.ts";
import { matchesEtag } from "./state-bytes.ts";

const FILES = [
  { name: "node.tgz", type: "application/gzip" },
  { name: "browser.js", type: "text/javascript; charset=utf-8" },
] as const;

interface Loaded {
  /** When the file was written and how long it is. */
  readonly version: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

/** The SDKs that match this server. Everybody may load them, also from a page of another origin: no key, CORS open. */
export function sdkFileRoutes(directory: string): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();
  for (const { name, type } of FILES) {
    const load = createLoader(join(directory, name));
    routes.get(`/sdk/${name}`, async (c) => {
      const file = await load();
      if (!file)
        throw problem("NOT_BUILT", `This server was started without ${name}: run "npm run build" in its folder and start it again.`);
      const headers = {
        etag: file.etag,
        "cache-control": "no-cache",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
      };
      if (matchesEtag(c.req.header("if-none-match"), file.etag)) return c.body(null, 304, headers);
      return c.body(file.bytes, 200, { ...headers, "content-type": type });
    });
  }
  return routes;
}

/** Kept in memory, and read again when the file has changed: a developer builds while the server runs. */
function createLoader(path: string): () => Promise<Loaded | undefined> {
  let loaded: Loaded | undefined;
  return async () => {
    try {
      const { mtimeMs, size } = await stat(path);
      const version = `${mtimeMs} ${size}`;
      if (loaded?.version === version) return loaded;
      const bytes = new Uint8Array(await readFile(path));
      const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
      loaded = { version, bytes, etag };
      return loaded;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  };
}
