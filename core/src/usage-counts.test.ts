import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createUsageCounts, REPORT_BYTES_MAX, REPORT_ROWS_MAX, USAGE_ROWS_MAX } from "./usage-counts.ts";

describe("usage counts", () => {
  test("a flag or variant that was not counted before is fresh, the first count since a report is first", () => {
    const counts = createUsageCounts();
    expect(counts.add("a", "on")).toBe("fresh");
    expect(counts.add("a", "on")).toBe("more");
    expect(counts.add("a", "off")).toBe("fresh");
    expect(counts.add("gone", undefined)).toBe("fresh");
    expect(counts.take()).toEqual({
      evaluated: [
        { flag: "a", variant: "on", count: 2 },
        { flag: "a", variant: "off", count: 1 },
      ],
      unknown: [{ flag: "gone", count: 1 }],
    });
    expect(counts.take()).toBeUndefined();
    expect(counts.add("a", "on")).toBe("first");
  });

  test("every count arrives once, over any number of reports and of reports that fail", () => {
    const key = fc.oneof(fc.constantFrom("a", "b", "constructor"), fc.string({ unit: "binary", maxLength: 100 }));
    const evaluation = fc.tuple(key, fc.constantFrom("on", "off", undefined));
    fc.assert(
      fc.property(fc.array(fc.oneof(evaluation, fc.boolean()), { maxLength: 400 }), (schedule) => {
        const counts = createUsageCounts();
        let added = 0;
        let arrived = 0;
        const report = (arrives: boolean) => {
          const usage = counts.take();
          if (usage === undefined) return false;
          expect(new TextEncoder().encode(JSON.stringify(usage)).length).toBeLessThanOrEqual(REPORT_BYTES_MAX);
          if (!arrives) counts.giveBack(usage);
          else for (const row of [...usage.evaluated, ...usage.unknown]) arrived += row.count;
          return true;
        };
        for (const step of schedule) {
          if (typeof step === "boolean") report(step);
          else {
            counts.add(...step);
            added++;
          }
        }
        while (report(true));
        expect(arrived).toBe(added);
      }),
    );
  });

  test("a flood of keys is bounded, in memory and in each report, and flags are counted again after it", () => {
    const counts = createUsageCounts();
    for (let i = 0; i < 3 * USAGE_ROWS_MAX; i++) counts.add(`key-${i}`, undefined);
    let rows = 0;
    for (let usage = counts.take(); usage !== undefined; usage = counts.take()) {
      expect(usage.unknown.length).toBeLessThanOrEqual(REPORT_ROWS_MAX);
      rows += usage.unknown.length;
    }
    expect(rows).toBe(USAGE_ROWS_MAX);
    expect(counts.add("a", "on")).toBe("fresh");
    expect(counts.take()?.evaluated).toEqual([{ flag: "a", variant: "on", count: 1 }]);
  });

  test("what is no flag key is not counted", () => {
    const counts = createUsageCounts();
    counts.add("x".repeat(101), undefined);
    expect(counts.take()).toBeUndefined();
  });
});

test("a name that no report could hold is not counted, and reports end", () => {
  const counts = createUsageCounts();
  expect(counts.add("f", "v".repeat(20_000))).toBe("more");
  expect(counts.take()).toBeUndefined();
});
