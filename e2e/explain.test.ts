import { join } from "node:path";
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
  root,
  type Server,
  signIn,
  startServer,
  until,
  withAccount,
} from "./world.ts";

/** "Try on a person", and who gains and who loses before saving, as product staff meet them. */
describe.skipIf(inject("chromium") === "")("explaining and looking ahead on the flag page", () => {
  const data = folder("explain");
  const environment = environmentPath("development");
  let server: Server;
  let api: Api;
  let browser: Browser;
  let page: Page;

  keepPictures(() => ({ explain: page }));

  beforeAll(async () => {
    server = await startServer({ data: data.path, env: withAccount });
    api = await signIn(server.url);
    const on = { kind: "variant", variant: "on" };
    const off = { kind: "variant", variant: "off" };
    await api.send("POST", `${environment}/groups`, {
      key: "staff",
      kind: "conditions",
      name: "The staff",
      when: { op: "endsWith", attribute: "email", values: ["@example.com"] },
    });
    await api.send("POST", `${environment}/groups`, { key: "early", kind: "early-access", name: "Early adopters", by: "account.key" });
    await api.send("POST", `${environment}/groups/early/members`, { add: ["account-7"] });
    await api.send("POST", "projects/default/flags", { key: "payments" });
    await api.send("PATCH", `${environment}/flags/payments/configuration`, { mode: "on" });
    await api.send("POST", "projects/default/flags", { key: "payments:checkout", description: "Pay in one step" });
    await api.send("PATCH", `${environment}/flags/payments:checkout/configuration`, {
      mode: "targeted",
      requires: [{ flag: "payments", variants: ["on"] }],
      rules: [
        { id: "banks", name: "Not for banks", when: { op: "in", attribute: "kind", values: ["bank"] }, serve: off },
        { id: "staff", when: { op: "group", group: "staff" }, serve: on },
        { id: "early", when: { op: "group", group: "early" }, serve: on },
        {
          id: "apps",
          name: "New apps",
          when: {
            op: "all",
            of: [
              { op: "semver", attribute: "version", is: ">=", value: "2.1.0" },
              {
                op: "any",
                of: [
                  { op: "in", attribute: "country", values: ["CH", "LI"] },
                  { op: "number", attribute: "seats", is: ">", value: 10 },
                ],
              },
            ],
          },
          rollout: { percentage: 50 },
          serve: on,
        },
        { id: "some", rollout: { percentage: 10 }, serve: on },
      ],
    });
    browser = await openBrowser(inject("chromium"));
    page = await openAdmin(browser, server.url);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    data.remove();
  });

  const open = () => page.goto(`${server.url}/default/development/flags/payments:checkout`);
  const card = () => page.getByRole("region", { name: "Try on a person" });
  const ruleNamed = (name: string) => card().getByRole("listitem").filter({ hasText: name });

  async function attribute(place: number, name: string, value: string): Promise<void> {
    await card().getByRole("button", { name: "Add attribute" }).click();
    await card().getByLabel(`Name of attribute ${place}`).fill(name);
    await card().getByLabel(`Value of attribute ${place}`).fill(value);
  }

  it("a person is tried: the sentence, the rules, the conditions with values, the bucket; and it follows unsaved edits", async () => {
    await open();
    await card().getByLabel("Key").fill("u1");
    await attribute(1, "kind", "shop");
    await attribute(2, "version", "2.4.0");
    await attribute(3, "seats", "5");
    await card().getByRole("button", { name: "Try", exact: true }).click();
    await card().getByText("u1 gets").waitFor();
    await ruleNamed("Not for banks").getByText("does not apply").waitFor();
    await ruleNamed("Not for banks").getByText('kind is "shop"').waitFor();
    await ruleNamed("The staff").getByText("no email").first().waitFor();
    await ruleNamed("New apps").getByText("seats is 5").waitFor();
    await ruleNamed("of everyone else")
      .getByText(/key “u1” falls on [\d.]+ %, inside is the first 10 %/)
      .waitFor();
    await card().getByText("payments must serve on; it serves on. Met.").waitFor();

    const evaluated = await api.send<{ variant: string }>("POST", `${environment}/evaluate`, {
      flag: "payments:checkout",
      context: { key: "u1", kind: "shop", version: "2.4.0", seats: 5 },
    });
    await card().getByText(evaluated.variant.toUpperCase(), { exact: true }).waitFor();

    await page.getByRole("button", { name: "100 %" }).first().click();
    await card()
      .getByText(/^On: rule "everyone else" applies\.$/)
      .waitFor();
    await card().getByText("With your unsaved edits.").waitFor();
    await page.getByRole("button", { name: "Discard" }).click();
  });

  it("JSON says the same as the form, a member of a program by account is in, and what is no JSON is said", async () => {
    await open();
    await card().getByLabel("Key").fill("u2");
    await attribute(1, "plan", "pro");
    await card().getByRole("radio", { name: "JSON" }).click();
    const json = card().getByLabel("Context (JSON)");
    expect(JSON.parse(await json.inputValue())).toEqual({ key: "u2", plan: "pro" });
    await json.fill("{ key");
    await card().getByRole("button", { name: "Try", exact: true }).click();
    await card()
      .getByText(/^This is not JSON/)
      .waitFor();
    await json.fill('{ "key": "u2", "kind": "shop", "account": { "key": "account-7" } }');
    await card().getByRole("button", { name: "Try", exact: true }).click();
    await card().getByText('On: rule "Early adopters" applies, because in Early adopters.').waitFor();
    await ruleNamed("Early adopters").getByText('account.key is "account-7"').waitFor();
    await ruleNamed("New apps").getByText("not reached").waitFor();
  });

  it("before saving the review says who gains and who loses, for made-up users and for pasted contexts", async () => {
    await open();
    await page.getByRole("button", { name: "25 %" }).first().click();
    await page.getByRole("button", { name: "Review and save" }).click();
    const drawer = page.getByRole("dialog");
    await drawer
      .getByText(
        /^Of 10,000 made-up users without attributes, whom "Not for banks" does not concern, about 1,[3-6]00 gain it, none lose it\.$/,
      )
      .waitFor();
    await drawer.getByRole("button", { name: "Compare with your own contexts" }).click();
    await drawer.getByLabel("Contexts").fill("ana");
    await drawer.getByRole("button", { name: "Compare", exact: true }).click();
    await drawer.getByText(/^Line 1 is not a JSON object/).waitFor();
    const lines = Array.from({ length: 400 }, (_, index) => JSON.stringify({ key: `user-${index}`, kind: "shop" }));
    await drawer.getByLabel("Contexts").fill(lines.join("\n"));
    await drawer.getByRole("button", { name: "Compare", exact: true }).click();
    await drawer.getByText(/^Of 400 contexts, \d+ gain it, none lose it\.$/).waitFor();
    await drawer
      .getByText(/^user-\d+: off → on; on: rule ".*" applies, because key "user-\d+" falls on /)
      .first()
      .waitFor();
    await drawer.getByRole("button", { name: "Compare as before" }).click();
    await drawer.getByText(/^Of 10,000 made-up users/).waitFor();
    await drawer.getByRole("button", { name: "Save", exact: true }).click();
    await until("25 % are stored", async () => {
      const flag = await api.get<{ state: { text: string } }>(`${environment}/flags/payments:checkout`);
      return flag.state.text === "SOME 25 %";
    });
    await drawer.waitFor({ state: "hidden" });
  });

  it("saving does not wait for the count, and taking the flag from people needs no review", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route("**/effect", async (route) => {
      await held;
      await route.abort().catch(() => {}); // The page has given it up by then.
    });
    await open();
    await page.getByRole("button", { name: "50 %" }).first().click();
    await page.getByRole("button", { name: "Review and save" }).click();
    await page.getByRole("dialog").getByText("Counting…").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    release();
    await page.unroute("**/effect");
    await page.getByRole("button", { name: "1 %", exact: true }).first().click();
    await page.getByRole("button", { name: "Save now" }).click();
    await until("1 % is stored", async () => {
      const flag = await api.get<{ state: { text: string } }>(`${environment}/flags/payments:checkout`);
      return flag.state.text === "SOME 1 %";
    });
  });

  it("an account that left early access by the Node SDK stays out when a list is pasted again, until staff say so", async () => {
    const { server: sdkKey } = await api.get<{ server: string }>(`${environment}/sdk-keys`);
    const { createFlags } = (await import(join(root, "sdk-node/dist/index.js"))) as typeof import("../sdk-node/src/index.ts");
    const flags = createFlags({ url: server.url, sdkKey, app: "explain-test" });
    try {
      await flags.ready();
      const who = { key: "u9", kind: "shop", account: { key: "account-9" } };
      await flags.earlyAccess.join("early", "account-9");
      await until("the account is in", () => flags.isOn("payments:checkout", who));
      await flags.earlyAccess.leave("early", "account-9");
      await until("the account is out", () => !flags.isOn("payments:checkout", who));

      await page.goto(`${server.url}/default/development/groups/early`);
      const members = page.getByRole("region", { name: /^Early adopters/ });
      await members.getByLabel("Add by hand").fill("account-7\naccount-9\naccount-10");
      await members.getByRole("button", { name: "Add 3" }).click();
      await page.getByText("Added account-10 to early").waitFor();
      await members.getByText(/^account-9 left early access by themselves/).waitFor();
      expect(flags.isOn("payments:checkout", who)).toBe(false);
      await members.getByRole("button", { name: "Add them anyway" }).click();
      await until("the account is in again", () => flags.isOn("payments:checkout", who));
      await flags.earlyAccess.leave("early", "account-9");
    } finally {
      await flags.close();
    }
  });

  it("a file of 25,000 keys is sent in parts, and taken back by one Undo", async () => {
    const count = Number(process.env.PASTED ?? 25_000);
    await api.send("POST", `${environment}/groups`, { key: "customers", kind: "list", name: "Customers" });
    await api.send("POST", `${environment}/groups/customers/members`, { add: ["customer-0"] });
    await page.goto(`${server.url}/default/development/groups/customers`);
    const members = page.getByRole("region", { name: /^Members/ });
    const startedAt = performance.now();
    const list = Array.from({ length: count }, (_, index) => `customer-${index}`).join("\n");
    await members.locator('input[type="file"]').setInputFiles({ name: "customers.csv", mimeType: "text/csv", buffer: Buffer.from(list) });
    await members.getByText(`customer-0, customer-1, customer-2 … customer-${count - 1}`).waitFor();
    await members.getByRole("button", { name: `Add ${count.toLocaleString("en-US")}` }).click();
    await page.getByText(`Added ${(count - 1).toLocaleString("en-US")} keys to customers`).waitFor();
    if (process.env.PASTED) console.log(`${count} read and added in ${Math.round(performance.now() - startedAt)} ms`);
    const sizeOf = async () => (await api.get<{ members: number }>(`${environment}/groups/customers`)).members;
    expect(await sizeOf()).toBe(count);
    await page.getByRole("button", { name: "Undo" }).click();
    await until("only who was there before is left", async () => (await sizeOf()) === 1, 60_000);

    await members.getByLabel("Add", { exact: true }).evaluate((field, text) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text", text);
      field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    }, list);
    await members.getByText(`${count.toLocaleString("en-US")} keys to add`).waitFor();
    await members.getByRole("button", { name: "Discard the list" }).click();
    expect(await members.getByLabel("Add", { exact: true }).inputValue()).toBe("");
  });

  /** The usage chart above is looked at by its own test. */
  const PARTS = '[aria-labelledby="try"], [role="dialog"]';
  for (const theme of ["light", "dark"] as const) {
    for (const width of [1280, 360]) {
      it(`the tree and the review at ${width} px in the ${theme} theme have no horizontal scroll and nothing that axe finds`, async () => {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme: theme });
        await open();
        await card().getByLabel("Key").fill("customer-4711");
        await attribute(1, "kind", "shop");
        await attribute(2, "version", "2.4.0");
        await attribute(3, "email", "a.person.with.a.long.name@mail.example");
        await card().getByRole("button", { name: "Try", exact: true }).click();
        await ruleNamed("New apps").waitFor();
        await look(page, `try-${theme}-${width}`, PARTS);
        await page.getByRole("button", { name: "50 %" }).first().click();
        await page.getByRole("button", { name: "Review and save" }).click();
        const drawer = page.getByRole("dialog");
        await drawer.getByRole("button", { name: "Compare with your own contexts" }).click();
        await drawer
          .getByLabel("Contexts")
          .fill('{"key":"a","kind":"shop"}\n{"key":"b","kind":"shop"}\n{"key":"c","kind":"shop"}\n{"key":"d","kind":"shop"}');
        await drawer.getByRole("button", { name: "Compare", exact: true }).click();
        await drawer.getByText(/^Of 4 contexts/).waitFor();
        await look(page, `review-${theme}-${width}`, PARTS);
        await drawer.getByRole("button", { name: "Back", exact: true }).click();
        await page.getByRole("button", { name: "Discard" }).click();
      });
    }
  }
});
