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

describe.skipIf(inject("chromium") === "")("moving things", () => {
  const data = folder("transfer");
  const development = environmentPath("development");
  const production = environmentPath("production");
  let server: Server;
  let api: Api;
  let browser: Browser;
  let page: Page;

  keepPictures(() => ({ transfer: page }));

  beforeAll(async () => {
    server = await startServer({ data: data.path, env: withAccount });
    api = await signIn(server.url);
    await api.send("POST", "projects/default/flags", { key: "new-checkout" });
    const rules = [{ id: "r1", rollout: { percentage: 10 }, serve: { kind: "variant", variant: "on" } }];
    await api.send("PATCH", `${development}/flags/new-checkout/configuration`, { mode: "targeted", rules });
    await api.send("POST", `${development}/groups`, { key: "shops", kind: "list" });
    await api.send("POST", `${development}/groups/shops/members`, { add: ["1", "2"] });
    browser = await openBrowser(inject("chromium"));
    page = await openAdmin(browser, server.url);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    data.remove();
  });

  const modeInProduction = async () =>
    (await api.get<{ configuration: { mode: string } }>(`${production}/flags/new-checkout`)).configuration.mode;
  const file = (name: string, text: string) => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) });

  it("compares, shows whom a promotion reaches, promotes, and takes it back with one press", async () => {
    await page.goto(`${server.url}/default/production/compare`);
    await page.getByRole("heading", { name: "1 flag differs" }).waitFor();
    await page.getByText("Who gets it: Nobody → Some").waitFor();
    await look(page, "compare-light");
    await page.getByRole("checkbox", { name: "Promote new-checkout" }).check();
    await page.getByRole("button", { name: "Promote new-checkout to production…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("made-up users").first().waitFor();
    await look(page, "promote-light");
    await dialog.getByLabel("Reason").fill("tried in development");
    await dialog.getByRole("button", { name: "Promote to production" }).click();
    await page.getByRole("heading", { name: "Flags: no difference" }).waitFor();
    expect(await modeInProduction()).toBe("targeted");
    await page.getByRole("button", { name: "Undo" }).click();
    await until("it is off in production again", async () => (await modeInProduction()) === "off");
  });

  it("replaces a list by a CSV file, after a look and the name of the group", async () => {
    await page.goto(`${server.url}/default/development/groups/shops`);
    await page.getByRole("radio", { name: "Replace" }).check();
    await page
      .locator('section[aria-labelledby="csv"] input[type=file]')
      .setInputFiles(file("shops.csv", 'id,name\n2,"B, too"\n3,C\n"",D\n'));
    await page.getByText("line 4 holds no unit").waitFor();
    await page.locator('section[aria-labelledby="csv"] input[type=file]').setInputFiles(file("shops.csv", 'id,name\n2,"B, too"\n3,C\n'));
    await page.getByLabel("Column").fill("id");
    await page.getByText("1 would come (3); 1 would go (1); 2 afterwards.").waitFor();
    await look(page, "members-csv-light");
    const replace = page.getByRole("button", { name: "Replace in development" });
    expect(await replace.isDisabled()).toBe(true);
    await page.getByLabel("Type shops to replace the list").fill("shops");
    await replace.click();
    await page.getByText("shops: 1 came, 1 went").waitFor();
    await page.getByRole("list", { name: "Members" }).getByText("3", { exact: true }).waitFor();
  });

  it("shows what a file would change and why it would be refused, and imports it, in the dark and on a phone", async () => {
    const exported = await api.get<{ flags: { configurations: Record<string, { mode: string }>; type: string }[] }>(
      "projects/default/export",
    );
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 360, height: 740 });
    await page.goto(`${server.url}/default/development/transfer`);
    const input = page.locator('section[aria-labelledby="import"] input[type=file]');
    const [flag] = exported.flags;
    if (!flag?.configurations.production) throw new Error("nothing was exported");
    await input.setInputFiles(file("wrong.json", JSON.stringify({ ...exported, flags: [{ ...flag, type: "string" }] })));
    await page.getByText("/flags/0/type").waitFor();
    flag.configurations.production.mode = "on";
    await input.setInputFiles(file("right.json", JSON.stringify(exported)));
    await page.getByText("Would be 1 changed:").waitFor();
    await page.getByText("Who gets it: Nobody → Everybody").waitFor();
    await look(page, "transfer-dark-360");
    await page.getByRole("button", { name: "Import into default" }).click();
    await page.getByText("Imported: 1 changed").waitFor();
    expect(await modeInProduction()).toBe("on");
    await page.goto(`${server.url}/default/production/compare`);
    await page.getByRole("heading", { name: "1 flag differs" }).waitFor();
    await look(page, "compare-dark-360");
  });
});
