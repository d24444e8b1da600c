import type { Projection } from "@signalbox/core";
import { describe, expect, test } from "vitest";
import { createAdmission, network, type StreamLimits } from "./admission.ts";
import { keyOf, manualClock, PRODUCTION } from "./test-support.ts";

function start(limits: StreamLimits) {
  const clock = manualClock();
  const shed: string[] = [];
  const admission = createAdmission({
    limits,
    clock,
    eventLoop: { overloaded: false },
    descriptors: { connectionsMax: Number.POSITIVE_INFINITY },
    watch: { shed: (_what, reason) => shed.push(reason) },
  });
  const enter = (address = "10.0.0.1", projection: Projection = "server", environment = PRODUCTION) =>
    admission.enter(keyOf(projection, environment), address);
  return { clock, shed, enter };
}

const OTHER = { ...PRODUCTION, id: PRODUCTION.id + 1, key: "staging" };
const wide = { openMax: 1_000, newPerSecondMax: 1_000 };

describe("admission", () => {
  test("says when to come back: a time drawn from 5 to 30 s", () => {
    const { enter } = start({ openMax: 1, newPerSecondMax: 1_000 });
    enter();
    const waits = new Set<number>();
    for (let count = 0; count < 200; count += 1) {
      try {
        enter();
      } catch (error) {
        const { code, extra } = error as { code: string; extra: { headers: Record<string, string> } };
        expect(code).toBe("OVERLOADED");
        waits.add(Number(extra.headers["retry-after"]));
      }
    }
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(5);
    expect(Math.max(...waits)).toBeLessThanOrEqual(30);
    expect(waits.size).toBeGreaterThan(10);
  });

  test("limits each SDK key without touching the others", () => {
    const { enter, shed } = start({ ...wide, perKey: { openMax: 2, newPerSecondMax: 1_000 } });
    const leave = enter();
    enter();
    expect(() => enter()).toThrow("2 streams with this SDK key are open");
    enter("10.0.0.1", "browser");
    enter("10.0.0.1", "server", OTHER);
    leave();
    leave();
    enter();
    expect(() => enter()).toThrow();
    expect(shed).toEqual(["key", "key"]);
  });

  test("limits each address, an IPv6 network of 64 bits as one", async () => {
    const { enter, clock } = start({ ...wide, perAddress: { openMax: 3, newPerSecondMax: 2 } });
    enter("2001:db8::1");
    enter("2001:db8:0:0:ffff::2");
    expect(() => enter("2001:db8::3")).toThrow("from your address");
    enter("2001:db8:0:1::3");
    await clock.advance(1_000);
    enter("2001:db8::4");
    expect(() => enter("2001:db8::5")).toThrow("3 streams from your address are open");
  });

  test("takes nothing from the node for those whom a narrower limit refuses", () => {
    const { enter } = start({ openMax: 1_000, newPerSecondMax: 3, perAddress: { openMax: 1, newPerSecondMax: 1 } });
    enter("10.0.0.1");
    for (let count = 0; count < 100; count += 1) expect(() => enter("10.0.0.1")).toThrow("from your address");
    enter("10.0.0.2");
    enter("10.0.0.3");
    expect(() => enter("10.0.0.4")).toThrow("More than 3 streams were opened in a second");
  });

  test("takes server keys on when browsers use up their part of a second", () => {
    const { enter, shed } = start({ openMax: 1_000, newPerSecondMax: 10 });
    for (let count = 0; count < 8; count += 1) enter("10.0.0.1", "browser");
    expect(() => enter("10.0.0.1", "browser")).toThrow();
    enter();
    enter();
    expect(() => enter()).toThrow();
    expect(shed).toEqual(["browsers", "rate"]);
  });
});

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["::ffff:10.1.2.3", "10.1.2.3"],
  ["::ffff:a00:5", "10.0.0.5"],
  ["0:0:0:0:0:FFFF:0A00:0005", "10.0.0.5"],
  ["unknown", "unknown"],
  ["::1", "0:0:0:0"],
  ["2001:db8::1", "2001:db8:0:0"],
  ["2001:DB8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["fe80::1%eth0", "fe80:0:0:0"],
  ["", ""],
])("the address %s belongs to %s", (address, expected) => {
  expect(network(address)).toBe(expected);
});
