import { readFileSync } from "node:fs";
import type { Change, NodeFlags } from "@signalbox/node";
import { flagsContext } from "@signalbox/node/hono";
import { type Context, Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { csrf } from "hono/csrf";
import { streamSSE } from "hono/streaming";
import { type Price, priceOf, readBasket } from "./orders.ts";
import { PRODUCTS, search } from "./products.ts";

export interface ShopOptions {
  readonly flags: NodeFlags;
  /** What the page needs for its own flags. */
  readonly browser: { readonly url: string; readonly sdkKey: string };
}

type ShopEnv = { Variables: { visitor: string } };

const CHANGES_KEPT_MAX = 200;
const PING_MS = 15_000;

/** The shop: pages, an API that asks its flags for the visitor at hand, and one stream that tells pages when the answers changed. */
export function createShop({ flags, browser }: ShopOptions): Hono<ShopEnv> {
  const shop = new Hono<ShopEnv>();
  const changes: Change[] = [];
  flags.on("change", (change) => {
    changes.push(change);
    if (changes.length > CHANGES_KEPT_MAX) changes.shift();
  });

  shop.get("/", (c) => file(c, "../public/index.html", "text/html; charset=utf-8"));
  shop.get("/page.js", (c) => file(c, "../public/page.js", "text/javascript; charset=utf-8"));
  shop.get("/style.css", (c) => file(c, "../public/style.css", "text/css; charset=utf-8"));
  // The page's own copy of the SDK, from the installed package: no other server is needed to load the page.
  const sdk = readFileSync(new URL("./signalbox.browser.js", import.meta.resolve("@signalbox/browser")), "utf8");
  shop.get("/sdk/browser.js", (c) => c.body(sdk, 200, { "content-type": "text/javascript; charset=utf-8" }));

  shop.use("/api/*", csrf());
  shop.use("/api/*", async (c, next) => {
    c.set("visitor", visitorOf(c));
    await next();
  });
  // From here on every flag that is read without a context is read for this visitor.
  shop.use(
    "/api/*",
    flagsContext((c: Context<ShopEnv>) => ({ key: c.get("visitor") })),
  );

  shop.get("/api/me", (c) =>
    c.json({
      visitor: c.get("visitor"),
      browser,
      newCheckout: flags.isOn("new-checkout"),
      search: flags.isOn("search"),
      betaReviews: flags.isOn("beta-reviews"),
    }),
  );

  shop.get("/api/products", (c) => {
    const withReviews = flags.isOn("beta-reviews");
    return c.json({ products: PRODUCTS.map(({ reviews, ...product }) => (withReviews ? { ...product, reviews } : product)) });
  });

  shop.get("/api/search", (c) => {
    if (!flags.isOn("search")) {
      return c.json({ message: "Search is having a rest. Everything is still on the shelves below." }, 503, { "retry-after": "30" });
    }
    return c.json({ keys: search((c.req.query("q") ?? "").slice(0, 200)).map(({ key }) => key) });
  });

  shop.post("/api/checkout", async (c) => {
    const lines = readBasket(await c.req.json().catch(() => undefined));
    if (!lines) return c.json({ message: "The basket could not be read; take the products out and put them in again." }, 400);
    const checkout: Price["checkout"] = flags.isOn("new-checkout") ? "new" : "classic";
    return c.json(priceOf(lines, checkout));
  });

  /** What the Node program holds, for those who look behind the shop. */
  shop.get("/api/state", (c) => {
    const answers = Object.fromEntries(["new-checkout", "search", "beta-reviews"].map((key) => [key, flags.explain(key)]));
    return c.json({ status: flags.status, flags: answers, changes });
  });

  shop.get("/api/events", (c) => {
    return streamSSE(c, async (stream) => {
      const tell = (change: Change) => void stream.writeSSE({ event: "change", data: JSON.stringify(change) });
      const off = flags.on("change", tell);
      stream.onAbort(off);
      await stream.writeSSE({ event: "hello", data: "{}" });
      while (!stream.aborted) {
        await stream.sleep(PING_MS);
        await stream.writeSSE({ event: "ping", data: "{}" });
      }
      off();
    });
  });

  return shop;
}

/** A visitor is a random name in a first-party cookie: enough for a percentage to stay the same, nothing about the person. */
function visitorOf(c: Context): string {
  const known = getCookie(c, "visitor");
  if (known !== undefined && /^[A-Za-z0-9-]{1,64}$/.test(known)) return known;
  const visitor = crypto.randomUUID();
  setCookie(c, "visitor", visitor, { path: "/", httpOnly: true, sameSite: "Lax", maxAge: 365 * 24 * 3600 });
  return visitor;
}

function file(c: Context, path: string, type: string): Response {
  return c.body(readFileSync(new URL(path, import.meta.url), "utf8"), 200, { "content-type": type, "cache-control": "no-cache" });
}
