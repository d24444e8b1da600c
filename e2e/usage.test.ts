import { readFileSync } from "node:fs";
import { createServer, type Server as HttpServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createFlags, type NodeFlags } from "@signalbox/node";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { FlagUsage } from "../server/src/api-types.ts";
import { findings } from "./look.ts";
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

const environment = environmentPath("development");
const total = ({ series }: FlagUsage) => series.reduce((sum, one) => sum + one.total, 0);

function follow(url: string, sdkKey: string, app = "shop"): NodeFlags {
  return createFlags({ url, sdkKey, app, logger: false });
}

/** Between a program and the server. What a report meets is decided for each: passed on, its answer cut off, or lost on the way. */
function openProxy(port: () => number) {
  const fates: ("answer" | "cut" | "lose")[] = [];
  const met = { answer: 0, cut: 0, lose: 0 };
  function pass(req: IncomingMessage, res: ServerResponse): void {
    const isReport = req.url?.startsWith("/sdk/v1/usage") === true;
    const fate = isReport ? (fates.shift() ?? "answer") : "answer";
    if (isReport) met[fate] += 1;
    const pieces: Buffer[] = [];
    req.on("data", (piece: Buffer) => pieces.push(piece));
    req.on("end", () => {
      if (fate === "lose") {
        res.destroy();
        return;
      }
      const onward = request({ port: port(), host: "127.0.0.1", method: req.method, path: req.url, headers: req.headers }, (answer) => {
        if (fate === "cut") {
          answer.resume();
          answer.on("end", () => res.destroy());
          return;
        }
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        res.flushHeaders();
        answer.pipe(res);
        answer.on("close", () => res.destroy());
      });
      onward.on("error", () => res.destroy());
      res.on("close", () => onward.destroy());
      onward.end(Buffer.concat(pieces));
    });
  }
  const server: HttpServer = createServer(pass);
  return {
    fates,
    met,
    listen: () =>
      new Promise<string>((resolve) =>
        server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)),
      ),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("counting", () => {
  const data = folder("usage");
  let server: Server;
  let api: Api;
  let sdkKey: string;

  beforeAll(async () => {
    server = await startServer({ data: data.path, env: withAccount });
    api = await signIn(server.url);
    sdkKey = (await api.get<{ server: string }>(`${environment}/sdk-keys`)).server;
    await api.send("POST", "projects/default/flags", { key: "counted" });
  });
  afterAll(async () => {
    await server?.stop();
    data.remove();
  });

  it("each evaluation exactly once, over lost reports, lost answers and a server that is killed and started again", {
    timeout: 120_000,
  }, async () => {
    const proxy = openProxy(() => server.port);
    const flags = follow(await proxy.listen(), sdkKey);
    await flags.ready();
    let evaluated = 0;
    const evaluate = (times: number) => {
      for (let i = 0; i < times; i++) flags.isOn("counted", { key: `u${i}` });
      evaluated += times;
    };
    for (const fate of ["answer", "cut", "cut", "lose", "answer", "cut"] as const) {
      proxy.fates.push(fate);
      evaluate(10 + proxy.met.cut);
      await flags.flush();
    }
    expect(proxy.met).toMatchObject({ cut: 3, lose: 1 });
    // The report arrived, its answer did not, and what counted it dies without a word.
    await server.stop("SIGKILL");
    evaluate(7);
    await flags.flush();
    server = await startServer({ data: data.path, port: server.port, env: withAccount });
    api = await signIn(server.url);
    evaluate(5);
    await flags.flush();
    await flags.flush();
    const usage = await api.get<FlagUsage>(`${environment}/flags/counted/usage`);
    expect(total(usage)).toBe(evaluated);
    expect(usage.seen).toMatchObject({ app: "shop", variant: "off" });
    await flags.close();
    proxy.close();
  });

  it("contexts are sampled only while the environment asks for them, without private attributes, and the preview tries them", async () => {
    const flags = follow(server.url, sdkKey);
    await flags.ready();
    flags.isOn("counted", { key: "early", plan: "pro" });
    await flags.flush();
    const before = await api.answer("GET", `${environment}/settings`);
    await api.send(
      "PATCH",
      `${environment}/settings`,
      { sampleContexts: true, privateAttributes: ["email"] },
      before.headers.get("etag") ?? "",
    );
    const effect = () =>
      api.send<{ total: number; sampled: object | null; sentence: string }>("POST", `${environment}/effect`, {
        flag: "counted",
        configuration: { mode: "on" },
      });
    expect((await effect()).sampled).toBeNull();
    // The server says so when a program connects, and with the next ping.
    const later = follow(server.url, sdkKey);
    await later.ready();
    later.isOn("counted", { key: "sampled-1", plan: "pro", email: "SECRET@example.org" });
    await later.flush();
    const answer = await effect();
    expect(answer).toMatchObject({ total: 1, sampled: {} });
    expect(answer.sentence).toMatch(/^Of 1 context that programs sent less than a minute ago, 1 gains it, none lose it\.$/);
    await Promise.all([flags.close(), later.close()]);
    await server.stop();
    for (const file of ["signalbox.db", "signalbox.db-wal"]) {
      const text = readIfThere(join(data.path, file));
      expect(text).not.toContain("SECRET@example.org");
      expect(text).not.toContain("early");
    }
    expect(server.output()).not.toContain("SECRET");
  });
});

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // a log that was written back into the database is gone
  }
}

