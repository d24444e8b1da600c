import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Context, Projection, UsageReport } from "@signalbox/core";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { openTestStore, type TestStore } from "../delivery/test-store.ts";
import { collectingLog, manualClock, until } from "../delivery/test-support.ts";
import { patchSettings } from "../environments/settings.ts";
import { patchIdentity } from "../flags/decide.ts";
import { tables } from "../store/schema.sqlite.ts";
import { type CountRow, createCounts } from "./counts.ts";
import { withoutPrivate } from "./samples.ts";
import { createUsage } from "./usage.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

async function start(parts?: TestStore, clock = manualClock()) {
  const own = parts ?? (await openTestStore());
  if (!parts) cleanups.push(() => own.close());
  const log = collectingLog();
  const usage = await createUsage({ store: own.store, log, clock });
  const report = (more: Partial<UsageReport>) =>
    usage.record(own.development, "server", { instance: "i", app: "shop", sdk: "node", evaluated: [], unknown: [], ...more });
  const rows = () => own.store.db.select().from(tables.usageCount).all();
  const sum = () => rows().reduce((total, { count }) => total + count, 0);
  /** A report, and everything that has to happen until it is answered. */
  const settled = async (more: Partial<UsageReport>) => {
    const answer = report(more);
    await clock.advance(1_000);
    await answer;
  };
  return { ...own, parts: own, clock, log, usage, report, settled, rows, sum };
}

const served = (variant: string, count: number, more: { revision?: number; at?: number } = {}) => ({
  evaluated: [{ flag: "search", variant, count, ...more }],
});

