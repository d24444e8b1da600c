import { describe, expect, test } from "vitest";
import { countUp, createUsageCounts, REPORT_ROWS_MAX, USAGE_ROWS_MAX, type UsagePlace } from "./usage-counts.ts";

const SPAN = { at: 60_000, revision: 7 };

describe("usage counts", () => {
  test("a flag or variant that was not counted before is fresh, the first count since a span ended is first", () => {
    const counts = createUsageCounts();
    expect(counts.add("a", "on")).toBe("fresh");
    expect(counts.add("a", "on")).toBe("more");
    expect(counts.add("a", "off")).toBe("fresh");
    expect(counts.add("gone", undefined)).toBe("fresh");
    counts.endSpan(SPAN, false);
    expect(counts.take()).toEqual({
      evaluated: [
        { flag: "a", variant: "on", count: 2, ...SPAN },
        { flag: "a", variant: "off", count: 1, ...SPAN },
      ],
      unknown: [{ flag: "gone", count: 1 }],
    });
    expect(counts.take()).toBeUndefined();
    expect(counts.add("a", "on")).toBe("first");
    expect(counts.add("gone", undefined)).toBe("first");
  });

  test("a row that was laid aside is counted up no further", () => {
    const counts = createUsageCounts();
    const place: UsagePlace = { usage: undefined };
    counts.add("a", "on", place);
    expect(countUp(place, "on")).toBe(true);
    counts.endSpan({ at: 1, revision: 1 }, true);
    expect(countUp(place, "on")).toBe(false);
    counts.add("a", "on", place);
    expect(countUp(place, "on")).toBe(true);
    counts.endSpan({ at: 2, revision: 2 }, true);
    expect(counts.take()?.evaluated).toEqual([
      { flag: "a", variant: "on", count: 2, at: 1, revision: 1 },
      { flag: "a", variant: "on", count: 2, at: 2, revision: 2 },
    ]);
  });

  test("without room a span goes on, and is cut short only if the next must not be counted with it", () => {
    const counts = createUsageCounts(3);
    counts.add("a", "on");
    counts.add("b", "on");
    expect(counts.endSpan(SPAN, false)).toEqual({ ended: true, lost: 0 });
    counts.add("a", "on");
    counts.add("b", "on");
    expect(counts.endSpan(SPAN, false)).toEqual({ ended: false, lost: 0 });
    counts.add("b", "on");
    expect(counts.endSpan(SPAN, true)).toEqual({ ended: true, lost: 2 });
    expect(counts.take()?.evaluated.map(({ flag, count }) => [flag, count])).toEqual([
      ["a", 1],
      ["b", 1],
      ["a", 1],
    ]);
  });

  test("a flood of keys is bounded, in memory and in each report, and flags are counted again after it", () => {
    const counts = createUsageCounts();
    for (let i = 0; i < 3 * USAGE_ROWS_MAX; i++) counts.add(`key-${i}`, i % 2 === 0 ? undefined : "on");
    expect(counts.add("late", "on")).toBe("dropped");
    counts.endSpan(SPAN, false);
    let rows = 0;
    for (let usage = counts.take(); usage !== undefined; usage = counts.take()) {
      expect(Math.max(usage.unknown.length, usage.evaluated.length)).toBeLessThanOrEqual(REPORT_ROWS_MAX);
      rows += usage.unknown.length + usage.evaluated.length;
    }
    expect(rows).toBe(2 * USAGE_ROWS_MAX);
    expect(counts.add("late", "on")).toBe("fresh");
  });

  test("what is no flag key, nor a name that a report could hold, is not counted", () => {
    const counts = createUsageCounts();
    expect(counts.add("x".repeat(101), undefined)).toBe("dropped");
    expect(counts.add("f", "v".repeat(20_000))).toBe("dropped");
    counts.endSpan(SPAN, true);
    expect(counts.take()).toBeUndefined();
  });
});
