import { cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import { defineConfig } from "tsup";

// `clean` would take the UI and the SDKs along, which lie in the same folder and are built by others; only what this build names
// by its content is removed.
for (const file of existsSync("dist") ? readdirSync("dist") : []) {
  if (/^chunk-\w+\.js(\.map)?$/.test(file)) rmSync(`dist/${file}`);
}

export default defineConfig({
  entry: { cli: "src/cli/cli.ts", main: "src/main.ts" },
  format: "esm",
  target: "node20",
  platform: "node",
  clean: false,
  splitting: true,
  sourcemap: true,
  noExternal: ["@signalbox/core"],
  // Native packages, each needed by some machines only.
  external: ["better-sqlite3", "libsql", "@node-rs/argon2", "ioredis"],
  async onSuccess() {
    rmSync("dist/migrations", { recursive: true, force: true });
    cpSync("../migrations", "dist/migrations", { recursive: true, filter: (path) => !path.endsWith(".test.ts") });
  },
});
