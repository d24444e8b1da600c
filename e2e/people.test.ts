import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { look } from "./look.ts";
import {
  environmentPath,
  folder,
  keepPictures,
  openAdmin,
  openBrowser,
  type Server,
  signIn,
  startServer,
  WAIT_MS_MAX,
  withAccount,
} from "./world.ts";

const PASSWORD = "another horse battery";

/** One walk: an admin invites a releaser of production, who accepts, does their work, and is told clearly what they may not. */
describe.skipIf(inject("chromium") === "")("people and roles in the admin UI", () => {
  const data = folder("people");
  let server: Server;
  let browser: Browser;
  let admin: Page;
  let ben: Page;

  keepPictures(() => ({ "people-admin": admin, "people-ben": ben }));

  beforeAll(async () => {
    server = await startServer({ data: data.path, env: withAccount });
    const api = await signIn(server.url);
    await api.send("POST", "projects/default/flags", { key: "new-checkout" });
    browser = await openBrowser(inject("chromium"));
    admin = await openAdmin(browser, server.url, { viewport: { width: 360, height: 780 } });
    ben = await (await browser.newContext({ viewport: { width: 360, height: 780 }, colorScheme: "dark" })).newPage();
    ben.setDefaultTimeout(WAIT_MS_MAX);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    data.remove();
  });

  it("an admin invites somebody, who does what their role may and is told clearly what it may not", async () => {
    // An admin invites somebody with a role at a place, and gets a link.
    await admin.goto(`${server.url}/people`);
    await admin.getByRole("button", { name: "Invite" }).click();
    await admin.getByLabel("Role", { exact: true }).selectOption("releaser");
    await admin.getByLabel("Where", { exact: true }).selectOption({ label: "Default, Production" });
    await admin.getByLabel("For whom").fill("Ben");
    await look(admin, "people-invite");
    await admin.getByRole("button", { name: "Make the link" }).click();
    const link = await admin.getByRole("region", { name: "invitation link" }).innerText();
    expect(link).toMatch(/^http:\/\/localhost:\d+\/invitation#token=[\w-]{43}$/);
    await admin.getByRole("button", { name: "Done" }).click();
    await admin.getByText(/^Releaser, Default, Production · by ana/).waitFor();
    await look(admin, "people");
    await ben.goto(link);

    // Who is invited sees the role, makes an account, and is in.
    await ben.getByText("Releaser, default, production.").waitFor();
    await look(ben, "people-invitation");
    await ben.getByLabel("Name").fill("ben");
    await ben.getByLabel(/^Password/).fill("short");
    await ben.getByRole("button", { name: "Make my account" }).click();
    await ben.getByText("this one has 5").waitFor();
    await ben.getByLabel(/^Password/).fill(PASSWORD);
    await ben.getByRole("button", { name: "Make my account" }).click();
    // The only place that they may see, although the first environment is another.
    await ben.waitForURL("**/default/production/flags");
    await ben
      .getByRole("link", { name: /new-checkout/ })
      .first()
      .waitFor();
    expect(await ben.getByRole("link", { name: "People" }).count()).toBe(0);
    expect(await ben.getByRole("button", { name: "New flag" }).isDisabled()).toBe(true);

    // Kills in production, and another environment is not there for them.
    await ben.getByRole("button", { name: "Kill new-checkout" }).click();
    await ben.getByRole("button", { name: /Confirm kill/ }).click();
    await ben.getByRole("button", { name: "Restore new-checkout" }).waitFor();
    await ben.goto(`${server.url}/default/development/flags`);
    await ben.getByText('There is no environment "development" in the project "default".').waitFor();
    await ben.goto(`${server.url}/people`);
    await ben.getByText("Only admins see who may do what").waitFor();
    const answer = await ben.request.get(`${server.url}/api/v1/${environmentPath("development")}/flags`);
    expect([answer.status(), (await answer.json()).code]).toEqual([404, "ENVIRONMENT_NOT_FOUND"]);

    // The account page shows roles and sessions, and changes the password.
    await ben.goto(`${server.url}/account`);
    await ben.getByText("Releaser Default, Production").waitFor();
    await ben.getByText("This one").waitFor();
    await look(ben, "people-account");
    await ben.getByLabel("Old password", { exact: true }).fill("not it, surely");
    await ben.getByLabel("New password", { exact: true }).fill("a third horse battery");
    await ben.getByRole("button", { name: "Change the password" }).click();
    await ben.getByText("The old password is wrong.").waitFor();
    await ben.getByLabel("Old password", { exact: true }).fill(PASSWORD);
    await ben.getByRole("button", { name: "Change the password" }).click();
    await ben.getByText("Your password is changed").waitFor();

    // An admin makes them a viewer, which holds at once, and undoes nothing of their own by mistake.
    await admin.reload();
    await admin.getByRole("button", { name: "Change ben" }).click();
    await admin.getByRole("menuitem", { name: "Give a role" }).click();
    await admin.getByLabel("Where", { exact: true }).selectOption({ label: "Default, Production" });
    await admin.getByRole("button", { name: "Give the role" }).click();
    await admin.getByText("ben is now Viewer, Default, Production").waitFor();
    await ben.goto(`${server.url}/default/production/flags`);
    await ben.getByText("In Production you may look, but not edit, kill or restore").waitFor();
    expect(await ben.getByRole("button", { name: "Restore new-checkout" }).isDisabled()).toBe(true);
    await look(ben, "people-viewer");
    await admin.getByRole("button", { name: /^Take from ana: Admin/ }).click();
    await admin.getByText("This is the last admin of everything").waitFor();
  });
});
