import type { FlagUsage } from "../../../src/api-types.ts";

export interface Bar {
  readonly at: number;
  readonly total: number;
  /** From the bottom up, in the order of the legend. */
  readonly parts: readonly { readonly variant: string; readonly count: number }[];
}

export interface Chart {
  /** One for each step, also for those without evaluations. */
  readonly bars: readonly Bar[];
  /** What the full height stands for: a round number that no bar exceeds. */
  readonly top: number;
}

const BARS_MAX = 800;

/** The off variant is at the bottom, so that a kill reads as one color going over to the other. */
export function variantsOf({ series }: Pick<FlagUsage, "series">, off: string): string[] {
  const variants = series.map(({ variant }) => variant);
  return [...variants.filter((variant) => variant === off), ...variants.filter((variant) => variant !== off)];
}

export function chartOf({ from, to, stepMs, series }: Pick<FlagUsage, "from" | "to" | "stepMs" | "series">, off: string): Chart {
  const counts = new Map(series.map(({ variant, points }) => [variant, new Map(points.map(({ at, count }) => [at, count]))]));
  const variants = variantsOf({ series }, off);
  const bars: Bar[] = [];
  for (let at = from - (from % stepMs); at < to && bars.length < BARS_MAX; at += stepMs) {
    const parts = variants.map((variant) => ({ variant, count: counts.get(variant)?.get(at) ?? 0 })).filter(({ count }) => count > 0);
    bars.push({ at, total: parts.reduce((sum, { count }) => sum + count, 0), parts });
  }
  return { bars, top: roundUp(Math.max(1, ...bars.map(({ total }) => total))) };
}

/** 1, 2 or 5 with zeros. */
export function roundUp(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((times) => value <= times * unit) ?? 10) * unit;
}

/** Where a moment lies, in percent of the width; undefined outside. */
export function placeOf(at: number, { bars }: Chart, stepMs: number): number | undefined {
  const first = bars[0]?.at ?? 0;
  const share = (at - first) / (bars.length * stepMs);
  return share >= 0 && share <= 1 ? share * 100 : undefined;
}

export interface Mark {
  /** In percent of the width. */
  readonly left: number;
  /** Oldest first. */
  readonly changes: FlagUsage["changes"];
}

/** A target for a finger is so wide. */
const MARK_PX = 24;

/** Changes that would lie on each other in a chart of `width` pixels share a mark, at the place of the first. Those outside the chart are left out. */
export function marksOf({ changes, stepMs }: Pick<FlagUsage, "changes" | "stepMs">, chart: Chart, width: number): Mark[] {
  const marks: { left: number; changes: FlagUsage["changes"][number][] }[] = [];
  for (const change of [...changes].sort((a, b) => a.at - b.at)) {
    const left = placeOf(change.at, chart, stepMs);
    if (left === undefined) continue;
    const last = marks.at(-1);
    if (last && ((left - last.left) / 100) * width < MARK_PX) last.changes.push(change);
    else marks.push({ left, changes: [change] });
  }
  return marks;
}

const DONE: Readonly<Record<string, string>> = {
  "flag.create": "made the flag",
  "flag.edit": "described it anew",
  "flag.rename": "renamed it",
  "flag.configure": "changed who gets it",
  "flag.kill": "killed it",
  "flag.restore": "restored it",
};

/** "ada killed it: checkout fails" */
export function changeWords({ by, action, target, reason }: FlagUsage["changes"][number]): string {
  const what = DONE[action] ?? `changed the group ${target}`;
  return `${by} ${what}${reason ? `: ${reason}` : ""}`;
}
