import { attributeReader, formatPosition, isNewer, unitOf } from "@signalbox/core";
import type { Context } from "hono";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { createMiddleware } from "hono/factory";
import { problem, problemResponse } from "../errors.ts";
import type { Facts } from "../facts/facts.ts";
import { type BrowserContext, browserContext } from "../facts/signed-context.ts";
import type { Members } from "../groups/members.ts";
import { type ApiEnv, asHttpProblem } from "../http/route.ts";
import type { Store } from "../store/store.ts";
import type { Usage } from "../usage/usage.ts";
import { network } from "./admission.ts";
import type { Delivery } from "./delivery.ts";
import type { SdkKeyInfo } from "./feed.ts";
import { acknowledgementBody, contextBody, factsBody, membershipBody, readBody, SDK_BODY_BYTES_MAX, usageBody } from "./sdk-body.ts";
import { sdkFileRoutes } from "./sdk-files.ts";
import { createKeyCheck, READABLE, readableBy } from "./sdk-key.ts";
import { createTokenBuckets } from "./token-bucket.ts";

export interface SdkRoutesDeps {
  readonly delivery: Delivery;
  readonly store: Pick<Store, "sdkKeys" | "settings" | "signingSecrets">;
  readonly members: Members;
  readonly usage: Usage;
  readonly facts: Facts;
  /** Where the build put `node.tgz` and `browser.js`. */
  readonly sdkDirectory: string;
  /** What limits go by. */
  readonly addressOf: (c: Context) => string;
  /** Where a request comes from, for facts; undefined when that is not known. */
  readonly knownAddressOf: (c: Context) => string | undefined;
}

/** Per SDK key. Acknowledgements come in bursts as large as the number of programs; early access writes to the database. */
const LIMITS = {
  usage: { perSecond: 500, burst: 5_000 },
  acknowledgement: { perSecond: 2_000, burst: 20_000 },
  facts: { perSecond: 1_000, burst: 5_000 },
  // As many as the lane of those who join commits in a second.
  earlyAccess: { perSecond: 1_000, burst: 2_000 },
} as const;

/** Per address of a page: a whole office may sit behind one. */
const ADDRESS_LIMITS = {
  // An edit, or a list that changed, may make every page of an office ask at once.
  facts: { perSecond: 50, burst: 2_000 },
  list: { perSecond: 20, burst: 500 },
  change: { perSecond: 5, burst: 100 },
  usage: { perSecond: 20, burst: 200 },
  acknowledgement: { perSecond: 20, burst: 200 },
} as const;

const ABOUT = {
  facts: "about facts",
  list: "about early access",
  change: "about early access",
  usage: "with usage",
  acknowledgement: "with acknowledgements",
} as const;

type SdkEnv = { Variables: ApiEnv["Variables"] & { key: SdkKeyInfo } };