describe("counted evaluations", () => {
  test("are kept for each minute, revision and variant, written in bulk, and answered when they are written", async () => {
    const { createFlag, report, clock, rows, development, usage, kill } = await start();
    await createFlag("search");
    const killedAt = await kill("search");
    const at = clock.now() - 3 * MINUTE;
    await report(served("on", 2, { revision: killedAt - 1, at }));
    expect(rows()).toHaveLength(1);
    // Soon after the last write nothing is written, however much comes.
    const answers = Array.from({ length: 50 }, () => report(served("on", 2, { revision: killedAt - 1, at: at + MINUTE })));
    const other = report(served("off", 1, { revision: killedAt, at: at + MINUTE }));
    expect(rows()).toHaveLength(1);
    await clock.advance(1_000);
    await Promise.all([...answers, other]);
    const minute = at - (at % MINUTE);
    expect(rows().map(({ at: when, revision, variant, count }) => [when, revision, variant, count])).toEqual([
      [minute, killedAt - 1, "on", 2],
      [minute + MINUTE, killedAt - 1, "on", 100],
      [minute + MINUTE, killedAt, "off", 1],
    ]);
    const { series, stepMs } = await usage.history(development.id, ["search"], { from: at - HOUR, to: clock.now() });
    expect(stepMs).toBe(MINUTE);
    expect(series.map(({ variant, total, points }) => [variant, total, points.length])).toEqual([
      ["on", 102, 2],
      ["off", 1, 1],
    ]);
  });

  test("of a report that comes again are counted once, also after a restart and under the same name", async () => {
    const first = await start();
    await first.createFlag("search");
    await first.settled({ run: "r1", batch: 1, ...served("on", 5) });
    await first.settled({ run: "r1", batch: 1, ...served("on", 5) });
    await first.usage.close();
    cleanups.length = 0;
    const reopened = await first.parts.reopen();
    cleanups.push(() => reopened.close());
    const second = await start(reopened, first.clock);
    await second.settled({ run: "r1", batch: 1, ...served("on", 5) });
    expect(second.sum()).toBe(5);
    await second.settled({ run: "r1", batch: 2, ...served("on", 1) });
    // The program was started again under its name, and numbers anew.
    await second.settled({ run: "r2", batch: 1, ...served("on", 1) });
    expect(second.sum()).toBe(7);
    await second.usage.close();
  });

  test("are refused while the database refuses, kept, and counted once whoever comes again", async () => {
    const { createFlag, report, clock, store, sum, usage, log } = await start();
    await createFlag("search");
    store.db.run("create trigger refuse before insert on usage_count begin select raise(abort, 'disk is full'); end");
    await expect(report({ run: "r", batch: 1, ...served("on", 5) })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    const again = report({ run: "r", batch: 1, ...served("on", 5) });
    again.catch(() => {});
    await clock.advance(1_000);
    await expect(again).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(log.lines.length).toBeGreaterThan(0);
    store.db.run("drop trigger refuse");
    const last = report({ run: "r", batch: 1, ...served("on", 5) });
    await clock.advance(1_000);
    await last;
    expect(sum()).toBe(5);
    await usage.close();
  });

  test("are bounded while the database refuses", async () => {
    const { createFlag, report, clock, store, sum, usage } = await start();
    await createFlag("search");
    store.db.run("create trigger refuse before insert on usage_count begin select raise(abort, 'disk is full'); end");
    const results = [];
    for (let minute = 1; minute <= 60; minute += 1) {
      // 500 rows each: as many as fill a transaction.
      const evaluated = Array.from({ length: 500 }, (_, i) => ({
        flag: "search",
        variant: "on",
        count: 1,
        at: clock.now() - i * MINUTE,
      }));
      results.push(
        report({ run: `r${minute}`, batch: 1, evaluated }).then(
          () => "taken",
          () => "refused",
        ),
      );
      await clock.advance(0);
    }
    store.db.run("drop trigger refuse");
    await usage.close();
    await Promise.all(results);
    // What was taken into memory before is written at the end; the rest never was.
    expect(sum()).toBe(20 * 500);
  });

  test("of browsers leave servers half of what may wait while the database refuses", async () => {
    const { createFlag, clock, store, sum, usage, development } = await start();
    const flags = ["a", "b", "c"];
    for (const flag of flags) await createFlag(flag);
    store.db.run("create trigger refuse before insert on usage_count begin select raise(abort, 'disk is full'); end");
    // 540 rows of the last hour: as many as fill a transaction.
    const evaluated = flags.flatMap((flag) =>
      ["on", "off", "x"].flatMap((variant) =>
        Array.from({ length: 60 }, (_, i) => ({ flag, variant, count: 1, at: clock.now() - i * MINUTE })),
      ),
    );
    const results: Promise<unknown>[] = [];
    for (const projection of ["browser", "server"] as const) {
      for (let index = 0; index < 30; index += 1) {
        const report = { instance: `${projection}-${index}`, app: "shop", sdk: "x", run: "r", batch: 1, evaluated, unknown: [] };
        results.push(usage.record(development, projection, report).catch(() => {}));
        await clock.advance(0);
      }
    }
    store.db.run("drop trigger refuse");
    await usage.close();
    await Promise.all(results);
    const instances = store.db.select().from(tables.usageBatch).all();
    expect(instances.filter(({ instance }) => instance.startsWith("browser"))).toHaveLength(10);
    expect(instances.filter(({ instance }) => instance.startsWith("server"))).toHaveLength(10);
    expect(sum()).toBe(20 * 540);
  });

  test("of a time long ago are filed a day ago, of browsers an hour ago, and belong to no revision", async () => {
    const parts = await openTestStore();
    cleanups.push(() => parts.close());
    const { createFlag, kill, rows, clock, usage, development } = await start(parts, manualClock(Date.now()));
    await createFlag("search");
    const revision = await kill("search");
    const killedAt = clock.now();
    await clock.advance(3 * HOUR);
    const minuteOf = (at: number) => at - (at % MINUTE);
    const report = async (projection: Projection, at: number, count: number) => {
      const given = usage.record(development, projection, {
        ...{ instance: "i", app: "shop", sdk: "x", unknown: [] },
        evaluated: [{ flag: "search", variant: "on", count, revision: revision - 1, at }],
      });
      await clock.advance(1_000);
      await given;
    };
    const first = clock.now();
    // Before the kill, though filed after it; and after the kill.
    await report("browser", killedAt - HOUR, 2);
    expect(rows()).toMatchObject([{ at: minuteOf(first - HOUR), revision: 0, count: 2 }]);
    expect(await usage.sinceKill(development.id, ["search"], "off")).toMatchObject({ old: 0, apps: [] });
    await report("browser", killedAt + HOUR, 3);
    expect(await usage.sinceKill(development.id, ["search"], "off")).toMatchObject({ old: 3, apps: [{ count: 3 }] });
    const second = clock.now();
    await report("server", killedAt - 2 * HOUR, 11);
    await report("server", 0, 7);
    expect(rows().find(({ count }) => count === 11)).toMatchObject({ at: minuteOf(killedAt - 2 * HOUR), revision: revision - 1 });
    expect(rows().find(({ count }) => count === 7)).toMatchObject({ at: minuteOf(second + 1_000 - 24 * HOUR), revision: 0 });
    expect(await usage.sinceKill(development.id, ["search"], "off")).toMatchObject({ old: 3 });
    await usage.close();
  });

  test("have a bound of names that covers hours, and that browsers cannot use up for servers", { timeout: 30_000 }, async () => {
    const { store, development, rows, clock, log } = await start();
    const also = { pending: () => false, begin: () => ({ async write() {}, failed() {} }) };
    const counts = await createCounts({ store, log, clock, also });
    const at = clock.now();
    const row = (revision: number, when = at) => ({
      ...{ environmentId: development.id, flagKey: "search", variant: "on", count: 1 },
      revision,
      at: when,
    });
    const add = (projection: Projection, given: CountRow[]) =>
      counts.add({ environmentId: development.id, projection, instance: "i" }, given);
    const all = [
      add(
        "browser",
        Array.from({ length: 20_000 }, (_, index) => row(index + 1)),
      ),
    ];
    // Known by revision, but not in that hour.
    all.push(add("browser", [row(20_001), row(1), row(2, at - HOUR)]), add("server", [row(20_002), row(3, at - HOUR)]));
    await counts.close();
    await Promise.all(all);
    const minute = at - (at % MINUTE);
    expect(rows().filter((one) => one.revision === 0 || one.revision > 20_000 || one.at < minute || one.count > 1)).toMatchObject([
      { revision: 1, count: 2 },
      { revision: 0, at: minute },
      { revision: 0, at: minute - HOUR },
      { revision: 20_002, at: minute },
      { revision: 3, at: minute - HOUR },
    ]);
  });

  test("names and revisions that a program makes up are not kept", async () => {
    const { createFlag, settled, rows } = await start();
    await createFlag("search");
    await settled({
      evaluated: [
        ...Array.from({ length: 20 }, (_, i) => ({ flag: "search", variant: `made-up-${i}`, count: 1 })),
        { flag: "search", variant: "on", count: 1, revision: 9_999 },
      ],
    });
    expect(rows().map(({ variant, revision, count }) => [variant, revision, count])).toEqual([
      ["(other)", 0, 20],
      ["on", 0, 1],
    ]);
  });

  test("of old minutes become hours, and hours go after thirty days; no count is lost or doubled on the way", async () => {
    const { createFlag, settled, rows, sum, clock, usage, parts } = await start();
    await createFlag("search");
    const hour = clock.now() - (clock.now() % HOUR);
    for (let minute = 0; minute < 300; minute += 50) {
      const evaluated = Array.from({ length: 50 }, (_, i) => ({
        flag: "search",
        variant: "on",
        count: 1,
        at: hour - 6 * HOUR + (minute + i) * MINUTE,
      }));
      await settled({ evaluated: [...evaluated, ...evaluated.map((row) => ({ ...row, variant: "off" }))] });
    }
    expect(rows().filter(({ stepMs }) => stepMs === MINUTE)).toHaveLength(600);
    await clock.advance(MINUTE);
    await until(() => rows().filter(({ stepMs }) => stepMs === HOUR).length === 6);
    expect(sum()).toBe(600);
    const old = rows().filter(({ stepMs }) => stepMs === HOUR);
    expect(old.map(({ count }) => count)).toEqual([60, 60, 60, 60, 60, 60]);
    // A straggler of the same hour joins it.
    await settled(served("on", 7, { at: hour - 6 * HOUR }));
    await clock.advance(MINUTE);
    await until(() => !rows().some(({ stepMs, at }) => stepMs === MINUTE && at < hour - 4 * HOUR));
    expect(sum()).toBe(607);
    await usage.close();
    const later = await start(parts, manualClock(clock.now() + 31 * 24 * HOUR));
    await later.clock.advance(MINUTE);
    await until(() => sum() === 0);
    await later.usage.close();
  });

  test("of any size stop neither the history, nor what a kill did, nor the gathering of minutes", async () => {
    const { createFlag, kill, settled, rows, clock, usage, development, parts } = await start(undefined, manualClock(Date.now()));
    await createFlag("search");
    const revision = await kill("search");
    const huge = Number.MAX_SAFE_INTEGER;
    const at = clock.now() + MINUTE;
    await clock.advance(10 * MINUTE);
    // Each minute is more than the database may hold once it is added to, and the sum of them is more than it can add.
    for (const told of [revision, revision - 1, revision - 1]) {
      const variant = told === revision ? "off" : "on";
      await settled({
        evaluated: Array.from({ length: 5 }, (_, i) => ({ flag: "search", variant, count: huge, revision: told, at: at + i * MINUTE })),
      });
    }
    expect(await usage.sinceKill(development.id, ["search"], "off")).toMatchObject({ off: huge, old: huge });
    const { series } = await usage.history(development.id, ["search"], { from: at - HOUR, to: at + HOUR });
    expect(series.map(({ variant }) => variant).sort()).toEqual(["off", "on"]);
    await usage.close();
    const later = await start(parts, manualClock(clock.now() + 5 * HOUR));
    await later.clock.advance(MINUTE);
    await until(() => rows().every(({ stepMs }) => stepMs === HOUR));
    expect(rows().every(({ count }) => count === huge)).toBe(true);
    expect(await later.usage.sinceKill(development.id, ["search"], "off")).toMatchObject({ off: huge });
    await later.usage.close();
  });

  test("each evaluation exactly once, whatever answers are lost and however often the server dies in between", {
    timeout: 60_000,
  }, async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("report" as const), count: fc.integer({ min: 1, max: 9 }) }),
      { weight: 2, arbitrary: fc.constant({ kind: "again" as const }) },
      fc.constant({ kind: "die" as const }),
      fc.constant({ kind: "refuse" as const }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (schedule) => {
        let server = await start(await openTestStore());
        await server.createFlag("search");
        let batch = 0;
        let total = 0;
        /** What the program has to send until it is answered: the oldest first. */
        const waiting: Partial<UsageReport>[] = [];
        const send = async (answered: boolean) => {
          const [first] = waiting;
          if (!first) return;
          const answer = server.report(first).then(
            () => true,
            () => false,
          );
          await server.clock.advance(1_000);
          const taken = await answer;
          if (taken && answered) waiting.shift();
        };
        for (const one of schedule) {
          if (one.kind === "report") {
            total += one.count;
            waiting.push({ run: "r", batch: ++batch, ...served("on", one.count) });
            await send(false); // its answer is lost
          } else if (one.kind === "again") await send(true);
          else if (one.kind === "refuse") {
            server.store.db.run("create trigger refuse before insert on usage_batch begin select raise(abort, 'no'); end");
            await send(true);
            server.store.db.run("drop trigger refuse");
          } else {
            // As a process that is killed: what is in memory is gone, and nothing more is written by it.
            const [first] = waiting;
            if (first) server.report(first).catch(() => {});
            server = await start(await server.parts.reopen(), server.clock);
          }
        }
        while (waiting.length > 0) await send(true);
        expect(server.sum()).toBe(total);
        await server.usage.close();
        await server.parts.close();
      }),
      { numRuns: 25 },
    );
  });
});

