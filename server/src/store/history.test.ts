import {
  applyChange,
  applySnapshot,
  compileVerdict,
  createState,
  digestOf,
  type Entry,
  entryId,
  flagKeys,
  type Projection,
  type State,
} from "@signalbox/core";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import type { Commit } from "../delivery/feed.ts";
import { merge } from "../delivery/steps.ts";
import { committedState, preview } from "../flags/preview.ts";
import { projectAll } from "./edit.ts";
import { fingerprint } from "./fingerprint.ts";
import { Fold } from "./fold.ts";
import type { EnvironmentModel } from "./model.ts";
import { checkpointOf } from "./record.ts";
import { history, historyOf, type Step, stored } from "./test-history.ts";
import { development, emptyProject } from "./test-project.ts";

// Hundreds of histories take a second alone, and several beside a full test run.
vi.setConfig({ testTimeout: 60_000 });

function commitOf(from: number, projections: Step["changes"]): Commit {
  if (!projections) expect.fail("no change");
  const event = { at: 1, storedMs: 1, by: "ann", action: "x", target: "x", reason: null, kill: false };
  return { environmentId: 1, generation: 1, from, to: from + 1, ...event, projections };
}

/** A state's entries; lists, which are sets, in the order in which the server keeps them. */
function entriesOf(state: State): Map<string, unknown> {
  const sorted = (_key: string, value: unknown) => (isList(value) ? { ...value, members: [...value.members].sort() } : value);
  return new Map([...state.entries].map(([id, entry]) => [id, JSON.parse(JSON.stringify(entry, sorted))]));
}

function isList(value: unknown): value is { readonly members: readonly string[] } {
  return typeof value === "object" && value !== null && "members" in value && Array.isArray(value.members);
}

describe.each(["server", "browser"] as const)("any history, %s projection", (projection) => {
  const frame = ({ states }: EnvironmentModel) => {
    const { generation, revision, digest, entries } = states[projection];
    return { generation, revision, digest, factsAt: 0, environment: "development", project: "default", entries: [...entries.values()] };
  };

  test("its change-sets, applied in order, give the snapshot", () => {
    let lists = 0;
    fc.assert(
      fc.property(history, (edits) => {
        const steps = historyOf(edits);
        const state = createState();
        applySnapshot(state, frame(development(emptyProject())));
        let revision = 0;
        for (const { project, changes } of steps) {
          if (!changes) continue;
          const { put, remove, members = [], digest } = changes[projection];
          lists += members.length;
          // Nothing travels that has not changed, and of a list only what has.
          for (const entry of put) expect(state.entries.get(entryId(entry))?.fp).not.toBe(entry.fp);
          for (const id of remove) expect(state.entries.has(id)).toBe(true);
          for (const { add, remove } of members) expect(add.length + remove.length).toBeGreaterThan(0);
          const change = { generation: 1, from: revision, to: revision + 1, digest, put, remove, members };
          expect(applyChange(state, JSON.parse(JSON.stringify(change))).kind).toBe("applied");
          revision += 1;
          const snapshot = frame(development(project));
          expect(state.digest).toBe(snapshot.digest);
          expect(entriesOf(state)).toEqual(development(project).states[projection].entries);
        }
        expect(flagKeys(state).length).toBe(state.size);
      }),
      { numRuns: 300 },
    );
    if (projection === "server") expect(lists).toBeGreaterThan(100);
  });

  test("any stretch of it, merged into one change, gives the snapshot at its end", () => {
    let lists = 0;
    fc.assert(
      fc.property(history, fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 20 }), (edits, lengths) => {
        const steps = historyOf(edits).filter(({ changes }) => changes !== undefined);
        const commits = steps.map(({ changes }, i) => commitOf(i, changes));
        const state = createState();
        applySnapshot(state, frame(development(emptyProject())));
        for (let from = 0, turn = 0; from < commits.length; turn++) {
          const to = Math.min(commits.length, from + (lengths[turn % lengths.length] ?? 1));
          const change = merge(commits.slice(from, to), from, projection, false);
          lists += change.members?.length ?? 0;
          expect(applyChange(state, JSON.parse(JSON.stringify(change))).kind).toBe("applied");
          const { states } = development(steps[to - 1]?.project ?? emptyProject());
          expect(entriesOf(state)).toEqual(states[projection].entries);
          from = to;
        }
      }),
      { numRuns: 300 },
    );
    if (projection === "server") expect(lists).toBeGreaterThan(50);
  });

  test("it is what the rows give when built anew, byte for byte of its size, with true fingerprints", () => {
    fc.assert(
      fc.property(history, (edits) => {
        const last = historyOf(edits).at(-1);
        if (!last) return;
        const environment = development(last.project);
        const state = environment.states[projection];
        const { states, flagFacts, newFacts } = projectAll(environment, state);
        const anew = states[projection];
        expect([flagFacts, newFacts]).toEqual([environment.flagFacts, []]);
        expect(new Map([...state.entries].sort())).toEqual(new Map([...anew.entries].sort()));
        expect(state.digest).toBe(anew.digest);
        expect(state.digest).toBe(digestOf(state.entries.values()));
        for (const { fp, ...body } of state.entries.values()) expect(fingerprint(body)).toBe(fp);
        const bytes = [...state.entries.values()].reduce((sum, entry) => sum + Buffer.byteLength(JSON.stringify(entry)) + 1, 0);
        expect(environment.bytes[projection]).toBe(bytes);
      }),
      { numRuns: 200 },
    );
  });
});

