import { cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import { defineConfig } from "tsup";
import { writeNotices } from "./third-party.mjs";

// `clean` would take the UI and the SDKs along, which lie in the same folder and are built by others; only what this build names
// by its content is removed.
for (const file of existsSync("dist") ? readdirSync("dist") : []) {
  if (/^[\w-]+-[A-Z0-9]{8}\.js(\.map)?$/.test(file)) rmSync(`dist/${file}`);
}

export default defineConfig({
  entry: { cli: "src/cli/cli.ts", main: "src/main.ts" },
  format: "esm",
  target: "node20",
  platform: "node",
  clean: false,
  splitting: true,
  sourcemap: true,
  // In a few files: Node spends most of a start on finding and reading hundreds of small ones. Native packages and those that are loaded on
  // demand stay outside; so does pino, which starts workers from files of its own.
  noExternal: [
    "@signalbox/core",
    /^drizzle-orm/,
    /^hono/,
    /^@hono\//,
    /^zod/,
    /^@asteasolutions/,
    /^openapi3-ts/,
    /^prom-client/,
    /^@opentelemetry/,
  ],
  // Some of them are CommonJS and ask for Node's own modules.
  banner: { js: 'import { createRequire as nodeRequire } from "node:module"; const require = nodeRequire(import.meta.url);' },
  // Native packages, each needed by some machines only.
  external: ["better-sqlite3", "libsql", "postgres", "@node-rs/argon2", "ioredis"],
  metafile: true,
  async onSuccess() {
    writeNotices("dist");
    rmSync("dist/migrations", { recursive: true, force: true });
    cpSync("../migrations", "dist/migrations", { recursive: true, filter: (path) => !path.endsWith(".ts") });
  },
});
