import { type IncomingHttpHeaders, request } from "node:http";
import { gunzipSync } from "node:zlib";
import { applySnapshot, createState } from "@signalbox/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createUsage, type Usage } from "../usage/usage.ts";
import { createDelivery } from "./delivery.ts";
import { createStreamListener } from "./stream.ts";
import { openTestStore, type TestStore } from "./test-store.ts";
import { collectingLog, get, type ManualClock, manualClock, rawClient, serve, type TestServer, until } from "./test-support.ts";

let parts: TestStore;
let usage: Usage;
let clock: ManualClock;
let server: TestServer;

beforeEach(async () => {
  parts = await openTestStore();
  clock = manualClock();
  const log = collectingLog();
  const delivery = createDelivery({ feed: parts.store.feed, clock, log });
  usage = await createUsage({ store: parts.store, clock, log });
  server = await serve(
    createStreamListener({ delivery, keys: parts.store.sdkKeys, usage, authenticate: async () => undefined, statePerSecond: 5 }),
  );
});
afterEach(async () => {
  await server.close();
  await usage.close();
  await parts.close();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

const bearer = () => ({ authorization: `Bearer ${parts.sdkKey("server")}` });
const ofBrowser = () => `/sdk/v1/state?key=${parts.sdkKey("browser")}`;

function ask(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ port: server.port, host: "127.0.0.1", path, headers, method }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("end", () => {
        const body = Buffer.concat(pieces);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, text: body.toString() });
      });
    });
    sent.on("error", reject);
    sent.end();
  });
}

describe("GET /sdk/v1/state", () => {
  test("is a snapshot that an SDK can apply, of what its key may see", async () => {
    await parts.createFlag("open");
    await parts.createFlag("secret", false);
    for (const [answer, flags] of [
      [await ask("/sdk/v1/state", bearer()), ["open", "secret"]],
      [await ask(ofBrowser()), ["open"]],
    ] as const) {
      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({
        "content-type": "application/json",
        "content-length": String(answer.body.length),
        "cache-control": "no-cache",
        vary: "authorization, accept-encoding",
        "x-content-type-options": "nosniff",
      });
      const state = createState();
      expect(applySnapshot(state, JSON.parse(answer.text)).kind).toBe("applied");
      expect([...state.entries.keys()]).toEqual(flags.map((flag) => `flag:${flag}`));
      expect(answer.headers.etag).toBe(`"${state.position?.generation}.${state.position?.revision}"`);
    }
  });

  test("answers 304 to the ETag of the head, and the new state to an older one", async () => {
    await parts.createFlag("search");
    const { etag = "" } = (await ask("/sdk/v1/state", bearer())).headers;
    for (const header of [etag, `W/${etag}`, `"0.0", ${etag}`]) {
      const same = await ask("/sdk/v1/state", { ...bearer(), "if-none-match": header });
      expect([same.status, same.text, same.headers.etag]).toEqual([304, "", etag]);
    }
    await parts.kill("search");
    const changed = await ask("/sdk/v1/state", { ...bearer(), "if-none-match": etag });
    expect(changed.status).toBe(200);
    expect(changed.text).toContain('"killed":true');
  });

  test("is compressed for who accepts it", async () => {
    await parts.createFlag("search");
    const plain = await ask("/sdk/v1/state", { ...bearer(), "accept-encoding": "br, gzip;q=0" });
    expect(plain.headers["content-encoding"]).toBeUndefined();
    const zipped = await ask("/sdk/v1/state", { ...bearer(), "accept-encoding": "br, gzip" });
    expect(zipped.headers["content-encoding"]).toBe("gzip");
    expect(zipped.headers["content-length"]).toBe(String(zipped.body.length));
    expect(gunzipSync(zipped.body).toString()).toBe(plain.text);
  });

  test("as HEAD has the same head and no body; another method is left to the other routes", async () => {
    await parts.createFlag("search");
    const whole = await ask("/sdk/v1/state", bearer());
    const head = await ask("/sdk/v1/state", bearer(), "HEAD");
    expect([head.status, head.text]).toEqual([200, ""]);
    expect({ ...head.headers, date: "" }).toEqual({ ...whole.headers, date: "" });
    expect((await ask("/sdk/v1/state", bearer(), "DELETE")).text).toBe("other");
  });

  test("keeps the connection, and answers requests that are sent at once in their order", async () => {
    await parts.createFlag("search");
    const { etag = "" } = (await ask("/sdk/v1/state", bearer())).headers;
    const asked = get("/sdk/v1/state", bearer());
    const client = rawClient(server.port, asked + get("/sdk/v1/state", { ...bearer(), "if-none-match": etag }) + asked);
    await until(() => client.text().match(/HTTP\/1\.1/g)?.length === 3 && client.text().endsWith("}"));
    expect(client.text().match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 304", "HTTP/1.1 200"]);
    expect(client.isClosed()).toBe(false);
    client.socket.destroy();
  });

  test("can be read by every page without credentials, problems as well", async () => {
    for (const answer of [
      await ask(ofBrowser(), { origin: "https://shop.example" }),
      await ask("/sdk/v1/state?key=wrong", { origin: "https://shop.example" }),
      await ask("/sdk/v1/state", { ...bearer(), origin: "https://shop.example" }),
    ]) {
      expect(answer.headers["access-control-allow-origin"]).toBe("*");
      expect(answer.headers["access-control-expose-headers"]).toBe("etag, retry-after");
      expect(answer.headers).not.toHaveProperty("access-control-allow-credentials");
    }
  });

  test.each([
    [() => ask("/sdk/v1/state"), 401, "SDK_KEY_MISSING"],
    [() => ask("/sdk/v1/state", { authorization: "Bearer sb_server_development_x" }), 401, "SDK_KEY_INVALID"],
    [() => ask("/sdk/v1/state", { ...bearer(), origin: "https://shop.example" }), 403, "SDK_KEY_LEAKED"],
    [() => ask(`/sdk/v1/state?key=${parts.sdkKey("server")}`), 403, "SDK_KEY_KIND"],
  ])("is refused with a problem %#", async (asked, status, code) => {
    const answer = await asked();
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(JSON.parse(answer.text)).toMatchObject({ status, code });
    expect(answer.status).toBe(status);
  });

  test("is given to one SDK key so many times in a second, and ten times as many at once", async () => {
    for (let index = 0; index < 50; index += 1) expect((await ask("/sdk/v1/state", bearer())).status).toBe(200);
    const refused = await ask("/sdk/v1/state", bearer());
    expect([refused.status, refused.headers["retry-after"]]).toEqual([429, "1"]);
    expect(JSON.parse(refused.text)).toMatchObject({ code: "RATE_LIMITED" });
    expect((await ask(ofBrowser())).status).toBe(200);
    await clock.advance(1_000);
    expect((await ask("/sdk/v1/state", bearer())).status).toBe(200);
  });
});
