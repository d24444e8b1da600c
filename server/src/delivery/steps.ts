import {
  type ChangeFrame,
  type Entry,
  type EntryId,
  entryId,
  type FactsFrame,
  FRAME_BYTES_MAX,
  type Hex64,
  type MembersChange,
  type Position,
  type Projection,
} from "@signalbox/core";
import { bothChanges } from "../store/facts.ts";
import { changedList, MemberChanges } from "../store/member-changes.ts";
import { encodeFrame, snapshotFrame } from "./encode-frame.ts";
import type { Commit, EnvironmentInfo, FactsChange, Feed } from "./feed.ts";
import type { States } from "./state-bytes.ts";

/** What brings a connection from its position to the head. */
export interface Step {
  readonly event: "snapshot" | "change" | "resync";
  readonly frame: Buffer;
  /** Where the connection stands after it. */
  readonly position: Position;
  /** `urgent`: holds a kill or restore that this projection sees; `empty`: only the position moves. */
  readonly haste: "urgent" | "normal" | "empty";
}

/** Pages that a change of facts concerns ask again over so long that so many ask in a second... */
const ASKS_PER_SECOND = 200;
/** ...but no longer than this, because after 10 s a page takes for unknown what it has no answer to. */
const ASK_SPREAD_MS_MAX = 8_000;

/** The head of a projection. */
export interface Head extends Position {
  readonly factsAt: number;
}

/** Steps kept for each environment and projection; connections are mostly at the same few positions. The oldest goes first. */
const STEPS_KEPT_MAX = 32;

/** A kill and its restore are acknowledged by every program that can see the flag. */
export function isAcknowledged(commit: Commit): boolean {
  return commit.kill || commit.action === "flag.restore";
}

/** Whether a projection sees anything of this commit. */
export function touches(commit: Commit, projection: Projection): boolean {
  const change = commit.projections[projection];
  return change.put.length > 0 || change.remove.length > 0 || change.members !== undefined;
}

/** Who is there: what comes back from all of them at once is spread. */
export interface Crowd {
  /** Over how long programs acknowledge a step; 0 for at once. */
  ackSpreadMs(): number;
  /** Connections that get these steps. */
  audience(): number;
}

/** Makes the steps of one environment and projection, each once for all connections that stand at the same position. */
export class Steps {
  readonly #feed: Feed;
  readonly #states: States;
  readonly #environment: EnvironmentInfo;
  readonly #projection: Projection;
  readonly #crowd: Crowd;
  #head: Head = { generation: -1, revision: -1, factsAt: 0 };
  readonly #kept = new Map<number | undefined, Step>();

  constructor(feed: Feed, states: States, environment: EnvironmentInfo, projection: Projection, crowd: Crowd) {
    this.#feed = feed;
    this.#states = states;
    this.#environment = environment;
    this.#projection = projection;
    this.#crowd = crowd;
  }

  /** Looks at the head of the store, once for however many connections are then asked for. */
  refresh(): Head {
    const { generation, revision, factsAt } = this.#feed.state(this.#environment.id, this.#projection);
    if (revision !== this.#head.revision || generation !== this.#head.generation) {
      this.#head = { generation, revision, factsAt };
      this.#kept.clear();
    }
    return this.#head;
  }

  /** Whether this is the head that was looked at last. */
  isHead(position: Position | undefined): boolean {
    return position !== undefined && position.revision === this.#head.revision && position.generation === this.#head.generation;
  }

  /** The one step from `position` to the head that was looked at last; undefined when it is there already. Without a position: the whole state. */
  from(position: Position | undefined): Step | undefined {
    const head = this.#head;
    const from = position?.generation === head.generation ? position.revision : undefined;
    if (from === head.revision) return undefined;
    const known = this.#kept.get(from);
    if (known) return known;
    const step = this.#make(from);
    if (this.#kept.size >= STEPS_KEPT_MAX) {
      for (const oldest of this.#kept.keys()) {
        this.#kept.delete(oldest);
        break;
      }
    }
    this.#kept.set(from, step);
    return step;
  }

