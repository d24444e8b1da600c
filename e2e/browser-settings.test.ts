import { signContext } from "@signalbox/node";
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
  withAccount,
} from "./world.ts";

interface Settings {
  readonly secureMode: boolean;
  readonly privateAttributes: readonly string[];
  readonly sampleContexts: boolean;
  readonly signingSecret: { readonly version: number; readonly oldHolds: boolean };
}

/** What people set about the contexts of pages, and what a page sees of a flag, in a real browser with a real server. */
describe.skipIf(inject("chromium") === "")("the admin UI about pages", () => {
  const data = folder("browser-settings");
  const environment = environmentPath("development");
  let server: Server;
  let api: Api;
  let browser: Browser;
  let page: Page;

  keepPictures(() => ({ "browser-settings": page }));

  beforeAll(async () => {
    server = await startServer({ data: data.path, env: withAccount });
    api = await signIn(server.url);
    await api.send("POST", `${environment}/groups`, { key: "beta", kind: "early-access", name: "Beta" });
    browser = await openBrowser(inject("chromium"));
    page = await openAdmin(browser, server.url);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    data.remove();
  });

  const open = async (path: string) => {
    await page.goto(`${server.url}/default/development/${path}`);
    await page.getByRole("heading", { level: 1 }).waitFor();
  };
  const settings = () => api.get<Settings>(`${environment}/settings`);
  const card = (name: RegExp) => page.getByRole("region", { name });
  const dialog = () => page.getByRole("dialog");

  describe("settings", () => {
    it("private attributes are typed, saved and taken back", async () => {
      await open("settings");
      const contexts = card(/^Contexts in Development/);
      const box = contexts.getByRole("combobox", { name: "Private attributes" });
      await box.fill("email");
      await box.press("Enter");
      await box.fill("salary");
      await box.press("Enter");
      await contexts.getByRole("button", { name: "Save the private attributes" }).click();
      await page.getByText("Saved the private attributes of Development").waitFor();
      expect((await settings()).privateAttributes).toEqual(["email", "salary"]);
      await page.getByRole("button", { name: "Undo" }).click();
      await page.getByText("Undone: Saved the private attributes of Development").waitFor();
      expect((await settings()).privateAttributes).toEqual([]);
    });

    it("sampling of contexts is switched on and off", async () => {
      await open("settings");
      const toggle = card(/^Contexts in Development/).getByRole("switch", { name: /Programs send some of the contexts/ });
      await toggle.click({ force: true });
      await page.getByText("Switched the sampling of contexts on in Development").waitFor();
      expect((await settings()).sampleContexts).toBe(true);
      await page.getByRole("button", { name: "Undo" }).click();
      await page.getByText(/^Undone/).waitFor();
      expect(await toggle.isChecked()).toBe(false);
    });

    it("what another saved meanwhile is not overwritten", async () => {
      await open("settings");
      await card(/^Contexts in Development/)
        .getByRole("switch", { name: /Programs send/ })
        .waitFor();
      await page.route("**/api/v1/events", (route) => route.abort());
      await page.reload();
      const toggle = card(/^Contexts in Development/).getByRole("switch", { name: /Programs send/ });
      await toggle.waitFor();
      await api.send("PATCH", `${environment}/settings`, { privateAttributes: ["iban"] });
      await toggle.click({ force: true });
      await page.getByText(/The settings of development were changed in the meantime/).waitFor();
      await card(/^Contexts/)
        .getByText("iban")
        .waitFor();
      expect(await settings()).toMatchObject({ privateAttributes: ["iban"], sampleContexts: false });
      await page.unroute("**/api/v1/events");
    });

    it("secure mode: the secret signs on a server what a page may ask with, and is replaced without a gap", async () => {
      const keys = await api.get<{ browser: string }>(`${environment}/sdk-keys`);
      const join = async (body: object) => {
        const answer = await fetch(`${server.url}/sdk/v1/early-access/beta/join?key=${keys.browser}`, {
          method: "POST",
          headers: { "content-type": "text/plain" },
          body: JSON.stringify(body),
        });
        const { code } = (await answer.json()) as { code?: string };
        return code ?? answer.status;
      };
      await open("settings");
      const secure = card(/^Secure mode in Development/);
      await secure.getByRole("button", { name: "Show the secret" }).click();
      const first = await secure.getByText(/^sb_signing_development_1_/).innerText();
      const signed = (secret: string) => ({ token: signContext({ key: "ann" }, { secret }) });
      expect(await join(signed(first))).toBe(200);
      expect(await join({ context: { key: "bob" } })).toBe(200);

      await secure.getByRole("switch", { name: "Pages have to send a signed context" }).click({ force: true });
      await dialog()
        .getByText(/Pages that send no signed context/)
        .waitFor();
      await dialog().getByRole("button", { name: "Switch it on" }).click();
      await page.getByText("Switched secure mode on in Development").waitFor();
      expect(await join({ context: { key: "bob" } })).toBe("SIGNED_CONTEXT_NEEDED");
      expect(await join(signed(first))).toBe(200);

      await secure.getByRole("button", { name: "Replace the secret" }).click();
      await dialog().getByRole("button", { name: "Make secret 2" }).click();
      await page.getByText("Made signing secret 2 of Development").waitFor();
      const second = await secure.getByText(/^sb_signing_development_2_/).innerText();
      expect(await join(signed(first))).toBe(200);
      expect(await join(signed(second))).toBe(200);
      await secure.getByRole("button", { name: "Retire secret 1" }).click();
      await dialog().getByRole("button", { name: "Retire secret 1" }).click();
      await page.getByText("Retired signing secret 1 of Development").waitFor();
      expect(await join(signed(first))).toBe("SIGNED_CONTEXT_INVALID");
      expect(await join(signed(second))).toBe(200);
      await secure.getByText(/^sb_signing_development_1_/).waitFor({ state: "detached" });
    });

    it("a person with a keyboard alone reaches and closes the question about secure mode", async () => {
      await open("settings");
      await card(/^Secure mode/)
        .getByRole("switch")
        .focus();
      await page.keyboard.press("Space");
      await dialog().getByRole("button", { name: "Switch it off" }).waitFor();
      await page.keyboard.press("Escape");
      await dialog().waitFor({ state: "detached" });
      expect((await settings()).secureMode).toBe(true);
    });
  });

  describe("the card of browsers on the flag page", () => {
    const seen = () => card(/^Browsers$/);

    it("says what begins when the mark is saved, and then exactly what is sent", async () => {
      await api.send("POST", "projects/default/flags", { key: "banner" });
      const rules = [
        {
          name: "Secret launch partners",
          when: { op: "in", attribute: "plan", values: ["pro"] },
          rollout: { percentage: 10 },
          serve: { kind: "variant", variant: "on" },
        },
      ];
      await api.send("PATCH", `${environment}/flags/banner/configuration`, { mode: "targeted", rules });
      await open("flags/banner");
      await seen().getByText("Browsers are told nothing of this flag").waitFor();
      await seen().getByRole("switch", { name: "Visible in browsers" }).click({ force: true });
      await seen().getByText("Nothing is sent yet").waitFor();
      await page.getByRole("button", { name: "Review and save" }).click();
      await dialog().getByRole("button", { name: "Save", exact: true }).click();
      await seen().getByRole("heading", { name: "Browsers are told" }).waitFor();
      await seen().getByText("plan is pro").waitFor();
      await seen().getByText("no condition names people, customers or addresses").waitFor();
      await seen()
        .getByText(/^Exactly what is sent/)
        .click();
      const shown = JSON.parse(await seen().getByRole("region", { name: "what is sent to browsers" }).innerText()) as { key: string };
      const keys = await api.get<{ browser: string }>(`${environment}/sdk-keys`);
      const state = (await (await fetch(`${server.url}/sdk/v1/state?key=${keys.browser}`)).json()) as { entries: { key: string }[] };
      expect(shown).toEqual(state.entries.find(({ key }) => key === "banner"));
      expect(JSON.stringify(shown)).not.toContain("Secret launch partners");
    });

    it("follows what another saves", async () => {
      await open("flags/banner");
      await seen().getByText("plan is pro").waitFor();
      await api.send("PATCH", `${environment}/flags/banner/configuration`, {
        rules: [{ when: { op: "in", attribute: "plan", values: ["free"] }, serve: { kind: "variant", variant: "on" } }],
      });
      await seen().getByText("plan is free").waitFor();
    });
  });

  for (const theme of ["light", "dark"] as const) {
    for (const width of [1280, 360]) {
      it(`the pages at ${width} px in the ${theme} theme have no horizontal scroll and nothing that axe finds`, async () => {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme: theme });
        await open("settings");
        await card(/^Secure mode/)
          .getByRole("button", { name: /^Show/ })
          .click();
        await card(/^Secure mode/)
          .getByText(/^sb_signing_/)
          .first()
          .waitFor();
        await look(page, `secure-mode-${theme}-${width}`);
        await open("flags/banner");
        await card(/^Browsers$/)
          .getByText(/^Exactly what is sent/)
          .click();
        await look(page, `browser-card-${theme}-${width}`);
      });
    }
  }
});
