import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** `npm run dev` shows the API of a running server (SIGNALBOX_URL) under this origin, so that cookies and the CSRF check work as they do in the built form. */
const api = process.env.SIGNALBOX_URL ?? "http://127.0.0.1:7070";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../dist/ui",
    emptyOutDir: true,
    // Nothing is inlined: the content security policy allows no data: scripts, and fonts and pictures are files.
    assetsInlineLimit: 0,
    // These know light-dark() themselves; it cannot be compiled away, because the scheme is chosen while the page runs.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    chunkSizeWarningLimit: 1_200,
  },
  server: { proxy: { "/api": { target: api }, "/sdk": { target: api } } },
});
