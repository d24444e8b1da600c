import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["{core,server,sdk-node,sdk-browser,scripts,migrations,bench}/**/*.test.ts"],
          exclude: ["**/node_modules/**", "**/dist/**", "e2e/**"],
          environment: "node",
          // All cores: by itself the runner leaves one free, and that is half of a machine with two.
          maxWorkers: "100%",
          // Room for a busy machine: no test is about its own time.
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["e2e/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: ["**/node_modules/**", "**/dist/**"],
          globalSetup: ["e2e/setup.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
