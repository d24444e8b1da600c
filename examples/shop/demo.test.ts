import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { freePort, type Program, run, until } from "../../e2e/world.ts";

const programs: Program[] = [];
const folders: string[] = [];
afterEach(async () => {
  await Promise.all(programs.splice(0).map((program) => program.stop()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function demo(ports: {
  DEMO_PORT: string;
  DEMO_SHOP_PORT: string;
}): Promise<{ program: Program; shop: string; admin: string; kill: string }> {
  const data = mkdtempSync(join(tmpdir(), "signalbox-demo-"));
  folders.push(data);
  const program = run(process.execPath, ["examples/shop/demo.mjs"], { env: { ...ports, DEMO_DATA: data } });
  programs.push(program);
  await until("it prints its three links, or ends", async () => {
    const over = await Promise.race([program.ended, Promise.resolve(undefined)]);
    if (over !== undefined) throw new Error(`the demo ended with ${over}:\n${program.output()}`);
    return /^kill .*$/m.test(program.output());
  });
  const link = (name: string) => new RegExp(`^${name} +(\\S+)`, "m").exec(program.output())?.[1] ?? "";
  return { program, shop: link("shop"), admin: link("admin"), kill: link("kill") };
}

test("the demo starts both, seeds them, gives way on taken ports, and stops both", async () => {
  const ports = { DEMO_PORT: String(await freePort()), DEMO_SHOP_PORT: String(await freePort()) };
  const first = await demo(ports);
  const second = await demo(ports);
  expect(second.shop).not.toBe(first.shop);

  for (const { shop, admin, kill } of [first, second]) {
    const me = await fetch(`${shop}/api/me`);
    const cookie = me.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    const visit = (await me.json()) as { visitor: string; browser: { url: string; sdkKey: string } };
    expect(visit).toMatchObject({ search: true, betaReviews: false });
    // As the page does.
    const { url, sdkKey } = visit.browser;
    for (const verb of ["join", "leave"]) {
      const body = JSON.stringify({ context: { key: visit.visitor } });
      const answer = await fetch(`${url}/sdk/v1/early-access/early-adopters/${verb}?key=${sdkKey}`, { method: "POST", body });
      expect(await answer.json()).toMatchObject({ joined: verb === "join", facts: { true: verb === "join" ? [expect.any(Number)] : [] } });
      await until(`the shop knows (${verb})`, async () => {
        const { betaReviews } = (await (await fetch(`${shop}/api/me`, { headers: { cookie } })).json()) as { betaReviews: boolean };
        return betaReviews === (verb === "join");
      });
    }
    const found = (await (await fetch(`${shop}/api/search?q=brick signal`)).json()) as { keys: string[] };
    expect(found.keys).toEqual(["signal-box"]);
    expect(new URL(kill).pathname).toBe("/kill");
    const link = new URL(admin).hash.replace("#link=", "");
    const origin = new URL(admin).origin;
    const session = await fetch(`${origin}/api/v1/session`, {
      method: "POST",
      headers: { origin, "content-type": "application/json" },
      body: JSON.stringify({ link }),
    });
    expect(session.status).toBe(200);
  }

  await first.program.stop("SIGINT");
  expect(await first.program.ended).toBe(0);
  await expect(fetch(first.shop)).rejects.toThrow();
  await expect(fetch(first.kill)).rejects.toThrow();
  expect((await fetch(second.shop)).status).toBe(200);
});
