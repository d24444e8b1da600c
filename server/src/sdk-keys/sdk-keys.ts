import { createHash } from "node:crypto";
import type { z } from "@hono/zod-openapi";
import type { Projection } from "@signalbox/core";
import { and, eq, isNull } from "drizzle-orm";
import type { Delivery } from "../delivery/delivery.ts";
import type { EnvironmentInfo } from "../delivery/feed.ts";
import { problem } from "../errors.ts";
import { canonicalJson } from "../store/fingerprint.ts";
import type { Author } from "../store/origin.ts";
import { guard } from "../store/outcome.ts";
import type { Tx } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import { liveKeyRows, randomKey, type SdkKeyRow } from "../store/sdk-keys.ts";
import type { Store } from "../store/store.ts";
import { type createSdkKey, type patchSdkKey, type rotateSdkKey, SDK_KEYS_MAX, type sdkKey, type sdkKeyMade } from "./schema.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const APPS_MAX = 20;

type Shown = z.infer<typeof sdkKey>;
type Made = z.infer<typeof sdkKeyMade>;
type Wanted<S extends z.ZodType> = Omit<z.output<S>, "reason">;

export interface SdkKeyDeps {
  readonly store: Pick<Store, "db" | "transaction" | "audit" | "sdkKeys">;
  readonly delivery: Pick<Delivery, "instances">;
  readonly now?: () => number;
}

/** The SDK keys of an environment: several hold at one time, so that one is replaced while programs still come with the one before. */
export function createSdkKeys({ store, delivery, now = Date.now }: SdkKeyDeps) {
  function shown(row: SdkKeyRow): Shown {
    const { id, projection: kind, selector, origins, createdAt, createdBy, expiresAt } = row;
    const programs = delivery.instances.all(row.environmentId).filter(({ sdkKeyId }) => sdkKeyId === id);
    const apps = new Map<string, number>();
    for (const { app } of programs) apps.set(app, (apps.get(app) ?? 0) + 1);
    const byCount = [...apps].map(([app, count]) => ({ app, programs: count })).sort((a, b) => b.programs - a.programs);
    return {
      id,
      kind,
      name: nameOf(row),
      selector,
      origins: [...origins],
      createdAt,
      createdBy: createdBy === "" ? "signalbox" : createdBy,
      expiresAt,
      lastUsedAt: store.sdkKeys.lastUsedAt(id) ?? row.lastUsedAt,
      connected: programs.length,
      apps: byCount.slice(0, APPS_MAX),
      etag: etagOf(row),
    };
  }

  async function find(tx: Tx, environment: EnvironmentInfo, id: number): Promise<{ row: SdkKeyRow; live: SdkKeyRow[] }> {
    const live = await liveKeyRows(tx, environment.id, now());
    const row = live.find((each) => each.id === id);
    if (row) return { row, live };
    throw problem(
      "SDK_KEY_NOT_FOUND",
      `There is no SDK key ${id} in ${environment.key}, or it was revoked or has expired; the list has those that hold.`,
    );
  }

  /** Rows and their line in the audit as one; then memory follows, and streams of what holds no more end. */
  async function write<T>(run: (tx: Tx) => Promise<T>): Promise<T> {
    const written = await store.transaction(run);
    await store.sdkKeys.reload();
    return written;
  }

  async function insert(tx: Tx, environment: EnvironmentInfo, wanted: NewKey, author: Author): Promise<Made> {
    const { text, selector, hash } = randomKey(environment.key, wanted.projection);
    const { id: environmentId } = environment;
    const values = { ...wanted, environmentId, selector, hash, createdAt: now(), createdBy: author.by };
    const [row] = await tx.insert(tables.sdkKey).values(values).returning();
    if (!row) throw new Error("the insert of an SDK key returned no row");
    return { key: shown(row), text };
  }

  return {
    /** Those that hold, the oldest first. */
    async list(environment: EnvironmentInfo): Promise<Shown[]> {
      return (await liveKeyRows(store.db, environment.id, now())).map(shown);
    },

    async create(environment: EnvironmentInfo, wanted: Wanted<typeof createSdkKey>, author: Author): Promise<Made> {
      const { kind: projection, name, days, origins = [] } = wanted;
      checkOrigins(projection, origins);
      return write(async (tx) => {
        const live = (await liveKeyRows(tx, environment.id, now())).filter((row) => row.projection === projection);
        refuseTooMany(live, environment);
        refuseTaken(live, name);
        const made = await insert(tx, environment, { projection, name, origins: distinct(origins), expiresAt: until(days) }, author);
        await store.audit(tx, { ...author, ...about(environment, made.key, "sdk-key.create"), after: told(made.key) });
        return made;
      });
    },

    async rotate(environment: EnvironmentInfo, id: number, wanted: Wanted<typeof rotateSdkKey>, author: Author): Promise<Made> {
      return write(async (tx) => {
        const { row: old, live } = await find(tx, environment, id);
        const ofKind = live.filter((row) => row.projection === old.projection);
        refuseTooMany(ofKind, environment);
        const name = nameOf(old);
        if (ofKind.filter((row) => nameOf(row) === name).length > 1) {
          throw problem("CONFLICT", `Two keys "${name}" hold already; revoke the older one first, when no program comes with it any more.`);
        }
        const lifeMs = old.expiresAt === null ? undefined : old.expiresAt - old.createdAt;
        const expiresAt = wanted.days === undefined ? (lifeMs === undefined ? null : now() + lifeMs) : until(wanted.days);
        const made = await insert(tx, environment, { projection: old.projection, name, origins: old.origins, expiresAt }, author);
        const oldEndsAt =
          wanted.oldHours === undefined
            ? old.expiresAt
            : Math.min(now() + wanted.oldHours * HOUR_MS, old.expiresAt ?? Number.POSITIVE_INFINITY);
        await tx.update(tables.sdkKey).set({ expiresAt: oldEndsAt }).where(eq(tables.sdkKey.id, old.id));
        const after = { ...told(made.key), before: { selector: old.selector, endsAt: oldEndsAt } };
        await store.audit(tx, { ...author, ...about(environment, made.key, "sdk-key.rotate"), before: told(shown(old)), after });
        return made;
      });
    },

    /** Name and origins. Streams of pages end with a change of origins, and come back if they may. */
    async edit(
      environment: EnvironmentInfo,
      id: number,
      patch: Wanted<typeof patchSdkKey>,
      ifMatch: string | undefined,
      author: Author,
    ): Promise<Shown> {
      return write(async (tx) => {
        const { row, live } = await find(tx, environment, id);
        const stopped = guard(ifMatch, etagOf(row), environment.production);
        if (stopped?.kind === "invalid") throw problem(stopped.code, stopped.detail);
        if (stopped) {
          const detail = `The SDK key "${nameOf(row)}" was changed in the meantime; look at it as it is now and save again.`;
          throw problem("ETAG_MISMATCH", detail, { current: shown(row), headers: { etag: etagOf(row) } });
        }
        const { name = nameOf(row), origins = row.origins } = patch;
        checkOrigins(row.projection, origins);
        if (name !== nameOf(row))
          refuseTaken(
            live.filter(({ projection }) => projection === row.projection),
            name,
          );
        const after = { ...row, name, origins: distinct(origins) };
        if (etagOf(after) === etagOf(row)) return shown(row);
        await tx.update(tables.sdkKey).set({ name: after.name, origins: after.origins }).where(eq(tables.sdkKey.id, id));
        await store.audit(tx, {
          ...author,
          ...about(environment, shown(after), "sdk-key.edit"),
          before: told(shown(row)),
          after: told(shown(after)),
        });
        return shown(after);
      });
    },

    /** From now on it is refused, and its streams end. */
    async revoke(environment: EnvironmentInfo, id: number, author: Author): Promise<void> {
      await write(async (tx) => {
        const { row } = await find(tx, environment, id);
        const { sdkKey: table } = tables;
        await tx
          .update(table)
          .set({ revokedAt: now() })
          .where(and(eq(table.id, id), isNull(table.revokedAt)));
        await store.audit(tx, { ...author, ...about(environment, shown(row), "sdk-key.revoke"), before: told(shown(row)) });
      });
    },
  };

  function until(days: number | undefined): number | null {
    return days === undefined ? null : now() + days * DAY_MS;
  }
}

