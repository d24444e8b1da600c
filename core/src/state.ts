import { isObject } from "./attribute.ts";
import { compileGroup, type RegexEngine } from "./conditions.ts";
import { digestOfWire, isHex64, xor64, ZERO64 } from "./digest.ts";
import { type AnyEntry, EntryTable } from "./entries.ts";
import { type ListStep, listSteps } from "./members.ts";
import { type Entry, type EntryId, entryId, type Hex64, type Position, type UnknownEntry } from "./model.ts";
import { isCount } from "./parse.ts";
import { isNewer } from "./position.ts";
import type { ChangeFrame, EmergencyKill, SnapshotFrame } from "./protocol.ts";
import { type NodeId, nodeOf, ReferenceIndex, referencesOf } from "./references.ts";
import { createSlots, flagSlot, type SlotMaps } from "./slots.ts";

/**
 * What an SDK or a preview knows of one projection of one environment. Changed in place, in one synchronous go, and only by
 * the functions of this file: copying a map of 10,000 flags for each change would cost a millisecond, the budget of a kill.
 */
export interface State {
  /** Undefined until the first snapshot is applied. */
  readonly position: Position | undefined;
  readonly digest: Hex64;
  readonly factsAt: number;
  readonly environment: string;
  readonly project: string;
  /** The number of flags. */
  readonly size: number;
  /** Every entry received, also those that this version cannot read: the digest covers them. */
  readonly entries: ReadonlyMap<EntryId, Entry | UnknownEntry>;
  /** Keys of the flags under an emergency kill that no applied state has settled yet. */
  readonly emergency: ReadonlySet<string>;
  /** For `evaluate`. */
  readonly slots: SlotMaps;
}

/**
 * `applied`: `changed` names the flag keys, old keys included, whose answer may differ now, directly or through a group, a
 * required flag or a parent. `stale`: already known, dropped; normal after a reconnect. `gap`: changes were missed; ask for a
 * snapshot. `mismatch`: the digest disagrees or the frame is malformed; ask for a snapshot. All but `applied` leave the state as it was.
 */
export type Applied =
  | { readonly kind: "applied"; readonly changed: readonly string[] }
  | { readonly kind: "stale" }
  | { readonly kind: "gap"; readonly have: Position | undefined; readonly needs: Position }
  | { readonly kind: "mismatch" };

/** Emergency kills beyond this many are ignored, and so many settled ids are remembered: far more than people can press in an outage. */
const EMERGENCY_MAX = 10_000;

interface Held extends State {
  position: Position | undefined;
  digest: Hex64;
  factsAt: number;
  environment: string;
  project: string;
  size: number;
  entries: EntryTable;
  emergency: Set<string>;
  slots: SlotMaps;
  /** Made when a change first asks who depends on what: the first state of a program needs none. */
  references: ReferenceIndex | undefined;
  kills: Map<string, string>;
  settled: Set<string>;
}

export interface StateOptions {
  /** For `matches` conditions; flags that have one cannot be read without it. */
  readonly regex?: RegexEngine | undefined;
}

export function createState({ regex }: StateOptions = {}): State {
  const slots = createSlots(regex);
  const state: Held = {
    position: undefined,
    digest: ZERO64,
    factsAt: 0,
    environment: "",
    project: "",
    size: 0,
    entries: new EntryTable(slots),
    emergency: new Set(),
    slots,
    references: undefined,
    kills: new Map(),
    settled: new Set(),
  };
  return state;
}

/**
 * A state that holds just these entries, at position 0.0: for previews and tests. Their fingerprints are not looked at; what has no kind and
 * key is left out, as no frame could bring it.
 */
export function loadEntries(entries: Iterable<Entry | UnknownEntry>, options?: StateOptions): State {
  const state = held(createState(options));
  const named = [...entries].filter((entry: unknown) => isObject(entry) && typeof entry.kind === "string" && typeof entry.key === "string");
  // A list of another state's goes on changing there: the copy is of now.
  const own = named.map((entry) => ("list" in entry && isObject(entry.list) ? { ...entry, list: { ...entry.list } } : entry));
  replace(state, tableOf(own as AnyEntry[], options?.regex));
  state.position = { generation: 0, revision: 0 };
  return state;
}

/** Replaces the whole state. A snapshot of the position that the state is at is applied too; an older one is stale. */
export function applySnapshot(holder: State, frame: SnapshotFrame): Applied {
  const state = held(holder);
  if (!isPosition(frame) || !Array.isArray(frame.entries)) return { kind: "mismatch" };
  const { generation, revision } = frame;
  if (state.position && isNewer(state.position, { generation, revision })) return { kind: "stale" };
  // Nothing is touched before the digest agrees. An entry that comes twice would count twice.
  const digest = digestOfWire(frame.entries);
  if (digest === undefined || digest !== frame.digest) return { kind: "mismatch" };
  const incoming = tableOf(frame.entries, state.slots.regex);
  if (!incoming.isWhole) return { kind: "mismatch" };

  const before = state.entries;
  const hadEntries = before.size > 0;
  replace(state, incoming);
  // A first state changes every answer; later what depends on a change is found by who refers to whom.
  const changed = hadEntries ? changedSince(state, before) : undefined;
  const settled = settle(state, frame.settled);
  moveTo(state, { generation, revision }, frame.digest, frame.factsAt);
  state.environment = typeof frame.environment === "string" ? frame.environment : "";
  state.project = typeof frame.project === "string" ? frame.project : "";
  if (changed === undefined) return { kind: "applied", changed: askableKeys(state) };
  for (const node of settled) changed.add(node);
  return { kind: "applied", changed: flagKeysOf(changed) };
}

