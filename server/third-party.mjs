import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes the licenses of the packages that a build took in, as they ask for, beside it. `metafile` is esbuild's account of the build. */
export function writeNotices(dist) {
  const file = join(dist, "metafile-esm.json");
  const { inputs } = JSON.parse(readFileSync(file, "utf8"));
  rmSync(file);
  const folders = new Set(Object.keys(inputs).flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []));
  const notices = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const text = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (!license) throw new Error(`${name} ${version} names no license: look at it before it is built in`);
    return `${name} ${version} (${license})\n\n${text && existsSync(join(folder, text)) ? readFileSync(join(folder, text), "utf8").trim() : "Its package holds no text of the license."}\n`;
  });
  writeFileSync(
    join(dist, "THIRD-PARTY.txt"),
    `Packages that are built into Signalbox, and their licenses.\n\n${notices.join(`\n${"-".repeat(80)}\n\n`)}`,
  );
}
