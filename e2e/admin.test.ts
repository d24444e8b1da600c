import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import {
  ACCOUNT,
  type Api,
  environmentPath,
  folder,
  keepPictures,
  openBrowser,
  root,
  type Server,
  signIn,
  startServer,
  until,
  WAIT_MS_MAX,
  withAccount,
} from "./world.ts";

/** The admin UI and /kill as people use them: tasks within their budgets of interactions, both themes, a phone, a screen reader, two people at once. */
describe.skipIf(inject("chromium") === "")("the admin UI", () => {
  const data = folder("admin");
  const environment = environmentPath("development");
  let server: Server;
  let api: Api;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;

  keepPictures(() => ({ admin: page }));

  beforeAll(async () => {
    server = await startServer({ data: data.path, env: withAccount });
    api = await signIn(server.url);
    const on = { kind: "variant", variant: "on" };
    const off = { kind: "variant", variant: "off" };
    await api.send("POST", `${environment}/groups`, {
      key: "staff",
      kind: "conditions",
      name: "Staff",
      when: { op: "endsWith", attribute: "email", values: ["@example.com"] },
    });
    await api.send("POST", `${environment}/groups`, { key: "early-adopters", kind: "early-access", name: "Early adopters" });
    await api.send("POST", `${environment}/groups/early-adopters/members`, { add: ["ana", "ben"] });
    await api.send("POST", `${environment}/groups`, { key: "banks", kind: "list", name: "Banks" });
    for (let i = 0; i < 30; i++) await api.send("POST", "projects/default/flags", { key: `flag-${String(i).padStart(2, "0")}` });
    await api.send("POST", "projects/default/flags", {
      key: "new-checkout",
      description: "Pay in one step",
      tags: ["checkout"],
      browser: true,
    });
    await api.send("PATCH", `${environment}/flags/new-checkout/configuration`, {
      mode: "targeted",
      rules: [
        { name: "Not for banks", when: { op: "in", attribute: "kind", values: ["bank"] }, serve: off },
        { name: "Staff", when: { op: "group", group: "staff" }, serve: on },
        { rollout: { percentage: 10 }, serve: on },
      ],
    });
    await api.send("POST", "projects/default/flags", { key: "search" });
    await api.send("PATCH", `${environment}/flags/search/configuration`, { mode: "on" });

    browser = await openBrowser(inject("chromium"));
    context = await browser.newContext();
    page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS_MAX);
    await page.goto(`${server.url}/sign-in`);
    await page.getByLabel("Name").fill(ACCOUNT.name);
    await page.getByLabel(/^Password/).fill(ACCOUNT.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL("**/default/development/**");
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    data.remove();
  });

  /** Counts what a person does: a press is one, typing something is one. */
  function person() {
    let interactions = 0;
    return {
      async press(target: Locator) {
        interactions++;
        await target.click();
      },
      async type(target: Locator, text: string) {
        interactions++;
        await target.fill(text);
      },
      async key(name: string) {
        interactions++;
        await page.keyboard.press(name);
      },
      get interactions() {
        return interactions;
      },
    };
  }

  const wordOf = async (flag: string) => (await api.get<{ state: { text: string } }>(`${environment}/flags/${flag}`)).state.text;
  const open = (path: string) => page.goto(`${server.url}/default/development/${path}`);

  it("kill from the list: at most 4 interactions; Undo: 1", async () => {
    await open("flags");
    const ana = person();
    await ana.type(page.getByLabel("Search flags"), "search");
    await ana.press(page.getByRole("button", { name: "Kill search" }));
    await ana.press(page.getByRole("button", { name: /^Confirm kill/ }));
    await until("search is killed", async () => (await wordOf("search")) === "KILLED");
    expect(ana.interactions).toBeLessThanOrEqual(4);
    await page.getByText("No program is connected; each will apply it when it connects").waitFor();

    const undoing = person();
    await undoing.press(page.getByRole("button", { name: "Undo" }));
    await until("search is restored", async () => (await wordOf("search")) === "ON");
    expect(undoing.interactions).toBe(1);
  });

  it("a double press never kills", async () => {
    await open("flags?search=flag-29");
    await page.getByRole("button", { name: "Kill flag-29" }).dblclick();
    await page.getByRole("button", { name: /^Confirm kill/ }).waitFor();
    expect(await wordOf("flag-29")).toBe("OFF");
  });

  it("10 to 25 %: at most 3 interactions; Undo: 1", async () => {
    await open("flags/new-checkout");
    const ben = person();
    await ben.press(page.getByRole("button", { name: "25 %" }));
    await ben.press(page.getByRole("button", { name: "Review and save" }));
    await ben.press(page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }));
    await until("25 % are stored", async () => (await wordOf("new-checkout")) === "SOME 25 %");
    expect(ben.interactions).toBeLessThanOrEqual(3);
    await page.getByRole("dialog").waitFor({ state: "hidden" });

    const undoing = person();
    await undoing.key("u");
    await until("10 % are back", async () => (await wordOf("new-checkout")) === "SOME 10 %");
    expect(undoing.interactions).toBe(1);
  });

  it("find a flag: at most 2 interactions", async () => {
    await open("flags");
    await page.getByText("32 flags").waitFor();
    const eva = person();
    await page.getByLabel("Search flags").focus();
    await eva.type(page.getByLabel("Search flags"), "one step");
    await page.getByText("1 flag", { exact: true }).waitFor();
    await eva.key("Enter");
    await page.waitForURL("**/flags/new-checkout");
    expect(eva.interactions).toBeLessThanOrEqual(2);
  });

  it("create, describe, rename and archive a flag, each with Undo", async () => {
    await open("flags");
    await page.getByRole("button", { name: "New flag" }).click();
    await page.getByRole("dialog").getByLabel(/key/i).first().fill("dark-nav");
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /create/i })
      .click();
    await page.waitForURL("**/flags/dark-nav");

    await open("flags?search=dark-nav");
    await page.getByRole("button", { name: "More for dark-nav" }).click();
    await page.getByRole("menuitem", { name: "Rename" }).click();
    await page.getByRole("dialog").getByLabel(/key/i).first().fill("dark-navigation");
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /rename|save/i })
      .click();
    await page.getByRole("link", { name: "dark-navigation" }).waitFor();
    expect((await api.get<{ aliases: string[] }>(`${environment}/flags/dark-navigation`)).aliases).toEqual(["dark-nav"]);

    await page.getByRole("button", { name: "More for dark-navigation" }).click();
    await page.getByRole("menuitem", { name: "Archive" }).click();
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /archive/i })
      .click();
    await page.getByRole("button", { name: "Undo" }).waitFor();
    await until("it is archived", async () => (await api.get<{ archived: boolean }>(`${environment}/flags/dark-navigation`)).archived);
    await page.getByRole("button", { name: "Undo" }).click();
    await until("it is back", async () => !(await api.get<{ archived: boolean }>(`${environment}/flags/dark-navigation`)).archived);
  });

  it("another person's change appears by itself, and an edit of one's own is not overwritten", async () => {
    await open("flags/new-checkout");
    await page.getByRole("heading", { name: /new-checkout/ }).waitFor();
    await page.getByRole("button", { name: "50 %" }).click();
    const { configurationEtag } = await api.get<{ configurationEtag: string }>(`${environment}/flags/new-checkout`);
    await api.send("PATCH", `${environment}/flags/new-checkout/configuration`, { mode: "off" }, configurationEtag);
    await page.getByText("OFF", { exact: true }).first().waitFor();
    await page
      .getByRole("region", { name: "Unsaved changes" })
      .getByText(/1 unsaved change/)
      .waitFor();
    await page.getByRole("button", { name: "Discard" }).click();
    await api.send("PATCH", `${environment}/flags/new-checkout/configuration`, { mode: "targeted" });
    await page.getByText("SOME 10 %").first().waitFor();
  });

  it("a flag that needs a list cannot be marked for browsers, and the page says why", async () => {
    await api.send("POST", "projects/default/flags", { key: "for-banks" });
    await api.send("PATCH", `${environment}/flags/for-banks/configuration`, {
      mode: "targeted",
      rules: [{ when: { op: "group", group: "banks" }, serve: { kind: "variant", variant: "on" } }],
    });
    await open("flags/for-banks");
    await page
      .getByText(/group "?banks"?/i)
      .first()
      .waitFor();
    const answer = await api.answer("PATCH", `${environment}/flags/for-banks/configuration`, { browser: true });
    expect(answer.status).toBe(422);
    expect(((await answer.json()) as { issues: { message: string }[] }).issues[0]?.message).toContain("banks");
  });

  const PAGES = {
    flags: "flags",
    flag: "flags/new-checkout",
    groups: "groups",
    group: "groups/staff",
    members: "groups/early-adopters",
    settings: "settings",
    start: "start?flag=new-checkout&read=both",
  };
  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

  async function look(one: Page, name: string): Promise<void> {
    await one.waitForLoadState("networkidle");
    const wide = await one.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(`${name} is ${wide} px too wide`).toBe(`${name} is 0 px too wide`);
    // Page scripts are the page's own only; axe comes through the debugger.
    await one.evaluate(axe);
    const violations = await one.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
      };
      const { violations } = await axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] });
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
    });
    expect(violations.map((text) => `${name}: ${text}`)).toEqual([]);
    if (process.env.PICTURES_OF_PAGES) {
      mkdirSync(join(root, "e2e/artifacts"), { recursive: true });
      await one.screenshot({ path: join(root, `e2e/artifacts/${name}.png`), fullPage: true });
    }
  }

  for (const theme of ["light", "dark"] as const) {
    for (const width of [1280, 360]) {
      it(`every page at ${width} px in the ${theme} theme has no horizontal scroll and nothing that axe finds`, async () => {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme: theme });
        for (const [name, path] of Object.entries(PAGES)) {
          await open(path);
          await page.getByRole("heading", { level: 1 }).waitFor();
          await look(page, `${name}-${theme}-${width}`);
        }
        await page.goto(`${server.url}/default/production/flags/new-checkout`);
        await page.getByText("PRODUCTION", { exact: true }).first().waitFor();
        await look(page, `production-${theme}-${width}`);
        const anybody = await browser.newContext({ colorScheme: theme, viewport: { width, height: 800 } });
        const signingIn = await anybody.newPage();
        await signingIn.goto(`${server.url}/sign-in`);
        await signingIn.getByRole("button", { name: "Sign in" }).waitFor();
        await look(signingIn, `sign-in-${theme}-${width}`);
        await anybody.close();
      });
    }

    it(`/kill works without JavaScript at 360 px in the ${theme} theme`, async () => {
      const phone = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 360, height: 640 }, colorScheme: theme });
      const kill = await phone.newPage();
      kill.setDefaultTimeout(WAIT_MS_MAX);
      const picture = async (name: string) => {
        if (process.env.PICTURES_OF_PAGES)
          await kill.screenshot({ path: join(root, `e2e/artifacts/kill-${name}-${theme}.png`), fullPage: true });
      };
      await kill.goto(`${server.url}/kill`);
      await picture("sign-in");
      await kill.getByLabel(/name/i).fill(ACCOUNT.name);
      await kill.getByLabel(/password/i).fill(ACCOUNT.password);
      await kill.getByRole("button", { name: /sign in/i }).click();
      await kill.getByRole("searchbox").fill("search");
      await kill.getByRole("searchbox").press("Enter");
      await picture("list");
      await kill.getByRole("link", { name: /kill/i }).and(kill.locator('[href*="flag=search"]')).click();
      await picture("confirm");
      await kill.getByRole("button", { name: /kill/i }).click();
      await kill.getByText("No program is connected; each will apply it when it connects").waitFor();
      await picture("receipt");
      await kill.goto(`${server.url}/kill?search=search`);
      await kill
        .getByRole("link", { name: /restore/i })
        .first()
        .click();
      await kill.getByRole("button", { name: /restore/i }).click();
      await kill
        .getByText(/restored/i)
        .first()
        .waitFor();
      await phone.close();
    });
  }
});
