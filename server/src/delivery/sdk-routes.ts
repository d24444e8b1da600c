import { formatPosition, isNewer } from "@signalbox/core";
import type { Context } from "hono";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { createMiddleware } from "hono/factory";
import { problem, problemResponse } from "../errors.ts";
import { BY_THEMSELVES } from "../groups/decide.ts";
import type { Members } from "../groups/members.ts";
import { type ApiEnv, asHttpProblem } from "../http/route.ts";
import type { Store } from "../store/store.ts";
import type { Usage } from "../usage/usage.ts";
import type { Delivery } from "./delivery.ts";
import type { SdkKeyInfo } from "./feed.ts";
import { acknowledgementBody, membershipBody, readBody, SDK_BODY_BYTES_MAX, usageBody } from "./sdk-body.ts";
import { sdkFileRoutes } from "./sdk-files.ts";
import { createKeyCheck } from "./sdk-key.ts";
import { createTokenBuckets } from "./token-bucket.ts";

export interface SdkRoutesDeps {
  readonly delivery: Delivery;
  readonly store: Pick<Store, "sdkKey">;
  readonly members: Members;
  readonly usage: Usage;
  /** Where the build put `node.tgz` and `browser.js`. */
  readonly sdkDirectory: string;
}

/** Per SDK key. Acknowledgements come in bursts as large as the number of programs; early access writes to the database. */
const LIMITS = {
  usage: { perSecond: 500, burst: 5_000 },
  acknowledgement: { perSecond: 2_000, burst: 20_000 },
  earlyAccess: { perSecond: 50, burst: 100 },
} as const;

type SdkEnv = { Variables: ApiEnv["Variables"] & { key: SdkKeyInfo } };

/** What programs ask besides the stream and the state, which are answered before hono. Every answer may be read by a page of any origin: the SDK key decides, never a cookie. */
export function sdkRoutes({ delivery, store, members, usage, sdkDirectory }: SdkRoutesDeps): Hono<SdkEnv> {
  const { feed, clock, log, instances } = delivery;
  const checkKey = createKeyCheck({ keys: store, clock, log });
  const routes = new Hono<SdkEnv>();

  routes.onError((error, c) => {
    const response = problemResponse(asHttpProblem(error), c.get("requestId") ?? "none");
    response.headers.set("access-control-allow-origin", "*");
    return response;
  });
  routes.route("/", sdkFileRoutes(sdkDirectory));

  routes.use("/sdk/v1/*", async (c, next) => {
    c.header("access-control-allow-origin", "*");
    c.header("access-control-expose-headers", "etag, retry-after");
    c.set("key", checkKey({ authorization: c.req.header("authorization"), origin: c.req.header("origin"), query: c.req.query("key") }));
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
      const { environment, projection } = c.get("key");
      if (!buckets.take(`${environment.id}:${projection}`)) {
        throw problem("RATE_LIMITED", `More than ${limits.perSecond} requests in a second with this SDK key; try again in 1 s.`, {
          headers: { "retry-after": "1" },
        });
      }
      await next();
    });
  }

  routes.post("/sdk/v1/usage", limited("usage"), async (c) => {
    const { environment, projection } = c.get("key");
    usage.record(environment, projection, await readBody(c, usageBody));
    return c.body(null, 204);
  });

  routes.post("/sdk/v1/ack", limited("acknowledgement"), async (c) => {
    const { environment, projection } = c.get("key");
    const acknowledgement = await readBody(c, acknowledgementBody);
    const head = feed.state(environment.id, projection);
    if (isNewer(acknowledgement, head)) {
      const said = `position ${formatPosition(acknowledgement)} is ahead of ${formatPosition(head)}, the newest of ${environment.key}`;
      throw problem("VALIDATION_FAILED", `Nothing can have applied what does not exist: ${said}.`);
    }
    instances.acknowledge(environment.id, acknowledgement);
    return c.body(null, 204);
  });

  const earlyAccess = limited("earlyAccess");

  routes.get("/sdk/v1/early-access", earlyAccess, async (c) => {
    const { environment } = serverKey(c);
    const unit = membershipBody.shape.unit.safeParse(c.req.query("unit"));
    if (!unit.success)
      throw problem("VALIDATION_FAILED", 'The query field "unit" is 1 to 200 characters: send whom to ask for, as ?unit=….');
    return c.json({ groups: await members.programs(environment.id, unit.data) });
  });

  routes.post("/sdk/v1/early-access/:group/join", earlyAccess, async (c) => {
    const change = await membershipOf(c);
    return c.json(await members.join(change));
  });

  routes.post("/sdk/v1/early-access/:group/leave", earlyAccess, async (c) => {
    const change = await membershipOf(c);
    return c.json(await members.leave(change));
  });

  routes.all("/sdk/*", (c) => {
    throw problem("ROUTE_NOT_FOUND", `There is no ${c.req.method} ${c.req.path.slice(0, 200)}.`);
  });
  return routes;
}

function serverKey(c: Context<SdkEnv>): SdkKeyInfo {
  const key = c.get("key");
  if (key.projection !== "server") {
    throw problem(
      "SDK_KEY_KIND",
      "Early access is joined with a server SDK key, which a page never holds: let the page ask a route of your own server.",
    );
  }
  return key;
}

async function membershipOf(c: Context<SdkEnv>): Promise<{ environmentId: number; group: string; unit: string; by: string }> {
  const { environment } = serverKey(c);
  const { unit } = await readBody(c, membershipBody);
  return { environmentId: environment.id, group: c.req.param("group") ?? "", unit, by: BY_THEMSELVES };
}
