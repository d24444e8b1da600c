import { sipHash } from "@signalbox/core";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { configure, createFlag, patchIdentity } from "../flags/decide.ts";
import { deleteFlag } from "../flags/life.ts";
import type { Edit } from "../store/edit.ts";
import { fingerprint } from "../store/fingerprint.ts";
import { Fold } from "../store/fold.ts";
import { type EnvironmentModel, type FlagRecord, findFlag, type Member, type ProjectModel } from "../store/model.ts";
import { checkpointOf, recordOf } from "../store/record.ts";
import { type Decide, HASH_KEY, history, historyOf, SECRET_UNITS, stored } from "../store/test-history.ts";
import { currentOf, development, emptyProject } from "../store/test-project.ts";
import { beforeOf } from "./history.ts";
import { type KnownUnits, type PastChange, revertChange, revertEnvironment } from "./revert.ts";

vi.setConfig({ testTimeout: 120_000 });

const EVERYTHING = { project: true, everywhere: true, settings: true };

/** The rows of units of a group, as the database has them. */
function unitsIn({ groups }: EnvironmentModel, ids: Iterable<number>): KnownUnits {
  const lists = new Map([...groups.values()].map(({ id, list }) => [id, list]));
  const rows = (id: number) =>
    SECRET_UNITS.map((unit): [string, Member] => {
      const hash = sipHash(HASH_KEY, unit);
      return [hash, { unit, state: lists.get(id)?.includes(hash) ? "member" : "left", at: 1, by: "ann" }];
    });
  return new Map([...ids].map((id) => [id, new Map(rows(id))]));
}

const groupIds = (...models: EnvironmentModel[]) => new Set(models.flatMap(({ groups }) => [...groups.values()].map(({ id }) => id)));

/** A step as history has it, from the projects around it. */
function changeBetween(was: ProjectModel, is: ProjectModel, edits: readonly Edit[]): PastChange {
  const everywhere = is.environments.map((after, i) => {
    const before = was.environments[i] ?? after;
    return { environmentId: after.info.id, record: stored(recordOf(before, after, edits)), before: beforeOf(before) };
  });
  const [own] = everywhere;
  if (!own) expect.fail("no environment");
  const deletedLists = new Map([...development(was).groups.values()].map(({ id, list }) => [id, list]));
  return { revision: development(is).revision, record: own.record, before: own.before, everywhere, deletedLists };
}

/** What people set: everything but versions, times, names of those who did it, and old keys, which all go on answering. */
function contentOf(project: ProjectModel): string {
  return JSON.stringify(
    project.environments.map(({ flags, groups, settings }) => ({
      flags: [...flags.values()]
        .map(({ identity: { version: _v, aliases: _a, ...identity }, body, killed }) => ({ identity, body, killed }))
        .sort((a, b) => a.identity.id - b.identity.id),
      groups: [...groups.values()].map(({ version: _v, updatedAt: _at, updatedBy: _by, ...group }) => group).sort((a, b) => a.id - b.id),
      settings,
    })),
  );
}

test("taking a change back, and then that, leaves every body as it was, byte for byte", () => {
  const words = new Map<string, number>();
  fc.assert(
    fc.property(history, fc.nat(), (edits, pick) => {
      const steps = historyOf(edits).filter(({ record }) => record !== undefined);
      const index = steps.length === 0 ? -1 : pick % steps.length;
      const step = steps[index];
      const head = steps.at(-1)?.project;
      if (!step || !head) return;
      const was = historyBefore(steps, index);
      const units = unitsIn(development(head), groupIds(development(was), development(step.project), development(head)));
      const change = changeBetween(was, step.project, step.edits);
      const first = revertChange(currentOf(head), "development", change, units, EVERYTHING).outcome;
      if (first.kind !== "changed") return;
      const back = first.applied.project;
      const kills = (of: ProjectModel) =>
        [...development(of).flags.values()].flatMap(({ identity, killed }) => (killed ? [identity.id] : []));
      const stay = new Set([...development(back).flags.values()].map(({ identity }) => identity.id));
      expect(kills(back).sort()).toEqual(
        kills(head)
          .filter((id) => stay.has(id))
          .sort(),
      );
      const again = revertChange(
        currentOf(back),
        "development",
        changeBetween(head, back, first.edits),
        unitsIn(development(back), groupIds(development(head), development(back))),
        EVERYTHING,
      ).outcome;
      if (again.kind !== "changed") expect.fail(`${step.action}: ${JSON.stringify(again)}`);
      expect(contentOf(again.applied.project)).toBe(contentOf(head));
      words.set(step.action, (words.get(step.action) ?? 0) + 1);
    }),
    { numRuns: process.env.LONG ? 5_000 : 1_000 },
  );
  const seen = ["flag.create", "flag.configure", "flag.rename", "group.create", "group.edit", "group.delete", "group.members"];
  for (const word of seen) expect(words.get(word) ?? 0, word).toBeGreaterThan(0);
});

