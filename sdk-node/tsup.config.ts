import { defineConfig } from "tsup";

export default defineConfig({
  entry: { index: "src/index.ts", context: "src/context.ts", hono: "src/hono.ts" },
  format: ["esm", "cjs"],
  target: "node20",
  platform: "node",
  dts: true,
  clean: true,
  splitting: true,
  treeshake: true,
  // Published packages hold their copy of core: users install one package, and versions cannot mix.
  noExternal: ["@signalbox/core"],
});
