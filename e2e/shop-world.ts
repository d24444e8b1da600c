import type { Page } from "playwright-core";
import {
  type Api,
  environmentPath,
  folder,
  freePort,
  type Program,
  run,
  type Server,
  signIn,
  startServer,
  until,
  withAccount,
} from "./world.ts";

/** Signalbox and the shop as real processes: three flags, a group that visitors join, a Node program and a page. */
export interface ShopWorld {
  readonly data: string;
  server: Server;
  readonly shop: Program & { readonly url: string };
  readonly api: Api;
  stop(): Promise<void>;
}

/** `front` puts something before the server on this port, and says under which address the shop then finds it. */
export async function startShopWorld(options: { front?: (port: number) => Promise<string> } = {}): Promise<ShopWorld> {
  const data = folder("shop");
  const server = await startServer({ data: data.path, env: withAccount });
  const api = await signIn(server.url);
  const environment = environmentPath("development");
  await api.send("POST", `${environment}/groups`, { key: "early-adopters", kind: "early-access", name: "Early adopters" });
  const configure = async (key: string, description: string, configuration: object) => {
    await api.send("POST", "projects/default/flags", { key, description, browser: true });
    await api.send("PATCH", `${environment}/flags/${key}/configuration`, configuration);
  };
  const on = { kind: "variant", variant: "on" };
  await configure("new-checkout", "Pay in one step", { mode: "targeted", rules: [{ rollout: { percentage: 0 }, serve: on }] });
  await configure("search", "The search service and its kill-switch", { mode: "on" });
  await configure("beta-reviews", "Reviews, for who joined the beta", {
    mode: "targeted",
    rules: [{ when: { op: "group", group: "early-adopters" }, serve: on }],
  });
  const keys = await api.get<{ server: string; browser: string }>(`${environment}/sdk-keys`);

  const port = await freePort();
  const program = run(process.execPath, ["--import", "tsx", "examples/shop/src/main.ts"], {
    env: {
      PORT: String(port),
      SIGNALBOX_URL: (await options.front?.(server.port)) ?? server.url,
      SIGNALBOX_SERVER_KEY: keys.server,
      SIGNALBOX_BROWSER_KEY: keys.browser,
    },
  });
  await until("the shop is open", () => program.output().includes("The shop is open"));
  const world: ShopWorld = {
    data: data.path,
    server,
    shop: { ...program, url: `http://localhost:${port}` },
    api,
    async stop() {
      await program.stop();
      await world.server.stop();
      data.remove();
    },
  };
  return world;
}

export async function openShop(page: Page, { shop }: ShopWorld): Promise<void> {
  await page.goto(shop.url);
  await page.locator("html[data-ready=true]").waitFor();
}
