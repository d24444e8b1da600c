import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { peers } from "./subjects.ts";

const folder = join(import.meta.dirname, "peers");
const installed = join(folder, "node_modules/.installed");

/** The names of the peers that can be compared. Installs them first if they are not there; without a registry there are none. */
export function availablePeers(): readonly string[] {
  const wanted = readFileSync(join(folder, "package-lock.json"), "utf8");
  if (!existsSync(installed) || readFileSync(installed, "utf8") !== wanted) {
    console.log("Installing what Signalbox is compared with into bench/peers, without running scripts of theirs.");
    try {
      // What npm tells a script that it runs would make this npm look at the repository's root.
      const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("npm_")));
      const options = { env, stdio: "pipe", shell: process.platform === "win32" } as const;
      execFileSync("npm", ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"], options);
      writeFileSync(installed, wanted);
    } catch (error) {
      const { stderr } = error as { stderr?: Buffer };
      const why = stderr?.toString().trim().split("\n")[0] ?? String(error);
      console.log(`They could not be installed, so Signalbox is compared with the floors only: ${why}`);
      return [];
    }
  }
  return Object.keys(peers);
}
