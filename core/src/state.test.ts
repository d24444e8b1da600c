import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import * as worlds from "../test/arbitraries.ts";
import {
  applyChange,
  applySnapshot,
  type ChangeFrame,
  createState,
  digestOf,
  type Entry,
  type EntryId,
  entryId,
  evaluate,
  type FlagEntry,
  flagKeys,
  type GroupEntry,
  loadEntries,
  type MembersChange,
  type SnapshotFrame,
  type State,
  setEmergency,
  sipHash,
  type UnknownEntry,
  ZERO64,
} from "./index.ts";

// Properties take seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

type Any = Entry | UnknownEntry;
type ListEntry = GroupEntry & Required<Pick<GroupEntry, "list">>;

const FP_KEY = "00".repeat(16);

/** As the server does: an entry whose content changes gets another fingerprint. */
function signed<E extends Any>(entry: E): E {
  return { ...entry, fp: sipHash(FP_KEY, JSON.stringify({ ...entry, fp: "" })) };
}

function flag(key: string, fields: Partial<FlagEntry> = {}): FlagEntry {
  return signed({ kind: "flag", key, fp: ZERO64, type: "boolean", off: "off", on: "on", mode: "on", salt: key, ...fields });
}

const onServed = { kind: "variant", variant: "on" } as const;

function inGroup(group: string): Pick<FlagEntry, "mode" | "rules"> {
  return {
    mode: "targeted",
    rules: [{ id: "r", when: { op: "not", of: { op: "group", group } }, serve: onServed }],
  };
}

function snapshot(revision: number, entries: readonly Any[], more: Partial<SnapshotFrame> = {}): SnapshotFrame {
  return {
    generation: 1,
    revision,
    digest: digestOf(entries),
    factsAt: 0,
    environment: "production",
    project: "default",
    entries,
    ...more,
  };
}

function change(
  from: number,
  to: number,
  before: readonly Any[],
  put: readonly Any[],
  remove: readonly EntryId[] = [],
  more: Partial<ChangeFrame> = {},
): ChangeFrame {
  const after = new Map(before.map((entry) => [entryId(entry), entry]));
  for (const id of remove) after.delete(id);
  for (const entry of put) after.set(entryId(entry), entry);
  return { generation: 1, from, to, digest: digestOf(after.values()), put, remove, ...more };
}

function stateWith(revision: number, entries: readonly Any[]): State {
  const state = createState();
  expect(applySnapshot(state, snapshot(revision, entries)).kind).toBe("applied");
  return state;
}

/** All that can be seen of a state. */
function seen(state: State, contexts: readonly unknown[] = [{}, { key: "u1" }]): unknown {
  const { position, digest, factsAt, environment, project, size, emergency } = state;
  const entries = [...state.entries].map(([id, entry]) => [id, inOneOrder(entry)] as const).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    position,
    digest,
    factsAt,
    environment,
    project,
    size,
    emergency: [...emergency],
    keys: flagKeys(state).sort(),
    entries,
    answers: answers(state, contexts),
  };
}

/** The members of a list are a set. */
function inOneOrder(entry: Any): Any {
  return isList(entry) ? { ...entry, list: { ...entry.list, members: [...entry.list.members].sort() } } : entry;
}

function isList(entry: Any | undefined): entry is ListEntry {
  return entry?.kind === "group" && "list" in entry && entry.list !== undefined;
}

const ASKED = [...worlds.flagKeysOfWorld, "old", "gone"];

function answers(state: State, contexts: readonly unknown[]): Record<string, string> {
  return Object.fromEntries(ASKED.map((key) => [key, JSON.stringify(contexts.map((context) => evaluate(state, key, context)))]));
}

