import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { namedTests, readMatrix } from "./faults.ts";

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs/faults.md"), "utf8");
const matrix = readMatrix();
const named = namedTests();

test("every fault from F01 to F70 has a row, and each row has a test or says with what it comes", () => {
  const ids = Array.from({ length: 70 }, (_, i) => `F${String(i + 1).padStart(2, "0")}`);
  expect(matrix.map(({ id }) => id)).toEqual(ids);
  for (const { id, elsewhere = [], later } of matrix) {
    expect(page, id).toContain(`\n| ${id} | `);
    const tests = named.filter(({ ids: own }) => own.includes(id)).length + elsewhere.length;
    expect(tests > 0 || later !== undefined, id).toBe(true);
  }
});

test("every test that is named exists, and docs/faults.md names every one", () => {
  for (const { file, test: name } of matrix.flatMap(({ elsewhere = [] }) => elsewhere)) {
    expect(existsSync(join(root, file)), file).toBe(true);
    expect(readFileSync(join(root, file), "utf8"), file).toContain(name);
  }
  for (const { name } of named) expect(page).toContain(`“${name}”`);
  expect(named.length).toBeGreaterThanOrEqual(35);
});