/** What product staff and whoever is on call see of it. */
describe.skipIf(inject("chromium") === "")("usage on the pages", () => {
  const data = folder("usage-pages");
  let server: Server;
  let api: Api;
  let browser: Browser;
  let page: Page;
  let flags: NodeFlags;

  keepPictures(() => ({ usage: page }));

  beforeAll(async () => {
    server = await startServer({ data: data.path, env: withAccount });
    api = await signIn(server.url);
    await api.send("POST", "projects/default/flags", { key: "checkout", description: "Pay in one step" });
    await api.send("PATCH", `${environment}/flags/checkout/configuration`, { mode: "on" });
    flags = follow(server.url, (await api.get<{ server: string }>(`${environment}/sdk-keys`)).server);
    await flags.ready();
    browser = await openBrowser(inject("chromium"));
    page = await openAdmin(browser, server.url);
  });
  afterAll(async () => {
    await flags?.close();
    await browser?.close();
    await server?.stop();
    data.remove();
  });

  const card = () => page.getByRole("region", { name: "Usage", exact: true });

  it("the chart grows by itself, changes are marked on it for pointer and keyboard, and a table says the same", async () => {
    for (let i = 0; i < 1_204; i++) flags.isOn("checkout", { key: `u${i}` });
    await flags.flush();
    await page.goto(`${server.url}/default/development/flags/checkout`);
    await card().getByText("on: 1,204").waitFor();
    await card().getByText("1,204 evaluations in the last minute").waitFor();
    for (let i = 0; i < 96; i++) flags.isOn("checkout", { key: `u${i}` });
    await flags.flush();
    await card().getByText("on: 1,300").waitFor();
    expect(await card().locator("svg rect").count()).toBeGreaterThan(0);
    const mark = card()
      .getByRole("button", { name: /changed who gets it/ })
      .first();
    await mark.focus();
    await page
      .getByRole("tooltip")
      .getByText(/(tests|ana).* changed who gets it/)
      .first()
      .waitFor();
    await mark.blur();
    await page.getByRole("tooltip").waitFor({ state: "hidden" });
    await card().getByText("As a table").click();
    await card().getByRole("columnheader", { name: "on" }).waitFor();
    expect(await findings(page)).toEqual([]);
  });

  it("after a kill it says whether the old value is served still", async () => {
    await api.send("POST", `${environment}/flags/checkout/kill`, { reason: "it fails" });
    await until("the kill is applied", () => !flags.isOn("checkout", { key: "u1" }));
    for (let i = 0; i < 40; i++) flags.isOn("checkout", { key: `u${i}` });
    await flags.flush();
    await page
      .getByRole("status")
      .getByText(/0 evaluations served on since the kill, \d+ served off/)
      .waitFor();
    await card()
      .getByRole("button", { name: /killed it: it fails/ })
      .waitFor();
    expect(await findings(page)).toEqual([]);
  });

  it("the list tells how much is evaluated, and a key that no flag has becomes one by one press", async () => {
    flags.isOn("new-chekout", { key: "u1" });
    await flags.flush();
    await page.goto(`${server.url}/default/development/flags`);
    await page.getByText(/last evaluated .* in shop, [\d,]+ a minute/).waitFor();
    const unknown = page.getByRole("region", { name: "Asked for in vain" });
    await unknown.getByText("new-chekout").waitFor();
    expect(await findings(page)).toEqual([]);
    await unknown.getByRole("button", { name: "Create flag new-chekout" }).click();
    const dialog = page.getByRole("dialog", { name: "New flag" });
    await until("the key is filled in", async () => (await dialog.getByLabel("Key").inputValue()) === "new-chekout");
    await dialog.getByRole("button", { name: /^(Make|Create)/ }).click();
    await page.waitForURL("**/flags/new-chekout");
    await page.goto(`${server.url}/default/development/flags`);
    await page.getByRole("link", { name: "new-chekout" }).waitFor();
    expect(await unknown.count()).toBe(0);
  });
});
