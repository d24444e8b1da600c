import { serve } from "@hono/node-server";
import { createFlags } from "@signalbox/node";
import { createShop } from "./shop.ts";

const {
  SIGNALBOX_URL = "http://localhost:7070",
  SIGNALBOX_SERVER_KEY,
  SIGNALBOX_BROWSER_KEY,
  HOST = "127.0.0.1",
  PORT = "7171",
} = process.env;
if (!SIGNALBOX_SERVER_KEY || !SIGNALBOX_BROWSER_KEY) {
  console.error(
    "Set SIGNALBOX_SERVER_KEY and SIGNALBOX_BROWSER_KEY to the SDK keys of an environment (admin UI, SDK keys), or run: npm run demo",
  );
  process.exit(1);
}

const flags = createFlags({ url: SIGNALBOX_URL, sdkKey: SIGNALBOX_SERVER_KEY, app: "shop" });
const shop = createShop({ flags, browser: { url: SIGNALBOX_URL, sdkKey: SIGNALBOX_BROWSER_KEY } });

// The shop opens whether or not the flags are here: they answer with their defaults until they are.
await flags.ready();
const server = serve({ fetch: shop.fetch, hostname: HOST, port: Number(PORT) }, ({ port }) => {
  console.log(`The shop is open: http://${HOST}:${port}`);
});
server.on("error", (error) => {
  console.error(`The shop cannot open at ${HOST}:${PORT}: ${error.message}. Set PORT to another one.`);
  process.exit(1);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    server.close();
    if ("closeAllConnections" in server) server.closeAllConnections();
    await flags.close();
    process.exit(0);
  });
}
