import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { ACCOUNT, folder, keepPictures, openBrowser, type Program, run, type Server, startServer, until, WAIT_MS_MAX } from "./world.ts";

/**
 * The first five minutes, as a newcomer has them: the printed link, the first account, the lines of the page as they stand, in an empty
 * folder and on a page of another origin, and the first flag turned on and killed.
 */
describe.skipIf(inject("chromium") === "")("first run", () => {
  const data = folder("first-run");
  const elsewhere = folder("elsewhere");
  let server: Server;
  let browser: Browser;
  let admin: Page;
  let program: Program | undefined;
  const problems: string[] = [];

  keepPictures(() => ({ "first-run-admin": admin }));

  beforeAll(async () => {
    server = await startServer({ data: join(data.path, "data") });
    browser = await openBrowser(inject("chromium"));
    admin = await browser.newPage();
    admin.setDefaultTimeout(WAIT_MS_MAX);
    admin.on("pageerror", (error) => problems.push(String(error)));
  });

  afterAll(async () => {
    await program?.stop();
    await browser?.close();
    await server?.stop();
    data.remove();
    elsewhere.remove();
  });

  it("the printed link names the first account and lands on the page for the first flag", async () => {
    expect(server.setupLink).toMatch(/^http:\/\/localhost:\d+\/setup#token=\S+$/);
    await admin.goto(server.setupLink);
    await admin.getByLabel("Name").fill(ACCOUNT.name);
    await admin.getByLabel(/^Password/).fill(ACCOUNT.password);
    await admin.getByRole("button", { name: "Create account" }).click();
    await admin.waitForURL("**/default/development/start");
    // Until now the page was told by 401 that nobody is signed in, which the console shows.
    admin.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  });

  it("the link works once", async () => {
    const other = await browser.newPage();
    await other.goto(server.setupLink);
    await other.getByText("The first account exists already.").waitFor();
    await other.close();
  });

  it("the page makes a flag and shows lines for a server and a browser", async () => {
    await admin.getByLabel("Flag key").fill("new-checkout");
    await admin.getByLabel("Both").check();
    await admin.getByRole("button", { name: "Create" }).click();
    await admin.getByRole("region", { name: "install line" }).waitFor();
    await admin.getByText("waiting for the first evaluation").waitFor();
  });

  it("the Node lines work in an empty folder, and only a reported evaluation ends the waiting", async () => {
    const install = (await admin.getByRole("region", { name: "install line" }).textContent()) ?? "";
    const source = (await admin.getByRole("region", { name: "Node program" }).textContent()) ?? "";
    const start = (await admin.getByRole("region", { name: "run line" }).textContent()) ?? "";
    expect(source).toContain("sb_server_development_");
    expect(await admin.getByText("received").count()).toBe(0);

    const [npm = "", ...installArgs] = install.trim().split(" ");
    const installed = run(npm, installArgs, { cwd: elsewhere.path });
    expect(`${await installed.ended} ${installed.output()}`).toMatch(/^0 /);
    expect(readdirSync(join(elsewhere.path, "node_modules/@signalbox"))).toEqual(["node"]);

    writeFileSync(join(elsewhere.path, "app.mjs"), source);
    const [node = "", ...nodeArgs] = start.trim().split(" ");
    program = run(node, nodeArgs, { cwd: elsewhere.path });
    await until("the program says off", () => program?.output().includes("new-checkout is off"));
    await admin.getByText(/received .* ago: new-checkout = off, from my-app/).waitFor();
    expect(program.output()).toContain("connected to development of default, 1 flag");
  });

  it("the page of another origin works, and both follow when the flag is turned on and killed", async () => {
    const html = (await admin.getByRole("region", { name: "web page" }).textContent()) ?? "";
    const other = createServer((_request, response) => response.writeHead(200, { "content-type": "text/html" }).end(html));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const page = await browser.newPage();
    try {
      await page.goto(`http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}/`);
      await page.getByText("new-checkout is off").waitFor();

      await admin.getByRole("button", { name: "Turn it on" }).click();
      await page.getByText("new-checkout is on").waitFor();
      await until("the program says on", () => program?.output().includes("new-checkout is on"));

      await admin.getByRole("link", { name: "Open the flag" }).click();
      await admin.getByRole("button", { name: "Kill new-checkout" }).click();
      await admin.getByRole("button", { name: /^Confirm kill/ }).click();
      await page.getByText("new-checkout is off").waitFor();
      await until("the program says off again", () => /is on[\s\S]*is off/.test(program?.output() ?? ""));
      await admin
        .getByText(/2 of 2 connected programs have applied it, slowest [\d.]+ ms/)
        .first()
        .waitFor();
    } finally {
      await page.close();
      other.closeAllConnections();
      other.close();
    }
  });

  it("the page works as a file too", async () => {
    await admin.goto(`${server.url}/default/development/start?flag=new-checkout&read=browser`);
    const html = (await admin.getByRole("region", { name: "web page" }).textContent()) ?? "";
    const file = join(elsewhere.path, "page.html");
    writeFileSync(file, html);
    const page = await browser.newPage();
    await page.goto(`file://${file}`);
    await page.getByText("new-checkout is off").waitFor();
    await page.close();
  });

  it("a program with a key of another environment is named", async () => {
    const keys = await admin.evaluate(async () => (await fetch("/api/v1/projects/default/environments/production/sdk-keys")).json());
    const source = readFileSync(join(elsewhere.path, "app.mjs"), "utf8").replace(/sb_server_development_[\w-]+/, keys.server);
    writeFileSync(join(elsewhere.path, "production.mjs"), source.replace("my-app", "other-app"));
    await admin.goto(`${server.url}/default/development/start?flag=new-checkout&read=both`);
    await admin.getByRole("region", { name: "run line" }).waitFor();
    const wrong = run(process.execPath, ["production.mjs"], { cwd: elsewhere.path });
    await admin.getByText(/other-app is connected to production, this page shows development/i).waitFor();
    await wrong.stop();
  });

  it("a browser that asks for a hidden flag is told of, with the switch beside it", async () => {
    await admin.goto(`${server.url}/default/development/start`);
    await admin.getByLabel("Flag key").fill("hidden-one");
    await admin.getByLabel("On a server").check();
    await admin.getByRole("button", { name: "Create" }).click();
    await admin.getByText("waiting for the first evaluation").waitFor();
    const html = readFileSync(join(elsewhere.path, "page.html"), "utf8").replaceAll("new-checkout", "hidden-one");
    writeFileSync(join(elsewhere.path, "hidden.html"), html);
    const page = await browser.newPage();
    await page.goto(`file://${join(elsewhere.path, "hidden.html")}`);
    await admin.getByText("Hidden from browsers", { exact: true }).waitFor();
    await admin.getByRole("switch", { name: "Visible in browsers" }).click();
    await admin.getByText(/received .* ago: hidden-one = off, from my-page/).waitFor();
    await page.close();
  });

  it("nothing went wrong in the admin page's console", () => {
    expect(problems).toEqual([]);
  });
});
