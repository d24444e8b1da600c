import { existsSync } from "node:fs";
import type {} from "vitest";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    chromium: string;
  }
}

const CANDIDATES = [process.env.CHROMIUM_PATH, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Finds the system's Chromium once for all files. Without it the tests in a browser are left out, and one line says so. */
export default function setup(project: TestProject): void {
  const chromium = CANDIDATES.find((path) => path !== undefined && existsSync(path)) ?? "";
  if (chromium === "") {
    const missing = "chromium is not installed (apt-get install chromium, or set CHROMIUM_PATH)";
    if (process.env.REQUIRE_SERVICES === "1") throw new Error(missing);
    console.log(`tests in a browser are left out: ${missing}`);
  }
  project.provide("chromium", chromium);
}
