import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { openShop, type ShopWorld, startShopWorld } from "./shop-world.ts";
import {
  type Api,
  environmentPath,
  keepPictures,
  openBrowser,
  run,
  type Server,
  signInOn,
  startServer,
  until,
  WAIT_MS_MAX,
  withAccount,
} from "./world.ts";

/**
 * The main job on real parts: a person moves flags in the admin UI; a Node program (the shop's API, `@signalbox/node`) and an open web page (the
 * shop, `@signalbox/browser`) follow, through a kill with its receipt, a sign-up for early access, a `kill -9` of the server, and its return.
 */
describe.skipIf(inject("chromium") === "")("the shop", () => {
  let world: ShopWorld;
  let server: Server;
  let shop: ShopWorld["shop"];
  let api: Api;
  let browser: Browser;
  let admin: Page;
  let page: Page;
  const took: string[] = [];

  keepPictures(() => ({ "shop-admin": admin, "shop-page": page }));

  beforeAll(async () => {
    world = await startShopWorld();
    ({ server, shop, api } = world);
    browser = await openBrowser(inject("chromium"));
    admin = await browser.newPage();
    page = await (await browser.newContext()).newPage();
    for (const one of [admin, page]) one.setDefaultTimeout(WAIT_MS_MAX);
    await openShop(page, world);
    await page.evaluate(() => Object.assign(globalThis, { notReloaded: true }));
    await signInOn(admin, world.server.url);
  });

  afterAll(async () => {
    console.log(took.join("\n"));
    await browser?.close();
    await world?.stop();
  });

  /** What the Node program holds, as the visitor of the page. */
  async function nodeProgram(): Promise<{ on(flag: string): boolean; revisions: number[]; state: string }> {
    const state = await page.evaluate(async () => (await fetch("/api/state")).json());
    return {
      on: (flag) => state.flags[flag].value === true,
      revisions: state.changes.map((change: { revision: number }) => change.revision),
      state: state.status.state,
    };
  }

  const pageSays = (flag: string, answer: "on" | "off") => page.locator(`#flag-${flag}`, { hasText: answer }).waitFor();
  const nodeSays = (flag: string, on: boolean) =>
    until(`the Node program says ${flag} is ${on}`, async () => (await nodeProgram()).on(flag) === on);

  async function timed(what: string, wait: Promise<unknown>[]): Promise<void> {
    const from = performance.now();
    await Promise.all(wait);
    took.push(`${what}: seen everywhere ${Math.round(performance.now() - from)} ms after the click`);
  }

  it("a click in the admin UI changes the open page and the Node program", async () => {
    await pageSays("new-checkout", "off");
    await admin.goto(`${server.url}/default/development/flags/new-checkout`);
    await admin.getByRole("group", { name: "Quick percentages" }).getByRole("button", { name: "100 %" }).click();
    await admin.getByRole("button", { name: "Review and save" }).click();
    await admin.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
    await timed("100 %", [pageSays("new-checkout", "on"), nodeSays("new-checkout", true)]);
    await page.getByRole("button", { name: "Pay in one step" }).waitFor();
  });

  it("a kill from the list turns the search off in both, and the receipt says so", async () => {
    await page.getByRole("searchbox").fill("bridge");
    await admin.goto(`${server.url}/default/development/flags`);
    await admin.getByRole("button", { name: "Kill search" }).click();
    await admin.getByRole("button", { name: /^Confirm kill/ }).click();
    await timed("kill", [page.getByRole("searchbox").waitFor({ state: "hidden" }), nodeSays("search", false)]);
    await admin.getByText(/^2 of 2 connected programs have applied it, slowest [\d.]+ ms$/).waitFor();
    expect(await page.evaluate(async () => (await fetch("/api/search?q=bridge")).status)).toBe(503);
    took.push((await admin.getByText(/^2 of 2 connected/).textContent()) ?? "");
  });

  it("the visitor joins the beta from the page and gets it at once; staff see who joined", async () => {
    await pageSays("beta-reviews", "off");
    await page.getByRole("button", { name: "Join the beta" }).click();
    await pageSays("beta-reviews", "on");
    await nodeSays("beta-reviews", true);
    await page.locator(".review").first().waitFor();
    const { visitor } = await page.evaluate(async () => (await fetch("/api/me")).json());
    await admin.goto(`${server.url}/default/development/groups/early-adopters`);
    await admin.getByText(visitor).waitFor();

    // Another tab of the same visitor hears of it, a visitor of their own does not.
    const tab = await page.context().newPage();
    const stranger = await (await browser.newContext()).newPage();
    await Promise.all([openShop(tab, world), openShop(stranger, world)]);
    const says = (where: Page, answer: "on" | "off") => where.locator("#flag-beta-reviews", { hasText: answer }).waitFor();
    await Promise.all([says(tab, "on"), says(stranger, "off")]);
    await page.getByRole("button", { name: "Leave the beta" }).click();
    await Promise.all([pageSays("beta-reviews", "off"), says(tab, "off"), nodeSays("beta-reviews", false)]);
    await page.locator(".review").first().waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Join the beta" }).click();
    await Promise.all([pageSays("beta-reviews", "on"), says(tab, "on"), says(stranger, "off"), nodeSays("beta-reviews", true)]);
    await Promise.all([tab.close(), stranger.context().close()]);
  });

  it("staff take the visitor out, and the open page loses the beta", async () => {
    const { visitor } = await page.evaluate(async () => (await fetch("/api/me")).json());
    const members = `${environmentPath("development")}/groups/early-adopters/members`;
    await api.send("POST", members, { add: [], remove: [visitor] });
    await Promise.all([pageSays("beta-reviews", "off"), nodeSays("beta-reviews", false)]);
    await api.send("POST", members, { add: [visitor], remove: [] });
    await Promise.all([pageSays("beta-reviews", "on"), nodeSays("beta-reviews", true)]);
  });

  it("kill -9 of the server leaves both answering the same, also a page that is loaded anew", async () => {
    expect(await page.evaluate(() => "notReloaded" in globalThis)).toBe(true);
    await server.stop("SIGKILL");
    await until("the Node program has noticed", async () => (await nodeProgram()).state !== "live");
    const program = await nodeProgram();
    expect([program.on("new-checkout"), program.on("search"), program.on("beta-reviews")]).toEqual([true, false, true]);
    for (const [flag, answer] of [
      ["new-checkout", "on"],
      ["search", "off"],
      ["beta-reviews", "on"],
    ] as const)
      await pageSays(flag, answer);

    const anew = await page.context().newPage();
    await anew.goto(shop.url);
    await anew.locator("#flag-new-checkout", { hasText: "on" }).waitFor();
    await anew.locator("#flag-search", { hasText: "off" }).waitFor();
    await anew.locator("#flag-beta-reviews", { hasText: "on" }).waitFor();
    await anew.close();
  });

  it("after its restart both follow the next change", async () => {
    server = await startServer({ data: world.data, port: server.port, env: withAccount });
    world.server = server;
    const restored = run(process.execPath, ["server/bin/signalbox.js", "restore", "search", "-e", "development", "-m", "over"], {
      env: { SIGNALBOX_URL: server.url, SIGNALBOX_TOKEN: api.token },
    });
    expect(`${await restored.ended} ${restored.output()}`).toMatch(/^0 /);
    await Promise.all([pageSays("search", "on"), nodeSays("search", true)]);
    expect(await page.evaluate(() => "notReloaded" in globalThis)).toBe(true);
  });

  it("each change was seen in both exactly once", async () => {
    const { revision } = await api.get<{ revision: number }>(`${environmentPath("development")}/flags`);
    const seen = {
      node: (await nodeProgram()).revisions,
      page: ((await page.locator("#revisions").textContent()) ?? "").split(" ").map(Number),
    };
    for (const revisions of Object.values(seen)) {
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
      expect(revisions.at(-1)).toBe(revision);
    }
    // The Node program sees every revision since it started, each by itself: nothing here comes faster than it follows.
    const first = seen.node[0] ?? 0;
    expect(seen.node).toEqual(Array.from({ length: revision - first + 1 }, (_, i) => first + i));
  });
});
