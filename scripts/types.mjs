// Type-checks by every tsconfig of the repository, two at a time.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const left = new Set(["node_modules", "dist", "data"]);

function* tsconfigs(folder) {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!left.has(entry.name) && !entry.name.startsWith(".")) yield* tsconfigs(path);
    } else if (/^tsconfig(\..+)?\.json$/.test(entry.name) && path !== "tsconfig.base.json") yield path;
  }
}

const projects = [...tsconfigs("")].sort();
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
