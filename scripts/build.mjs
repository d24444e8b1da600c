// Builds everything that `npm start` serves, in the order of dependency: the SDKs, the packages of them that the server
// hands out, the server, the admin UI. `--if-needed` skips all of it when no source has changed since the last build.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, "server/dist/.built");
const sources = [
  "core/src",
  "sdk-node",
  "sdk-browser",
  "server",
  "migrations",
  "scripts/build.mjs",
  "tsconfig.base.json",
  "package-lock.json",
];
const left = new Set(["node_modules", "dist", "data"]);

function* files(path) {
  const entry = join(root, path);
  if (!existsSync(entry)) return;
  if (
    !readdirSync(dirname(entry), { withFileTypes: true })
      .find((e) => e.name === entry.split("/").at(-1))
      ?.isDirectory()
  ) {
    yield entry;
    return;
  }
  for (const inside of readdirSync(entry, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (left.has(inside.name) || inside.name.endsWith(".test.ts") || inside.name.endsWith(".test.tsx")) continue;
    if (inside.isDirectory()) yield* files(join(path, inside.name));
    else yield join(entry, inside.name);
  }
}

/** Contents, not times: a fresh checkout of the same sources needs no build. */
function fingerprint() {
  const hash = createHash("sha256");
  for (const source of sources) {
    for (const file of files(source)) hash.update(relative(root, file)).update("\0").update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex");
}

function run(title, workspace, command, ...args) {
  const started = performance.now();
  try {
    execFileSync(command, args, { cwd: join(root, workspace), stdio: ["ignore", "pipe", "pipe"], shell: process.platform === "win32" });
  } catch (error) {
    console.error(`The build of ${title} failed:\n${error.stdout ?? ""}${error.stderr ?? error.message}`);
    process.exit(1);
  }
  console.log(`built ${title} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

const bin = (name) => join(root, "node_modules/.bin", name);

function build() {
  if (!existsSync(bin("tsup"))) {
    if (existsSync(stamp)) return; // A production install has no build tools and needs none.
    console.error("The build tools are not installed. Run `npm install` in the repository, then try again.");
    process.exit(1);
  }
  mkdirSync(join(root, "server/dist/sdk"), { recursive: true });
  rmSync(stamp, { force: true });
  run("the browser SDK", "sdk-browser", bin("tsup"));
  copyFileSync(join(root, "sdk-browser/dist/signalbox.browser.js"), join(root, "server/dist/sdk/browser.js"));
  run("the Node SDK", "sdk-node", bin("tsup"));
  run("its package", "sdk-node", "npm", "pack", "--silent", "--pack-destination", join(root, "server/dist/sdk"));
  const { version } = JSON.parse(readFileSync(join(root, "sdk-node/package.json"), "utf8"));
  renameSync(join(root, `server/dist/sdk/signalbox-node-${version}.tgz`), join(root, "server/dist/sdk/node.tgz"));
  run("the server", "server", bin("tsup"));
  run("the admin UI", "server/admin", bin("vite"), "build", "--logLevel", "error");
}

const now = fingerprint();
const built = existsSync(stamp) ? readFileSync(stamp, "utf8") : "";
if (!process.argv.includes("--if-needed") || built !== now) {
  build();
  if (existsSync(bin("tsup"))) writeFileSync(stamp, now);
}
