import { getRequestListener } from "@hono/node-server";
import { type Applied, applyChange, applySnapshot, createState, formatPosition, parseFrame, type State } from "@signalbox/core";
import { afterEach, expect, test } from "vitest";
import { createFacts } from "../facts/facts.ts";
import { createMembers } from "../groups/members.ts";
import { createUsage } from "../usage/usage.ts";
import { createDelivery } from "./delivery.ts";
import { sdkRoutes } from "./sdk-routes.ts";
import { createStreamListener } from "./stream.ts";
import { openTestStore, type TestStore } from "./test-store.ts";
import { collectingLog, get, type RawClient, rawClient, serve, until } from "./test-support.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** A whole server but for the admin API, on the system's clock. */
async function run(parts: TestStore) {
  const log = collectingLog();
  const delivery = createDelivery({ feed: parts.store.feed, log });
  const usage = await createUsage({ store: parts.store, log });
  const streams = createStreamListener({ delivery, keys: parts.store.sdkKeys, usage, authenticate: async () => undefined });
  const respond = getRequestListener(
    sdkRoutes({
      delivery,
      store: parts.store,
      members: createMembers(parts.store),
      facts: createFacts({ store: parts.store, clock: delivery.clock }),
      usage,
      sdkDirectory: "none",
      addressOf: () => "127.0.0.1",
      knownAddressOf: () => "127.0.0.1",
    }).fetch,
    {
      overrideGlobalObjects: false,
    },
  );
  const server = await serve((req, res) => {
    if (!streams(req, res)) void respond(req, res);
    return true;
  });
  return {
    ...parts,
    delivery,
    server,
    async close() {
      await streams.close({ afterMs: 0 });
      await usage.close();
      await server.close();
    },
  };
}

/** Applies each frame that has arrived and was not applied yet. */
function fold(state: State, client: RawClient, taken: number): Applied[] {
  return client
    .frames()
    .slice(taken)
    .flatMap(({ event, data }) => {
      const read = parseFrame(event, data);
      if (read.kind === "snapshot") return [applySnapshot(state, read.frame)];
      return read.kind === "change" ? [applyChange(state, read.frame)] : [];
    });
}

test("a kill reaches a server and a page, both acknowledge it, and after a restart both go on from there", async () => {
  const parts = await openTestStore();
  const first = await run(parts);
  await parts.createFlag("search");
  const bearer = { authorization: `Bearer ${parts.sdkKey("server")}` };
  const key = `key=${parts.sdkKey("browser")}`;
  const targets = [
    { target: "/sdk/v1/stream?instance=shop-1&app=shop", query: "", headers: bearer },
    { target: `/sdk/v1/stream?instance=page-1&app=page&${key}`, query: `?${key}`, headers: { origin: "https://shop.example" } },
  ];
  const clients = targets.map(({ target, headers }) => rawClient(first.server.port, get(target, headers)));
  const states = clients.map(() => createState());
  for (const client of clients) await until(() => client.frames().length === 2);

  const revision = await parts.kill("search");
  const { generation } = parts.store.feed.state(parts.development.id, "server");
  for (const [index, client] of clients.entries()) {
    const state = states[index] ?? createState();
    await until(() => client.frames().length === 3);
    expect(client.frames()[2]).toMatchObject({
      event: "change",
      id: `${generation}.${revision}`,
      json: { ack: true, put: [{ key: "search", killed: true }] },
    });
    expect(fold(state, client, 0).map(({ kind }) => kind)).toEqual(["applied", "applied"]);
    expect(state.digest).toBe(parts.store.feed.state(parts.development.id, index === 0 ? "server" : "browser").digest);
  }
  const receipt = first.delivery.receipts.settled(parts.development.id, revision, 10_000);
  for (const [index, { query, headers }] of targets.entries()) {
    const body = JSON.stringify({ instance: index === 0 ? "shop-1" : "page-1", generation, revision });
    const answer = await fetch(`http://127.0.0.1:${first.server.port}/sdk/v1/ack${query}`, { method: "POST", headers, body });
    expect(answer.status).toBe(204);
  }
  expect(await receipt).toMatchObject({
    complete: true,
    connected: 2,
    sentence: expect.stringMatching(/^2 of 2 connected programs have applied it, slowest [\d.]+ ms$/),
  });

  await first.close();
  for (const client of clients) {
    await until(() => client.isClosed());
    expect(client.frames().at(-1)?.event).toBe("bye");
  }
  const reopened = await parts.reopen();
  cleanups.push(() => reopened.close());
  const second = await run(reopened);
  cleanups.push(() => second.close());
  await reopened.restore("search");
  for (const [index, { target, headers }] of targets.entries()) {
    const state = states[index] ?? createState();
    const basis = state.position ? formatPosition(state.position) : "";
    const again = rawClient(second.server.port, get(`${target}&basis=${basis}`, headers));
    await until(() => again.frames().length === 2);
    expect(again.frames()[1]).toMatchObject({ event: "change", json: { from: revision, to: revision + 1, ack: true } });
    expect(fold(state, again, 0).map(({ kind }) => kind)).toEqual(["applied"]);
    expect(state.digest).toBe(reopened.store.feed.state(reopened.development.id, index === 0 ? "server" : "browser").digest);
  }
});