/** What programs ask besides the stream and the state, which are answered before hono. Every answer may be read by a page of any origin: the SDK key decides, never a cookie. */
export function sdkRoutes({
  delivery,
  store,
  members,
  usage,
  facts,
  sdkDirectory,
  addressOf,
  knownAddressOf,
}: SdkRoutesDeps): Hono<SdkEnv> {
  const { feed, clock, log, instances } = delivery;
  const checkKey = createKeyCheck({ keys: store.sdkKeys, clock, log });
  const routes = new Hono<SdkEnv>();

  routes.onError((error, c) => {
    const response = problemResponse(asHttpProblem(error), c.get("requestId") ?? "none");
    const key: SdkKeyInfo | undefined = c.get("key");
    // Before the key is known there is nothing to keep from any page.
    for (const [name, value] of Object.entries(key ? readableBy(key, c.req.header("origin")) : READABLE)) response.headers.set(name, value);
    return response;
  });
  routes.route("/", sdkFileRoutes(sdkDirectory));

  routes.use("/sdk/v1/*", async (c, next) => {
    const origin = c.req.header("origin");
    const key = checkKey({ authorization: c.req.header("authorization"), origin, query: c.req.query("key") });
    c.set("key", key);
    for (const [name, value] of Object.entries(readableBy(key, origin))) c.header(name, value);
    await next();
  });
  routes.use(
    "/sdk/v1/*",
    bodyLimit({
      maxSize: SDK_BODY_BYTES_MAX,
      onError: () => {
        throw problem("BODY_TOO_LARGE", `The body is larger than ${SDK_BODY_BYTES_MAX} bytes; send it in parts.`);
      },
    }),
  );

  function limited(kind: keyof typeof LIMITS) {
    const limits = LIMITS[kind];
    const buckets = createTokenBuckets(clock, limits);
    return createMiddleware<SdkEnv>(async (c, next) => {
      if (!buckets.take(String(c.get("key").id))) {
        throw problem("RATE_LIMITED", `More than ${limits.perSecond} requests in a second with this SDK key; try again in 1 s.`, {
          headers: { "retry-after": "1" },
        });
      }
      await next();
    });
  }

  /** Pages are limited by where they ask from, before anything is read, and first: one address must not use up what all pages of a key have. */
  function limitedPages(kind: keyof typeof ADDRESS_LIMITS) {
    const limits = ADDRESS_LIMITS[kind];
    const buckets = createTokenBuckets(clock, limits);
    return createMiddleware<SdkEnv>(async (c, next) => {
      if (c.get("key").projection === "browser" && !buckets.take(network(addressOf(c)))) {
        const said = `More than ${limits.perSecond} requests ${ABOUT[kind]} in a second from your address`;
        throw problem("RATE_LIMITED", `${said}; try again in 5 s.`, { headers: { "retry-after": "5" } });
      }
      await next();
    });
  }

  routes.post("/sdk/v1/usage", limitedPages("usage"), limited("usage"), async (c) => {
    const { environment, projection } = c.get("key");
    await usage.record(environment, projection, await readBody(c, usageBody));
    return c.body(null, 204);
  });

  routes.post("/sdk/v1/ack", limitedPages("acknowledgement"), limited("acknowledgement"), async (c) => {
    const { environment, projection } = c.get("key");
    const acknowledgement = await readBody(c, acknowledgementBody);
    const head = feed.state(environment.id, projection);
    if (isNewer(acknowledgement, head)) {
      const said = `position ${formatPosition(acknowledgement)} is ahead of ${formatPosition(head)}, the newest of ${environment.key}`;
      throw problem("VALIDATION_FAILED", `Nothing can have applied what does not exist: ${said}.`);
    }
    instances.acknowledge(environment.id, projection, acknowledgement);
    return c.body(null, 204);
  });

  const earlyAccess = limited("earlyAccess");
  const listing = limitedPages("list");
  const changing = limitedPages("change");

  async function pageContext(c: Context<SdkEnv>): Promise<BrowserContext> {
    const request = await readBody(c, contextBody);
    const { id } = c.get("key").environment;
    const secrets = store.signingSecrets(id).map(({ text }) => text);
    return browserContext(request, { secureMode: store.settings(id).secureMode, secrets, now: clock.now() });
  }

  routes.post("/sdk/v1/facts", limitedPages("facts"), limited("facts"), async (c) => {
    const { environment, projection } = c.get("key");
    if (projection === "server") {
      throw problem("SDK_KEY_KIND", "Facts are for pages, which ask with a browser SDK key; with a server key the rules themselves come.");
    }
    const answer = await facts.answer(environment, await readBody(c, factsBody), knownAddressOf(c));
    c.header("cache-control", "no-store");
    return c.json(answer);
  });

  routes.get("/sdk/v1/early-access", listing, earlyAccess, async (c) => {
    const { environment, projection } = c.get("key");
    if (projection === "browser") {
      throw problem(
        "SDK_KEY_KIND",
        'A page asks with POST and {"context": …} or {"token": …} as its body: who somebody is does not belong into an address.',
      );
    }
    const unit = membershipBody.shape.unit.safeParse(c.req.query("unit"));
    if (!unit.success)
      throw problem("VALIDATION_FAILED", 'The query field "unit" is 1 to 200 characters: send whom to ask for, as ?unit=….');
    return c.json({ groups: await members.programs(environment.id, unit.data) });
  });

  routes.post("/sdk/v1/early-access", listing, earlyAccess, async (c) => {
    const { environment, projection } = c.get("key");
    if (projection === "server") throw problem("SDK_KEY_KIND", "With a server SDK key the list is asked for with GET and ?unit=….");
    const { context } = await pageContext(c);
    return c.json({ groups: await members.programs(environment.id, (by) => unitOf(attributeReader(by)(context))) });
  });

  async function participate(c: Context<SdkEnv>, joining: boolean) {
    const { environment, projection } = c.get("key");
    const group = c.req.param("group") ?? "";
    if (projection === "server") {
      const { unit } = await readBody(c, membershipBody);
      return members.participate({ environmentId: environment.id, group, unit, joining, vouched: true });
    }
    const { context, signed } = await pageContext(c);
    const { by } = members.program(environment.id, group);
    const unit = membershipBody.shape.unit.safeParse(unitOf(attributeReader(by)(context)));
    if (!unit.success) {
      const what = signed ? "signed context" : "context";
      throw problem(
        "VALIDATION_FAILED",
        `The group "${group}" goes by "${by}", which the ${what} does not hold as a text of 1 to 200 characters or a whole number; put it there.`,
      );
    }
    const joined = await members.participate({ environmentId: environment.id, group, unit: unit.data, joining, vouched: signed });
    // The page needs not ask again what this changed for it. A token is not checked again: it may have ended in the lane, the step is done.
    return { ...joined, facts: facts.answerFor(environment, context, knownAddressOf(c)) };
  }
  routes.post("/sdk/v1/early-access/:group/join", changing, earlyAccess, async (c) => c.json(await participate(c, true)));
  routes.post("/sdk/v1/early-access/:group/leave", changing, earlyAccess, async (c) => c.json(await participate(c, false)));

  routes.all("/sdk/*", (c) => {
    throw problem("ROUTE_NOT_FOUND", `There is no ${c.req.method} ${c.req.path.slice(0, 200)}.`);
  });
  return routes;
}
