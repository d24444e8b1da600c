import { type SQL, sql } from "drizzle-orm";
import { queryRows } from "../store/database.ts";
import type { Store } from "../store/store.ts";
import { type CountRow, capped, HOUR_MS, MINUTE_MS, MINUTES_KEPT_MS, total } from "./counts.ts";
import type { Kill, LateApp } from "./kills.ts";

const DAY_MS = 24 * HOUR_MS;

/** From `from` (inclusive) to `to` (exclusive), ms since 1970. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface History {
  /** How long a point is. */
  readonly stepMs: number;
  /** The variants that were served, the one served most first. A step in which none was served has no point. */
  readonly series: readonly {
    readonly variant: string;
    readonly total: number;
    readonly points: readonly { at: number; count: number }[];
  }[];
}

export interface SinceKill extends Kill {
  /** Evaluations since the kill that got the off variant, by programs that have applied it. */
  readonly off: number;
  /** Evaluations since the kill that still got something else, and when the last one did. */
  readonly old: number;
  readonly oldAt: number | null;
  readonly apps: readonly LateApp[];
}

type Rows = Iterable<CountRow>;

/** Minutes for a few hours, hours for a week, days beyond; minutes exist no longer than they are kept. */
export function stepOf({ from, to }: Span, now: number): number {
  if (to - from <= MINUTES_KEPT_MS && from >= now - MINUTES_KEPT_MS - HOUR_MS) return MINUTE_MS;
  return to - from <= 7 * DAY_MS ? HOUR_MS : DAY_MS;
}

export async function readHistory(
  store: Pick<Store, "db">,
  unwritten: Rows,
  environmentId: number,
  keys: readonly string[],
  span: Span & { readonly now: number },
): Promise<History> {
  const stepMs = stepOf(span, span.now);
  const first = span.from - (span.from % stepMs);
  const found = await queryRows<{ variant: string; at: number; count: number }>(
    store.db,
    sql`select variant, at - at % ${stepMs} as at, ${capped(total(sql`count`))} as count from usage_count
      where ${where(environmentId, keys)} and at >= ${first} and at < ${span.to} group by 1, 2`,
  );
  const points = new Map<string, Map<number, number>>();
  const add = (variant: string, at: number, count: number) => {
    const one = points.get(variant) ?? new Map<number, number>();
    points.set(variant, one.set(at, count + (one.get(at) ?? 0)));
  };
  for (const { variant, at, count } of found) add(variant, at, count);
  for (const row of unwritten) {
    if (row.environmentId !== environmentId || !keys.includes(row.flagKey) || row.at < first || row.at >= span.to) continue;
    add(row.variant, row.at - (row.at % stepMs), row.count);
  }
  const series = [...points].map(([variant, counts]) => ({
    variant,
    total: [...counts.values()].reduce((sum, count) => sum + count, 0),
    points: [...counts].sort(([a], [b]) => a - b).map(([at, count]) => ({ at, count })),
  }));
  return { stepMs, series: series.sort((a, b) => b.total - a.total || (a.variant < b.variant ? -1 : 1)) };
}

/** In the minute (once it is gathered, the hour) of the kill itself only programs' word can tell before from after: `untold` are those after. */
export async function readSinceKill(
  store: Pick<Store, "db">,
  unwritten: Rows,
  environmentId: number,
  keys: readonly string[],
  off: string,
  { kill, apps, untold }: { kill: Kill; apps: readonly LateApp[]; untold: number },
): Promise<SinceKill> {
  const isApplied = sql`revision >= ${kill.revision}`;
  const [row] = await queryRows<{ off: number; old: number; oldAt: number | null }>(
    store.db,
    sql`select ${capped(total(sql`case when ${isApplied} and variant = ${off} then count end`))} as off,
        ${capped(total(sql`case when ${isOld(kill, off)} then count end`))} as old,
        max(case when ${isOld(kill, off)} then at end) as "oldAt"
      from usage_count where ${where(environmentId, keys)} and at >= ${kill.at - (kill.at % HOUR_MS)}`,
  );
  let served = row?.off ?? 0;
  let old = (row?.old ?? 0) + untold;
  const ats = [row?.oldAt ?? 0, ...apps.map(({ lastAt }) => lastAt)];
  for (const { environmentId: id, flagKey, revision, variant, at, count } of unwritten) {
    if (id !== environmentId || !keys.includes(flagKey)) continue;
    if (revision >= kill.revision && variant === off) served += count;
    else if (revision > 0 && revision < kill.revision && variant !== off && at > kill.at) {
      old += count;
      ats.push(at);
    }
  }
  const oldAt = Math.max(...ats);
  return { ...kill, off: served, old, oldAt: oldAt > 0 ? oldAt : null, apps };
}

function isOld({ revision, at }: Kill, off: string): SQL {
  return sql`revision > 0 and revision < ${revision} and variant <> ${off} and at > ${at}`;
}

function where(environmentId: number, keys: readonly string[]): SQL {
  const list = sql.join(
    keys.map((key) => sql`${key}`),
    sql`, `,
  );
  return sql`environment_id = ${environmentId} and flag_key in (${list}) and step_ms in (${MINUTE_MS}, ${HOUR_MS})`;
}
