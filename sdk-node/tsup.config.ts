import { copyFileSync, rmSync } from "node:fs";
import { defineConfig, type Options } from "tsup";

// Here and not by `clean`: the two builds below run side by side, and the one must not clean away what the other has made.
rmSync(new URL("dist", import.meta.url), { recursive: true, force: true });

// Published packages hold their copy of core and of the regular-expression engine: users install one package, and versions cannot mix.
const shared: Options = { target: "node20", platform: "node", noExternal: ["@signalbox/core", "re2js"], treeshake: true };

export default defineConfig([
  {
    ...shared,
    entry: { index: "src/index.ts", context: "src/context.ts", hono: "src/hono.ts" },
    format: ["esm", "cjs"],
    dts: true,
    splitting: true,
    shims: true, // `import.meta.url` in the CommonJS files, to find the engine beside them
  },
  {
    ...shared,
    entry: { re2: "src/re2.ts" },
    format: "cjs",
    dts: false,
    splitting: false,
    minify: true,
    async onSuccess() {
      // Its licence asks to be kept with every copy.
      copyFileSync("../node_modules/re2js/LICENSE", "dist/re2.LICENSE");
    },
  },
]);
