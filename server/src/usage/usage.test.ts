import type { Projection, UsageReport } from "@signalbox/core";
import { afterEach, describe, expect, test } from "vitest";
import type { UsageEvent } from "../api-types.ts";
import { openTestStore, type TestStore } from "../delivery/test-store.ts";
import { collectingLog, manualClock, until } from "../delivery/test-support.ts";
import { tables } from "../store/schema.sqlite.ts";
import { createUsage } from "./usage.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function start(parts?: TestStore) {
  const own = parts ?? (await openTestStore());
  if (!parts) cleanups.push(() => own.close());
  const clock = manualClock();
  const log = collectingLog();
  const usage = await createUsage({ store: own.store, log, clock });
  const { development } = own;
  const reports: Promise<void>[] = [];
  const report = (rows: Partial<UsageReport>, projection: Projection = "server") => {
    const recorded = usage.record(development, projection, {
      instance: "i",
      app: "shop",
      sdk: "node",
      evaluated: [],
      unknown: [],
      ...rows,
    });
    // A test that asks for none of them must not end by one that is refused.
    recorded.catch(() => {});
    reports.push(recorded);
    return recorded;
  };
  /** Resolves when everything that was reported is written. */
  const written = async () => {
    await clock.advance(1_000);
    await Promise.all(reports.splice(0));
  };
  const stored = () => own.store.db.select().from(tables.usage).all();
  return { ...own, parts: own, clock, log, usage, report, written, stored };
}

const evaluated = (flag: string, variant = "on", count = 1) => ({ evaluated: [{ flag, variant, count }] });

describe("reported usage", () => {
  test("of a flag that exists is its last evaluation", async () => {
    const { usage, report, clock, createFlag, development } = await start();
    await createFlag("search");
    expect(usage.seen(development.id, "search")).toBeNull();
    report(evaluated("search", "on", 3));
    await clock.advance(10);
    report(evaluated("search", "off", 2));
    expect(usage.seen(development.id, "search")).toEqual({ at: clock.now(), app: "shop", variant: "off" });
    expect(usage.hiddenAsked(development.id, "search")).toBeNull();
  });

  test("belongs to one environment", async () => {
    const { usage, report, createFlag, store, development } = await start();
    await createFlag("search");
    report(evaluated("search"));
    const production = store.feed.environments().find(({ id }) => id !== development.id);
    expect(usage.seen(production?.id ?? -1, "search")).toBeNull();
  });

  test("tells known, unknown and hidden apart by what the server knows now", async () => {
    const { usage, report, createFlag, development } = await start();
    const heard: UsageEvent[] = [];
    usage.onUsage((event) => heard.push(event));
    await createFlag("open");
    await createFlag("secret", false);
    report(
      {
        evaluated: [{ flag: "open", variant: "off", count: 1 }],
        unknown: [
          { flag: "secret", count: 2 },
          { flag: "typo", count: 3 },
        ],
      },
      "browser",
    );
    report(evaluated("secret"), "server");
    expect(heard.map(({ flag, known, variant, count, app }) => ({ flag, known, variant, count, app }))).toEqual([
      { flag: "open", known: "known", variant: "off", count: 1, app: "shop" },
      { flag: "secret", known: "hidden", variant: null, count: 2, app: "shop" },
      { flag: "typo", known: "unknown", variant: null, count: 3, app: "shop" },
      { flag: "secret", known: "known", variant: "on", count: 1, app: "shop" },
    ]);
    expect(heard[0]).toMatchObject({ project: "default", environment: "development" });
    expect(usage.hiddenAsked(development.id, "secret")).toMatchObject({ app: "shop" });
    expect(usage.hiddenAsked(development.id, "typo")).toBeNull();
  });

  test("of a key that was unknown to the program only for a moment is left out", async () => {
    const { usage, report, createFlag, development } = await start();
    const heard: UsageEvent[] = [];
    usage.onUsage((event) => heard.push(event));
    await createFlag("search");
    report({ unknown: [{ flag: "search", count: 1 }] });
    expect(heard).toEqual([]);
    expect(usage.seen(development.id, "search")).toBeNull();
  });

  test("of keys such as __proto__ and constructor is unknown, and nothing else", async () => {
    const { usage, report, development } = await start();
    report({ evaluated: ["__proto__", "constructor", "flag:search"].map((flag) => ({ flag, variant: "on", count: 1 })) });
    expect(usage.seen(development.id, "constructor")).toBeNull();
    expect(usage.seen(development.id, "__proto__")).toBeNull();
  });
});

describe("the table of reported usage", () => {
  test("is written once a second, and read at the next start", async () => {
    const first = await start();
    await first.createFlag("search");
    for (let index = 0; index < 10; index += 1) first.report(evaluated("search", "on", 2));
    expect(first.stored()).toEqual([]);
    await first.written();
    expect(first.stored()).toMatchObject([{ flagKey: "search", known: "known", variant: "on", count: 20, app: "shop" }]);
    first.report(evaluated("search", "off"));
    await first.usage.close();

    cleanups.length = 0;
    const reopened = await first.parts.reopen();
    cleanups.push(() => reopened.close());
    const second = await start(reopened);
    expect(second.usage.seen(second.development.id, "search")).toMatchObject({ app: "shop", variant: "off" });
    second.report(evaluated("search", "off"));
    await second.usage.close();
    expect(second.stored()).toMatchObject([{ count: 22 }]);
  });

  test("holds 5,000 keys of an environment: the oldest unknown one goes first", { timeout: 30_000 }, async () => {
    const { usage, report, written, createFlag, development, stored } = await start();
    await createFlag("search");
    report(evaluated("search"));
    const unknown = (from: number, count: number) => {
      for (let index = from; index < from + count; index += 500) {
        const rows = Array.from({ length: Math.min(500, from + count - index) }, (_, offset) => ({ flag: `u${index + offset}`, count: 1 }));
        report({ unknown: rows });
      }
    };
    unknown(0, 4_999);
    await written();
    await until(() => stored().length === 5_000);
    report({ unknown: [{ flag: "u0", count: 1 }] }); // now the newest
    unknown(10_000, 2);
    await written();
    await until(() => stored().some(({ flagKey }) => flagKey === "u10001"));
    const keys = new Set(stored().map(({ flagKey }) => flagKey));
    expect(keys.size).toBe(5_000);
    expect(["u0", "u3", "u10000", "u10001", "search"].filter((key) => keys.has(key))).toEqual(["u0", "u3", "u10000", "u10001", "search"]);
    expect(["u1", "u2"].filter((key) => keys.has(key))).toEqual([]);
    expect(usage.seen(development.id, "search")).not.toBeNull();
  });

  test("is tried again when the database refuses", async () => {
    const { usage, report, clock, log, createFlag, stored, store } = await start();
    await createFlag("search");
    store.db.run("create trigger refuse before insert on usage begin select raise(abort, 'disk is full'); end");
    report(evaluated("search", "on", 2));
    await clock.advance(1_000);
    await until(() => log.lines.length > 0);
    store.db.run("drop trigger refuse");
    report(evaluated("search", "on", 3));
    await clock.advance(1_000);
    await until(() => stored().length > 0);
    expect(stored()).toMatchObject([{ count: 5 }]);
    await usage.close();
  });
});
