import type { Rule } from "../../../src/api-types.ts";

export type Rollout = NonNullable<Rule["rollout"]>;
export type Schedule = NonNullable<Rollout["over"]>;
export type Point = Schedule["points"][number];

const DAY_MS = 86_400_000;
const rounded = (percentage: number) => Math.round(percentage * 1_000) / 1_000;

/** The percentage at a time, as evaluators compute it: in whole buckets, rounded down along a line. */
export function percentageAt({ percentage, over }: Rollout, now: number): number {
  if (!over) return percentage;
  let at = percentage;
  for (const [index, point] of over.points.entries()) {
    const start = Date.parse(point.at);
    if (now < start) return at;
    const next = over.points[index + 1];
    const end = next === undefined ? Number.NaN : Date.parse(next.at);
    if (over.kind === "line" && next && now < end) {
      const [from, to] = [point.percentage * 1_000, next.percentage * 1_000].map(Math.round) as [number, number];
      return (from + Math.floor(((to - from) * (now - start)) / (end - start))) / 1_000;
    }
    at = point.percentage;
  }
  return at;
}

/** The point that comes next, if one does. */
export function nextPoint({ points }: Schedule, now: number): Point | undefined {
  return points.find(({ at }) => Date.parse(at) > now);
}

export interface Ramp {
  readonly from: number;
  readonly to: number;
  readonly days: number;
  readonly startMs: number;
}

/** The percentages at which people stop and look. */
const STOPS = [1, 5, 10, 25, 50];

/**
 * A line has two ends; steps stop on the way, at equal distances in time. With a day for each they are whole days, so that each comes
 * at the time of day that somebody chose to be there.
 */
export function rampPoints(kind: Schedule["kind"], { from, to, days, startMs }: Ramp): Point[] {
  const between = kind === "line" ? [] : STOPS.filter((stop) => stop > Math.min(from, to) && stop < Math.max(from, to));
  const stops = [from, ...(from <= to ? between : between.toReversed()), to];
  const step = days / (stops.length - 1);
  const dayOf = (index: number) => (step >= 1 && Number.isInteger(days) ? Math.round(index * step) : index * step);
  return stops.map((percentage, index) => ({ at: instant(startMs + dayOf(index) * DAY_MS), percentage: rounded(percentage) }));
}

/** One more row: a day after the last, with the same percentage. */
export function withPoint(schedule: Schedule, now: number): Schedule {
  const last = schedule.points.at(-1);
  const at = instant(last ? Date.parse(last.at) + DAY_MS : now);
  return { ...schedule, points: [...schedule.points, { at, percentage: last?.percentage ?? 100 }] };
}

/** A schedule where there was none. Whoever starts a ramp on 100 % means it to begin below. */
export function scheduled(rollout: Rollout, kind: Schedule["kind"], now: number): Rollout {
  if (rollout.over) return { ...rollout, over: { ...rollout.over, kind } };
  const before = rollout.percentage === 100 ? 0 : rollout.percentage;
  const ramp = { from: Math.max(before, 1), to: 100 - (rollout.from ?? 0), days: 7, startMs: now };
  return { ...rollout, percentage: before, over: { kind, points: rampPoints(kind, ramp) } };
}

/** Without its schedule: at the percentage where it stands. */
export function stopped(rollout: Rollout, now: number): Rollout {
  const { over: _, ...rest } = rollout;
  return { ...rest, percentage: percentageAt(rollout, now) };
}

export function rolloutProblem({ percentage, from = 0, over }: Rollout): string | undefined {
  const sizes = [percentage, ...(over?.points.map((point) => point.percentage) ?? [])];
  const end = rounded(from + Math.max(...sizes));
  if (end > 100) return `The slice begins at ${from} % and ends at ${end} %, above 100 %.`;
  for (const [index, point] of (over?.points ?? []).entries()) {
    const earlier = over?.points[index - 1];
    if (Number.isNaN(Date.parse(point.at))) return `Row ${index + 1} has no date and time.`;
    if (earlier && Date.parse(point.at) <= Date.parse(earlier.at)) return `Row ${index + 1} is not after row ${index}.`;
  }
  return undefined;
}

/** Whole minutes, in UTC, as they are stored. */
export function instant(ms: number): string {
  return new Date(Math.floor(ms / 60_000) * 60_000).toISOString();
}

/** `2026-12-01T09:00` as a clock on this computer's wall shows it, for a field. */
export function localText(at: string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "";
  const two = (value: number) => String(value).padStart(2, "0");
  const seconds = date.getSeconds() === 0 ? "" : `:${two(date.getSeconds())}`;
  const day = `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}${seconds}`;
}

/** Back from a field; undefined while it holds no date and time. */
export function instantOf(local: string): string | undefined {
  const date = new Date(local);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

export function momentWords(at: string): string {
  return new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
