import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { and, asc, eq, gt } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Commit } from "../delivery/feed.ts";
import { createFlags, type Flags } from "../flags/flags.ts";
import { createProject } from "../projects/decide.ts";
import { verifyAudit } from "./audit.ts";
import { tables } from "./schema.sqlite.ts";
import { openStore, type Store } from "./store.ts";
import { missingPostgres, type Postgres, startPostgres } from "./test-postgres.ts";
import { NO_USAGE } from "./test-project.ts";

const missing = missingPostgres();
if (missing && process.env.REQUIRE_SERVICES === "1") throw new Error(missing);
const LONG = process.env.LONG === "1";
const TIMEOUT = LONG ? 3_600_000 : 120_000;

const DEVELOPMENT = { project: "default", environment: "development" };
const ANN = { by: "ann" };

interface Node {
  readonly store: Store;
  readonly flags: Flags;
  readonly seen: Commit[];
}

describe.skipIf(missing !== undefined)("several servers on one PostgreSQL", { timeout: TIMEOUT }, () => {
  let server: Postgres;
  let url: string;
  const cleanups: (() => Promise<void> | void)[] = [];
  beforeAll(async () => {
    server = await startPostgres({ fsync: false });
  }, 60_000);
  afterAll(() => server.stop(), 60_000);
  beforeEach(async () => {
    url = await server.createDatabase();
  });
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean();
  }, 60_000);

  async function node(databaseUrl = url): Promise<Node> {
    const directory = mkdtempSync(join(tmpdir(), "signalbox-node-"));
    cleanups.push(() => rmSync(directory, { recursive: true }));
    const store = await openStore({ directory, databaseUrl });
    cleanups.push(() => store.close());
    const seen: Commit[] = [];
    store.feed.onCommit((commit) => seen.push(commit));
    return { store, flags: createFlags({ store, usage: NO_USAGE }), seen };
  }
  const head = ({ store }: Node, environmentId = 1) => store.feed.state(environmentId, "server");

  test("each serves what the other has written, and is told of it in order", async () => {
    const [a, b] = [await node(), await node()];
    await a.flags.create("default", { key: "a" }, ANN);
    for (let i = 0; i < 3; i++) await (i % 2 ? a.flags.restore : a.flags.kill)(DEVELOPMENT, "a", ANN);
    await b.store.catchUp();
    expect(head(b)).toEqual(head(a));
    expect(b.flags.get(DEVELOPMENT, "a")).toEqual(a.flags.get(DEVELOPMENT, "a"));
    const told = ({ seen }: Node) => seen.filter(({ environmentId }) => environmentId === 1).map(({ to, action }) => [to, action]);
    expect(told(b)).toEqual(told(a));
    expect(b.store.feed.commitsSince(1, 0)?.length).toBe(4);
  });

  test("a look each second is enough", async () => {
    const [a, b] = [await node(), await node()];
    const told = new Promise<Commit>((resolve) => b.store.feed.onCommit(resolve));
    await a.flags.create("default", { key: "a" }, ANN);
    expect(await told).toMatchObject({ action: "flag.create", target: "a" });
  });

  test("an edit is decided on what the other has written a moment ago: the older ETag is refused with the flag as it is", async () => {
    const [a, b] = [await node(), await node()];
    const { flag } = await a.flags.create("default", { key: "a" }, ANN);
    await b.store.catchUp();
    await a.flags.configure(DEVELOPMENT, "a", { mode: "on" }, { ...ANN, ifMatch: flag.configurationEtag });
    await expect(b.flags.configure(DEVELOPMENT, "a", { mode: "off" }, { ...ANN, ifMatch: flag.configurationEtag })).rejects.toMatchObject({
      code: "ETAG_MISMATCH",
      extra: { current: { configuration: { mode: "on" } } },
    });
    expect(head(b)).toEqual(head(a));
  });

  test("what is made on both at once has ids of its own, and a project that both make is made once", async () => {
    const nodes = [await node(), await node(), await node()];
    const made = await Promise.allSettled(
      nodes.map(({ store }) =>
        store.write({ project: "shop", by: "ann", mayBeNew: true }, (current) => createProject(current, { key: "shop", name: "Shop" })),
      ),
    );
    expect(made.filter((each) => each.status === "fulfilled" && each.value.outcome.kind === "changed")).toHaveLength(1);
    for (const { store } of nodes) await store.catchUp();
    await Promise.all(
      nodes.flatMap(({ flags }, n) =>
        ["default", "shop"].flatMap((project) => [0, 1, 2].map((i) => flags.create(project, { key: `f${n}-${i}` }, ANN))),
      ),
    );
    const [first] = nodes;
    const ids = (await first?.store.db.select({ id: tables.flag.id }).from(tables.flag)) ?? [];
    expect(new Set(ids.map(({ id }) => id)).size).toBe(18);
    for (const { store } of nodes) {
      await store.catchUp();
      expect(store.projects().map(({ key, environments }) => [key, environments[0]?.flags.size])).toEqual([
        ["default", 9],
        ["shop", 9],
      ]);
    }
    expect(first && (await verifyAudit(first.store.db)).problem).toBeNull();
  });

  test("a key that one revokes ends on the other", async () => {
    const [a, b] = [await node(), await node()];
    const { sdkKey } = tables;
    const [key] = await a.store.db.select().from(sdkKey).where(eq(sdkKey.projection, "server")).orderBy(asc(sdkKey.id));
    const ended = new Promise<number>((resolve) => b.store.sdkKeys.onEnded(({ id }) => resolve(id)));
    await a.store.transaction((tx) =>
      tx
        .update(sdkKey)
        .set({ revokedAt: 1 })
        .where(eq(sdkKey.id, key?.id ?? 0)),
    );
    expect(await ended).toBe(key?.id);
  });

  test("of many edits on ten flags the versions are as many as were taken, and none is lost", async () => {
    const nodes = [await node(), await node()];
    const keys = Array.from({ length: 10 }, (_, i) => `f${i}`);
    for (const key of keys) await nodes[0]?.flags.create("default", { key }, ANN);
    for (const { store } of nodes) await store.catchUp();
    const taken = new Map(keys.map((key) => [key, 0]));
    const writer = async (lane: number) => {
      const { flags } = nodes[lane % 2] as Node;
      for (let i = 0; i < (LONG ? 200 : 4); i++) {
        const key = keys[(lane + i) % 10] as string;
        const { configurationEtag } = flags.get(DEVELOPMENT, key);
        await flags
          .configure(
            DEVELOPMENT,
            key,
            { rules: [{ id: `l${lane}-${i}`, serve: { kind: "variant", variant: "on" } }] },
            { ...ANN, ifMatch: configurationEtag },
          )
          .then(
            () => taken.set(key, (taken.get(key) ?? 0) + 1),
            (error: { code?: string }) => expect(error.code).toBe("ETAG_MISMATCH"),
          );
      }
    };
    await Promise.all(Array.from({ length: 64 }, (_, lane) => writer(lane)));
    for (const { store } of nodes) {
      await store.catchUp();
      const flags = store.project("default")?.environments[0]?.flags;
      expect(keys.map((key) => (flags?.get(key)?.version ?? 0) - 1)).toEqual([...taken.values()]);
    }
    const sum = [...taken.values()].reduce((a, b) => a + b, 0);
    expect(sum).toBeGreaterThan(10);
    expect(head(nodes[1] as Node).revision).toBe(10 + sum);
  });

  test("32 who write and 3 who read the log by its revisions: no change-set is ever missed", async () => {
    const nodes = [await node(), await node()];
    for (let i = 0; i < 32; i++) await nodes[0]?.flags.create("default", { key: `f${i}` }, ANN);
    const db = (await node()).store.db;
    let writing = true;
    const reader = async (): Promise<number[]> => {
      const { changeSet } = tables;
      const read: number[] = [];
      for (let last = false; !last; ) {
        last = !writing;
        const rows = await db
          .select({ revision: changeSet.revision })
          .from(changeSet)
          .where(and(eq(changeSet.environmentId, 1), gt(changeSet.revision, read.at(-1) ?? 0)))
          .orderBy(asc(changeSet.revision));
        read.push(...rows.map(({ revision }) => revision));
      }
      return read;
    };
    const readers = [reader(), reader(), reader()];
    const writer = async (lane: number) => {
      for (let i = 0; i < (LONG ? 200 : 4); i++) await nodes[lane % 2]?.flags[i % 2 ? "restore" : "kill"](DEVELOPMENT, `f${lane}`, ANN);
    };
    await Promise.all(Array.from({ length: 32 }, (_, lane) => writer(lane)));
    writing = false;
    const revision = 32 + 32 * (LONG ? 200 : 4);
    for (const read of await Promise.all(readers)) expect(read).toEqual(Array.from({ length: revision }, (_, i) => i + 1));
    // The servers too have told of each, once and in order.
    for (const each of nodes) {
      await each.store.catchUp();
      const told = each.seen.filter(({ environmentId }) => environmentId === 1).map(({ to }) => to);
      expect(told).toEqual(Array.from({ length: revision - (told[0] ?? 1) + 1 }, (_, i) => i + (told[0] ?? 1)));
    }
  });

  test("whether a write was stored whose COMMIT has no answer is said to be unknown, and the next one goes on from what is there", async () => {
    const proxy = await cuttingProxy(server.port);
    cleanups.push(proxy.close);
    const a = await node(url.replace(`:${server.port}`, `:${proxy.port}`));
    await a.flags.create("default", { key: "a" }, ANN);
    for (const arrives of [true, false]) {
      const before = head(a).revision;
      const seen = a.seen.length;
      proxy.cutOnCommit(arrives);
      const verb = arrives ? "kill" : "restore";
      await expect(a.flags[verb](DEVELOPMENT, "a", ANN)).rejects.toMatchObject({
        code: "UNAVAILABLE",
        message: expect.stringContaining("whether it was is not known"),
      });
      // Nobody was told of it, and reads go on.
      expect([head(a).revision, a.seen.length]).toEqual([before, seen]);
      const { revision } = await a.flags.configure(DEVELOPMENT, "a", { mode: arrives ? "on" : "off" }, { ...ANN, ifMatch: "*" });
      expect(revision).toBe(before + (arrives ? 2 : 1));
      expect(a.seen.slice(seen).map(({ to, action }) => [to, action])).toEqual(
        arrives
          ? [
              [before + 1, "flag.kill"],
              [before + 2, "flag.configure"],
            ]
          : [[before + 1, "flag.configure"]],
      );
    }
    expect(a.flags.get(DEVELOPMENT, "a").killed).not.toBeNull();
  });
});

