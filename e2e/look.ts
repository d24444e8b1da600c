import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { root, until } from "./world.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/**
 * Demands that a page, as it is shown now, has no horizontal scroll and nothing that axe finds, there or in the parts `within`. With
 * PICTURES_OF_PAGES it is kept in `e2e/artifacts`.
 */
export async function look(page: Page, name: string, within?: string): Promise<void> {
  await page.waitForLoadState("networkidle");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(`${name} is ${wide} px too wide`).toBe(`${name} is 0 px too wide`);
  expect((await findings(page, { within, runOnly: WCAG })).map((text) => `${name}: ${text}`)).toEqual([]);
  if (process.env.PICTURES_OF_PAGES) {
    mkdirSync(join(root, "e2e/artifacts"), { recursive: true });
    await page.screenshot({ path: join(root, `e2e/artifacts/${name}.png`), fullPage: (await page.getByRole("dialog").count()) === 0 });
  }
}

interface Findings {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[];
}

/** What axe finds on the page as it is shown now, or in the parts `within`; by all its rules if none are named. */
export async function findings(
  page: Page,
  { within, runOnly }: { readonly within?: string | undefined; readonly runOnly?: readonly string[] } = {},
): Promise<string[]> {
  // What fades in has no contrast yet.
  const isStill = () =>
    page.evaluate(() =>
      document
        .getAnimations()
        .every(({ playState, effect }) => playState !== "running" || effect?.getComputedTiming().endTime === Infinity),
    );
  await until("nothing moves on the page", isStill);
  // Page scripts are the page's own only; axe comes through the debugger.
  await page.evaluate(axe);
  const { violations } = (await page.evaluate(
    ([part, options]) =>
      (globalThis as unknown as { axe: { run(part: unknown, options: object): Promise<unknown> } }).axe.run(part ?? document, options),
    [within, runOnly ? { runOnly } : {}] as const,
  )) as Findings;
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
}