/** What may answer differently than before a snapshot; who no longer depends on a changed entry was changed itself. */
function changedSince(state: Held, before: EntryTable): Set<NodeId> {
  const touched = new Set<NodeId>();
  for (const [id, entry] of state.entries) if (before.get(id)?.fp !== entry.fp) addNode(touched, entry);
  for (const [id, entry] of before) if (!state.entries.has(id)) addNode(touched, entry);
  return references(state).closure(touched);
}

/** Keys that can be asked for: of flags, and old ones. */
function askableKeys({ slots }: Held): string[] {
  const keys: string[] = [];
  for (const { key, entry, alias } of slots.flags.values()) if (entry !== undefined || alias !== undefined) keys.push(key);
  return keys;
}

/** Applies one change-set, whole or not at all. */
export function applyChange(holder: State, frame: ChangeFrame): Applied {
  const state = held(holder);
  if (!isChange(frame)) return { kind: "mismatch" };
  const { generation, from, to } = frame;
  const have = state.position;
  if (have && !isNewer({ generation, revision: to }, have)) return { kind: "stale" };
  if (!have || have.generation !== generation || have.revision !== from) {
    return { kind: "gap", have, needs: { generation, revision: from } };
  }
  // Nothing is touched before the digest agrees.
  const lists = listSteps(frame.members ?? [], state.slots);
  if (!lists || digestAfter(state, frame, lists) !== frame.digest) return { kind: "mismatch" };

  const touched = new Set<NodeId>();
  for (const id of frame.remove) {
    const old = state.entries.get(id);
    if (old) addNode(touched, old);
  }
  for (const entry of frame.put) addNode(touched, entry);
  for (const { group } of lists) addNode(touched, group);
  references(state);
  for (const list of lists) state.entries.amend(list.run());
  for (const id of frame.remove) remove(state, id);
  for (const entry of frame.put) put(state, entry);
  // What depends on them now is enough: whoever no longer depends on one of them was touched itself.
  const changed = references(state).closure(touched);
  for (const node of settle(state, frame.settled)) changed.add(node);
  moveTo(state, { generation, revision: to }, frame.digest, frame.factsAt);
  sweep(state);
  return { kind: "applied", changed: flagKeysOf(changed) };
}

/**
 * Takes up emergency kills, from `hello`, `emergency` or storage, beside those already known: sets merge by union, and one that an
 * applied state has settled does not come back. Answers the flag keys whose answer may differ now.
 */
export function setEmergency(holder: State, kills: readonly EmergencyKill[]): readonly string[] {
  const state = held(holder);
  const touched = new Set<NodeId>();
  for (const kill of Array.isArray(kills) ? (kills as readonly unknown[]) : []) {
    if (!isObject(kill) || typeof kill.id !== "string" || typeof kill.flag !== "string") continue;
    if (state.kills.has(kill.id) || state.settled.has(kill.id) || state.kills.size >= EMERGENCY_MAX) continue;
    state.kills.set(kill.id, kill.flag);
    touched.add(`flag:${kill.flag}`);
    const renamed = flagSlot(state.slots.flags.get(kill.flag))?.key;
    if (renamed !== undefined) touched.add(`flag:${renamed}`);
  }
  findKilled(state);
  return touched.size === 0 ? [] : flagKeysOf(references(state).closure(touched));
}

/** These flags and all whose answer depends on one of them, old keys included. */
export function dependentsOf(holder: State, flags: readonly string[]): readonly string[] {
  return flagKeysOf(references(held(holder)).closure(flags.map((flag) => `flag:${flag}`)));
}

/** The keys of all flags, without the old keys of renamed ones, in the order in which they came. */
export function flagKeys(state: State): string[] {
  const keys: string[] = [];
  for (const { key, entry } of state.slots.flags.values()) if (entry !== undefined) keys.push(key);
  return keys;
}

/**
 * Does now what the first change and the first read would wait for: finds out who refers to whom, and takes in the lists of groups, which
 * is tens of milliseconds for 100,000 members. For a moment in which nobody waits.
 */
export function warm(holder: State): void {
  const state = held(holder);
  references(state);
  for (const slot of state.slots.groups.values()) slot.plan ??= compileGroup(slot.entry, state.slots);
}

// A State is only ever made by createState, which makes a Held one.
function held(state: State): Held {
  return state as Held;
}

function moveTo(state: Held, position: Position, digest: Hex64, factsAt: number | undefined): void {
  state.position = position;
  state.digest = digest;
  if (typeof factsAt === "number") state.factsAt = factsAt;
}