describe.skipIf(missing !== undefined)("a PostgreSQL that crashes", { timeout: TIMEOUT }, () => {
  test("loses no acknowledged write: reads go on, writes are refused with 503 until it is back, by themselves", async () => {
    const server = await startPostgres();
    const directory = mkdtempSync(join(tmpdir(), "signalbox-node-"));
    try {
      const databaseUrl = await server.createDatabase();
      const store = await openStore({ directory, databaseUrl });
      const flags = createFlags({ store, usage: NO_USAGE });
      const acknowledged: string[] = [];
      let refused = 0;
      let running = true;
      const writer = async (lane: number) => {
        for (let i = 0; running; i++) {
          const key = `f${lane}-${i}`;
          await flags.create("default", { key }, ANN).then(
            () => acknowledged.push(key),
            (error: { code?: string }) => {
              expect(error.code).toBe("UNAVAILABLE");
              refused += 1;
              return new Promise((resolve) => setTimeout(resolve, 20));
            },
          );
        }
      };
      const writers = [writer(0), writer(1), writer(2)];
      const until = async (more: number) => {
        const goal = acknowledged.length + more;
        while (acknowledged.length < goal) await new Promise((resolve) => setTimeout(resolve, 5));
      };
      for (let round = 0; round < (LONG ? 100 : 5); round++) {
        await until(5);
        const before = refused;
        await server.crash();
        while (refused === before) await new Promise((resolve) => setTimeout(resolve, 5));
        for (const key of acknowledged) expect(flags.get(DEVELOPMENT, key).key).toBe(key);
        await server.restart();
      }
      await until(5);
      running = false;
      await Promise.all(writers);
      await store.catchUp();
      for (const key of acknowledged) expect(flags.get(DEVELOPMENT, key).key).toBe(key);
      const { digest, revision } = store.feed.state(1, "server");
      await store.close();
      const again = await openStore({ directory, databaseUrl });
      expect(again.feed.state(1, "server")).toMatchObject({ digest, revision });
      expect((await verifyAudit(again.db)).problem).toBeNull();
      const { changeSet } = tables;
      const log = await again.db.select({ revision: changeSet.revision }).from(changeSet).where(eq(changeSet.environmentId, 1));
      expect(log.map((row) => row.revision).sort((a, b) => a - b)).toEqual(Array.from({ length: revision }, (_, i) => i + 1));
      await again.close();
    } finally {
      await server.stop();
      rmSync(directory, { recursive: true });
    }
  });
});

/** Stands before PostgreSQL and cuts a connection on its next COMMIT: when that has arrived there, or before. */
async function cuttingProxy(port: number) {
  let cut: "no" | "before" | "after" = "no";
  const sockets = new Set<Socket>();
  const proxy: Server = createServer((client) => {
    const database = connect(port, "127.0.0.1");
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket
        .on("error", () => {})
        .on("close", () => {
          sockets.delete(socket);
          client.destroy();
          database.destroy();
        });
    }
    let committed = false;
    client.on("data", (bytes) => {
      const isCommit = cut !== "no" && bytes.includes("commit\0");
      if (isCommit && cut === "before") {
        cut = "no";
        client.destroy();
        return;
      }
      committed = isCommit;
      database.write(bytes);
    });
    database.on("data", (bytes) => {
      if (committed && cut === "after") {
        cut = "no";
        client.destroy();
      } else client.write(bytes);
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    cutOnCommit(arrives: boolean) {
      cut = arrives ? "after" : "before";
    },
    close: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets) socket.destroy();
        proxy.close(() => resolve());
      }),
  };
}
