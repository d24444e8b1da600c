import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
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
  until,
  withAccount,
} from "./world.ts";

describe.skipIf(inject("chromium") === "")("the history page", () => {
  const data = folder("history");
  const environment = environmentPath("development");
  let server: Server;
  let api: Api;
  let browser: Browser;
  let page: Page;

  keepPictures(() => ({ history: page }));

  beforeAll(async () => {
    server = await startServer({ data: data.path, env: withAccount });
    api = await signIn(server.url);
    await api.send("POST", "projects/default/flags", { key: "new-checkout" });
    const rules = [{ id: "r1", rollout: { percentage: 5 }, serve: { kind: "variant", variant: "on" } }];
    await api.send("PATCH", `${environment}/flags/new-checkout/configuration`, { mode: "targeted", rules });
    await api.send("PATCH", `${environment}/flags/new-checkout/configuration`, { mode: "on" });
    await api.send("POST", `${environment}/flags/new-checkout/kill`, { reason: "too many errors in the shop" });
    await api.send("POST", "projects/default/flags", { key: "other" });
    browser = await openBrowser(inject("chromium"));
    page = await openAdmin(browser, server.url);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    data.remove();
  });

  const modeOf = async () => (await api.get<{ configuration: { mode: string } }>(`${environment}/flags/new-checkout`)).configuration.mode;

  it("tells what a flag went through, shows what going back does, goes back, and takes that back with one press", async () => {
    await page.goto(`${server.url}/default/development/flags/new-checkout`);
    await page.getByRole("main").getByRole("link", { name: "History" }).click();
    await page.getByText("“too many errors in the shop”").waitFor();
    await page.getByText("Who gets it: Some → Everybody").waitFor();
    await page.getByRole("button", { name: "Details" }).nth(1).click();
    await page.getByRole("button", { name: "As it is stored" }).click();
    await page.getByText('- "targeted"').waitFor();
    await look(page, "history-light");
    await page.getByRole("button", { name: "Take back" }).nth(2).click();
    await page.getByRole("menuitem", { name: "Make new-checkout as it was then" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Who gets it: Everybody → Some").waitFor();
    await dialog.getByText("made-up users").first().waitFor();
    await look(page, "history-revert");
    await dialog.getByLabel("Reason").fill("too early");
    await dialog.getByRole("button", { name: "Go back to it" }).click();
    await page.getByText("“too early”").waitFor();
    expect(await modeOf()).toBe("targeted");
    await page.getByRole("button", { name: "Undo" }).click();
    await until("the mode is on again", async () => (await modeOf()) === "on");
  });

  it("shows all flags as they were, in the dark and on a phone", async () => {
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 360, height: 740 });
    await page.goto(`${server.url}/default/development/history`);
    await page.getByRole("button", { name: "All flags as they were then" }).last().click();
    await page.getByText("1 flag, revision 1").waitFor();
    await look(page, "history-dark-360");
    await page.getByLabel("At this time").fill("2020-01-01T10:00");
    await page.getByText("There was no flag yet, revision 0").waitFor();
  });
});