test("browsers see every marked flag and never one that is not marked, nor a group, the name of a rule or a listed unit", () => {
  let marked = 0;
  let facts = 0;
  fc.assert(
    fc.property(history, (edits) => {
      for (const { project } of historyOf(edits)) {
        const { flags, states, settings } = development(project);
        const visible = [...states.browser.entries.values()].filter(({ kind }) => kind === "flag").map(({ key }) => key);
        const wanted = [...flags.values()].filter(({ body }) => body.browser).map(({ identity }) => identity.key);
        expect(visible.sort()).toEqual(wanted.sort());
        marked += visible.length;
        const text = JSON.stringify([...states.browser.entries.values()]);
        expect(text).not.toMatch(/group|rule-name|unit-|"attribute":"key"|secret|10\.9\.8/);
        for (const attribute of settings.privateAttributes) expect(text).not.toContain(`"attribute":"${attribute}"`);
        facts += text.split('"op":"fact"').length - 1;
        expect(JSON.stringify([...states.server.entries.values()])).not.toMatch(/unit-/);
      }
    }),
    { numRuns: process.env.LONG ? 2_000 : 300 },
  );
  expect(marked).toBeGreaterThan(100);
  expect(facts).toBeGreaterThan(30);
});

const CONTEXTS = [
  {},
  { key: "u1" },
  { key: "x", plan: "x" },
  { key: "u2", country: "x", team: "t", salary: "secret-salary", ip: "10.9.8.7", email: "a secret-pattern" },
  { key: "unit-ann", plan: "x", country: "x" },
];

/** Entries with each fact replaced by what the server says of it, as a page with all facts answered decides. */
function withFacts({ states, flagFacts }: EnvironmentModel, entries: Entries, context: object): Entries {
  const facts = new Map([...flagFacts.values()].flatMap((of) => [...of]));
  const state = committedState(states.server.entries);
  const verdicts: Record<string, unknown> = { true: { op: "all", of: [] }, false: { op: "any", of: [] } };
  return JSON.parse(JSON.stringify([...entries]), (_key, value) => {
    if (value?.op !== "fact") return value;
    const condition = facts.get(value.fact) ?? expect.fail(`fact ${value.fact} is not known`);
    return verdicts[compileVerdict(condition, state)(context, {})] ?? value;
  }).reduce((all: Map<string, Entry>, [id, entry]: [string, Entry]) => all.set(id, entry), new Map());
}

type Entries = ReadonlyMap<string, Entry>;

/** What every key of a projection, old keys included, serves to each of a few people. */
function answers(environment: EnvironmentModel, projection: Projection, keys?: string[]): Record<string, readonly unknown[]> {
  const { entries } = environment.states[projection];
  const asked = keys ?? [...entries.values()].filter(({ kind }) => kind !== "group").map(({ key }) => key);
  return Object.fromEntries(
    asked.sort().map((key) => {
      const served = CONTEXTS.map((context) => {
        const { reason: _reason, ...answer } = preview(withFacts(environment, entries, context), key, context, 0);
        return answer;
      });
      return [key, served];
    }),
  );
}

test("a browser answers as a server program does, for every key that it sees", () => {
  let asked = 0;
  let on = 0;
  fc.assert(
    fc.property(history, (edits) => {
      for (const { project } of historyOf(edits)) {
        const browser = answers(development(project), "browser");
        expect(browser).toEqual(answers(development(project), "server", Object.keys(browser)));
        asked += Object.keys(browser).length;
        on += Object.values(browser).filter((served) => JSON.stringify(served).includes('"variant":"on"')).length;
      }
    }),
    { numRuns: 300 },
  );
  expect(asked).toBeGreaterThan(100);
  expect(on).toBeGreaterThan(30);
});

test("a rename changes nothing that any flag serves, under its new key and every old one", () => {
  let renames = 0;
  fc.assert(
    fc.property(history, (edits) => {
      let before = emptyProject();
      for (const { project, action } of historyOf(edits)) {
        if (action === "flag.rename") {
          renames += 1;
          for (const projection of ["server", "browser"] as const) {
            const was = answers(development(before), projection);
            expect(answers(development(project), projection, Object.keys(was))).toEqual(was);
          }
        }
        before = project;
      }
    }),
    { numRuns: 300 },
  );
  expect(renames).toBeGreaterThan(30);
});

test("every past state is its checkpoint and the records after it: rows, digests and entries", () => {
  let lists = 0;
  let gone = 0;
  fc.assert(
    fc.property(history, fc.nat(60), (edits, checkpointAt) => {
      const steps = historyOf(edits).filter(({ record }) => record !== undefined);
      for (const [to, { project }] of steps.entries()) {
        const from = Math.min(checkpointAt, to);
        const base = steps[from - 1]?.project;
        const fold = new Fold(base && stored(checkpointOf(development(base))));
        for (const { record = {} } of steps.slice(base ? from : 0, to + 1)) fold.push(record);
        const live = development(project);
        const rows = fold.rows();
        expect(new Map([...rows.flags].sort())).toEqual(new Map([...live.flags].sort()));
        expect(new Map([...rows.groups].sort())).toEqual(new Map([...live.groups].sort()));
        expect(rows.settings).toEqual(live.settings);
        const { states } = projectAll({ ...rows, factNumbers: live.factNumbers }, live.states.server);
        expect([states.server.digest, states.browser.digest]).toEqual([live.states.server.digest, live.states.browser.digest]);
      }
      lists += steps.filter(({ record }) => record?.lists).length;
      gone += steps.filter(({ record }) => record?.goneGroups).length;
    }),
    { numRuns: process.env.LONG ? 1_000 : 100 },
  );
  expect(lists).toBeGreaterThan(30);
  expect(gone).toBeGreaterThan(3);
});
