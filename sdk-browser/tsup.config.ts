import { rmSync } from "node:fs";
import { defineConfig } from "tsup";

// Here and not by `clean`: the two builds below run side by side, and the one must not clean away what the other has made.
rmSync(new URL("dist", import.meta.url), { recursive: true, force: true });

export default defineConfig([
  {
    entry: { index: "src/index.ts" },
    format: ["esm", "cjs"],
    target: "es2022",
    platform: "browser",
    dts: true,
    treeshake: true,
    // Published packages hold their copy of core: users install one package, and versions cannot mix.
    noExternal: ["@signalbox/core"],
  },
  {
    // One file for `<script type="module">`; the server hands it out as /sdk/browser.js.
    entry: { "signalbox.browser": "src/index.ts" },
    format: ["esm"],
    target: "es2022",
    platform: "browser",
    minify: true,
    treeshake: true,
    splitting: false,
    noExternal: ["@signalbox/core"],
    outExtension: () => ({ js: ".js" }),
  },
]);
