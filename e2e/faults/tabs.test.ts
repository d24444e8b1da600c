import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { openBrowser, root, until, WAIT_MS_MAX } from "../world.ts";
import { startWorld, type World } from "./processes.ts";

/** Twenty tabs of one site in one browser, which has six connections to one server by HTTP/1.1. */
describe.skipIf(inject("chromium") === "")("many tabs", { timeout: 180_000 }, () => {
  const TABS = 20;
  /** Past the minute after which a tab that nobody looks at lets go of its stream. */
  const HIDDEN_MS = 61_000;
  const SDK = readFileSync(join(root, "sdk-browser/dist/signalbox.browser.js"));
  let world: World;
  let browser: Browser;
  const site = createServer((request, response) => {
    if (request.url === "/sdk.js") response.setHeader("content-type", "text/javascript").end(SDK);
    else response.setHeader("content-type", "text/html").end("<!doctype html><title>A page</title>");
  });

  beforeAll(async () => {
    world = await startWorld();
    await world.flag("search", true);
    await world.flag("reviews", true);
    const rules = [{ when: { op: "in", attribute: "key", values: ["ada"] }, serve: { kind: "variant", variant: "on" } }];
    await world.api.send("PATCH", "projects/default/environments/development/flags/reviews/configuration", { mode: "targeted", rules });
    browser = await openBrowser(inject("chromium"));
    await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  });
  afterAll(async () => {
    await browser?.close();
    site.close();
    await world?.stop();
  });

  const run = <T>(tab: Page, code: string) => tab.evaluate(`(async () => { ${code} })()`) as Promise<T>;
  const status = (tab: Page) => run<string>(tab, "return flags.status.state");
  const answers = (tab: Page) => run<Record<string, boolean>>(tab, "return flags.all()");

  /** Chromium without a screen takes every tab for visible, so a hidden one is told that it is. */
  const look = (tab: Page, state: "visible" | "hidden") =>
    run(tab, `globalThis.visibility = "${state}"; document.dispatchEvent(new Event("visibilitychange"))`);

  test("F62 twenty tabs: those in the background let go after a minute, and the one that is looked at answers all the while", async () => {
    const context = await browser.newContext();
    context.setDefaultTimeout(WAIT_MS_MAX);
    await context.addInitScript('Object.defineProperty(document, "visibilityState", { get: () => globalThis.visibility ?? "visible" })');

    /** Opens one; a hidden one was opened in the background, and its minutes pass when we say so. */
    async function open(isHidden: boolean): Promise<Page> {
      const tab = await context.newPage();
      if (isHidden) {
        await tab.addInitScript('globalThis.visibility = "hidden"');
        await tab.clock.install();
      }
      await tab.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
      const options = JSON.stringify({ url: world.server.url, sdkKey: world.keys.browser, context: { key: "ada" }, logger: false });
      await run(tab, `globalThis.flags = (await import("/sdk.js")).createFlags(${options})`);
      return tab;
    }

    const first = await open(true);
    await until("the first tab knows all", async () => {
      const { search, reviews } = await answers(first);
      return (await status(first)) === "live" && search && reviews;
    });
    await until("its state is kept", () => run(first, "return Object.keys(localStorage).length === 2"));
    const hidden = [first];
    while (hidden.length < TABS - 1) hidden.push(await open(true));
    await until("no more tabs can follow", async () => {
      const states = await Promise.all(hidden.map(status));
      return states.filter((state) => state === "live").length === 6;
    });
    const seen = await open(false);
    expect(await answers(seen)).toEqual({ search: true, reviews: true });
    expect(await status(seen)).toBe("cached");

    for (const tab of hidden) await tab.clock.fastForward(HIDDEN_MS);
    await until("the tab that is looked at follows", async () => (await status(seen)) === "live", 60_000);
    await world.kill("search");
    await until("the kill has reached it", async () => !(await answers(seen)).search);
    expect(await answers(first)).toEqual({ search: true, reviews: true }); // it rests

    await look(first, "visible");
    await until("it catches up when it is looked at", async () => !(await answers(first)).search);
    expect((await answers(first)).reviews).toBe(true);
  });
});