type NewKey = Pick<SdkKeyRow, "projection" | "name" | "origins" | "expiresAt">;

/** Those that were made with their environment have no name of their own. */
function nameOf({ name }: SdkKeyRow): string {
  return name === "" ? "first" : name;
}

function etagOf(row: SdkKeyRow): string {
  const content = canonicalJson({ name: nameOf(row), origins: [...row.origins] });
  return `"k${row.id}-${createHash("sha256").update(content).digest("hex").slice(0, 16)}"`;
}

function about({ id, key, projectId }: EnvironmentInfo, { kind, name }: Shown, action: string) {
  return { action, target: `${kind} key "${name}" of ${key}`, projectId, environmentId: id };
}

function told({ id, kind, name, selector, origins, expiresAt }: Shown) {
  return { id, kind, name, selector, origins, expiresAt };
}

function refuseTooMany(live: readonly SdkKeyRow[], environment: EnvironmentInfo): void {
  if (live.length < SDK_KEYS_MAX) return;
  const detail = `${SDK_KEYS_MAX} ${live[0]?.projection} keys of ${environment.key} hold already, which is the most; revoke those that nobody uses.`;
  throw problem("CONFLICT", detail);
}

function refuseTaken(live: readonly SdkKeyRow[], name: string): void {
  if (!live.some((row) => nameOf(row) === name)) return;
  throw problem("CONFLICT", `There is a ${live[0]?.projection} key "${name}" already; choose another name, or rotate that one.`);
}

function checkOrigins(kind: Projection, origins: readonly string[]): void {
  if (kind === "browser" || origins.length === 0) return;
  throw problem("VALIDATION_FAILED", "A server key has no origins: it is refused in every page; leave them out, or make a browser key.");
}

function distinct(origins: readonly string[]): string[] {
  return [...new Set(origins)].sort();
}
