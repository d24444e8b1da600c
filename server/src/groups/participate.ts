import { STATE_BYTES_MAX } from "@signalbox/core";
import { problemOf } from "../environments/located.ts";
import { type Problem, problem } from "../errors.ts";
import { applyEdits, type Edit } from "../store/edit.ts";
import type { EnvironmentModel, GroupRecord, Member } from "../store/model.ts";
import type { Current, Outcome } from "../store/outcome.ts";
import { BY_A_PAGE, BY_THEMSELVES, changeMembers, MEMBERS_MAX } from "./decide.ts";

/**
 * Of what an environment may take, pages that nobody vouches for fill half: the rest is for staff, whose edits would be refused if keys
 * that anybody can make up had taken it.
 */
const PAGES_BYTES_MAX = STATE_BYTES_MAX / 2;

/** Somebody who wants in or out of an early-access group, through a program or a page. */
export interface Participation {
  readonly group: string;
  readonly unit: string;
  readonly joining: boolean;
  /**
   * True: the app's own server says so, by a server key or by having signed the context. False: a page says so of a key that anybody can
   * claim. Then only groups by `key` are open to it, and only units of which nobody who is vouched for has decided yet.
   */
  readonly vouched: boolean;
}

/** What the decision reads of the side table of clear units. */
export interface MemberRows {
  /** The rows of these units, by unit. */
  read(group: GroupRecord, units: readonly string[]): Promise<ReadonlyMap<string, Member>>;
  /** How many rows the group has, those who left included. */
  count(group: GroupRecord): Promise<number>;
}

export interface Participated {
  /** One step with everybody who may. */
  readonly outcome: Outcome;
  /** Why the others may not. */
  readonly refused: ReadonlyMap<Participation, Problem>;
}

/** Several who join and leave, as one step: pure but for the rows that it reads. Nobody is named twice for the same group. */
export async function participate(
  current: Current,
  environmentId: number,
  all: readonly Participation[],
  rows: MemberRows,
): Promise<Participated> {
  const refused = new Map<Participation, Problem>();
  const environment = current.project.environments.find(({ info }) => info.id === environmentId);
  if (!environment) throw new RangeError(`there is no environment with the id ${environmentId}`);
  const edits: Edit[] = [];
  const changes: Extract<Outcome, { kind: "changed" }>[] = [];
  let { project } = current;
  for (const [key, ofGroup] of byGroup(all)) {
    const group = environment.groups.get(key);
    if (group?.kind !== "early-access") {
      for (const one of ofGroup) refused.set(one, noSuchGroup(key, environment));
      continue;
    }
    const known = await rows.read(group, [...new Set(ofGroup.map(({ unit }) => unit))]);
    const may = await admitted(environment, group, ofGroup, known, rows, refused);
    for (const step of STEPS) {
      const together = may.filter((one) => one.joining === step.joining && one.vouched === step.vouched);
      if (together.length === 0) continue;
      const units = together.map(({ unit }) => unit);
      const change = step.joining ? { add: units, remove: [] } : { add: [], remove: units };
      const action = step.joining ? "early-access.join" : "early-access.leave";
      const by = step.vouched ? BY_THEMSELVES : BY_A_PAGE;
      const outcome = changeMembers({ ...current, project, by }, environment.info.key, key, change, known, action);
      if (outcome.kind === "unchanged") continue;
      if (outcome.kind === "invalid") {
        // The others of the batch have nothing to do with it.
        for (const one of together) refused.set(one, problemOf(outcome));
        continue;
      }
      if (outcome.kind !== "changed") return { outcome, refused };
      ({ project } = outcome.applied);
      edits.push(...outcome.edits);
      changes.push(outcome);
    }
  }
  const [first] = changes;
  if (!first) return { outcome: { kind: "unchanged" }, refused };
  // Applied once more from the start, together: one revision for all.
  const applied = applyEdits(current.project, edits);
  const [action, target] = [shared(changes.map((change) => change.action)), shared(changes.map((change) => change.target))];
  return {
    outcome: {
      kind: "changed",
      action: action ?? "early-access.change",
      target: target ?? "",
      edits,
      applied,
      before: first === changes.at(-1) ? first.before : changes.map(({ target: group, before }) => ({ group, before })),
      after:
        first === changes.at(-1) ? first.after : changes.map(({ action: what, target: group, after }) => ({ action: what, group, after })),
    },
    refused,
  };
}

