import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { openShop, type ShopWorld, startShopWorld } from "../shop-world.ts";
import { keepPictures, openBrowser, root, startServer, until, WAIT_MS_MAX, withAccount } from "../world.ts";
import { freeze, LONG, thaw } from "./processes.ts";
import { type FaultProxy, startFaultProxy } from "./proxy.ts";

/** What a visitor of the shop sees while the flags' server is stopped, frozen or cut off: a notice and nothing else. */
describe.skipIf(inject("chromium") === "")("the shop without its flags' server", { timeout: 180_000 }, () => {
  let world: ShopWorld;
  let proxy: FaultProxy;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];
  keepPictures(() => ({ "shop-faults": page }));

  beforeAll(async () => {
    world = await startShopWorld({
      async front(port) {
        proxy = await startFaultProxy(port);
        return proxy.url;
      },
    });
    browser = await openBrowser(inject("chromium"));
    page = await browser.newPage();
    page.setDefaultTimeout(WAIT_MS_MAX);
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("dialog", (dialog) => void dialog.dismiss().then(() => complaints.push(dialog.message())));
    await openShop(page, world);
  }, 120_000);
  afterAll(async () => {
    if (world) thaw(world.server.pid);
    await browser?.close();
    await world?.stop();
    await proxy?.close();
  });

  const notice = () => page.locator("#notice").innerText();
  const PAUSED = "New settings of this shop have to wait a moment. Everything else is as it was.";

  /** A picture in `e2e/artifacts`, for people. */
  async function picture(name: string): Promise<void> {
    const folder = join(root, "e2e/artifacts");
    mkdirSync(folder, { recursive: true });
    await page.screenshot({ path: join(folder, `shop-${name}.png`) });
  }

  /** Looks for something, puts it into the basket and pays. */
  async function shopOnce(): Promise<void> {
    const before = await page.locator("#products .product").count();
    expect(before).toBeGreaterThan(0);
    await page.locator("#query").fill("tea");
    await until("fewer products", async () => (await page.locator("#products .product").count()) < before);
    await page.locator("#query").fill("");
    await until("all products", async () => (await page.locator("#products .product").count()) === before);
    await page.locator("#products .product button").first().click();
    await page.locator("#checkout").click();
    await page.locator("#bill .bill").waitFor();
    expect(await page.locator("#bill").innerText()).toMatch(/total/i);
  }

  test("F12 F29 F63 stopped, frozen, cut off and offline: a notice, and the shop goes on", async () => {
    expect(await notice()).toBe("");
    await shopOnce();

    await world.server.stop("SIGKILL");
    await until("the notice", async () => (await notice()) === PAUSED);
    await shopOnce();
    await picture("stopped");
    world.server = await startServer({ data: world.data, port: world.server.port, env: withAccount });
    await until("the notice goes", async () => (await notice()) === "", 60_000);

    freeze(world.server.pid);
    await shopOnce();
    // A frozen server is found out by its silence, which takes 45 s.
    if (LONG) await until("the notice", async () => (await notice()) === PAUSED, 90_000);
    await picture("frozen");
    thaw(world.server.pid);
    await until("no notice", async () => (await notice()) === "", 60_000);

    await proxy.set({ refuse: true });
    proxy.reset();
    await until("the notice", async () => (await notice()) === PAUSED);
    await shopOnce();
    await picture("cut");
    await proxy.set({});
    await until("the notice goes", async () => (await notice()) === "", 60_000);

    // The page alone is offline: its flags stay, and it is back without being asked.
    await page.context().setOffline(true);
    proxy.cut();
    await until("the notice", async () => (await notice()) === PAUSED);
    await page.context().setOffline(false);
    await until("the notice goes", async () => (await notice()) === "", 60_000);

    // And changes arrive as ever.
    await world.api.send("POST", "projects/default/environments/development/flags/search/kill", { reason: "test" });
    await until("search is gone", () => page.locator("#search").isHidden());
    expect(complaints).toEqual([]);
  });

  test("F59 F64 a page that was frozen, and one whose requests are blocked: what it held stays, and it converges", async () => {
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
    await world.api.send("POST", "projects/default/environments/development/flags/search/restore", { reason: "test" });
    await devtools.send("Page.setWebLifecycleState", { state: "active" });
    await until("search is back", () => page.locator("#search").isVisible(), 60_000);

    await page.route(/\/sdk\/v1\//, (route) => route.abort("blockedbyclient"));
    proxy.cut();
    await until("the notice", async () => (await notice()) === PAUSED, 60_000);
    expect(await page.locator("#search").isVisible()).toBe(true);
    await page.reload();
    await page.locator("html[data-ready=true]").waitFor();
    expect(await page.locator("#search").isVisible()).toBe(true); // from what the page before had kept
    await page.unroute(/\/sdk\/v1\//);
    await until("the notice goes", async () => (await notice()) === "", 60_000);
    expect(complaints).toEqual([]);
  });
});