describe("a kill", () => {
  test("has taken effect when nobody serves the old value; who still does is named", async () => {
    const parts = await openTestStore();
    cleanups.push(() => parts.close());
    // The store takes the real date.
    const { createFlag, kill, restore, settled, clock, usage, development } = await start(parts, manualClock(Date.now()));
    await createFlag("search");
    expect(await usage.sinceKill(development.id, ["search"], "off")).toBeUndefined();
    await settled(served("on", 100, { revision: 1, at: clock.now() }));
    const revision = await kill("search");
    const killedAt = (await usage.sinceKill(development.id, ["search"], "off"))?.at ?? 0;
    expect(killedAt).toBeGreaterThan(0);
    // Before it, on its way, and long after it.
    await settled({ ...served("on", 3, { revision: revision - 1, at: killedAt - 10 }) });
    await settled({ ...served("off", 40, { revision, at: killedAt + 5 }) });
    expect(await usage.sinceKill(development.id, ["search"], "off")).toMatchObject({ revision, off: 40, old: 0, oldAt: null, apps: [] });
    await clock.advance(10 * MINUTE);
    await settled({ app: "jobs", ...served("on", 2, { revision: revision - 1, at: killedAt + 5 * MINUTE }) });
    expect(await usage.sinceKill(development.id, ["search"], "off")).toMatchObject({
      off: 40,
      old: 2,
      apps: [{ app: "jobs", variant: "on", count: 2, firstAt: killedAt + 5 * MINUTE }],
    });
    await restore("search");
    expect(await usage.sinceKill(development.id, ["search"], "off")).toBeUndefined();
  });
});

