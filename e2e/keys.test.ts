import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { look } from "./look.ts";
import { environmentPath, folder, keepPictures, openAdmin, openBrowser, type Server, startServer, withAccount } from "./world.ts";

/** Keys and tokens in a real browser: made, shown once, rotated, revoked. */
describe.skipIf(inject("chromium") === "")("the page of keys and tokens", () => {
  const data = folder("keys");
  let server: Server;
  let browser: Browser;
  let page: Page;

  keepPictures(() => ({ keys: page }));

  beforeAll(async () => {
    server = await startServer({ data: data.path, env: withAccount });
    browser = await openBrowser(inject("chromium"));
    page = await openAdmin(browser, server.url);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    data.remove();
  });

  const dialog = () => page.getByRole("dialog");
  const shownOnce = async () => {
    await dialog().getByText("This is shown once").waitFor();
    return (await dialog().locator("pre").textContent()) ?? "";
  };
  const read = (key: string) => fetch(`${server.url}/sdk/v1/state`, { headers: { authorization: `Bearer ${key}` } });
  const row = (text: string) => page.getByRole("listitem").filter({ hasText: text });

  it("an SDK key is made, rotated without a gap, and revoked", async () => {
    await page.goto(`${server.url}/default/development/keys`);
    await page.getByRole("heading", { level: 1, name: "Keys and tokens" }).waitFor();
    await page.getByRole("button", { name: "New SDK key" }).click();
    await dialog().getByLabel("Name").fill("billing");
    await dialog().getByRole("button", { name: "Create" }).click();
    const first = await shownOnce();
    expect((await read(first)).status).toBe(200);
    await dialog().getByRole("button", { name: "Done" }).click();
    await row("billing").getByText("No program that runs now came with it.").waitFor();

    await page.getByRole("button", { name: "Rotate the server key billing" }).click();
    await dialog().getByRole("button", { name: "Make the new one" }).click();
    const second = await shownOnce();
    expect([(await read(first)).status, (await read(second)).status]).toEqual([200, 200]);
    await dialog().getByRole("button", { name: "Done" }).click();
    await page.getByRole("button", { name: "Revoke the server key billing" }).first().click();
    await dialog().getByRole("button", { name: "Revoke it" }).click();
    await page.getByText("Revoked the server key billing").waitFor();
    expect([(await read(first)).status, (await read(second)).status]).toEqual([401, 200]);
  });

  it("a browser key takes the pages of its origins", async () => {
    await page.getByRole("button", { name: "Origins of first" }).click();
    const origins = dialog().getByRole("combobox", { name: "Origins" });
    await origins.fill("https://shop.example");
    await origins.press("Enter");
    await dialog().getByRole("button", { name: "Save the origins" }).click();
    await page.getByText("For pages of https://shop.example.").waitFor();
    const keys = (await page.evaluate(
      async (path) => (await fetch(`/api/v1/${path}/sdk-keys`)).json(),
      environmentPath("development"),
    )) as {
      browser: string;
    };
    const from = (origin: string) => fetch(`${server.url}/sdk/v1/state?key=${keys.browser}`, { headers: { origin } });
    expect([(await from("https://shop.example")).status, (await from("https://evil.example")).status]).toEqual([200, 403]);
  });

  it("a token for an alert kills one flag, and is gone when it is revoked", async () => {
    await page.getByRole("button", { name: "New token" }).click();
    await dialog().getByLabel("Name").fill("alert");
    await dialog().getByRole("radio", { name: "A service's" }).check();
    const flags = dialog().getByRole("combobox", { name: "Only these flags" });
    await flags.fill("new-checkout");
    await flags.press("Enter");
    await dialog().getByRole("button", { name: "Create" }).click();
    const token = await shownOnce();
    expect(token).toMatch(/^sb_kill_/);
    await dialog().getByRole("button", { name: "Done" }).click();
    await row("alert").getByText("everywhere, only new-checkout").waitFor();
    const asked = () => fetch(`${server.url}/api/v1/session`, { headers: { authorization: `Bearer ${token}` } });
    expect((await asked()).status).toBe(200);
    await page.getByRole("button", { name: "Revoke alert" }).click();
    await dialog().getByRole("button", { name: "Revoke it" }).click();
    await page.getByText("There is none yet.").waitFor();
    expect((await asked()).status).toBe(401);
  });

  it("fits a phone and is readable by everybody, light and dark", async () => {
    for (const scheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: scheme });
      for (const width of [1_280, 360]) {
        await page.setViewportSize({ width, height: 800 });
        await page.goto(`${server.url}/default/development/keys`);
        await page.getByText("For pages of https://shop.example.").waitFor();
        await look(page, `keys-${scheme}-${width}`);
      }
    }
    await page.getByRole("button", { name: "New token" }).click();
    await dialog().getByLabel("Name").waitFor();
    await look(page, "keys-new-token", "[role=dialog]");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "New SDK key" }).click();
    await dialog().getByRole("radio", { name: "Browsers" }).check();
    await look(page, "keys-new-sdk-key", "[role=dialog]");
  });
});
