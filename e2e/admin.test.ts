import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { look } from "./look.ts";
import {
  ACCOUNT,
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
  WAIT_MS_MAX,
  withAccount,
} from "./world.ts";

/** Longer than the page has tags for. */
const LONG_LIST = { op: "in", attribute: "plan", values: Array.from({ length: 150 }, (_, index) => `plan-${index}`) };
const SPLIT = {
  kind: "split",
  weights: [
    { variant: "blue", percentage: 50 },
    { variant: "green", percentage: 50 },
  ],
};
const POINTS = [
  { at: "2026-01-01T00:00:00.000Z", percentage: 1 },
  { at: "2099-01-01T00:00:00.000Z", percentage: 100 },
];

interface Saved {
  readonly configuration: { readonly rules: readonly { readonly when?: unknown; readonly rollout?: unknown; readonly serve: unknown }[] };
}

/** The admin UI and /kill as people use them: tasks within their budgets of interactions, both themes, a phone, a screen reader, two people at once. */
describe.skipIf(inject("chromium") === "")("the admin UI", () => {
  const data = folder("admin");
  const environment = environmentPath("development");
  let server: Server;
  let api: Api;
  let browser: Browser;
  let page: Page;

  keepPictures(() => ({ admin: page }));

  beforeAll(async () => {
    server = await startServer({ data: data.path, env: withAccount });
    api = await signIn(server.url);
    const on = { kind: "variant", variant: "on" };
    const off = { kind: "variant", variant: "off" };
    await api.send("POST", `${environment}/groups`, {
      key: "staff",
      kind: "conditions",
      name: "Staff",
      when: { op: "endsWith", attribute: "email", values: ["@example.com"] },
    });
    await api.send("POST", `${environment}/groups`, { key: "early-adopters", kind: "early-access", name: "Early adopters" });
    await api.send("POST", `${environment}/groups/early-adopters/members`, { add: ["ana", "ben"] });
    await api.send("POST", `${environment}/groups`, { key: "banks", kind: "list", name: "Banks" });
    for (let i = 0; i < 30; i++) await api.send("POST", "projects/default/flags", { key: `flag-${String(i).padStart(2, "0")}` });
    await api.send("POST", "projects/default/flags", {
      key: "new-checkout",
      description: "Pay in one step",
      tags: ["checkout"],
      browser: true,
    });
    await api.send("PATCH", `${environment}/flags/new-checkout/configuration`, {
      mode: "targeted",
      rules: [
        { name: "Not for banks", when: { op: "in", attribute: "kind", values: ["bank"] }, serve: off },
        { name: "Staff", when: { op: "group", group: "staff" }, serve: on },
        { rollout: { percentage: 10 }, serve: on },
      ],
    });
    const colors = { red: "#d00", green: "#0a0", blue: "#00d" };
    await api.send("POST", "projects/default/flags", { key: "banner-color", type: "string", values: colors, off: "red", on: "blue" });
    await api.send("PATCH", `${environment}/flags/banner-color/configuration`, {
      mode: "targeted",
      rules: [
        {
          when: {
            op: "any",
            of: [
              { op: "matches", attribute: "email", values: ["@example\\.com$"] },
              { op: "all", of: [{ op: "semver", attribute: "version", is: ">=", value: "2.3.0" }, LONG_LIST] },
              { op: "date", is: ">=", value: "2026-12-01T09:30", zone: "Europe/Zurich" },
            ],
          },
          rollout: { percentage: 10, from: 20, by: "account.key", salt: "winter" },
          serve: SPLIT,
        },
        { rollout: { percentage: 0, over: { kind: "line", points: POINTS } }, serve: { kind: "variant", variant: "blue" } },
      ],
    });
    await api.send("POST", "projects/default/flags", { key: "search" });
    await api.send("PATCH", `${environment}/flags/search/configuration`, { mode: "on" });

    browser = await openBrowser(inject("chromium"));
    page = await openAdmin(browser, server.url);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    data.remove();
  });

  /** Counts what a person does: a press is one, typing something is one. */
  function person() {
    let interactions = 0;
    return {
      async press(target: Locator) {
        interactions++;
        await target.click();
      },
      async type(target: Locator, text: string) {
        interactions++;
        await target.fill(text);
      },
      async key(name: string) {
        interactions++;
        await page.keyboard.press(name);
      },
      get interactions() {
        return interactions;
      },
    };
  }

  const wordOf = async (flag: string) => (await api.get<{ state: { text: string } }>(`${environment}/flags/${flag}`)).state.text;
  const open = (path: string) => page.goto(`${server.url}/default/development/${path}`);

  it("kill from the list: at most 4 interactions; Undo: 1", async () => {
    await open("flags");
    const ana = person();
    await ana.type(page.getByLabel("Search flags"), "search");
    await ana.press(page.getByRole("button", { name: "Kill search" }));
    await ana.press(page.getByRole("button", { name: /^Confirm kill/ }));
    await until("search is killed", async () => (await wordOf("search")) === "KILLED");
    expect(ana.interactions).toBeLessThanOrEqual(4);
    await page.getByText("No program is connected; each will apply it when it connects").waitFor();

    const undoing = person();
    await undoing.press(page.getByRole("button", { name: "Undo" }));
    await until("search is restored", async () => (await wordOf("search")) === "ON");
    expect(undoing.interactions).toBe(1);
  });

  it("a double press never kills", async () => {
    await open("flags?search=flag-29");
    await page.getByRole("button", { name: "Kill flag-29" }).dblclick();
    await page.getByRole("button", { name: /^Confirm kill/ }).waitFor();
    expect(await wordOf("flag-29")).toBe("OFF");
  });

  it("10 to 25 %: at most 3 interactions; Undo: 1", async () => {
    await open("flags/new-checkout");
    const ben = person();
    await ben.press(page.getByRole("button", { name: "25 %" }));
    await ben.press(page.getByRole("button", { name: "Review and save" }));
    await ben.press(page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }));
    await until("25 % are stored", async () => (await wordOf("new-checkout")) === "SOME 25 %");
    expect(ben.interactions).toBeLessThanOrEqual(3);
    await page.getByRole("dialog").waitFor({ state: "hidden" });

    const undoing = person();
    await undoing.key("u");
    await until("10 % are back", async () => (await wordOf("new-checkout")) === "SOME 10 %");
    expect(undoing.interactions).toBe(1);
  });

  it("find a flag: at most 2 interactions", async () => {
    await open("flags");
    await page.getByText("33 flags").waitFor();
    const eva = person();
    await page.getByLabel("Search flags").focus();
    await eva.type(page.getByLabel("Search flags"), "one step");
    await page.getByText("1 flag", { exact: true }).waitFor();
    await eva.key("Enter");
    await page.waitForURL("**/flags/new-checkout");
    expect(eva.interactions).toBeLessThanOrEqual(2);
  });

  it("create, describe, rename and archive a flag, each with Undo", async () => {
    await open("flags");
    await page.getByRole("button", { name: "New flag" }).click();
    await page.getByRole("dialog").getByLabel(/key/i).first().fill("dark-nav");
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /create/i })
      .click();
    await page.waitForURL("**/flags/dark-nav");

    await open("flags?search=dark-nav");
    await page.getByRole("button", { name: "More for dark-nav" }).click();
    await page.getByRole("menuitem", { name: "Rename" }).click();
    await page.getByRole("dialog").getByLabel(/key/i).first().fill("dark-navigation");
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /rename|save/i })
      .click();
    await page.getByRole("link", { name: "dark-navigation" }).waitFor();
    expect((await api.get<{ aliases: string[] }>(`${environment}/flags/dark-navigation`)).aliases).toEqual(["dark-nav"]);

    await page.getByRole("button", { name: "More for dark-navigation" }).click();
    await page.getByRole("menuitem", { name: "Archive" }).click();
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /archive/i })
      .click();
    await page.getByRole("button", { name: "Undo" }).waitFor();
    await until("it is archived", async () => (await api.get<{ archived: boolean }>(`${environment}/flags/dark-navigation`)).archived);
    await page.getByRole("button", { name: "Undo" }).click();
    await until("it is back", async () => !(await api.get<{ archived: boolean }>(`${environment}/flags/dark-navigation`)).archived);
  });

  it("another person's change appears by itself, and an edit of one's own is not overwritten", async () => {
    await open("flags/new-checkout");
    await page.getByRole("heading", { name: /new-checkout/ }).waitFor();
    await page.getByRole("button", { name: "50 %" }).click();
    const { configurationEtag } = await api.get<{ configurationEtag: string }>(`${environment}/flags/new-checkout`);
    await api.send("PATCH", `${environment}/flags/new-checkout/configuration`, { mode: "off" }, configurationEtag);
    await page.getByText("OFF", { exact: true }).first().waitFor();
    await page
      .getByRole("region", { name: "Unsaved changes" })
      .getByText(/1 unsaved change/)
      .waitFor();
    await page.getByRole("button", { name: "Discard" }).click();
    await api.send("PATCH", `${environment}/flags/new-checkout/configuration`, { mode: "targeted" });
    await page.getByText("SOME 10 %").first().waitFor();
  });

  it("a flag that needs a list is marked for browsers; one whose parent is hidden is not, and is told why", async () => {
    await api.send("POST", "projects/default/flags", { key: "for-banks" });
    await api.send("PATCH", `${environment}/flags/for-banks/configuration`, {
      mode: "targeted",
      rules: [{ when: { op: "group", group: "banks" }, serve: { kind: "variant", variant: "on" } }],
    });
    await open("flags/for-banks");
    await sentenceIsTheServers("for-banks");
    await api.send("POST", "projects/default/flags", { key: "for-banks:transfers" });
    const answer = await api.answer("PATCH", `${environment}/flags/for-banks:transfers/configuration`, { browser: true });
    expect(answer.status).toBe(422);
    expect(((await answer.json()) as { issues: { message: string }[] }).issues[0]?.message).toContain(
      'mark "for-banks" for browsers first',
    );
    await api.send("PATCH", `${environment}/flags/for-banks/configuration`, { browser: true });
  });

  const rulesOf = async (flag: string) => (await api.get<Saved>(`${environment}/flags/${flag}`)).configuration.rules;
  async function reviewAndSave(): Promise<void> {
    await page.getByRole("button", { name: "Review and save" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
  }
  /** The page makes its sentence itself, of edits too, and must not say anything else of what is saved. */
  async function sentenceIsTheServers(flag: string): Promise<void> {
    const { sentence } = await api.get<{ sentence: string }>(`${environment}/flags/${flag}`);
    await page.getByText(sentence, { exact: true }).waitFor();
  }
  async function choose(field: Locator, option: string): Promise<void> {
    await field.click();
    await page.getByRole("option", { name: option, exact: true }).click();
  }

  it("a flag of three texts is made, given out in shares, and served", async () => {
    await open("flags");
    await page.getByRole("button", { name: "New flag" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Key").fill("button-color");
    await choose(dialog.getByRole("combobox", { name: "What it serves" }), "Text");
    await dialog.getByLabel("Off variant, name").fill("red");
    await dialog.getByLabel("On variant, name").fill("blue");
    await dialog.getByRole("button", { name: "Add variant" }).click();
    await dialog.getByRole("button", { name: "Create" }).click();
    await dialog.getByText("Enter a name.").waitFor();
    await dialog.getByLabel("Variant 3, name").fill("green");
    await dialog.getByLabel("Value").nth(2).fill("#0a0");
    await dialog.getByRole("button", { name: "Create" }).click();
    await page.waitForURL("**/flags/button-color");

    await page.getByRole("button", { name: "100 %" }).click();
    await choose(page.getByRole("combobox", { name: "Everyone: they get" }), "Shares of several");
    await page.getByLabel("Everyone: share of green").fill("30.5");
    await page.getByLabel("Everyone: share of red").fill("0");
    await page
      .getByText(/Everyone|Rule 1: The shares add up to/)
      .first()
      .waitFor();
    expect(await page.getByRole("button", { name: "Review and save" }).isDisabled()).toBe(true);
    await page.getByRole("button", { name: "Everyone: the rest goes to blue" }).click();
    await reviewAndSave();
    await until("the shares are stored", async () => (await rulesOf("button-color")).length === 1);
    expect((await rulesOf("button-color"))[0]?.serve).toEqual({
      kind: "split",
      weights: [
        { variant: "blue", percentage: 69.5 },
        { variant: "green", percentage: 30.5 },
        { variant: "red", percentage: 0 },
      ],
    });
    const served = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        api.send<{ variant: string }>("POST", `${environment}/evaluate`, { flag: "button-color", context: { key: `u${index}` } }),
      ),
    );
    expect([...new Set(served.map(({ variant }) => variant))].sort()).toEqual(["blue", "green"]);
    await sentenceIsTheServers("button-color");
  });

  it("a percentage rises by itself along a line", async () => {
    await api.send("POST", "projects/default/flags", { key: "slow-start" });
    await open("flags/slow-start");
    await page.getByRole("button", { name: "Everyone: change it with time, slices, salt" }).click();
    await page.getByRole("radio", { name: "In a line" }).click();
    const plan = page.getByRole("group", { name: "Everyone: fill in a plan" });
    await plan.getByLabel("From").fill("5");
    await plan.getByLabel("to", { exact: true }).fill("50");
    await plan.getByLabel("over days").fill("10");
    await plan.getByLabel("beginning").fill("2026-01-01T09:00");
    await plan.getByRole("button", { name: "Fill in the rows" }).click();
    await page.getByLabel("Everyone: row 2, percentage").fill("60.125");
    await page.getByText("Now 60.125 %; the plan is done.").waitFor();
    await page.getByLabel("Everyone: row 2, date and time").fill("2099-01-01T09:00");
    await page.getByText(/^Now \d.* %; on the way to 60.125 %/).waitFor();
    await reviewAndSave();
    await until("the plan is stored", async () => (await rulesOf("slow-start")).length === 1);
    const instantOf = (local: string) => page.evaluate((text) => new Date(text).toISOString(), local);
    expect((await rulesOf("slow-start"))[0]?.rollout).toEqual({
      percentage: 0,
      over: {
        kind: "line",
        points: [
          { at: await instantOf("2026-01-01T09:00"), percentage: 5 },
          { at: await instantOf("2099-01-01T09:00"), percentage: 60.125 },
        ],
      },
    });
    await page
      .getByText(/^SOME \d/)
      .first()
      .waitFor();
    await sentenceIsTheServers("slow-start");
  });

  it("a pattern that the server refuses is said at its field, and saved when it is mended", async () => {
    await api.send("POST", "projects/default/flags", { key: "by-pattern" });
    await open("flags/by-pattern");
    await page.getByRole("button", { name: "Add rule" }).click();
    const line = "Rule 1 applies when, condition 1";
    const values = page.getByRole("combobox", { name: `${line}: values` });
    await page.getByRole("combobox", { name: `${line}: attribute` }).fill("email");
    await choose(page.getByRole("combobox", { name: `${line}: comparison` }), "matches a pattern");
    await values.fill("a(b");
    await values.press("Enter");
    await reviewAndSave();
    await page.getByRole("dialog").getByText("Not saved", { exact: true }).waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Back" }).click();
    const rule = page.getByRole("region", { name: "Rule 1" });
    await rule.getByText(/"a\(b" is no regular expression in RE2 syntax/).waitFor();
    expect(await rulesOf("by-pattern")).toEqual([]);

    await values.press("Backspace");
    await values.fill("@example\\.com$");
    await values.press("Enter");
    await rule.getByText(/is no regular expression/).waitFor({ state: "hidden" });
    await reviewAndSave();
    await until("the rule is stored", async () => (await rulesOf("by-pattern")).length === 1);
    expect((await rulesOf("by-pattern"))[0]?.when).toEqual({ op: "matches", attribute: "email", values: ["@example\\.com$"] });
  });

  it("what the page has no fields for stays as it is when other things are saved, and is edited as JSON", async () => {
    const before = await rulesOf("banner-color");
    await open("flags/banner-color");
    await sentenceIsTheServers("banner-color");
    await page.getByRole("button", { name: "Rule 1: edit" }).click();
    await page.getByLabel("Rule 1: share of green").fill("40");
    await page.getByRole("button", { name: "Rule 1: the rest goes to blue" }).click();
    await page.getByRole("button", { name: "Rule 1: draw anew" }).click();
    await page.getByText(/of those who are now, about 10 % stay/).waitFor();
    await page.getByLabel("Rule 1: salt", { exact: true }).fill("winter");
    await page.getByText(/of those who are now/).waitFor({ state: "hidden" });
    await reviewAndSave();
    await until("the shares are stored", async () => JSON.stringify(await rulesOf("banner-color")) !== JSON.stringify(before));
    const [first, ...others] = await rulesOf("banner-color");
    expect({ ...first, serve: SPLIT }).toEqual(before[0]);
    expect(others).toEqual(before.slice(1));

    await page.getByRole("dialog").waitFor({ state: "hidden" });
    const json = page.getByLabel("Rule 1 applies when, condition 2, condition 2, as JSON");
    await json.fill('{ "op": "in", "attribute": "plan"');
    await page
      .getByText(/Not JSON/)
      .first()
      .waitFor();
    await json.fill('{ "op": "in", "attribute": "plan", "values": [5, "5", true] }');
    await reviewAndSave();
    await until("the list is stored", async () => JSON.stringify(await rulesOf("banner-color")).includes('[5,"5",true]'));
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "Undo" }).last().click();
    await until("the list is back", async () => JSON.stringify(await rulesOf("banner-color")).includes("plan-149"));
  });

  const PAGES = {
    flags: "flags",
    flag: "flags/new-checkout",
    rules: "flags/banner-color",
    groups: "groups",
    group: "groups/staff",
    members: "groups/early-adopters",
    settings: "settings",
    start: "start?flag=new-checkout&read=both",
  };

  for (const theme of ["light", "dark"] as const) {
    for (const width of [1280, 360]) {
      it(`every page at ${width} px in the ${theme} theme has no horizontal scroll and nothing that axe finds`, async () => {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme: theme });
        for (const [name, path] of Object.entries(PAGES)) {
          await open(path);
          await page.getByRole("heading", { level: 1 }).waitFor();
          if (name === "rules") await page.getByRole("button", { name: "Rule 1: edit" }).click();
          await look(page, `${name}-${theme}-${width}`);
        }
        await page.goto(`${server.url}/default/production/flags/new-checkout`);
        await page.getByText("PRODUCTION", { exact: true }).first().waitFor();
        await look(page, `production-${theme}-${width}`);
        const anybody = await browser.newContext({ colorScheme: theme, viewport: { width, height: 800 } });
        const signingIn = await anybody.newPage();
        await signingIn.goto(`${server.url}/sign-in`);
        await signingIn.getByRole("button", { name: "Sign in" }).waitFor();
        await look(signingIn, `sign-in-${theme}-${width}`);
        await anybody.close();
      });
    }

    it(`/kill works without JavaScript at 360 px in the ${theme} theme`, async () => {
      const phone = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 360, height: 640 }, colorScheme: theme });
      const kill = await phone.newPage();
      kill.setDefaultTimeout(WAIT_MS_MAX);
      const picture = async (name: string) => {
        if (process.env.PICTURES_OF_PAGES)
          await kill.screenshot({ path: join(root, `e2e/artifacts/kill-${name}-${theme}.png`), fullPage: true });
      };
      await kill.goto(`${server.url}/kill`);
      await picture("sign-in");
      await kill.getByLabel(/name/i).fill(ACCOUNT.name);
      await kill.getByLabel(/password/i).fill(ACCOUNT.password);
      await kill.getByRole("button", { name: /sign in/i }).click();
      await kill.getByRole("searchbox").fill("search");
      await kill.getByRole("searchbox").press("Enter");
      await picture("list");
      await kill.getByRole("link", { name: /kill/i }).and(kill.locator('[href*="flag=search"]')).click();
      await picture("confirm");
      await kill.getByRole("button", { name: /kill/i }).click();
      await kill.getByText("No program is connected; each will apply it when it connects").waitFor();
      await picture("receipt");
      await kill.goto(`${server.url}/kill?search=search`);
      await kill
        .getByRole("link", { name: /restore/i })
        .first()
        .click();
      await kill.getByRole("button", { name: /restore/i }).click();
      await kill
        .getByText(/restored/i)
        .first()
        .waitFor();
      await phone.close();
    });
  }
});
