import type { Backend } from "./backend.ts";
import type { Edit } from "./edit.ts";
import type { NewIds } from "./outcome.ts";

/** Refilled when fewer are left than one write may take. */
const LEFT_MIN = 50_000;

const TABLES = { flag: "flag", group: "flag_group", environment: "environment", project: "project" } as const;
type Kind = keyof typeof TABLES;
const KINDS = Object.keys(TABLES) as Kind[];

/** The ids that new flags, groups, environments and projects get. */
export interface Ids {
  /** The next ones. A write may also take those that follow. */
  next(): NewIds;
  /** After a commit. */
  taken(projectId: number, edits: readonly Edit[]): void;
  /** Before each write. */
  refill(): Promise<void>;
}

export async function createIds({ reserveIds }: Pick<Backend, "reserveIds">): Promise<Ids> {
  const next = { flag: 0, group: 0, environment: 0, project: 0 };
  const end = { ...next };
  async function refill(): Promise<void> {
    for (const kind of KINDS) {
      if (end[kind] - next[kind] >= LEFT_MIN) continue;
      const more = await reserveIds(TABLES[kind]);
      next[kind] = more.first;
      end[kind] = more.end;
    }
  }
  /** Rows that are older, or that another process made, have ids that are not ours. */
  function take(kind: Kind, id: number): void {
    if (id >= next[kind] && id < end[kind]) next[kind] = id + 1;
  }
  await refill();
  return {
    next: () => ({ ...next }),
    taken(projectId, edits) {
      take("project", projectId);
      for (const edit of edits) {
        if (edit.kind === "identity") take("flag", edit.identity.id);
        if (edit.kind === "group") take("group", edit.group.id);
        if (edit.kind === "environment") take("environment", edit.environmentId);
      }
    },
    refill,
  };
}
