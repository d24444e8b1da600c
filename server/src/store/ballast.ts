import { randomFillSync } from "node:crypto";
import { closeSync, openSync, rmSync, statfsSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";

const BALLAST_BYTES_MAX = 16 * 1024 * 1024;
/** On a small disk the ballast is this part of it. */
const BALLAST_PART_OF_DISK = 16;
const CHUNK_BYTES = 1024 * 1024;

/**
 * Space that is kept for kills: a file beside the database that is deleted when the disk is full. SQLite on a full disk refuses even
 * a DELETE, so without it the one write that must not fail would be the one that does.
 */
export interface Ballast {
  /** Gives the space free. False when there was none to give. */
  release(): boolean;
  /** Takes the space again, if it is not held and the disk has twice as much left. Answers whether it is held. */
  restore(): boolean;
  /** Whether the disk has as much left as the ballast has. */
  hasRoom(): boolean;
}

export function createBallast(directory: string): Ballast {
  const file = join(directory, "ballast");

  const look = () => {
    const { bsize, blocks, bavail } = statfsSync(directory);
    return { bytes: Math.min(BALLAST_BYTES_MAX, Math.floor((blocks * bsize) / BALLAST_PART_OF_DISK)), free: bavail * bsize };
  };
  const isHeld = (bytes: number) => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) >= bytes;

  return {
    release() {
      const held = isHeld(1);
      rmSync(file, { force: true });
      return held;
    },
    hasRoom() {
      const { bytes, free } = look();
      return free >= bytes;
    },
    restore() {
      const { bytes, free } = look();
      if (isHeld(bytes)) return true;
      if (free < 2 * bytes) return false;
      try {
        fill(file, bytes);
        return true;
      } catch {
        rmSync(file, { force: true }); // somebody else was faster: as if the space had not been there
        return false;
      }
    },
  };
}

/** Random, because some file systems store nothing for zeros. */
function fill(file: string, bytes: number): void {
  const handle = openSync(file, "w", 0o600);
  try {
    const chunk = randomFillSync(Buffer.alloc(Math.min(bytes, CHUNK_BYTES)));
    for (let left = bytes; left > 0; left -= chunk.length) {
      chunk.writeUInt32LE(left >>> 0); // no two chunks alike
      writeSync(handle, chunk, 0, Math.min(left, chunk.length));
    }
  } finally {
    closeSync(handle);
  }
}
