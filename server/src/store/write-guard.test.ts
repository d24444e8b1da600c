import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSqlite } from "./driver.ts";
import { createWriteGuard, type WriteGuard } from "./write-guard.ts";

test("a ballast that cannot be made is a warning, and only what SQLite refuses for want of space is a full disk", async () => {
  const directory = mkdtempSync(join(tmpdir(), "signalbox-guard-"));
  // In the place of the ballast stands what no file can be written over.
  mkdirSync(join(directory, "ballast", "in-the-way"), { recursive: true });
  const { raw, close } = await openSqlite(join(directory, "signalbox.db"));
  let guard: WriteGuard | undefined;
  try {
    raw.exec("create table note (text text)");
    const warning = await new Promise((resolve) => {
      guard = createWriteGuard(directory, { warn: (_fields, message) => resolve(message) });
    });
    expect(warning).toMatch(/file ballast.*cannot be made.*make space there/);
    const note = (length: number, urgent = false) =>
      guard?.run(async () => raw.exec(`insert into note values ('${"x".repeat(length)}')`), urgent);
    await note(1);

    raw.pragma("max_page_count = 3");
    const full = expect.objectContaining({ code: "UNAVAILABLE", message: expect.stringContaining("SQLITE_FULL") });
    await expect(note(100_000)).rejects.toThrow(full);
    await expect(note(1)).rejects.toThrow(full);
    await note(1, true);
    rmSync(join(directory, "ballast"), { recursive: true });
    await note(1);
  } finally {
    guard?.close();
    close();
    rmSync(directory, { recursive: true, force: true });
  }
});