  #make(from: number | undefined): Step {
    if (from === undefined || from > this.#head.revision) return this.#snapshot("size");
    const commits = this.#feed.commitsSince(this.#environment.id, from);
    const last = commits?.at(-1);
    // The ring no longer reaches back that far, or it spans a restored database.
    if (!commits || !last || commits.some((commit) => commit.generation !== this.#head.generation)) return this.#snapshot("compacted");
    const urgent = commits.some((commit) => isAcknowledged(commit) && touches(commit, this.#projection));
    const ackSpreadMs = urgent ? this.#crowd.ackSpreadMs() : 0;
    const change = { ...merge(commits, from, this.#projection, urgent), ...(ackSpreadMs > 0 && { ackSpreadMs }) };
    const position = { generation: last.generation, revision: last.to };
    const frame = encodeFrame("change", change, position);
    if (frame.length > FRAME_BYTES_MAX) return this.#resync("size", urgent);
    const facts = this.#facts(commits, change);
    const empty = change.put.length === 0 && change.remove.length === 0 && change.members === undefined;
    return {
      event: "change",
      frame: facts ? Buffer.concat([facts, frame]) : frame,
      position,
      haste: urgent ? "urgent" : empty ? "empty" : "normal",
    };
  }

  /** Goes right before the change that moves `factsAt`, so that whom it does not concern keeps what it was answered. */
  #facts(commits: readonly Commit[], { generation, factsAt }: ChangeFrame): Buffer | undefined {
    if (this.#projection !== "browser" || factsAt === undefined) return undefined;
    const facts = commits.reduce((before: FactsChange | undefined, { projections: { browser } }) => {
      return browser.facts ? bothChanges(before, browser.facts) : before;
    }, undefined);
    if (facts === undefined) return undefined;
    const all = "all" in facts;
    const asking = all ? this.#crowd.audience() : (this.#crowd.audience() * facts.units.length) / 256;
    const spreadMs = Math.min(ASK_SPREAD_MS_MAX, Math.ceil((asking / ASKS_PER_SECOND) * 1_000));
    const frame: FactsFrame = { generation, at: factsAt, units: all ? [] : facts.units, ...(all && { all }), spreadMs };
    return encodeFrame("facts", frame);
  }

  #snapshot(reason: "size" | "compacted"): Step {
    const bytes = this.#states.head(this.#environment, this.#projection);
    // Compared before it is framed: a state may have 8 MiB.
    if (bytes.json.length > FRAME_BYTES_MAX) return this.#resync(reason, false);
    const frame = snapshotFrame(bytes.json, bytes.position);
    if (frame.length > FRAME_BYTES_MAX) return this.#resync(reason, false);
    return { event: "snapshot", frame, position: bytes.position, haste: "normal" };
  }

  #resync(reason: "size" | "compacted", urgent: boolean): Step {
    const { generation, revision } = this.#head;
    const position = { generation, revision };
    return { event: "resync", frame: encodeFrame("resync", { ...position, reason }), position, haste: urgent ? "urgent" : "normal" };
  }
}

/**
 * Several commits as one atomic change: the newest content of each entry that changed, the names of those that are gone, and of
 * lists what came and went on the whole. A group that is put whole holds what came and went later.
 */
export function merge(commits: readonly Commit[], from: number, projection: Projection, ack: boolean): ChangeFrame {
  const [only] = commits;
  if (only && commits.length === 1) {
    // By far the most, and on the way of a kill: there is nothing to fold.
    const { digest, put, remove, members } = only.projections[projection];
    const factsAt = only.projections.browser.facts && { factsAt: only.to };
    return {
      generation: only.generation,
      from,
      to: only.to,
      digest,
      put,
      remove,
      ...factsAt,
      ...(members && { members }),
      ...(ack && { ack }),
    };
  }
  const put = new Map<EntryId, Entry>();
  const remove = new Set<EntryId>();
  const lists = new MemberChanges();
  const fingerprints = new Map<string, Hex64>();
  let factsAt: number | undefined;
  for (const commit of commits) {
    const change = commit.projections[projection];
    if (commit.projections.browser.facts) factsAt = commit.to;
    for (const id of change.remove) {
      put.delete(id);
      remove.add(id);
      if (id.startsWith(GROUP)) lists.forget(id.slice(GROUP.length));
    }
    for (const entry of change.put) {
      put.set(entryId(entry), entry);
      remove.delete(entryId(entry));
      if (entry.kind === "group") lists.forget(entry.key);
    }
    for (const { group, fp, add, remove } of change.members ?? []) {
      lists.push(group, add, remove);
      fingerprints.set(group, fp);
    }
  }
  const members: MembersChange[] = [];
  for (const [group, { add, remove }] of lists.changed()) {
    const fp = fingerprints.get(group);
    const whole = put.get(GROUP + group);
    if (fp === undefined) continue; // a change of a list always names it
    if (whole?.kind === "group" && whole.list) {
      const list = { ...whole.list, members: changedList(whole.list.members, [...add], [...remove]) };
      put.set(GROUP + group, { ...whole, fp, list });
    } else members.push({ group, fp, add: [...add], remove: [...remove] });
  }
  const last = commits.at(-1);
  if (!last) throw new RangeError("merge needs at least one commit");
  return {
    generation: last.generation,
    from,
    to: last.to,
    digest: last.projections[projection].digest,
    put: [...put.values()],
    remove: [...remove],
    ...(factsAt !== undefined && { factsAt }),
    ...(members.length > 0 && { members }),
    ...(ack && { ack: true }),
  };
}

const GROUP = "group:";
