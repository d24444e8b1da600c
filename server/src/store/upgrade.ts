import { digestOf, type Entry, type EntryId, entryId } from "@signalbox/core";
import { asc, eq } from "drizzle-orm";
import type { ProjectedChange } from "../delivery/feed.ts";
import { appendAudit } from "./audit.ts";
import type { Backend } from "./backend.ts";
import { PROJECTION_VERSION } from "./project.ts";
import { compareDigest, type ReadEnvironment, readEnvironments, type Tx, writeFacts } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";

/** Who is named for what an upgrade does. */
const BY = "Signalbox";
const META_KEY = "projection";

/**
 * Commits, as a revision of its own, what this version shows to browsers for rows that an older one wrote: once, in one transaction, before
 * anything is compared. What the older one showed is known from its change log; where that does not fit the head, the file is damaged and
 * nothing is written.
 */
export async function upgradeProjections({ transaction }: Pick<Backend, "transaction">, now: number): Promise<void> {
  const { meta } = tables;
  await transaction(async (tx) => {
    const [written] = await tx.select().from(meta).where(eq(meta.key, META_KEY));
    if (written?.value === String(PROJECTION_VERSION)) return;
    for (const project of await tx.select().from(tables.project)) {
      for (const environment of await readEnvironments(tx, project)) await upgrade(tx, environment, now);
    }
    const row = { key: META_KEY, value: String(PROJECTION_VERSION) };
    await tx.insert(meta).values(row).onConflictDoUpdate({ target: meta.key, set: row });
  });
}

async function upgrade(tx: Tx, { model, head, newFacts }: ReadEnvironment, at: number): Promise<void> {
  compareDigest(model, "server", head);
  await writeFacts(tx, model.info.id, { added: newFacts, forgotten: [] });
  const { digest, entries } = model.states.browser;
  if (digest === head.browserDigest) return;
  const before = await shownBefore(tx, model.info.id);
  if (digestOf(before.values()) !== head.browserDigest) compareDigest(model, "browser", head);
  const put = [...entries.values()].filter((entry) => before.get(entryId(entry))?.fp !== entry.fp);
  const remove = [...before.keys()].filter((id) => !entries.has(id));
  const { id: environmentId, key, projectId } = model.info;
  const { generation } = head;
  const revision = head.revision + 1;
  const event = { environmentId, at, by: BY, action: "environment.upgrade", target: key, reason: null };
  const server: ProjectedChange = { digest: head.serverDigest, put: [], remove: [] };
  await tx
    .insert(tables.changeSet)
    .values({ ...event, generation, revision, kill: false, server, browser: { digest, put, remove }, record: {} });
  await tx.update(tables.environment).set({ revision, browserDigest: digest }).where(eq(tables.environment.id, environmentId));
  const flags = put.map((entry) => entry.key);
  const after = { projection: PROJECTION_VERSION, shown: flags, hidden: remove };
  await appendAudit(tx, { ...event, projectId, revision, before: null, after });
}

/** What browsers held so far: the fold of the change log. */
async function shownBefore(tx: Tx, environmentId: number): Promise<Map<EntryId, Entry>> {
  const { changeSet } = tables;
  const entries = new Map<EntryId, Entry>();
  const log = await tx
    .select({ browser: changeSet.browser })
    .from(changeSet)
    .where(eq(changeSet.environmentId, environmentId))
    .orderBy(asc(changeSet.revision));
  for (const { browser } of log) {
    for (const id of browser.remove) entries.delete(id);
    for (const entry of browser.put) entries.set(entryId(entry), entry);
  }
  return entries;
}
