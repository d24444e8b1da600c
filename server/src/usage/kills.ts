import { and, desc, eq, inArray, sql } from "drizzle-orm";
import type { EnvironmentInfo } from "../delivery/feed.ts";
import { tables } from "../store/schema.sqlite.ts";
import type { Store } from "../store/store.ts";

/** What is evaluated within this time after a kill's commit is no sign of a program that the kill does not reach. */
const ON_ITS_WAY_MS = 1_000;
const APPS_MAX = 50;

/** The kill that holds a flag off now. */
export interface Kill {
  readonly revision: number;
  readonly at: number;
}

export interface LateApp {
  readonly app: string;
  readonly variant: string;
  readonly count: number;
  /** When it first and last served the old value after the kill. */
  readonly firstAt: number;
  readonly lastAt: number;
}

interface Watched extends Kill {
  readonly apps: Map<string, LateApp>;
  /** Of them, those that the table of minutes cannot tell from those before the kill: in its minute, or not filed under their time. */
  untold: number;
}

/** Which programs still serve the old value of a killed flag. Of reports since this process started; the table has the sums. */
export interface Kills {
  /** A row of a report; `isUntimed`: the table does not hold it under its time. */
  note(
    environment: EnvironmentInfo,
    row: { flagKey: string; variant: string; revision: number; at: number; count: number; app: string; isUntimed: boolean },
    off: string,
  ): void;
  /** `keys`: the flag's key and its old ones. */
  of(
    environmentId: number,
    keys: readonly string[],
  ): { readonly kill: Kill; readonly apps: readonly LateApp[]; readonly untold: number } | undefined;
  close(): void;
}

export async function createKills(store: Pick<Store, "db" | "feed">): Promise<Kills> {
  const killed = new Map<string, Watched>();
  const nameOf = (environmentId: number, flagKey: string) => `${environmentId}:${flagKey}`;

  for (const { id } of store.feed.environments()) {
    const { entries } = store.feed.state(id, "server");
    const oldKeys = new Map<string, string[]>();
    for (const entry of entries.values()) {
      if (entry.kind === "alias") oldKeys.set(entry.flag, [...(oldKeys.get(entry.flag) ?? []), entry.key]);
    }
    for (const entry of entries.values()) {
      if (entry.kind !== "flag" || !entry.killed) continue;
      // The audit log names the key of its day.
      const kill = await lastKill(store, id, [entry.key, ...(oldKeys.get(entry.key) ?? [])]);
      if (kill) killed.set(nameOf(id, entry.key), { ...kill, apps: new Map(), untold: 0 });
    }
  }
  const stop = store.feed.onCommit(({ environmentId, action, to, at, projections }) => {
    // A flag is found by the key that it has now.
    for (const entry of projections.server.put) {
      const watched = entry.kind === "alias" ? killed.get(nameOf(environmentId, entry.key)) : undefined;
      if (entry.kind !== "alias" || !watched) continue;
      killed.delete(nameOf(environmentId, entry.key));
      killed.set(nameOf(environmentId, entry.flag), watched);
    }
    if (action !== "flag.kill" && action !== "flag.restore") return;
    // Of several at once each is in what is put.
    for (const entry of projections.server.put) {
      if (entry.kind !== "flag") continue;
      if (entry.killed) killed.set(nameOf(environmentId, entry.key), { revision: to, at, apps: new Map(), untold: 0 });
      else killed.delete(nameOf(environmentId, entry.key));
    }
  });

  return {
    note(environment, { flagKey, variant, revision, at, count, app, isUntimed }, off) {
      const kill = killed.get(nameOf(environment.id, flagKey));
      if (!kill || revision === 0 || revision >= kill.revision || variant === off || at <= kill.at + ON_ITS_WAY_MS) return;
      const name = `${app}\n${variant}`;
      const before = kill.apps.get(name);
      if (!before && kill.apps.size >= APPS_MAX) return;
      kill.apps.set(name, {
        app,
        variant,
        count: count + (before?.count ?? 0),
        firstAt: Math.min(at, before?.firstAt ?? at),
        lastAt: Math.max(at, before?.lastAt ?? at),
      });
      if (isUntimed || at - (at % 60_000) <= kill.at) kill.untold += count;
    },
    of(environmentId, keys) {
      const kill = keys.map((key) => killed.get(nameOf(environmentId, key))).find((one) => one !== undefined);
      return kill && { kill: { revision: kill.revision, at: kill.at }, apps: [...kill.apps.values()], untold: kill.untold };
    },
    close: stop,
  };
}

async function lastKill(store: Pick<Store, "db">, environmentId: number, keys: readonly string[]): Promise<Kill | undefined> {
  const { audit } = tables;
  const [row] = await store.db
    .select({ revision: audit.revision, at: audit.at })
    .from(audit)
    .where(
      and(
        eq(audit.environmentId, environmentId),
        inArray(audit.target, [...keys]),
        eq(audit.action, "flag.kill"),
        sql`${audit.revision} is not null`,
      ),
    )
    .orderBy(desc(audit.id))
    .limit(1);
  return row && row.revision !== null ? { revision: row.revision, at: row.at } : undefined;
}
