// `npm run pictures`: records docs/pictures/signalbox.gif from real processes: a click in the admin UI changes the open shop, a kill turns its
// search off, and the receipt says who has obeyed. Needs the system's chromium and ffmpeg.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { openShop, startShopWorld } from "./shop-world.ts";
import { folder, openBrowser, root, signInOn } from "./world.ts";

const SIZE = { width: 760, height: 640 };
const FRAMES_PER_SECOND = 5;
const target = join(root, "docs/pictures/signalbox.gif");

const chromium = [process.env.CHROMIUM_PATH, "/usr/bin/chromium"].find((path) => path !== undefined && existsSync(path));
if (chromium === undefined) throw new Error("chromium is not installed; apt-get install chromium, or set CHROMIUM_PATH");

const frames = folder("pictures");
const world = await startShopWorld();
const browser = await openBrowser(chromium);
try {
  const admin = await (await browser.newContext({ viewport: SIZE, colorScheme: "light" })).newPage();
  const shop = await (await browser.newContext({ viewport: SIZE, colorScheme: "light" })).newPage();
  let count = 0;

  /** Both pages as they are now, for so many seconds of the film. */
  async function film(seconds: number): Promise<void> {
    const [left, right] = await Promise.all([admin.screenshot(), shop.screenshot()]);
    for (let i = 0; i < Math.max(1, Math.round(seconds * FRAMES_PER_SECOND)); i++) {
      const name = String(count++).padStart(4, "0");
      writeFileSync(join(frames.path, `a${name}.png`), left);
      writeFileSync(join(frames.path, `b${name}.png`), right);
    }
  }

  /** Shows where the press goes, presses, and films what follows. */
  async function press(button: Locator, seconds = 0.6): Promise<void> {
    await button.scrollIntoViewIfNeeded();
    const mark = (style: string) =>
      button.evaluate((element, outline) => Object.assign((element as HTMLElement).style, { outline, outlineOffset: "3px" }), style);
    await mark("4px solid #f59f00");
    await film(0.8);
    await mark("");
    await button.click();
    await film(seconds);
  }

  const settled = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();

  await openShop(shop, world);
  await signInOn(admin, world.server.url);
  await shop.getByRole("button", { name: /^Add / }).first().click();
  await shop.evaluate(() => scrollTo(0, 0));
  await admin.goto(`${world.server.url}/default/development/flags/new-checkout`);
  await admin.getByRole("heading", { level: 1 }).waitFor();
  await admin.waitForLoadState("networkidle");
  await film(1.2);
  await press(admin.getByRole("button", { name: "100 %" }));
  await press(admin.getByRole("button", { name: "Review and save" }), 0.2);
  await admin.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).waitFor();
  await film(0.8);
  await press(admin.getByRole("dialog").getByRole("button", { name: "Save", exact: true }), 0);
  await settled(shop, "Pay in one step");
  await admin.getByRole("dialog").waitFor({ state: "hidden" });
  await film(2);
  await admin.getByRole("link", { name: "Flags", exact: true }).first().click();
  await admin.getByRole("button", { name: "Kill search" }).waitFor();
  await film(0.8);
  await press(admin.getByRole("button", { name: "Kill search" }));
  await press(admin.getByRole("button", { name: /^Confirm kill/ }), 0);
  await shop.getByRole("searchbox").waitFor({ state: "hidden" });
  await settled(admin, /2 of 2 connected programs have applied it/);
  await film(3.5);
  console.log(
    (await admin
      .getByText(/2 of 2 connected/)
      .first()
      .textContent()) ?? "",
  );

  mkdirSync(join(root, "docs/pictures"), { recursive: true });
  const input = (letter: string) => ["-framerate", String(FRAMES_PER_SECOND), "-i", join(frames.path, `${letter}%04d.png`)];
  const filter =
    "[0:v]pad=iw+12:ih:0:0:color=#adb5bd[l];[l][1:v]hstack,scale=1100:-1:flags=lanczos,split[x][y];[x]palettegen=max_colors=96:stats_mode=diff[p];[y][p]paletteuse=dither=none:diff_mode=rectangle";
  execFileSync("ffmpeg", ["-y", "-loglevel", "error", ...input("a"), ...input("b"), "-filter_complex", filter, target], {
    stdio: "inherit",
  });
  console.log(
    `${target.slice(root.length + 1)}: ${Math.round(statSync(target).size / 1024)} KiB, ${(count / FRAMES_PER_SECOND).toFixed(1)} s`,
  );
} finally {
  await browser.close();
  await world.stop();
  frames.remove();
}
