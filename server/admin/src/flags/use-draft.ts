import { useCallback, useMemo, useSyncExternalStore } from "react";
import type { Flag } from "../../../src/api-types.ts";
import type { Place } from "../queries.ts";
import { type Draft, type Edits, edit, type FieldName, fieldsOf, keepMine, rebase, same, startDraft, takeTheirs } from "./draft.ts";

/** Drafts of this tab, by place and flag. They outlive leaving the page and reloading it, and end with the tab. */
// The number is raised when the form of a draft changes: a tab can outlive an upgrade of the server.
const STORED_AS = "signalbox-drafts-1";
const DRAFTS_MAX = 50;
const drafts = new Map<string, Draft>(stored());
const watchers = new Set<() => void>();

function stored(): [string, Draft][] {
  try {
    return JSON.parse(sessionStorage.getItem(STORED_AS) ?? "[]") as [string, Draft][];
  } catch {
    return []; // Storage can be forbidden; drafts then last until the page is loaded again.
  }
}

function put(id: string, draft: Draft | undefined) {
  drafts.delete(id);
  if (draft && Object.keys(draft.edits).length > 0) drafts.set(id, draft);
  for (const oldest of [...drafts.keys()].slice(0, -DRAFTS_MAX)) drafts.delete(oldest);
  try {
    sessionStorage.setItem(STORED_AS, JSON.stringify([...drafts]));
  } catch {
    // As above.
  }
  for (const watcher of watchers) watcher();
}

function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => {
    watchers.delete(watcher);
  };
}

export interface DraftHandle {
  readonly draft: Draft;
  readonly edit: (edits: Edits) => void;
  readonly discard: () => void;
  readonly keepMine: (field: FieldName) => void;
  readonly takeTheirs: (field: FieldName) => void;
}

/** The draft of a flag, always on top of the newest state that is known. */
export function useDraft({ project, environment }: Place, flag: Flag): DraftHandle {
  const id = `${project}/${environment}/${flag.key}`;
  const kept = useSyncExternalStore(watch, () => drafts.get(id));
  const draft = useMemo(() => current(kept, flag), [kept, flag]);
  const change = useCallback((next: (draft: Draft) => Draft) => put(id, next(current(drafts.get(id), flag))), [id, flag]);
  return {
    draft,
    edit: useCallback((edits) => change((draft) => edit(draft, edits)), [change]),
    discard: useCallback(() => put(id, undefined), [id]),
    keepMine: useCallback((field) => change((draft) => keepMine(draft, field)), [change]),
    takeTheirs: useCallback((field) => change((draft) => takeTheirs(draft, field)), [change]),
  };
}

function current(kept: Draft | undefined, flag: Flag): Draft {
  if (!kept) return startDraft(flag);
  const newest = fieldsOf(flag);
  return same(kept.base, newest) ? kept : rebase(kept, newest);
}
