import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { peers } from "./subjects.ts";

export const peersFolder = join(import.meta.dirname, "peers");

/** The names of the peers that can be compared. Installs them first if they are not there; without a registry there are none. */
export function availablePeers(): readonly string[] {
  try {
    install(peersFolder);
    return Object.keys(peers);
  } catch (error) {
    console.log(`Signalbox is compared with the floors only: ${(error as Error).message}`);
    return [];
  }
}

/** Sees to it that what a folder's lockfile names is installed there. Scripts of the packages are never run. Throws where it cannot be. */
export function install(folder: string): void {
  const wanted = readFileSync(join(folder, "package-lock.json"), "utf8");
  const installed = join(folder, "node_modules/.installed");
  if (existsSync(installed) && readFileSync(installed, "utf8") === wanted) return;
  const name = `bench/${folder.slice(import.meta.dirname.length + 1)}`;
  console.log(`Installing what Signalbox is compared with into ${name}, without running scripts of theirs.`);
  // What npm tells a script that it runs would make this npm look at the repository's root.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("npm_")));
  const options = { env, stdio: "pipe", shell: process.platform === "win32" } as const;
  try {
    execFileSync("npm", ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"], options);
  } catch (error) {
    const { stderr } = error as { stderr?: Buffer };
    const why = stderr?.toString().trim().split("\n")[0] || String(error);
    throw new Error(`${name} could not be installed: ${why}`, { cause: error });
  }
  writeFileSync(installed, wanted);
}