const choice = { exists: true, groups: worlds.groupKeysOfWorld };
/** A unit that comes to a list, or leaves it if it is there. */
const toggle = fc.record({ toggle: fc.constantFrom(...worlds.groupKeysOfWorld), unit: fc.constantFrom(...worlds.units, "1", "2", "3") });
const step = fc.oneof(
  { weight: 2, arbitrary: toggle },
  { weight: 3, arbitrary: worlds.entry(choice).map((entry) => ({ put: signed(entry) as Any })) },
  {
    weight: 1,
    arbitrary: fc
      .record({ kind: fc.constant("future"), key: fc.constantFrom("x", "a"), fp: fc.constant(ZERO64), more: fc.nat() })
      .map((entry) => ({ put: signed(entry) as Any })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(...worlds.flagKeysOfWorld.map((key) => `flag:${key}`), "group:g", "group:h", "alias:old", "alias:c", "future:x")
      .map((remove) => ({ remove })),
  },
);
const steps = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 8 });

type Step = { put: Any } | { remove: EntryId } | { toggle: string; unit: string };

/** Change-sets, one for each list of steps, as a server makes them: last write wins, only what is there is removed, of lists only what came and went. */
function history(batches: readonly (readonly Step[])[]): { frames: ChangeFrame[]; states: Any[][]; listed: number } {
  const entries = new Map<EntryId, Any>();
  const frames: ChangeFrame[] = [];
  const states: Any[][] = [[]];
  let listed = 0;
  for (const [index, batch] of batches.entries()) {
    const before = new Map(entries);
    for (const one of batch) {
      if ("put" in one) entries.set(entryId(one.put), one.put);
      else if ("remove" in one) entries.delete(one.remove);
      else {
        const group = entries.get(`group:${one.toggle}`);
        if (isList(group)) entries.set(entryId(group), toggled(group, sipHash(group.list.hashKey, one.unit)));
      }
    }
    const put: Any[] = [];
    const members: MembersChange[] = [];
    for (const [id, entry] of entries) {
      const old = before.get(id);
      if (old?.fp === entry.fp) continue;
      const change = isList(old) && isList(entry) ? listChange(old, entry) : undefined;
      if (change) members.push(change);
      else put.push(entry);
    }
    listed += members.length;
    const remove = [...before.keys()].filter((id) => !entries.has(id));
    const digest = digestOf(entries.values());
    frames.push({ generation: 1, from: index, to: index + 1, digest, put, remove, ...(members.length > 0 && { members }) });
    states.push([...entries.values()]);
  }
  return { frames, states, listed };
}

function toggled(group: ListEntry, member: string): ListEntry {
  const { members } = group.list;
  const after = members.includes(member) ? members.filter((one) => one !== member) : [...members, member];
  return signed({ ...group, list: { ...group.list, members: after.sort() } });
}

/** Undefined if more than the list changed. */
function listChange(old: ListEntry, entry: ListEntry): MembersChange | undefined {
  const rest = (group: ListEntry) => JSON.stringify({ ...group, fp: "", list: { ...group.list, members: [] } });
  if (rest(old) !== rest(entry)) return undefined;
  const left = (a: ListEntry, b: ListEntry) => a.list.members.filter((member) => !b.list.members.includes(member));
  return { group: entry.key, fp: entry.fp, add: left(entry, old), remove: left(old, entry) };
}