describe("a killed flag that is renamed", () => {
  test("is found by the key that it has, also after a restart", async () => {
    const parts = await openTestStore();
    const first = await start(parts, manualClock(Date.now()));
    await first.createFlag("search");
    const revision = await first.kill("search");
    const rename = (from: string, to: string) =>
      parts.store.write({ project: "default", by: "ada" }, (current) => patchIdentity(current, from, { key: to }, "*"));
    await rename("search", "find");
    await rename("find", "look");
    await first.clock.advance(10 * MINUTE);
    const old = (count: number) => ({ evaluated: [{ flag: "find", variant: "on", count, revision: revision - 1, at: first.clock.now() }] });
    await first.settled(old(2));
    expect(await first.usage.sinceKill(first.development.id, ["look", "search", "find"], "off")).toMatchObject({
      revision,
      old: 2,
      apps: [{ app: "shop", count: 2 }],
    });
    await first.usage.close();
    const reopened = await parts.reopen();
    cleanups.push(() => reopened.close());
    const second = await start(reopened, first.clock);
    await second.settled(old(3));
    expect(await second.usage.sinceKill(second.development.id, ["look", "search", "find"], "off")).toMatchObject({
      revision,
      old: 5,
      apps: [{ app: "shop", count: 3 }],
    });
    await second.usage.close();
  });
});