/** Who leaves makes room for who joins. */
const STEPS = [
  { joining: false, vouched: true },
  { joining: false, vouched: false },
  { joining: true, vouched: true },
  { joining: true, vouched: false },
] as const;

/** Those who may and whose step changes something, in the order in which they came; the reasons of the others go to `refused`. */
async function admitted(
  environment: EnvironmentModel,
  group: GroupRecord,
  all: readonly Participation[],
  known: ReadonlyMap<string, Member>,
  rows: MemberRows,
  refused: Map<Participation, Problem>,
): Promise<Participation[]> {
  const asking = all.filter((one) => {
    const row = known.get(one.unit);
    const changes = one.joining ? row?.state !== "member" : one.vouched || row?.state === "member";
    if (!changes) return false; // already where it wants to be
    const stopped = one.vouched ? undefined : unvouched(environment, group, one, row);
    if (stopped) refused.set(one, stopped);
    return !stopped;
  });
  // Only those who may leave make room.
  const leaving = asking.filter(({ joining, unit }) => !joining && known.get(unit)?.state === "member");
  let members = group.list.length - leaving.length;
  const isMadeUp = (one: Participation) => one.joining && !one.vouched && known.get(one.unit) === undefined;
  const rowsNow = asking.some(isMadeUp) ? await rows.count(group) : 0;
  let remembered: number | undefined;
  return asking.filter((one) => {
    if (!one.joining) return true;
    const row = known.get(one.unit);
    // Keys that anybody can make up must not fill the table by joining and leaving.
    if (isMadeUp(one)) remembered ??= rowsNow;
    if (members >= MEMBERS_MAX || (remembered ?? 0) >= MEMBERS_MAX) {
      refused.set(
        one,
        problem("GROUP_FULL", `The group "${group.key}" is full: it has ${MEMBERS_MAX} members or more have come and gone.`),
      );
      return false;
    }
    members += 1;
    if (remembered !== undefined && row === undefined) remembered += 1;
    return true;
  });
}

function unvouched(
  { info, bytes }: EnvironmentModel,
  group: GroupRecord,
  { unit, joining }: Participation,
  row: Member | undefined,
): Problem | undefined {
  const next = "send a context that your server has signed (signContext of @signalbox/node), or let your server ask";
  if (group.by !== "key") {
    return problem("SIGNED_CONTEXT_NEEDED", `The group "${group.key}" goes by "${group.by}", which a page cannot say by itself; ${next}.`);
  }
  if (joining && bytes.server > PAGES_BYTES_MAX) {
    return problem(
      "GROUP_FULL",
      `The flags and groups of ${info.key} take more than half of what they may, so the group "${group.key}" takes nobody of whom only a page says who it is; ${next}.`,
    );
  }
  if (row === undefined || row.by === BY_A_PAGE) return undefined;
  // Not who has decided and what: that is nobody's business who only claims to be this unit.
  return problem(
    "SIGNED_CONTEXT_NEEDED",
    `For ${JSON.stringify(unit)} staff or the app's own server have decided, so a page alone cannot change it; ${next}.`,
  );
}

export function noSuchGroup(key: string, { info }: Pick<EnvironmentModel, "info">): Problem {
  return problem("GROUP_NOT_FOUND", `There is no early-access group with the key "${key}" in ${info.key}; staff make one under Groups.`);
}

function byGroup(all: readonly Participation[]): Map<string, Participation[]> {
  const groups = new Map<string, Participation[]>();
  for (const one of all) groups.get(one.group)?.push(one) ?? groups.set(one.group, [one]);
  return groups;
}

/** What they all are; undefined when they differ. */
function shared(texts: readonly string[]): string | undefined {
  return texts.every((text) => text === texts[0]) ? texts[0] : undefined;
}
