import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createFlags, type NodeFlags, signContext } from "@signalbox/node";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import {
  type Api,
  environmentPath,
  folder,
  openBrowser,
  type Server,
  signIn,
  startServer,
  until,
  WAIT_MS_MAX,
  withAccount,
} from "./world.ts";

type Context = Readonly<Record<string, unknown>>;

const ENVIRONMENT = environmentPath("development");
const on = { kind: "variant", variant: "on" };
const when = (condition: object) => ({ mode: "targeted", rules: [{ when: condition, serve: on }] });

/** Each asks something that stays on the server, alone or beside what does not. */
const FLAGS: Readonly<Record<string, object>> = {
  "by-key": when({ op: "in", attribute: "key", values: ["ada", "cleo"] }),
  "not-by-key": when({ op: "not", of: { op: "in", attribute: "key", values: ["ada"] } }),
  "by-list": when({ op: "group", group: "banks" }),
  "by-signing-up": when({ op: "group", group: "beta" }),
  "by-pattern": when({ op: "matches", attribute: "email", values: ["@example\\.(com|org)$"] }),
  "by-private": when({ op: "in", attribute: "plan", values: ["pro"] }),
  "by-both": when({
    op: "all",
    of: [
      { op: "number", attribute: "seats", is: ">", value: 3 },
      { op: "group", group: "banks" },
    ],
  }),
  denied: {
    mode: "targeted",
    rules: [{ when: { op: "group", group: "banks" }, serve: { kind: "variant", variant: "off" } }, { serve: on }],
  },
  "with-need": { mode: "on", requires: [{ flag: "by-list", variants: ["on"] }] },
};
const CONTEXTS: readonly Context[] = [
  { key: "ada", email: "ada@example.com", plan: "pro", seats: 5, account: { key: "a1" } },
  { key: "bob", email: "bob@example.net", plan: "free", seats: 2, account: { key: "a2" } },
  { key: "cleo", seats: 9, account: { key: "a1" } },
  { key: "dan", plan: "pro", account: {} },
  {},
];

