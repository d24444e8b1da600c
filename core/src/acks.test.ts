import { describe, expect, test } from "vitest";
import { createAcks, isSampled } from "./acks.ts";

/** Acknowledgements with a clock that the test turns, and a server that answers what it is told to. */
function start(random = 0.5, instance = "one") {
  let now = 0;
  let timers: { at: number; run: () => void }[] = [];
  const sent: { at: number; revision: number }[] = [];
  let answer: "sent" | "failed" = "sent";
  const acks = createAcks(
    {
      now: () => now,
      random: () => random,
      after(ms, run) {
        const timer = { at: now + ms, run };
        timers.push(timer);
        return () => {
          timers = timers.filter((other) => other !== timer);
        };
      },
      async send(_path, body) {
        sent.push({ at: now, revision: JSON.parse(body).revision });
        return answer;
      },
    },
    instance,
  );
  return {
    acks,
    sent,
    timers: () => timers.length,
    answer: (next: typeof answer) => {
      answer = next;
    },
    async pass(ms: number) {
      const end = now + ms;
      for (;;) {
        for (let i = 0; i < 5; i++) await Promise.resolve();
        const [next] = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (!next) break;
        now = next.at;
        timers = timers.filter((timer) => timer !== next);
        next.run();
      }
      now = end;
    },
  };
}

const LEASES = { leaseMs: 15_000, sample: 1 };
const at = (revision: number) => ({ generation: 1, revision });

describe("acknowledgements", () => {
  test("what is no kill is told within 50 ms, the newest position only", async () => {
    const { acks, sent, pass } = start();
    acks.look(LEASES, at(1));
    await pass(10);
    acks.look(LEASES, at(2));
    acks.look(LEASES, at(3));
    await pass(14);
    expect(sent).toEqual([]);
    await pass(1);
    expect(sent).toEqual([{ at: 25, revision: 3 }]);
    acks.look(LEASES, at(3));
    await pass(10_000);
    expect(sent).toHaveLength(1);
  });

  test("a kill is told at once, and not a second time", async () => {
    const { acks, sent, pass } = start();
    acks.look(LEASES, at(1));
    await pass(1_000);
    acks.urgent(at(2), 0);
    acks.look(LEASES, at(2));
    expect(sent.slice(1)).toEqual([{ at: 1_000, revision: 2 }]);
    await pass(1_000);
    expect(sent).toHaveLength(2);
  });

  test("where the server asks for it, kills are spread", async () => {
    const { acks, sent, pass } = start(0.25);
    acks.look(LEASES, at(1));
    await pass(1_000);
    acks.urgent(at(2), 2_000);
    acks.look(LEASES, at(2));
    await pass(499);
    expect(sent).toHaveLength(1);
    await pass(1);
    expect(sent.at(-1)).toEqual({ at: 1_500, revision: 2 });
  });

  test("the lease is renewed with the same position while the stream is open, and only then", async () => {
    const { acks, sent, pass, timers } = start(1);
    acks.look(LEASES, at(1));
    await pass(45_060);
    expect(sent.map(({ at: time }) => time)).toEqual([50, 15_050, 30_050, 45_050]);
    acks.look(undefined, at(1));
    expect(timers()).toBe(0);
    await pass(60_000);
    expect(sent).toHaveLength(4);
    acks.look({ ...LEASES }, at(1));
    await pass(15_000);
    expect(sent).toHaveLength(5);
  });

  test("a lease is renewed early rather than late", async () => {
    const { acks, sent, pass } = start(0);
    acks.look(LEASES, at(1));
    await pass(12_000);
    expect(sent).toHaveLength(2);
  });

  test("one that does not arrive is told again", async () => {
    const { acks, sent, pass, answer } = start(1);
    acks.look(LEASES, at(1));
    await pass(100);
    answer("failed");
    acks.urgent(at(2), 0);
    acks.look(LEASES, at(2));
    await pass(1_999);
    expect(sent).toHaveLength(2);
    answer("sent");
    await pass(1);
    expect(sent.at(-1)).toEqual({ at: 2_100, revision: 2 });
    await pass(10_000);
    expect(sent).toHaveLength(3);
  });

  test("a server that takes no leases hears of kills alone", async () => {
    const { acks, sent, pass } = start();
    acks.look(undefined, at(1));
    await pass(60_000);
    acks.urgent(at(2), 0);
    await pass(60_000);
    expect(sent).toEqual([{ at: 60_000, revision: 2 }]);
  });

  test("who is not in the sample says nothing", async () => {
    const { acks, sent, pass } = start();
    const nobody = { leaseMs: 0, sample: 0 };
    acks.look(nobody, at(1));
    acks.urgent(at(2), 0);
    acks.look(nobody, at(2));
    await pass(60_000);
    expect(sent).toEqual([]);
  });
});

test("the sample is the asked part of all instances, and a larger one holds the smaller", () => {
  const instances = Array.from({ length: 10_000 }, (_, index) => `page-${index.toString(36)}`);
  const inside = (part: number) => instances.filter((instance) => isSampled(instance, part));
  expect(inside(1)).toHaveLength(10_000);
  expect(inside(0)).toHaveLength(0);
  expect(Math.abs(inside(0.1).length - 1_000)).toBeLessThan(150);
  const larger = new Set(inside(0.2));
  expect(inside(0.1).every((instance) => larger.has(instance))).toBe(true);
});
