import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { Flag, ProjectList } from "../server/src/api-types.ts";
import { look } from "./look.ts";
import {
  type Api,
  environmentPath,
  folder,
  keepPictures,
  openAdmin,
  openBrowser,
  type Server,
  signIn,
  startServer,
  withAccount,
} from "./world.ts";

/** Environments, several flags at once, and the end of a flag, in a real browser. */
describe.skipIf(inject("chromium") === "")("the page of environments, and flags in numbers", () => {
  const data = folder("environments");
  let server: Server;
  let api: Api;
  let browser: Browser;
  let page: Page;

  keepPictures(() => ({ environments: page }));

  beforeAll(async () => {
    server = await startServer({ data: data.path, env: withAccount });
    api = await signIn(server.url);
    for (const key of ["a", "b", "c"]) await api.send("POST", "projects/default/flags", { key, tags: key === "c" ? [] : ["pay"] });
    browser = await openBrowser(inject("chromium"));
    page = await openAdmin(browser, server.url);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    data.remove();
  });

  const dialog = () => page.getByRole("dialog");
  const names = async () => (await api.get<ProjectList>("projects")).projects[0]?.environments.map(({ key }) => key);

  it("one is made as a copy, moved, edited and deleted by its name", async () => {
    await page.goto(`${server.url}/default/development/environments`);
    await page.getByRole("button", { name: "New environment" }).click();
    await dialog().getByLabel("Key").fill("staging");
    await dialog().getByLabel("Name").fill("Staging");
    await dialog().getByRole("combobox", { name: "Flags" }).click();
    await page.getByRole("option", { name: /as in Production/ }).click();
    await look(page, "environments-new", '[role="dialog"]');
    await dialog().getByRole("button", { name: "Make it" }).click();
    await page.getByRole("button", { name: "Move Staging up" }).click();
    await page.getByText("Staging is now number 2 of 3").waitFor();
    expect(await names()).toEqual(["development", "staging", "production"]);
    for (const colorScheme of ["dark", "light"] as const) {
      await page.emulateMedia({ colorScheme });
      await look(page, `environments-${colorScheme}`);
    }
    const size = page.viewportSize();
    await page.setViewportSize({ width: 360, height: 740 });
    await look(page, "environments-narrow");
    if (size) await page.setViewportSize(size);

    await page.getByRole("button", { name: "Edit Staging" }).click();
    await dialog().getByLabel("Name").fill("Stage");
    await dialog().getByRole("button", { name: "Save" }).click();
    await page.getByRole("button", { name: "Delete Stage" }).click();
    expect(await dialog().getByRole("button", { name: "Delete it" }).isDisabled()).toBe(true);
    await dialog().getByLabel("Type staging to delete it").fill("staging");
    await dialog().getByRole("button", { name: "Delete it" }).click();
    await page.getByText("Deleted Stage").waitFor();
    expect(await names()).toEqual(["development", "production"]);
  });

  it("several flags are filtered, selected and killed as one revision", async () => {
    await page.goto(`${server.url}/default/development/flags`);
    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByRole("menuitem", { name: "#pay" }).click();
    await page.keyboard.press("Escape");
    await page.getByText("2 flags", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Select" }).click();
    for (const key of ["a", "b"]) await page.getByRole("checkbox", { name: `Select ${key}` }).check();
    await look(page, "flags-selected");
    const revision = async () => (await api.get<Flag>(`${environmentPath("development")}/flags/a`)).revision;
    const before = await revision();
    await page.getByRole("button", { name: "Kill 2" }).click();
    await page.getByRole("button", { name: /Confirm kill of 2/ }).click();
    await page.getByText("Killed 2 flags in development").waitFor();
    expect(await revision()).toBe(before + 1);
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByText("Restored 2 flags in development").waitFor();
    expect((await api.get<Flag>(`${environmentPath("development")}/flags/b`)).killed).toBeNull();
  });

  it("a flag gets a link and a kind, is archived everywhere and deleted by its key", async () => {
    await page.goto(`${server.url}/default/development/flags/c`);
    await page.getByRole("button", { name: "Link", exact: true }).click();
    await page.getByLabel("Title of link 1").fill("Ticket");
    await page.getByLabel("Address of link 1").fill("https://tracker.example/1");
    await page.getByRole("textbox", { name: "Expected life" }).fill("30");
    await look(page, "flag-details");
    await page.getByRole("button", { name: /^Review/ }).click();
    await page.getByRole("dialog").getByRole("button", { name: /^Save/ }).click();
    await page.getByRole("link", { name: "Ticket" }).waitFor();
    await page.getByRole("button", { name: "Archive everywhere" }).click();
    await dialog().getByRole("button", { name: "Archive everywhere" }).click();
    await page.getByText("Archived c everywhere").waitFor();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await dialog().getByLabel("Type c to delete it").fill("c");
    await dialog().getByRole("button", { name: "Delete it" }).click();
    await page.getByText("Deleted c", { exact: true }).waitFor();
    expect((await api.get<{ flags: { key: string }[] }>(`${environmentPath("development")}/flags?archived=true`)).flags).toMatchObject([
      { key: "a" },
      { key: "b" },
    ]);
  });
});