describe.skipIf(inject("chromium") === "")("a page asks the server what stays there", () => {
  const data = folder("facts");
  let server: Server;
  let api: Api;
  let browser: Browser;
  let page: Page;
  let program: NodeFlags;
  let keys: { server: string; browser: string };
  const said: string[] = [];
  const site = createServer((_request, response) =>
    response.setHeader("content-type", "text/html").end("<!doctype html><title>A page</title>"),
  );

  beforeAll(async () => {
    server = await startServer({ data: data.path, env: withAccount });
    api = await signIn(server.url);
    await api.send("PATCH", `${ENVIRONMENT}/settings`, { privateAttributes: ["plan"] });
    await api.send("POST", `${ENVIRONMENT}/groups`, { key: "banks", kind: "list", name: "Banks", by: "account.key" });
    await api.send("POST", `${ENVIRONMENT}/groups/banks/members`, { add: ["a1"], remove: [] });
    await api.send("POST", `${ENVIRONMENT}/groups`, { key: "beta", kind: "early-access", name: "Beta" });
    for (const [key, configuration] of Object.entries(FLAGS)) {
      await api.send("POST", "projects/default/flags", { key, browser: true });
      await api.send("PATCH", `${ENVIRONMENT}/flags/${key}/configuration`, configuration);
    }
    keys = await api.get(`${ENVIRONMENT}/sdk-keys`);
    program = createFlags({ url: server.url, sdkKey: keys.server, app: "program", logger: false });
    await program.ready();
    browser = await openBrowser(inject("chromium"));
    page = await browser.newPage();
    page.setDefaultTimeout(WAIT_MS_MAX);
    page.on("console", (line) => said.push(line.text()));
    await page.goto(await siteUrl());
    await open(CONTEXTS[0] as Context);
  });

  afterAll(async () => {
    await browser?.close();
    await program?.close();
    await server?.stop();
    site.close();
    data.remove();
  });

  /** A page of another origin, as most are. */
  async function siteUrl(): Promise<string> {
    await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;
  }

  async function open(identity: Context): Promise<void> {
    const options = JSON.stringify({ url: server.url, sdkKey: keys.browser, context: identity });
    // As text: vitest would rewrite the import of a function.
    await page.evaluate(`(async () => {
      const { createFlags } = await import(${JSON.stringify(`${server.url}/sdk/browser.js`)});
      await globalThis.flags?.close();
      globalThis.told = [];
      globalThis.flags = createFlags(${options});
      flags.on("change", ({ keys }) => told.push(...keys));
      await flags.ready();
    })()`);
  }

  const inPage = <T>(run: string): Promise<T> =>
    page.evaluate(`(async () => { const { flags, told } = globalThis; ${run} })()`) as Promise<T>;
  const identify = (identity: Context) => inPage(`await flags.identify(${JSON.stringify(identity)})`);
  const pageAnswers = () => inPage<Record<string, boolean>>("return flags.all()");
  const isOn = (key: string) => inPage<boolean>(`return flags.isOn(${JSON.stringify(key)})`);

  it("and answers as a server program does, for whomever it is", async () => {
    let some = 0;
    for (const context of CONTEXTS) {
      await identify(context);
      const answers = await pageAnswers();
      expect(Object.keys(answers).sort()).toEqual(Object.keys(FLAGS).sort());
      expect(answers, JSON.stringify(context)).toEqual(program.all(context));
      some += Object.values(answers).filter(Boolean).length;
    }
    expect(some).toBeGreaterThan(10);
  });

  it("holds nothing that names anybody", async () => {
    const stored = await inPage<string>("return JSON.stringify(localStorage)");
    for (const secret of ["cleo", "banks", "beta", "example", "plan"]) expect(stored).not.toContain(`"${secret}`);
    // A fingerprint may begin with these, so up to the (escaped) quote.
    for (const secret of ["ada", "a1"]) expect(stored).not.toContain(`"${secret}\\"`);
  });

  it("hears when a list changes, a condition is edited and a flag is killed", async () => {
    await identify(CONTEXTS[1] as Context);
    expect(await isOn("by-list")).toBe(false);
    await inPage("told.length = 0");
    await api.send("POST", `${ENVIRONMENT}/groups/banks/members`, { add: ["a2"], remove: [] });
    await until("the page knows that its account is a bank", () => isOn("by-list"));
    expect(await pageAnswers()).toEqual(program.all(CONTEXTS[1]));
    expect((await inPage<string[]>("return told")).sort()).toEqual(["by-list", "denied", "with-need"]);

    await api.send("PATCH", `${ENVIRONMENT}/flags/by-key/configuration`, when({ op: "in", attribute: "key", values: ["bob"] }));
    await until("the page knows of the new list of keys", () => isOn("by-key"));
    await api.send("POST", `${ENVIRONMENT}/flags/by-list/kill`, {});
    await until("the kill has reached the page", async () => !(await isOn("by-list")));
    expect(await isOn("with-need")).toBe(false);
  });

  it("joins and leaves by itself, and knows at the next read", async () => {
    await identify({ key: "visitor-17" });
    expect(await inPage("await flags.earlyAccess.join('beta'); return flags.isOn('by-signing-up')")).toBe(true);
    expect(await inPage("return (await flags.earlyAccess.list()).map(({ group, joined }) => [group, joined])")).toEqual([["beta", true]]);
    expect(await inPage("await flags.earlyAccess.leave('beta'); return flags.isOn('by-signing-up')")).toBe(false);
    await expect(inPage("await flags.earlyAccess.join('nope')")).rejects.toThrow(/nope/);
  });

  it("in secure mode only as whom the app's server has signed it", async () => {
    await api.send("PATCH", `${ENVIRONMENT}/settings`, { secureMode: true });
    const { secrets } = await api.get<{ secrets: { secret: string }[] }>(`${ENVIRONMENT}/signing-secret`);
    const secret = secrets[0]?.secret ?? "";
    const ada = CONTEXTS[0] as Context;
    await page.evaluate(() => localStorage.clear());
    said.length = 0;
    await open(ada);
    await until("the page says why", () => said.some((line) => line.includes("facts are refused: This environment is in secure mode")));
    expect([await isOn("by-pattern"), await isOn("not-by-key")]).toEqual([false, false]);
    await identify({ token: signContext(ada, { secret, expiresInS: 60 }) });
    expect(await pageAnswers()).toEqual(program.all(ada));
    await identify({ token: `${signContext(ada, { secret, expiresInS: 60 }).slice(0, -2)}AA` });
    await identify({ token: signContext({ key: "bob" }, { secret: `${secret.slice(0, -2)}AA`, expiresInS: 60 }) });
    expect(await isOn("not-by-key")).toBe(false);
  });
});
