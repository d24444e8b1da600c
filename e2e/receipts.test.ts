import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from "vitest";
import { look } from "./look.ts";
import {
  type Api,
  environmentPath,
  folder,
  keepPictures,
  openAdmin,
  openBrowser,
  type Program,
  run,
  type Server,
  signIn,
  startServer,
  until,
  WAIT_MS_MAX,
  withAccount,
} from "./world.ts";

const PRODUCTION = environmentPath("production");

interface Fleet {
  readonly revision: number;
  readonly counts: Readonly<Record<"connected" | "silent" | "polling" | "behind", number>>;
  readonly instances: readonly {
    readonly app: string;
    readonly applied: number | null;
    readonly host: string;
    readonly appVersion: string;
  }[];
}

/** Kills and their receipts with real programs: what the person at the command line and on the pages is told. */
describe("receipts of real programs", () => {
  const data = folder("receipts");
  let server: Server;
  let api: Api;
  let serverKey: string;
  const programs: Program[] = [];

  beforeAll(async () => {
    server = await startServer({ data: data.path, env: withAccount });
    api = await signIn(server.url);
    serverKey = (await api.get<{ server: string }>(`${PRODUCTION}/sdk-keys`)).server;
    await api.send("POST", "projects/default/flags", { key: "checkout" });
  });
  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.stop("SIGKILL")));
    await until("they are gone", async () => (await fleet()).counts.connected === 0);
  });
  afterAll(async () => {
    await server?.stop();
    data.remove();
  });

  const fleet = () => api.get<Fleet>(`${PRODUCTION}/instances`);

  async function start(...apps: string[]): Promise<Program[]> {
    const env = { SIGNALBOX_URL: server.url, SIGNALBOX_SERVER_KEY: serverKey };
    const started = apps.map((app) => run(process.execPath, ["e2e/receipt-program.mjs", app], { env }));
    programs.push(...started);
    await until("every program is connected and has said what it holds", async () => {
      const { revision, instances } = await fleet();
      return apps.every((app) => instances.some((instance) => instance.app === app && instance.applied === revision));
    });
    return started;
  }

  async function signalbox(...args: string[]): Promise<{ code: number | string; output: string }> {
    const env = { SIGNALBOX_URL: server.url, SIGNALBOX_TOKEN: api.token };
    const program = run(process.execPath, ["server/bin/signalbox.js", ...args], { env });
    return { code: await program.ended, output: program.output() };
  }

  it("kill ends with 0 when every connected program has applied it", async () => {
    await start("api", "search", "worker");
    const killed = await signalbox("kill", "checkout", "-e", "production", "-m", "burns");
    expect(killed).toMatchObject({
      code: 0,
      output: expect.stringMatching(/3 of 3 connected programs have applied it, slowest [\d.]+ ms\n/),
    });
    const restored = await signalbox("restore", "checkout", "-e", "production", "--json");
    expect(restored.code).toBe(0);
    expect(JSON.parse(restored.output).receipt).toMatchObject({ connected: 3, acknowledged: 3, complete: true, missing: [] });
    expect((await fleet()).instances[0]).toMatchObject({ appVersion: "1.2.3", host: expect.stringMatching(/^rack-/) });
  });

  it("any other write has a receipt as well", async () => {
    await start("api", "worker");
    await api.send("POST", "projects/default/flags", { key: "banner" });
    const { revision } = await fleet();
    const receipt = await api.get(`${PRODUCTION}/revisions/${revision}/receipt?waitMs=10000`);
    expect(receipt).toMatchObject({ action: "flag.create", connected: 2, acknowledged: 2, complete: true });
  });

  it("kill ends with 3 and names the program that stands still, why, and nobody else", async () => {
    const [, , stopped] = await start("api", "search", "worker");
    process.kill(stopped?.pid ?? 0, "SIGSTOP");
    const killed = await signalbox("kill", "checkout", "-e", "production");
    expect(killed.code).toBe(3);
    expect(killed.output).toMatch(/2 of 3 connected programs have applied it, slowest [\d.]+ ms; waiting for worker\n/);
    expect(killed.output).toMatch(/worker \(worker-1 on rack-worker\): connected, has not answered; last heard from \d+ s ago\n/);
    expect(killed.output).not.toMatch(/api \(|search \(/);
    process.kill(stopped?.pid ?? 0, "SIGCONT");
    const { revision } = await fleet();
    await until("it has caught up", async () => {
      const receipt = await api.get<{ complete: boolean }>(`${PRODUCTION}/revisions/${revision}/receipt`);
      return receipt.complete;
    });
    await signalbox("restore", "checkout", "-e", "production");
  });

  it("kill ends with 1 when there is no server", async () => {
    const nowhere = await signalbox("kill", "checkout", "-e", "production", "--url", "http://127.0.0.1:1");
    expect(nowhere).toEqual({ code: 1, output: expect.stringContaining("cannot be reached") });
  });

  it("receipts are there after the server was killed and started again", async () => {
    await start("api");
    expect((await signalbox("kill", "checkout", "-e", "production")).code).toBe(0);
    const { revision } = await fleet();
    await server.stop("SIGTERM");
    server = await startServer({ data: data.path, port: server.port, env: withAccount });
    const receipt = await api.get(`${PRODUCTION}/revisions/${revision}/receipt`);
    expect(receipt).toMatchObject({ action: "flag.kill", connected: 1, acknowledged: 1, complete: true, open: false });
    await signalbox("restore", "checkout", "-e", "production");
  });

  it("fleet lists them in a terminal", async () => {
    await start("api", "worker");
    const { code, output } = await signalbox("fleet", "-e", "production");
    expect(code).toBe(0);
    expect(output).toMatch(/^production, revision \d+: 2 connected\n/);
    expect(output).toMatch(/api 1\.2\.3 +connected +\d+ +no +\d+ s ago +node\/\S+ +rack-api +api-1\n/);
  });

  describe.skipIf(inject("chromium") === "")("on the pages", () => {
    let browser: Browser;
    let page: Page;
    keepPictures(() => ({ receipts: page }));
    beforeAll(async () => {
      browser = await openBrowser(inject("chromium"));
      page = await openAdmin(browser, server.url, { viewport: { width: 1280, height: 900 } });
    });
    afterAll(() => browser?.close());

    it("the fleet follows who comes, falls behind and goes; the header tells the heartbeat", async () => {
      await page.goto(`${server.url}/default/production/fleet`);
      await page.getByText("No program is here now.").waitFor();
      const [, worker] = await start("api", "worker");
      await page.getByText(/^2 connected · nobody is known to be behind/).waitFor();
      process.kill(worker?.pid ?? 0, "SIGSTOP");
      await api.send("POST", `${PRODUCTION}/flags/checkout/kill`, {});
      await page.getByText(/^2 connected · 1 behind revision/).waitFor();
      await page.getByText(/1 revision behind for /).waitFor();
      await page.getByLabel("Find a program").fill("behind");
      await page.getByText("Programs (1 of 2)").waitFor();
      await page.getByRole("button", { name: /^heartbeat [\d.]+ ms · .*: a kill would arrive now/ }).waitFor();
      for (const theme of ["light", "dark"] as const) {
        for (const width of [1280, 360]) {
          await page.setViewportSize({ width, height: 900 });
          await page.emulateMedia({ colorScheme: theme });
          await look(page, `fleet-${theme}-${width}`);
        }
      }
      await page.setViewportSize({ width: 1280, height: 900 });
      process.kill(worker?.pid ?? 0, "SIGCONT");
      await page.getByLabel("Find a program").fill("");
      await page.getByText(/^2 connected · nobody is known to be behind/).waitFor();
      await api.send("POST", `${PRODUCTION}/flags/checkout/restore`, {});
    });

    it("/kill shows the receipt without JavaScript, and names who is missing", async () => {
      const [, worker] = await start("api", "worker");
      const context = await browser.newContext({ javaScriptEnabled: false, storageState: await page.context().storageState() });
      const plain = await context.newPage();
      plain.setDefaultTimeout(WAIT_MS_MAX);
      process.kill(worker?.pid ?? 0, "SIGSTOP");
      await plain.goto(`${server.url}/kill/confirm?project=default&environment=production&flag=checkout&do=kill`);
      await plain.getByRole("button", { name: /^Kill checkout/ }).click();
      await plain.getByText(/^1 of 2 connected programs have applied it/).waitFor();
      await plain.getByText(/connected, has not answered; last heard from/).waitFor();
      process.kill(worker?.pid ?? 0, "SIGCONT");
      await plain.getByText(/^2 of 2 connected programs have applied it/).waitFor();
      // axe is a script, so the same page is looked at with scripts.
      await page.goto(plain.url());
      await page.getByText(/^2 of 2 connected programs have applied it/).waitFor();
      await look(page, "kill-receipt");
      await context.close();
      await api.send("POST", `${PRODUCTION}/flags/checkout/restore`, {});
    });
  });
});
