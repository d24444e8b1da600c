import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { root } from "./world.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Demands that a page, as it is shown now, has no horizontal scroll and nothing that axe finds. With PICTURES_OF_PAGES it is kept in `e2e/artifacts`. */
export async function look(page: Page, name: string): Promise<void> {
  await page.waitForLoadState("networkidle");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(`${name} is ${wide} px too wide`).toBe(`${name} is 0 px too wide`);
  // Page scripts are the page's own only; axe comes through the debugger.
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
  });
  expect(violations.map((text) => `${name}: ${text}`)).toEqual([]);
  if (process.env.PICTURES_OF_PAGES) {
    mkdirSync(join(root, "e2e/artifacts"), { recursive: true });
    await page.screenshot({ path: join(root, `e2e/artifacts/${name}.png`), fullPage: true });
  }
}
