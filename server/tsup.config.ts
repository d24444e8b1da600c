import { cpSync, rmSync } from "node:fs";
import { defineConfig } from "tsup";

export default defineConfig({
  entry: { cli: "src/cli/cli.ts", main: "src/main.ts" },
  format: "esm",
  target: "node20",
  platform: "node",
  // The UI and the SDKs lie in the same folder and are built by others.
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
