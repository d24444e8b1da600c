import { afterEach, describe, expect, test } from "vitest";
import { ADMIN_OF_EVERYTHING } from "../auth/permissions.ts";
import type { Identity } from "../http/route.ts";
import { createUsage } from "../usage/usage.ts";
import { createDelivery } from "./delivery.ts";
import { createStreamListener } from "./stream.ts";
import { openTestStore } from "./test-store.ts";
import { arrival, collectingLog, get, manualClock, type RawClient, rawClient, serve, until } from "./test-support.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function start() {
  const parts = await openTestStore();
  cleanups.push(() => parts.close());
  const clock = manualClock();
  const log = collectingLog();
  const delivery = createDelivery({ feed: parts.store.feed, clock, log });
  const usage = await createUsage({ store: parts.store, clock, log });
  cleanups.push(() => usage.close());
  const sessions = new Map<string, Identity>([["ada", { name: "ada", accountId: 1, via: "session", grants: [ADMIN_OF_EVERYTHING] }]]);
  const rights = new Set<() => void>();
  const listener = createStreamListener({
    delivery,
    onRightsChange: (heard) => {
      rights.add(heard);
      return () => void rights.delete(heard);
    },
    usage,
    keys: parts.store.sdkKeys,
    authenticate: async (req) => sessions.get(req.headers.cookie ?? ""),
  });
  const server = await serve(listener);
  cleanups.push(() => server.close());
  const open = (headers: Readonly<Record<string, string>> = { cookie: "ada" }): RawClient => {
    const client = rawClient(server.port, get("/api/v1/events", headers));
    cleanups.push(() => void client.socket.destroy());
    return client;
  };
  /** A page that listens: its first ping has arrived. */
  const page = async (cookie = "ada") => {
    const client = open({ cookie });
    await until(() => client.frames().length === 1);
    return client;
  };
  return { ...parts, clock, log, delivery, usage, sessions, rights, listener, server, open, page };
}

const of = (client: RawClient, event: string) => client.frames().filter((frame) => frame.event === event);

describe("GET /api/v1/events", () => {
  test("is for people who are signed in, and not for other origins", async () => {
    const { open, page } = await start();
    const stranger = open({ cookie: "eve" });
    await until(() => stranger.isClosed());
    expect(stranger.head()).toMatch(/^HTTP\/1\.1 401 /);
    expect(stranger.text()).toContain('"code":"UNAUTHENTICATED"');
    const client = await page();
    expect(client.head()).toMatch(/^HTTP\/1\.1 200 /);
    expect(client.head().toLowerCase()).not.toContain("access-control");
  });

  test("pings every 15 s, and ends within that time when the session does", async () => {
    const { page, clock, sessions } = await start();
    const client = await page();
    await clock.advance(15_000);
    await until(() => of(client, "ping").length === 2);
    sessions.clear();
    await clock.advance(15_000);
    await until(() => client.isClosed());
  });

  test("tells each listener only of what they may read, also from when their rights change", async () => {
    const { page, createFlag, kill, sessions, rights, development, store } = await start();
    const production = store.feed.environments().find(({ key }) => key === "production");
    const reads = (environmentId: number) => [{ role: "viewer", projectId: development.projectId, environmentId } as const];
    sessions.set("ben", { name: "ben", accountId: 2, via: "session", grants: reads(development.id) });
    const [ada, ben] = [await page(), await page("ben")];
    await createFlag("search");
    await until(() => of(ada, "revision").length === 2);
    const heard = () => of(ben, "revision").map(({ json }) => `${json.environment} ${json.action}`);
    await until(() => heard().length > 0);
    expect(heard()).toEqual(["development flag.create"]);
    sessions.set("ben", { name: "ben", accountId: 2, via: "session", grants: reads(production?.id ?? 0) });
    for (const tell of rights) tell();
    await kill("search");
    await until(() => of(ada, "revision").length === 3);
    expect(heard()).toEqual(["development flag.create"]);
    sessions.delete("ben");
    for (const tell of rights) tell();
    await until(() => ben.isClosed());
    expect(ada.isClosed()).toBe(false);
  });

  test("tells of each revision in every environment", async () => {
    const { page, createFlag, kill } = await start();
    const client = await page();
    await createFlag("search");
    const revision = await kill("search");
    await until(() => of(client, "revision").length === 3);
    expect(of(client, "revision").map(({ json }) => [json.project, json.environment, json.action, json.target, json.by])).toEqual([
      ["default", "development", "flag.create", "search", "ada"],
      ["default", "production", "flag.create", "search", "ada"],
      ["default", "development", "flag.kill", "search", "ada"],
    ]);
    expect(of(client, "revision")[2]?.json.revision).toBe(revision);
  });

  test("tells how a receipt grows, gathered for a moment", async () => {
    const { page, createFlag, kill, delivery, development, clock, store } = await start();
    const client = await page();
    await createFlag("search");
    for (const instance of ["a", "b"]) {
      delivery.instances.join(arrival(instance, { environment: development }));
    }
    const revision = await kill("search");
    const { generation } = store.feed.state(development.id, "server");
    await clock.advance(50);
    const grown = () =>
      of(client, "receipt").flatMap(({ json }) => (json.revision === revision && json.environment === "development" ? [json] : []));
    await until(() => grown().length === 1);
    for (const instance of ["a", "b"]) delivery.instances.acknowledge(development.id, "server", { instance, generation, revision });
    await clock.advance(50);
    await until(() => grown().length === 2);
    const receipts = grown();
    expect(receipts[0]).toMatchObject({ project: "default", environment: "development", revision, connected: 2, acknowledged: 0 });
    expect(receipts[1]).toMatchObject({ acknowledged: 2, complete: true });
  });

  test("tells of programs that come and go, of reported usage, each gathered", async () => {
    const { page, createFlag, delivery, usage, development, clock } = await start();
    await createFlag("search");
    const client = await page();
    const environment = development;
    delivery.instances.join(arrival("a", { environment }));
    await clock.advance(50);
    delivery.instances.join(arrival("b", { environment }));
    delivery.instances.join(arrival("c", { environment, app: "billing" }));
    for (const count of [1, 2]) {
      usage.record(development, "server", {
        instance: "a",
        app: "shop",
        sdk: "",
        evaluated: [{ flag: "search", variant: "off", count }],
        unknown: [],
      });
    }
    await clock.advance(50);
    await until(() => of(client, "usage").length === 1 && of(client, "instances").length === 2);
    expect(of(client, "instances").map(({ json }) => json)).toEqual([
      { project: "default", environment: "development", connected: 1, app: "shop", joined: true },
      { project: "default", environment: "development", connected: 3, app: null, joined: true },
    ]);
    expect(of(client, "usage")[0]?.json).toMatchObject({ flag: "search", variant: "off", known: "known", app: "shop", count: 3 });
  });

  test("destroys a connection on which anything else arrives", async () => {
    const { page } = await start();
    const client = await page();
    client.write("GET / HT");
    await until(() => client.isClosed());
  });

  test("takes 200 pages", { timeout: 30_000 }, async () => {
    const { open, page, server } = await start();
    const clients: RawClient[] = [];
    for (let index = 0; index < 200; index += 1) clients.push(await page());
    const late = open();
    await until(() => late.isClosed());
    expect(late.head()).toMatch(/^HTTP\/1\.1 503 /);
    clients[0]?.socket.destroy();
    await until(() => server.sockets[0]?.closed === true);
    await page();
  });

  test("closes with the server", async () => {
    const { page, listener } = await start();
    const client = await page();
    await listener.close();
    await until(() => client.isClosed());
  });
});
