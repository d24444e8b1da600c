import { describe, expect, test } from "vitest";
import { changeWords, chartOf, marksOf, placeOf, roundUp, variantsOf } from "./chart.ts";

const series = [
  {
    variant: "on",
    total: 7,
    points: [
      { at: 60_000, count: 3 },
      { at: 120_000, count: 4 },
    ],
  },
  { variant: "off", total: 5, points: [{ at: 120_000, count: 5 }] },
];

describe("the chart of usage", () => {
  test("has a bar for each step, the off variant at the bottom, and a round height", () => {
    const chart = chartOf({ from: 65_000, to: 200_000, stepMs: 60_000, series }, "off");
    expect(chart.bars.map(({ at, total }) => [at, total])).toEqual([
      [60_000, 3],
      [120_000, 9],
      [180_000, 0],
    ]);
    expect(chart.bars[1]?.parts).toEqual([
      { variant: "off", count: 5 },
      { variant: "on", count: 4 },
    ]);
    expect(chart.top).toBe(10);
    expect(variantsOf({ series }, "off")).toEqual(["off", "on"]);
  });

  test("changes that would lie on each other share a mark", () => {
    const chart = chartOf({ from: 0, to: 3_600_000, stepMs: 60_000, series }, "off");
    const change = (revision: number, minute: number) => ({
      revision,
      at: minute * 60_000,
      by: "ana",
      action: "flag.configure",
      target: "a",
      reason: null,
    });
    const usage = { stepMs: 60_000, changes: [change(1, 12), change(2, 13), change(3, 30), change(4, 33), change(5, 90)] };
    const revisions = (width: number) =>
      marksOf(usage, chart, width).map(({ left, changes }) => [Math.round(left), ...changes.map((one) => one.revision)]);
    expect(revisions(1_440)).toEqual([
      [20, 1],
      [22, 2],
      [50, 3],
      [55, 4],
    ]);
    expect(revisions(1_439)).toEqual([
      [20, 1, 2],
      [50, 3],
      [55, 4],
    ]);
    expect(revisions(280)).toEqual([
      [20, 1, 2],
      [50, 3, 4],
    ]);
    // Before the width is known nothing can overlap.
    expect(revisions(0)).toEqual([[20, 1, 2, 3, 4]]);
  });

  test.each([
    [1, 1],
    [3, 5],
    [11, 20],
    [501, 1_000],
  ])("%i is drawn below %i", (value, top) => {
    expect(roundUp(value)).toBe(top);
  });

  test("a change lies where it was made, and nowhere outside", () => {
    const chart = chartOf({ from: 60_000, to: 180_000, stepMs: 60_000, series }, "off");
    expect(placeOf(120_000, chart, 60_000)).toBe(50);
    expect(placeOf(59_000, chart, 60_000)).toBeUndefined();
    expect(placeOf(181_000, chart, 60_000)).toBeUndefined();
  });

  test("says who did what", () => {
    const change = { revision: 3, at: 0, by: "ada", action: "flag.kill", target: "search", reason: "it fails" };
    expect(changeWords(change)).toBe("ada killed it: it fails");
    expect(changeWords({ ...change, action: "group.members", target: "beta", reason: null })).toBe("ada changed the group beta");
  });
});