interface Table {
  /** False if an entry came twice. */
  readonly isWhole: boolean;
  readonly slots: SlotMaps;
  readonly entries: EntryTable;
}

function tableOf(all: readonly AnyEntry[], regex: RegexEngine | undefined): Table {
  const slots = createSlots(regex);
  const entries = new EntryTable(slots);
  return { isWhole: entries.fill(all), slots, entries };
}

function replace(state: Held, { slots, entries }: Table): void {
  state.slots = slots;
  state.entries = entries;
  state.references = undefined;
  state.size = 0;
  for (const { entry } of slots.flags.values()) if (entry !== undefined) state.size++;
}

function references(state: Held): ReferenceIndex {
  if (state.references) return state.references;
  const index = new ReferenceIndex();
  state.references = index;
  for (const entry of state.entries.values()) link(index, entry);
  return index;
}

function link(index: ReferenceIndex, entry: AnyEntry): void {
  const node = nodeOf(entry.kind, entry.key);
  if (node !== undefined) index.add(node, referencesOf(entry));
}

function put(state: Held, entry: AnyEntry): void {
  const old = state.entries.put(entry);
  if (old) unlink(state, old);
  else if (entry.kind === "flag") state.size++;
  link(references(state), entry);
}

function remove(state: Held, id: EntryId): void {
  const old = state.entries.remove(id);
  if (!old) return;
  unlink(state, old);
  if (old.kind === "flag") state.size--;
}

function unlink(state: Held, old: AnyEntry): void {
  const node = nodeOf(old.kind, old.key);
  if (node === undefined) return;
  references(state).remove(node, referencesOf(old));
  // A flag and an alias of one key are one node: what the other one refers to stays.
  const twin = state.entries.get(entryId({ kind: old.kind === "flag" ? "alias" : "flag", key: old.key }));
  if (twin && old.kind !== "group") references(state).add(node, referencesOf(twin));
}

/** Slots of keys that are gone stay, since compiled flags may refer to them; when they outnumber the living, all are made anew. */
function sweep(state: Held): void {
  if (state.slots.flags.size + state.slots.groups.size > state.entries.size * 4 + 1_000) {
    replace(state, tableOf([...state.entries.values()], state.slots.regex));
  }
}

function digestAfter(state: Held, { remove, put }: ChangeFrame, lists: readonly ListStep[]): Hex64 {
  const after = new Map<EntryId, Hex64>();
  for (const { group, fp } of lists) after.set(entryId(group), fp);
  for (const id of remove) after.set(id, ZERO64);
  for (const entry of put) after.set(entryId(entry), entry.fp);
  let digest = state.digest;
  for (const [id, fp] of after) digest = xor64(digest, xor64(state.entries.get(id)?.fp ?? ZERO64, fp));
  return digest;
}

/** Answers what may answer differently now. */
function settle(state: Held, ids: readonly string[] | undefined): ReadonlySet<NodeId> {
  const changed = new Set<NodeId>();
  if (!Array.isArray(ids) || ids.length === 0) {
    if (state.kills.size > 0) findKilled(state);
    return changed;
  }
  for (const id of ids) {
    state.settled.delete(id);
    state.settled.add(id);
    const flag = state.kills.get(id);
    if (flag === undefined) continue;
    state.kills.delete(id);
    for (const node of references(state).closure([`flag:${flag}`])) changed.add(node);
  }
  for (const id of state.settled) {
    if (state.settled.size <= EMERGENCY_MAX) break;
    state.settled.delete(id);
  }
  findKilled(state);
  return changed;
}

/** A kill that names an old key of a flag means the flag, whichever came first, the kill or the new name. */
function findKilled(state: Held): void {
  state.emergency = new Set();
  for (const key of state.kills.values()) state.emergency.add(flagSlot(state.slots.flags.get(key))?.key ?? key);
}

function addNode(nodes: Set<NodeId>, entry: AnyEntry): void {
  const node = nodeOf(entry.kind, entry.key);
  if (node !== undefined) nodes.add(node);
}

function flagKeysOf(nodes: Iterable<NodeId>): string[] {
  const keys = new Set<string>();
  for (const node of nodes) if (node.startsWith("flag:")) keys.add(node.slice("flag:".length));
  return [...keys];
}

function isPosition(frame: unknown): boolean {
  return isObject(frame) && isCount(frame.generation) && isCount(frame.revision);
}

function isChange(frame: unknown): boolean {
  if (!isObject(frame) || !isCount(frame.generation) || !isCount(frame.from) || !isCount(frame.to) || frame.from >= frame.to) return false;
  if (frame.members !== undefined && !Array.isArray(frame.members)) return false;
  return areEntries(frame.put) && Array.isArray(frame.remove) && frame.remove.every((id) => typeof id === "string");
}

function areEntries(entries: unknown): boolean {
  return Array.isArray(entries) && entries.every(isEntry);
}

function isEntry(entry: unknown): boolean {
  return isObject(entry) && typeof entry.kind === "string" && typeof entry.key === "string" && isHex64(entry.fp);
}
