import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why no disk of a limited size can be made here; empty when it can. Mounting needs root. */
export const noSmallDisk = trySmallDisk();
if (noSmallDisk !== "") console.log(`tests on a small disk are left out: ${noSmallDisk}`);

/** A disk in memory of a limited size, in a folder of its own. */
export interface SmallDisk {
  readonly path: string;
  /** Writes until nothing more fits. */
  fill(): void;
  /** Takes away what `fill` wrote. */
  free(): void;
  /** Only while nobody writes to it. */
  mode(mode: "ro" | "rw"): void;
  remove(): void;
}

export function smallDisk(mebibytes: number): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), "signalbox-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "none", path]);
  const filler = join(path, "filler");
  return {
    path,
    fill() {
      const handle = openSync(filler, "a");
      try {
        for (let bytes = 1024 * 1024; bytes >= 1; bytes = Math.floor(bytes / 2)) writeWhile(handle, Buffer.alloc(bytes, 1));
      } finally {
        closeSync(handle);
      }
    },
    free: () => rmSync(filler, { force: true }),
    mode: (mode) => void execFileSync("mount", ["-o", `remount,${mode}`, path]),
    remove() {
      execFileSync("umount", ["-l", path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

function writeWhile(handle: number, piece: Buffer): void {
  for (;;) {
    try {
      if (writeSync(handle, piece) < piece.length) return;
    } catch {
      return; // full
    }
  }
}

function trySmallDisk(): string {
  if (process.platform !== "linux") return "they need Linux";
  if (process.getuid?.() !== 0) return "mounting needs root";
  try {
    smallDisk(1).remove();
    return "";
  } catch (error) {
    return `mounting failed (${error instanceof Error ? error.message.split("\n", 1)[0] : error})`;
  }
}