test("an environment that goes back to a revision serves what it served then, kills aside, and forth again what it serves now", () => {
  let reverted = 0;
  fc.assert(
    fc.property(history, fc.nat(), (edits, pick) => {
      const steps = historyOf(edits).filter(({ record }) => record !== undefined);
      const head = steps.at(-1)?.project;
      const then = steps[steps.length === 0 ? 0 : pick % steps.length]?.project;
      if (!head || !then) return;
      const rowsOf = (project: ProjectModel) => new Fold(stored(checkpointOf(development(project)))).rows();
      const units = unitsIn(development(head), groupIds(development(head), development(then)));
      const { outcome } = revertEnvironment(currentOf(head), "development", rowsOf(then), 1, units);
      if (outcome.kind !== "changed") return;
      reverted += 1;
      const back = development(outcome.applied.project);
      for (const flag of development(then).flags.values()) {
        const now = [...back.flags.values()].find(({ identity }) => identity.id === flag.identity.id);
        if (!now) continue;
        const { killed } = findFlag(development(head), now.identity.key) ?? expect.fail("gone");
        expect(now.killed).toEqual(killed);
        const keys = ({ body }: FlagRecord) => ({ ...body, requires: body.requires.map(({ variants }) => variants), parent: null });
        expect(keys(now)).toEqual(keys(flag));
      }
      for (const group of development(then).groups.values()) {
        if (group.kind === "early-access") continue;
        const now = back.groups.get(group.key) ?? expect.fail(`no ${group.key}`);
        if (now.id !== group.id) continue;
        expect([now.when, now.list, now.name]).toEqual([group.when, group.list, group.name]);
      }
      for (const { fp, ...entry } of back.states.server.entries.values()) expect(fingerprint(entry)).toBe(fp);
      const forth = revertEnvironment(
        currentOf(outcome.applied.project),
        "development",
        rowsOf(head),
        2,
        unitsIn(back, groupIds(back, development(head))),
      ).outcome;
      if (forth.kind !== "changed" && forth.kind !== "unchanged") expect.fail(JSON.stringify(forth));
      const end = forth.kind === "changed" ? development(forth.applied.project) : back;
      for (const flag of development(head).flags.values()) expect(end.flags.get(flag.identity.key)?.body).toEqual(flag.body);
    }),
    { numRuns: process.env.LONG ? 3_000 : 500 },
  );
  expect(reverted).toBeGreaterThan(100);
});

/** Takes back the step at `index`, at the end of the history. */
function takenBack(edits: readonly Decide[], index: number) {
  const steps = historyOf(edits);
  expect(steps).toHaveLength(edits.length);
  const [step, head] = [steps[index], steps.at(-1)?.project];
  if (!step || !head) expect.fail("no step");
  return revertChange(
    currentOf(head),
    "development",
    changeBetween(historyBefore(steps, index), step.project, step.edits),
    new Map(),
    EVERYTHING,
  ).outcome;
}

const made = (key: string): Decide => {
  return (current) => createFlag(current, { key });
};
const configured = (key: string, patch: Parameters<typeof configure>[3]): Decide => {
  return (current) => configure(current, "development", key, patch, undefined);
};
const renamed = (key: string, to: string): Decide => {
  return (current) => patchIdentity(current, key, { key: to }, "*");
};

test("a requirement or a parent whose flag got another key since is the same one, and comes back under the key of now", () => {
  const needs = { requires: [{ flag: "p", variants: ["on"] }], parent: "p" };
  const given = takenBack([made("p"), made("x"), configured("x", needs), renamed("p", "q")], 2);
  if (given.kind !== "changed") expect.fail(JSON.stringify(given));
  expect(development(given.applied.project).flags.get("x")?.body).toMatchObject({ requires: [], parent: null });

  const none = { requires: [], parent: null };
  const taken = takenBack([made("p"), made("x"), configured("x", needs), configured("x", none), renamed("p", "q")], 3);
  if (taken.kind !== "changed") expect.fail(JSON.stringify(taken));
  expect(development(taken.applied.project).flags.get("x")?.body).toMatchObject({ requires: [{ flag: "q" }], parent: "q" });

  const gone: Decide = (current) => deleteFlag(current, "x", "x", "*");
  const back = takenBack([made("p"), made("x"), configured("x", needs), gone, renamed("p", "q")], 3);
  if (back.kind !== "changed") expect.fail(JSON.stringify(back));
  expect(development(back.applied.project).flags.get("x")?.body).toMatchObject({ requires: [{ flag: "q" }], parent: "q" });
});

test("a deleted flag does not come back as the parent of one that was made since and would be turned off", () => {
  const gone: Decide = (current) => deleteFlag(current, "p", "p", "*");
  const outcome = takenBack([made("p"), gone, made("p:x"), configured("p:x", { mode: "on" })], 1);
  expect(outcome).toMatchObject({ kind: "invalid", code: "REVERT_CONFLICT" });
  if (outcome.kind === "invalid") expect(outcome.detail).toMatch(/would become the parent of "p:x"/);
});

function historyBefore(steps: readonly { readonly project: ProjectModel }[], index: number): ProjectModel {
  return steps[index - 1]?.project ?? emptyProject();
}
