import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, inject, test } from "vitest";
import { casesFor, runSdkCase } from "../core/contract/run.ts";
import { atMost, openWorld, type Subject, servePage } from "./contract-world.ts";
import { openBrowser, root } from "./world.ts";

/** The published builds keep the contract of an SDK, over real sockets; `core/contract` holds the cases. */

describe("the built Node SDK", () => {
  const cases = casesFor("node");
  let running: ReturnType<typeof atMost<(typeof cases)[number]>>;

  beforeAll(async () => {
    const { createFlags } = (await import(join(root, "sdk-node/dist/index.js"))) as typeof import("../sdk-node/src/index.ts");
    running = atMost(24, cases, async ({ file, one }) => {
      const world = await openWorld("node", one, async (url): Promise<Subject> => {
        const changes: string[][] = [];
        const flags = createFlags({ url, sdkKey: "sb_server_production_contract", app: "contract", logger: false, ...one.start });
        flags.on("change", ({ keys }) => changes.push([...keys].sort()));
        return {
          async tell(what) {
            if (what !== "close") throw new Error(`nobody tells a program "${what}"`);
            await flags.close();
          },
          async observe(keys, context) {
            const { state, generation, revision, problem } = flags.status;
            return {
              status: state,
              position: revision === undefined ? null : `${generation}.${revision}`,
              problem: problem !== undefined,
              changes,
              answers: Object.fromEntries(keys.map((key) => [key, flags.explain(key, context).value ?? null])),
            };
          },
          close: () => flags.close(),
        };
      });
      await runSdkCase(file, one, world).finally(() => world.close());
    });
  });

  test.each(cases)("$title", (one) => running.get(one));
});

describe.skipIf(inject("chromium") === "")("the built browser SDK, in Chromium", () => {
  const cases = casesFor("browser");
  let running: ReturnType<typeof atMost<(typeof cases)[number]>>;
  let closeAll = async () => {};

  beforeAll(async () => {
    const page = await servePage(readFileSync(join(root, "sdk-browser/dist/signalbox.browser.js")));
    const browser = await openBrowser(inject("chromium"));
    closeAll = async () => {
      await browser.close();
      page.close();
    };
    const tab = await browser.newPage();
    await tab.goto(page.url);
    await tab.waitForFunction(() => "sdk" in globalThis);
    running = atMost(24, cases, async ({ file, one, title }) => {
      const world = await openWorld("browser", one, async (url): Promise<Subject> => {
        // A key for each case: ports come again, and what a page has kept belongs to the address and the key.
        await tab.evaluate(
          ({ title, options }) => {
            const held = globalThis as unknown as Held;
            const flags = held.sdk.createFlags(options);
            const changes: string[][] = [];
            flags.on("change", ({ keys }) => changes.push([...keys].sort()));
            held.subjects ??= {};
            held.subjects[title] = { flags, changes };
          },
          {
            title,
            options: {
              url,
              sdkKey: `sb_browser_production_${cases.findIndex((other) => other.one === one)}`,
              app: "contract",
              logger: false as const,
              ...one.start,
            },
          },
        );
        const close = () => tab.evaluate((title) => (globalThis as unknown as Held).subjects?.[title]?.flags.close(), title);
        return {
          async tell(what) {
            if (what !== "close") throw new Error(`this page is not told "${what}"`);
            await close();
          },
          observe: (keys, context) =>
            tab.evaluate(
              ({ title, keys, context }) => {
                const subject = (globalThis as unknown as Held).subjects?.[title];
                if (!subject) throw new Error("unreachable: it was started");
                const { state, generation, revision, problem } = subject.flags.status;
                return {
                  status: state,
                  position: revision === undefined ? null : `${generation}.${revision}`,
                  problem: problem !== undefined,
                  changes: subject.changes,
                  answers: Object.fromEntries(keys.map((key) => [key, subject.flags.explain(key, context).value ?? null])),
                };
              },
              { title, keys: [...keys], context },
            ),
          close: async () => void (await close()),
        };
      });
      await runSdkCase(file, one, world).finally(() => world.close());
    });
  });
  afterAll(() => closeAll());

  test.each(cases)("$title", (one) => running.get(one));
});

/** What the page holds. */
interface Held {
  readonly sdk: typeof import("../sdk-browser/src/index.ts");
  subjects?: { [title: string]: { readonly flags: import("../sdk-browser/src/index.ts").BrowserFlags; readonly changes: string[][] } };
}
