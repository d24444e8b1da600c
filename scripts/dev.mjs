// `npm run dev`: the server from its sources, restarted when they change, and the admin UI with hot reload in front of it.
// The data lie in a folder of their own that goes when it stops.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const data = mkdtempSync(join(tmpdir(), "signalbox-dev-"));
const environment = {
  SIGNALBOX_ADMIN_NAME: "dev",
  SIGNALBOX_ADMIN_PASSWORD: randomBytes(9).toString("base64url"),
  ...process.env,
  SIGNALBOX_DATA: data,
};
const bin = (name) => join(root, "node_modules/.bin", name);
const children = [
  spawn(bin("tsx"), ["watch", "server/src/cli/cli.ts", "serve"], { cwd: root, env: environment, stdio: "inherit" }),
  spawn(bin("vite"), [], { cwd: join(root, "server/admin"), env: environment, stdio: "inherit" }),
];
console.log(`Sign in as ${environment.SIGNALBOX_ADMIN_NAME} with ${environment.SIGNALBOX_ADMIN_PASSWORD}.`);

function stop() {
  for (const child of children) child.kill("SIGTERM");
}
process.on("SIGINT", stop);
process.on("SIGTERM", stop);
await Promise.all(children.map((child) => new Promise((resolve) => child.on("exit", () => resolve(stop())))));
rmSync(data, { recursive: true, force: true });