describe("change-sets", () => {
  test("applied in order give the state of the snapshot, and applied again change nothing", () => {
    let lists = 0;
    fc.assert(
      fc.property(steps, fc.array(worlds.context, { minLength: 1, maxLength: 3 }), (batches, contexts) => {
        const { frames, states, listed } = history(batches);
        lists += listed;
        const state = stateWith(0, []);
        for (const [index, frame] of frames.entries()) {
          expect(applyChange(state, frame).kind).toBe("applied");
          const whole = seen(stateWith(index + 1, states[index + 1] ?? []), contexts);
          expect(seen(state, contexts)).toEqual(whole);
          expect(applyChange(state, frame)).toEqual({ kind: "stale" });
          expect(seen(state, contexts)).toEqual(whole);
        }
      }),
      { numRuns: 300 },
    );
    expect(lists).toBeGreaterThan(30);
  });

  test("name every flag whose answer changes, by change-set and by snapshot", () => {
    let differing = 0;
    fc.assert(
      fc.property(steps, fc.array(worlds.context, { minLength: 1, maxLength: 3 }), (batches, contexts) => {
        const { frames, states } = history(batches);
        const state = stateWith(0, []);
        const other = stateWith(0, []);
        for (const [index, frame] of frames.entries()) {
          const before = answers(state, contexts);
          const byChange = applyChange(state, frame);
          const bySnapshot = applySnapshot(other, snapshot(index + 1, states[index + 1] ?? []));
          const after = answers(state, contexts);
          const changed = ASKED.filter((key) => before[key] !== after[key]);
          differing += changed.length;
          for (const applied of [byChange, bySnapshot])
            expect(applied.kind === "applied" && applied.changed).toEqual(expect.arrayContaining(changed));
        }
      }),
      { numRuns: 300 },
    );
    expect(differing).toBeGreaterThan(200);
  });

  test("that leave one out are a gap, and leave the state as it was", () => {
    fc.assert(
      fc.property(steps, fc.nat(), (batches, skip) => {
        const { frames } = history(batches);
        const state = stateWith(0, []);
        const missed = frames.length === 0 ? 0 : skip % frames.length;
        for (const frame of frames.slice(0, missed)) applyChange(state, frame);
        const before = seen(state);
        for (const frame of frames.slice(missed + 1)) {
          expect(applyChange(state, frame)).toEqual({
            kind: "gap",
            have: { generation: 1, revision: missed },
            needs: { generation: 1, revision: frame.from },
          });
        }
        expect(seen(state)).toEqual(before);
      }),
      { numRuns: 100 },
    );
  });

  test("whose digest disagrees leave the state as it was", () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 15 }), (batches, at) => {
        const { frames } = history(batches);
        const state = stateWith(0, []);
        for (const frame of frames) {
          const before = seen(state);
          const wrong = frame.digest.slice(0, at) + (frame.digest[at] === "0" ? "1" : "0") + frame.digest.slice(at + 1);
          expect(applyChange(state, { ...frame, digest: wrong })).toEqual({ kind: "mismatch" });
          expect(seen(state)).toEqual(before);
          applyChange(state, frame);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("members of a list", () => {
  const hash = (unit: string) => sipHash(FP_KEY, unit);
  const beta = signed({ kind: "group" as const, key: "beta", fp: ZERO64, list: { hashKey: FP_KEY, members: ["ada", "bob"].map(hash) } });
  const uses = flag("uses", { mode: "targeted", rules: [{ id: "r", when: { op: "group", group: "beta" }, serve: onServed }] });
  const entries = [beta, uses, flag("other")];
  const delta = (fields: Partial<MembersChange>, to = 2): ChangeFrame => {
    const members = [{ group: "beta", fp: "00000000000000aa", add: [], remove: [], ...fields }];
    const after = entries.map((entry) => (entry.key === "beta" ? { ...entry, fp: "00000000000000aa" } : entry));
    return { generation: 1, from: to - 1, to, digest: digestOf(after), put: [], remove: [], members };
  };
  const who = (state: State) => ["ada", "bob", "cleo"].filter((key) => evaluate(state, "uses", { key }).reason.kind === "TARGETING_MATCH");

  test("come and go without the group being compiled again, and reach the flags that use it", () => {
    const state = stateWith(1, entries);
    expect(who(state)).toEqual(["ada", "bob"]);
    const plan = state.slots.groups.get("beta")?.plan;
    expect(applyChange(state, delta({ add: [hash("cleo")], remove: [hash("ada")] }))).toEqual({ kind: "applied", changed: ["uses"] });
    expect(who(state)).toEqual(["bob", "cleo"]);
    expect(state.slots.groups.get("beta")?.plan).toBe(plan);
  });

  test("are there in whatever is made from the entries afterwards, and what was made goes its own way", () => {
    const state = stateWith(1, entries);
    applyChange(state, delta({ add: [hash("cleo")], remove: [hash("ada")] }));
    const copy = loadEntries(state.entries.values());
    const saved = createState();
    const text = JSON.stringify(snapshot(2, [...state.entries.values()]));
    expect(applySnapshot(saved, JSON.parse(text) as SnapshotFrame).kind).toBe("applied");
    applyChange(state, { ...delta({ remove: [hash("bob")] }, 3), digest: state.digest });
    expect([state, copy, saved].map(who)).toEqual([["cleo"], ["bob", "cleo"], ["bob", "cleo"]]);
    applyChange(saved, { ...delta({ remove: [hash("cleo")] }, 3), digest: saved.digest });
    expect([state, copy, saved].map(who)).toEqual([["cleo"], ["bob", "cleo"], ["bob"]]);
  });

  test.each<[string, Partial<MembersChange>]>([
    ["a member that is there already", { add: [hash("ada")] }],
    ["a member that leaves and is not there", { remove: [hash("cleo")] }],
    ["a member that comes twice", { add: [hash("cleo"), hash("cleo")] }],
    ["a member that comes and goes at once", { add: [hash("cleo")], remove: [hash("cleo")] }],
    ["a group that is not held", { group: "gone" }],
    ["the name of a flag", { group: "uses" }],
    ["no hash", { add: ["ada"] }],
    ["no fingerprint", { fp: "" }],
    ["another fingerprint than the digest's", { fp: "00000000000000bb", add: [hash("cleo")] }],
  ])("%s: a mismatch that leaves the state as it was", (_what, fields) => {
    const state = stateWith(1, entries);
    const before = seen(state);
    expect(applyChange(state, delta(fields))).toEqual({ kind: "mismatch" });
    expect([seen(state), who(state)]).toEqual([before, ["ada", "bob"]]);
  });

  test("one group twice in a change, and a list that is no list, are mismatches", () => {
    const state = stateWith(1, entries);
    const once = delta({ add: [hash("cleo")] });
    expect(applyChange(state, { ...once, members: [...(once.members ?? []), ...(once.members ?? [])] })).toEqual({ kind: "mismatch" });
    expect(applyChange(state, { ...once, members: {} as [] })).toEqual({ kind: "mismatch" });
    expect(applyChange(state, once).kind).toBe("applied");
  });

  test("of a group that this version cannot read are kept, and the group can be read later", () => {
    const newer = { ...beta, schema: 99 };
    const state = stateWith(1, [newer, uses, flag("other")]);
    expect(applyChange(state, delta({ add: [hash("cleo")] })).kind).toBe("applied");
    expect(who(state)).toEqual([]);
    const held = state.entries.get("group:beta") as GroupEntry;
    expect([...(held.list?.members ?? [])].sort()).toEqual(["ada", "bob", "cleo"].map(hash).sort());
    expect(applyChange(state, { ...delta({ remove: [hash("ada")] }, 3) }).kind).toBe("applied");
    expect(who(loadEntries([...state.entries.values()].map((entry) => ({ ...entry, schema: 1 }))))).toEqual(["bob", "cleo"]);
  });
});

describe("order", () => {
  const a = flag("a");
  test("a change without a state is a gap", () => {
    expect(applyChange(createState(), change(0, 1, [], [a]))).toEqual({
      kind: "gap",
      have: undefined,
      needs: { generation: 1, revision: 0 },
    });
  });

  test("a change that starts before and ends after the state is a gap: it says nothing of what lies between", () => {
    expect(applyChange(stateWith(5, [a]), change(3, 7, [a], []))).toMatchObject({ kind: "gap", needs: { revision: 3 } });
  });

  test("a change of an older generation is stale, of a newer one a gap, whatever its revisions are", () => {
    const state = stateWith(5, [a]);
    expect(applyChange(state, change(5, 6, [a], [], [], { generation: 0 }))).toEqual({ kind: "stale" });
    expect(applyChange(state, change(5, 6, [a], [], [], { generation: 2 }))).toMatchObject({ kind: "gap", have: { generation: 1 } });
  });

  test("a snapshot of an older revision or generation is stale; a newer generation wins with any revision", () => {
    const state = stateWith(5, [a]);
    expect(applySnapshot(state, snapshot(4, []))).toEqual({ kind: "stale" });
    expect(applySnapshot(state, snapshot(9, [], { generation: 0 }))).toEqual({ kind: "stale" });
    expect(state.size).toBe(1);
    expect(applySnapshot(state, snapshot(1, [], { generation: 2 }))).toEqual({ kind: "applied", changed: ["a"] });
    expect(state.position).toEqual({ generation: 2, revision: 1 });
  });

  test("the snapshot of the same position is applied, so that a damaged copy heals", () => {
    const state = stateWith(5, [a]);
    expect(applySnapshot(state, snapshot(5, [a]))).toEqual({ kind: "applied", changed: [] });
    expect(applySnapshot(state, snapshot(5, [flag("a", { mode: "off" })]))).toEqual({ kind: "applied", changed: ["a"] });
  });

  test("a snapshot whose digest disagrees, or which holds an entry twice, leaves the state as it was", () => {
    const state = stateWith(5, [a]);
    const before = seen(state);
    expect(applySnapshot(state, { ...snapshot(6, []), digest: a.fp })).toEqual({ kind: "mismatch" });
    expect(applySnapshot(state, snapshot(6, [a, a]))).toEqual({ kind: "mismatch" });
    expect(seen(state)).toEqual(before);
  });

  test("an empty change-set moves the position: nothing in it was for this projection", () => {
    const state = stateWith(5, [a]);
    expect(applyChange(state, change(5, 9, [a], [], [], { factsAt: 9 }))).toEqual({ kind: "applied", changed: [] });
    expect(state).toMatchObject({ position: { generation: 1, revision: 9 }, factsAt: 9, digest: a.fp });
  });
});

describe("what changed", () => {
  const gone = (state: State, entries: readonly Any[], put: readonly Any[], remove: readonly EntryId[] = []): unknown => {
    const applied = applyChange(state, change(1, 2, entries, put, remove));
    return applied.kind === "applied" ? [...applied.changed].sort() : applied;
  };
  const group = (key: string, group?: string): Any =>
    signed({ kind: "group", key, fp: ZERO64, when: group ? { op: "group", group } : { op: "any", of: [] } });
  const alias = (key: string, to: string): Any => signed({ kind: "alias", key, fp: ZERO64, flag: to });

  test("a group reaches the flags that use it, through other groups too, and no others", () => {
    const entries = [
      group("inner"),
      group("outer", "inner"),
      flag("direct", inGroup("inner")),
      flag("nested", inGroup("outer")),
      flag("other", inGroup("else")),
    ];
    expect(gone(stateWith(1, entries), entries, [group("inner", "else")])).toEqual(["direct", "nested"]);
    expect(gone(stateWith(1, entries), entries, [], ["group:inner"])).toEqual(["direct", "nested"]);
  });

  test("a flag reaches those that require it, its children by key and by name, and its old keys", () => {
    const entries = [
      flag("p"),
      flag("p:child"),
      flag("named", { parent: "p" }),
      flag("needs", { requires: [{ flag: "p:child", variants: ["on"] }] }),
      alias("old", "p"),
      alias("older", "old"),
      flag("other"),
    ];
    expect(gone(stateWith(1, entries), entries, [flag("p", { killed: true })])).toEqual(["named", "needs", "old", "older", "p", "p:child"]);
  });

  test("a flag or an old key that appears reaches those that were waiting for it", () => {
    const entries = [flag("p:child"), flag("needs", { requires: [{ flag: "new", variants: ["on"] }] })];
    expect(gone(stateWith(1, entries), entries, [flag("p", { mode: "off" })])).toEqual(["p", "p:child"]);
    expect(gone(stateWith(1, entries), entries, [flag("target"), alias("new", "target")])).toEqual(["needs", "new", "target"]);
  });

  test("a compiled flag follows a change of its group, parent and requirement without being compiled again", () => {
    const entries = [
      flag("p"),
      flag("p:child", { ...inGroup("g"), requires: [{ flag: "needed", variants: ["on"] }] }),
      flag("needed"),
      signed({ kind: "group" as const, key: "g", fp: ZERO64, when: { op: "any" as const, of: [] } }),
    ];
    const state = stateWith(1, entries);
    const reason = (): unknown => evaluate(state, "p:child", {}).reason;
    expect(reason()).toEqual({ kind: "TARGETING_MATCH", ruleId: "r" });
    const compiled = state.slots.flags.get("p:child")?.plan;
    applyChange(state, change(1, 2, entries, [flag("needed", { killed: true })]));
    expect(reason()).toEqual({ kind: "PREREQUISITE_FAILED", flag: "needed" });
    applyChange(state, change(2, 3, [...entries, flag("needed", { killed: true })], [flag("needed")], ["flag:p"]));
    expect(reason()).toEqual({ kind: "TARGETING_MATCH", ruleId: "r" });
    applyChange(state, change(3, 4, entries.slice(1), [], ["group:g"]));
    expect(reason()).toEqual({ kind: "DEFAULT" });
    expect(state.slots.flags.get("p:child")?.plan).toBe(compiled);
  });

  test("slots of flags that are gone do not pile up", () => {
    const state = stateWith(0, []);
    let revision = 0;
    for (let i = 0; i < 2_500; i++) {
      const one = flag(`f${i}`);
      applyChange(state, change(revision, revision + 1, [], [one]));
      applyChange(state, change(revision + 1, revision + 2, [one], [], [entryId(one)]));
      revision += 2;
    }
    expect(state.size).toBe(0);
    expect(state.slots.flags.size).toBeLessThan(1_100);
  });
});

describe("emergency kills", () => {
  const entries = [flag("a"), flag("a:child"), flag("b")];
  const kill = (id: string, key: string): { id: string; flag: string; at: number } => ({ id, flag: key, at: 0 });
  const answersOf = (state: State): unknown => ["a", "a:child", "b"].map((key) => evaluate(state, key, {}).reason.kind);

  test("hold until an applied state settles them, and name those that depend on them", () => {
    const state = stateWith(1, entries);
    expect(setEmergency(state, [kill("1", "a")])).toEqual(["a", "a:child"]);
    expect(answersOf(state)).toEqual(["DISABLED", "PREREQUISITE_FAILED", "STATIC"]);
    applySnapshot(state, snapshot(2, entries));
    expect(answersOf(state)).toEqual(["DISABLED", "PREREQUISITE_FAILED", "STATIC"]);
    expect(applyChange(state, change(2, 3, entries, [], [], { settled: ["1"] }))).toEqual({ kind: "applied", changed: ["a", "a:child"] });
    expect(answersOf(state)).toEqual(["STATIC", "STATIC", "STATIC"]);
  });

  test("merge by union; a settled one does not come back, and two of one flag both must be settled", () => {
    const state = stateWith(1, entries);
    setEmergency(state, [kill("1", "a"), kill("2", "a")]);
    expect(setEmergency(state, [])).toEqual([]);
    expect(setEmergency(state, [kill("3", "b"), kill("1", "a")])).toEqual(["b"]);
    expect([...state.emergency]).toEqual(["a", "b"]);
    applySnapshot(state, snapshot(2, entries, { settled: ["1"] }));
    expect([...state.emergency]).toEqual(["a", "b"]);
    applySnapshot(state, snapshot(3, entries, { settled: ["2"] }));
    expect(setEmergency(state, [kill("2", "a")])).toEqual([]);
    expect([...state.emergency]).toEqual(["b"]);
  });

  test("that name an old key mean the flag, whichever came first", () => {
    const alias = { kind: "alias", key: "old", fp: "00000000000000aa", flag: "a" } as const;
    const first = stateWith(1, [...entries, alias]);
    expect(setEmergency(first, [kill("1", "old")])).toContain("a");
    const later = stateWith(1, entries);
    setEmergency(later, [kill("1", "old")]);
    applySnapshot(later, snapshot(2, [...entries, alias]));
    for (const state of [first, later]) {
      expect(["a", "old"].map((key) => evaluate(state, key, {}).reason.kind)).toEqual(["DISABLED", "DISABLED"]);
    }
  });

  test("of a frame that did not apply settle nothing", () => {
    const state = stateWith(1, entries);
    setEmergency(state, [kill("1", "a")]);
    applyChange(state, { ...change(1, 2, entries, [], [], { settled: ["1"] }), digest: ZERO64 });
    expect(answersOf(state)).toEqual(["DISABLED", "PREREQUISITE_FAILED", "STATIC"]);
  });

  test("before the first state are kept for it", () => {
    const state = createState();
    setEmergency(state, [kill("1", "a")]);
    applySnapshot(state, snapshot(1, entries));
    expect(answersOf(state)).toEqual(["DISABLED", "PREREQUISITE_FAILED", "STATIC"]);
  });
});

test("loadEntries leaves out what has no kind and key", () => {
  const odd = [{ kind: { toString: false }, key: "a" }, { kind: "flag", key: 7 }, null, "flag"] as unknown as FlagEntry[];
  const state = loadEntries([...odd, flag("b")]);
  expect([flagKeys(state), state.entries.size]).toEqual([["b"], 1]);
});

describe("malformed frames", () => {
  test("never throw and leave the state as it was", () => {
    const anything = fc.anything({ withBigInt: true, withNullPrototype: true });
    const frame = fc.record(
      {
        generation: fc.oneof(fc.constant(1), anything),
        revision: anything,
        from: fc.oneof(fc.constant(1), anything),
        to: fc.oneof(fc.constant(2), anything),
        digest: fc.oneof(fc.constant("1".repeat(16)), anything),
        put: fc.oneof(fc.array(anything), anything),
        remove: fc.oneof(fc.array(anything), anything),
        entries: fc.oneof(fc.array(anything), anything),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(frame, anything), (junk) => {
        const state = stateWith(1, [flag("a")]);
        const before = seen(state);
        const applied = [applyChange(state, junk as ChangeFrame), applySnapshot(state, junk as SnapshotFrame)];
        expect(applied.map(({ kind }) => kind)).not.toContain("applied");
        setEmergency(state, junk as []);
        expect(seen(state)).toEqual(before);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each<[string, Partial<Record<keyof ChangeFrame, unknown>>]>([
    ["an entry without a fingerprint", { put: [{ kind: "flag", key: "b" }] }],
    ["a fingerprint in upper case", { put: [{ ...flag("b"), fp: "ABCDEF0123456789" }] }],
    ["an entry without a key", { put: [{ kind: "flag", fp: ZERO64 }] }],
    ["a step that goes nowhere", { to: 1 }],
    ["a fraction of a revision", { to: 1.5 }],
  ])("%s is a mismatch", (_name, fields) => {
    const state = stateWith(1, [flag("a")]);
    expect(["mismatch"]).toContain(applyChange(state, { ...change(1, 2, [flag("a")], []), ...fields } as ChangeFrame).kind);
    expect(state.position?.revision).toBe(1);
  });

  test("names that are not texts do not break a snapshot", () => {
    const state = createState();
    const frame = { ...snapshot(1, []), environment: { toString: 5 }, project: null };
    expect(applySnapshot(state, frame as unknown as SnapshotFrame).kind).toBe("applied");
    expect([state.environment, state.project]).toEqual(["", ""]);
  });
});

test("entries that this version does not know count for the digest and nothing else", () => {
  const future = signed({ kind: "future", key: "x", fp: ZERO64 });
  const state = stateWith(1, [flag("a"), future]);
  expect([state.size, flagKeys(state), state.entries.size]).toEqual([1, ["a"], 2]);
  expect(applyChange(state, change(1, 2, [flag("a"), future], [], ["future:x"]))).toEqual({ kind: "applied", changed: [] });
  expect(state.digest).toBe(flag("a").fp);
});
