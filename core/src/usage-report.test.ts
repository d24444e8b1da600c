import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { UsageReport } from "./protocol.ts";
import { REPORT_BYTES_MAX } from "./usage-counts.ts";
import { createUsageReporter } from "./usage-report.ts";

const START = 1_700_000_000_000;

/** A reporter whose clock, timers and network the test holds in its hand, and a server that counts a numbered report once. */
function createWorld() {
  let now = 0;
  let timers: { at: number; run: () => void }[] = [];
  let network: () => { arrives: boolean; answered: boolean } = () => ({ arrives: true, answered: true });
  const arrived: UsageReport[] = [];
  const counted: UsageReport[] = [];
  const last = new Map<string, number>();
  const lines: string[] = [];
  let underWay = 0;
  let atOnce = 0;
  function receive(body: string): void {
    const report = JSON.parse(body) as UsageReport;
    expect(new TextEncoder().encode(body).length).toBeLessThanOrEqual(REPORT_BYTES_MAX + 14 * 1024);
    arrived.push(report);
    if (report.batch !== undefined) {
      if (report.batch <= (last.get(report.run ?? "") ?? 0)) return;
      last.set(report.run ?? "", report.batch);
    }
    counted.push(report);
  }
  const reporter = createUsageReporter({
    ports: {
      now: () => now,
      random: () => 0.5,
      after(ms, run) {
        const timer = { at: now + ms, run };
        timers.push(timer);
        return () => {
          timers = timers.filter((other) => other !== timer);
        };
      },
      async send(_path, body) {
        const { arrives, answered } = network();
        atOnce = Math.max(atOnce, ++underWay);
        // Arrives and is answered later, so what happens meanwhile happens while it is under way.
        for (let i = 0; i < 3; i++) await Promise.resolve();
        if (arrives) receive(body);
        underWay--;
        return arrives && answered ? "sent" : "failed";
      },
    },
    time: () => START + now,
    named: { instance: "one", app: "tests", sdk: "test/0" },
    before: () => {},
    lost: (many, why) => lines.push(`${many}: ${why}`),
  });
  return {
    reporter,
    arrived,
    counted,
    lines,
    receive,
    atOnce: () => atOnce,
    network(next: typeof network) {
      network = next;
    },
    async pass(ms: number): Promise<void> {
      const end = now + ms;
      for (;;) {
        for (let quiet = 0; quiet < 10; quiet = underWay > 0 ? 0 : quiet + 1) await Promise.resolve();
        const [next] = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (!next) break;
        now = Math.max(now, next.at);
        timers = timers.filter((timer) => timer !== next);
        next.run();
      }
      now = end;
    },
    total: () => counted.flatMap(({ evaluated, unknown }) => [...evaluated, ...unknown]).reduce((sum, { count }) => sum + count, 0),
  };
}

