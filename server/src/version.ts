import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The version in the package.json beside `src` or `dist`. */
export const version = readVersion();

function readVersion(): string {
  const file = join(dirname(fileURLToPath(import.meta.url)), "../package.json");
  if (!existsSync(file)) return "unknown";
  const parsed: unknown = JSON.parse(readFileSync(file, "utf8"));
  return typeof parsed === "object" && parsed !== null && "version" in parsed ? String(parsed.version) : "unknown";
}
