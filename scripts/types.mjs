// Type-checks every workspace, two at a time.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const projects = ["core", "core/tsconfig.tests.json", "sdk-node", "sdk-browser", "server", "server/admin", "examples/shop", "e2e", "bench"]
  .map((path) => (path.endsWith(".json") ? path : `${path}/tsconfig.json`))
  .filter((path) => existsSync(join(root, path)));

let failed = false;
async function worker() {
  for (let project = projects.shift(); project; project = projects.shift()) {
    const code = await new Promise((resolve) => {
      spawn(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", project], { cwd: root, stdio: "inherit" }).on(
        "exit",
        resolve,
      );
    });
    if (code !== 0) {
      console.error(`types of ${project} do not hold`);
      failed = true;
    }
  }
}
await Promise.all([worker(), worker()]);
process.exit(failed ? 1 : 0);