describe("sampled contexts", () => {
  async function sampling(privateAttributes: readonly string[] = []) {
    const world = await start();
    const set = async (patch: Parameters<typeof patchSettings>[2]) => {
      await world.store.write({ project: "default", by: "ada" }, (current) => patchSettings(current, "development", patch, "*"));
    };
    const contexts = () => world.usage.samples(world.development.id).map(({ context }) => context);
    const stored = () => world.store.db.select().from(tables.sampledContext).all();
    await set({ sampleContexts: true, privateAttributes });
    return { ...world, set, contexts, stored };
  }

  test("are kept only where they are asked for, once each, the newest thousand", { timeout: 30_000 }, async () => {
    const { settled, contexts, stored, set, usage } = await sampling();
    await set({ sampleContexts: false });
    await settled({ contexts: [{ key: "a" }] });
    expect(contexts()).toEqual([]);
    await set({ sampleContexts: true });
    await settled({ contexts: [{ key: "a", plan: "pro" }, { plan: "pro", key: "a" }, {}] });
    expect(contexts()).toEqual([{ plan: "pro", key: "a" }]);
    for (let i = 0; i < 1_010; i += 10) await settled({ contexts: Array.from({ length: 10 }, (_, j) => ({ key: `u${i + j}` })) });
    expect(contexts()).toHaveLength(1_000);
    expect(contexts()[0]).toEqual({ key: "u10" });
    await until(() => stored().length === 1_000);
    await set({ sampleContexts: false });
    expect(contexts()).toEqual([]);
    await settled({});
    await until(() => stored().length === 0);
    await usage.close();
  });

  test("hold no private attribute, flat or nested, and the database file never does", async () => {
    const { settled, contexts, usage, folder, store } = await sampling(["email", "account.tax", "home"]);
    const secrets = ["SECRET-MAIL", "SECRET-TAX", "SECRET-FLAT", "SECRET-HOME"];
    const context: Context = {
      key: "u1",
      email: secrets[0],
      account: { tax: secrets[1], plan: "pro" },
      "account.tax": secrets[2],
      home: { street: secrets[3] },
    };
    await settled({ contexts: [context] as UsageReport["contexts"] });
    expect(contexts()).toEqual([{ key: "u1", account: { plan: "pro" } }]);
    await usage.close();
    store.db.run("pragma wal_checkpoint(truncate)");
    const bytes = readFileSync(join(folder, "signalbox.db"), "latin1");
    expect(bytes).toContain('"key":"u1"');
    for (const secret of secrets) expect(bytes).not.toContain(secret);
  });

  test("lose a private attribute however its dots are divided, and in lists", () => {
    const contexts = [{ a: { b: { c: 1, d: 2 } } }, { "a.b": { c: 1, d: 2 } }, { a: { "b.c": 1, d: 2 } }, { a: { b: [{ c: 1, d: 2 }] } }];
    expect(contexts.map((context) => withoutPrivate(context as Context, ["a.b.c"]))).toEqual([
      { a: { b: { d: 2 } } },
      { "a.b": { d: 2 } },
      { a: { d: 2 } },
      { a: { b: [{ d: 2 }] } },
    ]);
  });

  test("lose an attribute that becomes private later, and go after fourteen days", async () => {
    const { settled, contexts, set, stored, clock, usage, parts } = await sampling();
    await settled({ contexts: [{ key: "u1", email: "a@example.org" }] });
    await set({ privateAttributes: ["email"] });
    expect(contexts()).toEqual([{ key: "u1" }]);
    await settled({});
    await until(() => !JSON.stringify(stored()).includes("example.org"));
    await usage.close();
    const later = await start(parts, manualClock(clock.now() + 15 * 24 * HOUR));
    expect(later.usage.samples(later.development.id)).toEqual([]);
    await later.usage.close();
  });
});
