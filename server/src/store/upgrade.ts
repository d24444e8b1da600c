import { digestOf, type Entry, type EntryId, entryId } from "@signalbox/core";
import { asc, eq } from "drizzle-orm";
import type { ProjectedChange } from "../delivery/feed.ts";
import { appendAudit } from "./audit.ts";
import { PROJECTION_VERSION } from "./project.ts";
import { compareDigest, type Database, type ReadEnvironment, readEnvironments, type Tx, writeFacts } from "./rows.ts";
import { tables } from "./schema.sqlite.ts";

/** Who is named for what an upgrade does. */
const BY = "Signalbox";
const META_KEY = "projection";

/**
 * Commits, as a revision of its own, what this version shows to browsers for rows that an older one wrote: once, in one transaction, before
 * anything is compared. What the older one showed is known from its change log; where that does not fit the head, the file is damaged and
 * nothing is written.
 */
export function upgradeProjections(db: Database, now: number): void {
  const { meta } = tables;
  db.transaction(
    (tx) => {
      const written = tx.select().from(meta).where(eq(meta.key, META_KEY)).get();
      if (written?.value === String(PROJECTION_VERSION)) return;
      for (const project of tx.select().from(tables.project).all()) {
        for (const environment of readEnvironments(tx, project)) upgrade(tx, environment, now);
      }
      const row = { key: META_KEY, value: String(PROJECTION_VERSION) };
      tx.insert(meta).values(row).onConflictDoUpdate({ target: meta.key, set: row }).run();
    },
    { behavior: "immediate" },
  );
}

function upgrade(tx: Tx, { model, head, newFacts }: ReadEnvironment, at: number): void {
  compareDigest(model, "server", head);
  writeFacts(tx, model.info.id, { added: newFacts, forgotten: [] });
  const { digest, entries } = model.states.browser;
  if (digest === head.browserDigest) return;
  const before = shownBefore(tx, model.info.id);
  if (digestOf(before.values()) !== head.browserDigest) compareDigest(model, "browser", head);
  const put = [...entries.values()].filter((entry) => before.get(entryId(entry))?.fp !== entry.fp);
  const remove = [...before.keys()].filter((id) => !entries.has(id));
  const { id: environmentId, key, projectId } = model.info;
  const { generation } = head;
  const revision = head.revision + 1;
  const event = { environmentId, at, by: BY, action: "environment.upgrade", target: key, reason: null };
  const server: ProjectedChange = { digest: head.serverDigest, put: [], remove: [] };
  tx.insert(tables.changeSet)
    .values({ ...event, generation, revision, kill: false, server, browser: { digest, put, remove }, record: {} })
    .run();
  tx.update(tables.environment).set({ revision, browserDigest: digest }).where(eq(tables.environment.id, environmentId)).run();
  const flags = put.map((entry) => entry.key);
  appendAudit(tx, { ...event, projectId, revision, before: null, after: { projection: PROJECTION_VERSION, shown: flags, hidden: remove } });
}

/** What browsers held so far: the fold of the change log. */
function shownBefore(tx: Tx, environmentId: number): Map<EntryId, Entry> {
  const { changeSet } = tables;
  const entries = new Map<EntryId, Entry>();
  const log = tx
    .select({ browser: changeSet.browser })
    .from(changeSet)
    .where(eq(changeSet.environmentId, environmentId))
    .orderBy(asc(changeSet.revision))
    .all();
  for (const { browser } of log) {
    for (const id of browser.remove) entries.delete(id);
    for (const entry of browser.put) entries.set(entryId(entry), entry);
  }
  return entries;
}