describe("reports", () => {
  test("one whose answer is lost is sent again as it was, and what was counted meanwhile goes with the next", async () => {
    const world = createWorld();
    world.reporter.look({ generation: 1, revision: 4 }, false);
    world.network(() => ({ arrives: true, answered: false }));
    world.reporter.served("a", "on");
    await world.pass(200);
    world.reporter.served("a", "on");
    await world.pass(10_000);
    world.network(() => ({ arrives: true, answered: true }));
    await world.pass(10_000);
    expect(world.arrived.map(({ batch, evaluated }) => [batch, evaluated[0]?.count])).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
      [2, 1],
    ]);
    expect(world.arrived[1]).toEqual(world.arrived[0]);
    expect(world.total()).toBe(2);
  });

  test("keep revisions apart, and minutes by the server's clock", async () => {
    const world = createWorld();
    const minute = 60_000 - (START % 60_000);
    world.reporter.look({ generation: 1, revision: 4 }, false);
    world.reporter.served("a", "on");
    world.reporter.look({ generation: 1, revision: 5 }, false);
    world.reporter.served("a", "off");
    world.reporter.served("a", "off");
    await world.pass(minute - 100);
    world.reporter.served("a", "off");
    await world.pass(200);
    world.reporter.served("a", "off");
    await world.pass(60_000);
    expect(world.counted.flatMap(({ evaluated }) => evaluated)).toEqual([
      { flag: "a", variant: "on", count: 1, at: START, revision: 4 },
      { flag: "a", variant: "off", count: 2, at: START, revision: 5 },
      { flag: "a", variant: "off", count: 1, at: START + minute - 100, revision: 5 },
      { flag: "a", variant: "off", count: 1, at: START + minute + 100, revision: 5 },
    ]);
  });

  test("flushed by many at once: one is under way at a time, each is counted once, and none is sent twice", async () => {
    const world = createWorld();
    world.reporter.look({ generation: 1, revision: 4 }, false);
    const flushes: Promise<void>[] = [];
    for (let i = 0; i < 20; i++) {
      world.reporter.served(`flag-${i}`, "on");
      flushes.push(world.reporter.flush(true), world.reporter.flush(false));
      if (i % 3 === 0) await Promise.resolve();
    }
    await Promise.all(flushes);
    expect(world.atOnce()).toBe(1);
    expect(world.total()).toBe(20);
    expect(world.arrived).toHaveLength(world.counted.length);
    world.reporter.served("a", "on");
    await world.reporter.flush(true);
    expect(world.total()).toBe(21);
  });

  test("of a page that goes away keep their number only where the server may have them already", async () => {
    const world = createWorld();
    world.network(() => ({ arrives: true, answered: false }));
    world.reporter.served("a", "on");
    await world.pass(200);
    world.reporter.served("b", "on");
    const bodies = world.reporter.drain();
    expect(bodies.map((body) => (JSON.parse(body) as UsageReport).batch)).toEqual([1, undefined]);
    for (const body of bodies.toReversed()) world.receive(body);
    world.network(() => ({ arrives: true, answered: true }));
    await world.pass(60_000);
    expect(world.total()).toBe(2);
  });

  test("that never arrive cost a bounded number of rows, and the log says what is lost", async () => {
    const world = createWorld();
    world.network(() => ({ arrives: false, answered: false }));
    for (let revision = 1; revision <= 20; revision++) {
      world.reporter.look({ generation: 1, revision }, false);
      for (let i = 0; i < 500; i++) world.reporter.served(`flag-${i}`, "on");
      await world.pass(10_000);
    }
    world.network(() => ({ arrives: true, answered: true }));
    await world.pass(60_000);
    const lost = world.lines.reduce((sum, line) => sum + Number.parseInt(line, 10), 0);
    expect(lost).toBeGreaterThan(0);
    expect(world.total() + lost).toBe(20 * 500);
    expect(world.lines[0]).toMatch(/more was counted than is kept until a report arrives/);
  });

  test("hold every evaluation exactly once, whatever requests and answers are lost", async () => {
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constant("serve" as const),
          flag: fc.constantFrom("a", "b", "constructor", "ü"),
          variant: fc.constantFrom("on", "off", undefined),
        }),
      },
      fc.record({ kind: fc.constant("network" as const), arrives: fc.boolean(), answered: fc.boolean() }),
      fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(0, 150, 1_000, 10_000, 70_000) }),
      fc.record({ kind: fc.constant("revision" as const) }),
      fc.record({ kind: fc.constant("flush" as const), times: fc.integer({ min: 1, max: 4 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (schedule) => {
        const world = createWorld();
        const served = new Map<string, number>();
        let revision = 1;
        world.reporter.look({ generation: 1, revision }, false);
        for (const one of schedule) {
          if (one.kind === "serve") {
            const { flag, variant } = one;
            if (variant === undefined) world.reporter.missing(flag);
            else world.reporter.served(flag, variant);
            const row = `${flag} ${variant} ${variant && revision}`;
            served.set(row, (served.get(row) ?? 0) + 1);
          } else if (one.kind === "network") world.network(() => one);
          else if (one.kind === "pass") await world.pass(one.ms);
          else if (one.kind === "revision") world.reporter.look({ generation: 1, revision: ++revision }, false);
          else for (let i = 0; i < one.times; i++) void world.reporter.flush(true);
        }
        world.network(() => ({ arrives: true, answered: true }));
        await world.reporter.flush(true);
        await world.reporter.flush(true);
        const counted = new Map<string, number>();
        for (const { evaluated, unknown } of world.counted) {
          for (const row of [...evaluated, ...unknown.map((key) => ({ ...key, variant: undefined, revision: undefined }))]) {
            const name = `${row.flag} ${row.variant} ${row.revision}`;
            counted.set(name, (counted.get(name) ?? 0) + row.count);
          }
        }
        expect([...counted].sort()).toEqual([...served].sort());
        expect(world.atOnce()).toBeLessThanOrEqual(1);
      }),
      { numRuns: 300 },
    );
  });
});

describe("sampled contexts", () => {
  test("are taken only while they are asked for, one in a second, at most twenty in a report", async () => {
    const world = createWorld();
    world.reporter.look({ generation: 1, revision: 1 }, false);
    expect(world.reporter.wantsContext).toBe(false);
    world.reporter.sample({ key: "early" });
    world.reporter.look({ generation: 1, revision: 1 }, true);
    world.network(() => ({ arrives: false, answered: false }));
    let taken = 0;
    for (let i = 0; i < 300; i++) {
      if (world.reporter.wantsContext) {
        taken++;
        world.reporter.sample({ key: `u${i}` });
      }
      world.reporter.served("a", "on");
      await world.pass(100);
    }
    expect(taken).toBe(30);
    world.network(() => ({ arrives: true, answered: true }));
    await world.pass(30_000);
    const contexts = world.counted.map((report) => report.contexts?.length ?? 0);
    expect(Math.max(...contexts)).toBeLessThanOrEqual(20);
    expect(JSON.stringify(world.counted)).not.toContain("early");
    world.reporter.look({ generation: 1, revision: 1 }, false);
    expect(world.reporter.wantsContext).toBe(false);
  });

  test("hold own attributes of bounded number and length, and whatever a context does, nothing throws", async () => {
    const world = createWorld();
    world.reporter.look({ generation: 1, revision: 1 }, true);
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const thrower = Object.defineProperty({}, "key", {
      enumerable: true,
      get: () => {
        throw new Error("no");
      },
    });
    const wide = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`a${i}`, i]));
    for (const context of [
      circle,
      thrower,
      null,
      undefined,
      5,
      "text",
      { fn() {} },
      { big: "x".repeat(2_000), key: "kept" },
      wide,
      Object.create({ inherited: 1 }),
    ]) {
      world.reporter.sample(context);
      await world.pass(1_000);
    }
    world.reporter.plan();
    await world.pass(10_000);
    const contexts = world.counted.flatMap((report) => report.contexts ?? []);
    expect(contexts[0]).toEqual({ key: "kept" });
    expect(Object.keys(contexts[1] ?? {})).toHaveLength(64);
    expect(contexts).toHaveLength(2);
  });
});
