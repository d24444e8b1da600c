import {
  type Condition,
  compileVerdict,
  contextHash,
  createFacts,
  evaluate,
  type FactsAnswer,
  type FlagEntry,
  type GroupEntry,
  loadEntries,
  type State,
} from "@signalbox/core";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import * as worlds from "../../../core/test/arbitraries.ts";
import type { FactCondition, FlagRecord, GroupRecord } from "./model.ts";
import { browserFlag, browserView, serverFlag, serverGroup } from "./project.ts";

// LONG=1: two thousand environments, some 30 s.
const LONG = process.env.LONG === "1";
const ENVIRONMENTS = LONG ? 2_000 : 1_000;
vi.setConfig({ testTimeout: 240_000 });

const FP = "0000000000000001";
const PRIVATE = ["plan", "seats", "account"] as const;

/** Conditions on keys stand where the world's generator has facts, which nobody saves, and in place of some others, so that they are many. */
function saved(condition: Condition): Condition {
  const names = (attribute: string, some: number): Condition => {
    return { op: "in", attribute, values: worlds.units.filter((_unit, index) => (some >> index) % 2 === 0) };
  };
  if (condition.op === "fact") return names(condition.fact % 2 === 0 ? "key" : "account.key", condition.fact >> 1);
  if (condition.op === "number") return names("key", condition.value + 2);
  if (condition.op === "all" || condition.op === "any") return { ...condition, of: condition.of.map(saved) };
  return condition.op === "not" ? { ...condition, of: saved(condition.of) } : condition;
}

function flagRecord(entry: FlagEntry, id: number, browser: boolean): FlagRecord {
  const { key, type, variants, off, on, mode, salt, killed } = entry;
  const rules = (entry.rules ?? []).map((rule) => ({ ...rule, name: `name of ${rule.id}`, ...(rule.when && { when: saved(rule.when) }) }));
  return {
    identity: {
      id,
      key,
      name: key,
      description: "",
      type,
      tags: [],
      owner: null,
      version: 1,
      createdAt: 0,
      createdBy: "test",
      aliases: [],
    },
    body: {
      values: variants ?? {},
      off,
      on,
      mode,
      rules,
      salt,
      requires: entry.requires ?? [],
      parent: entry.parent ?? null,
      detached: entry.detached ?? false,
      browser,
      archived: false,
    },
    killed: killed ? { by: "test", at: 0, reason: null } : null,
    version: 1,
    updatedAt: 0,
    updatedBy: "test",
  } as unknown as FlagRecord; // the columns that no projection looks at are left out
}

/** As the server keeps them: a group goes by conditions or by list. */
function groupRecord({ key, when, list }: GroupEntry, id: number, by: string): GroupRecord {
  const isList = list !== undefined;
  return {
    id,
    key,
    kind: isList ? "list" : "conditions",
    name: `name of ${key}`,
    description: "",
    by,
    when: isList ? null : saved(when ?? { op: "any", of: [] }),
    hashKey: list?.hashKey ?? "00".repeat(16),
    version: 1,
    updatedAt: 0,
    updatedBy: "test",
    list: list?.members ?? [],
  };
}

interface World {
  readonly server: State;
  readonly browser: State;
  readonly visible: readonly string[];
  readonly facts: ReadonlyMap<number, FactCondition>;
  readonly isPrivate: readonly string[];
}

const choice = { exists: true, groups: worlds.groupKeysOfWorld };
/** Saving refuses circles: a group names only those after it. */
const groupChoice = (at: number) => ({ exists: true, groups: worlds.groupKeysOfWorld.slice(at + 1) });
const world: fc.Arbitrary<World> = fc
  .record({
    flags: fc.tuple(...worlds.flagKeysOfWorld.map((key) => worlds.flag(key, choice))),
    groups: fc.tuple(...worlds.groupKeysOfWorld.map((key, at) => worlds.group(key, groupChoice(at)))),
    marked: fc.subarray([...worlds.flagKeysOfWorld], { minLength: 1 }),
    by: fc.constantFrom("key", "account.key"),
    isPrivate: fc.subarray([...PRIVATE]),
  })
  .map(({ flags, groups, marked, by, isPrivate }) => {
    const isMarked = withNeeded(flags, marked);
    const flagRecords = flags.map((entry, index) => flagRecord(entry, index + 1, isMarked.has(entry.key)));
    const groupRecords = groups.map((entry, index) => groupRecord(entry, index + 1, by));
    const view = browserView({
      groups: new Map(groupRecords.map((group) => [group.key, group])),
      settings: { secureMode: false, signingVersion: 1, signingRetired: 0, privateAttributes: isPrivate, sampleContexts: false },
      factNumbers: new Map(),
    });
    const facts = new Map<number, FactCondition>();
    const seen = flagRecords.flatMap((flag) => {
      const projected = browserFlag(flag, view);
      for (const [fact, condition] of projected?.facts ?? []) facts.set(fact, condition);
      return projected ? [{ ...projected.body, fp: FP }] : [];
    });
    const server = loadEntries(
      [
        ...flagRecords.map((flag) => ({ ...serverFlag(flag), fp: FP })),
        ...groupRecords.map((group) => ({ ...serverGroup(group), fp: FP })),
      ],
      { regex: worlds.regex },
    );
    return { server, browser: loadEntries(seen), visible: seen.map(({ key }) => key), facts, isPrivate };
  });

/** What saving demands: a flag that is marked needs those that it requires, and its parents, to be marked. */
function withNeeded(flags: readonly FlagEntry[], marked: readonly string[]): Set<string> {
  const all = new Set(marked);
  for (const key of all) {
    const flag = flags.find((one) => one.key === key);
    for (const { flag: needed } of flag?.requires ?? []) if (needed !== "gone") all.add(needed);
    if (key.includes(":")) all.add(key.slice(0, key.lastIndexOf(":")));
  }
  return all;
}

const subject = fc.record({ context: worlds.context, now: worlds.now, draw: fc.double({ min: 0, max: 0.999, noNaN: true }) });
type Subject = typeof subject extends fc.Arbitrary<infer S> ? S : never;

/** What the server answers, for the context as it arrives. */
function answerOf({ server, facts }: World, context: unknown, clock: () => number): FactsAnswer {
  const holds: number[] = [];
  const fails: number[] = [];
  for (const [fact, condition] of facts) {
    const verdict = compileVerdict(condition, server)(context, { clock });
    if (verdict === "true") holds.push(fact);
    else if (verdict === "false") fails.push(fact);
  }
  return { generation: 0, revision: 0, contextHash: contextHash(context), true: holds, false: fails };
}

/** Asks both, the browser with the facts that `known` lets through. */
function bothAnswers(world: World, { context: given, now, draw }: Subject, known: (fact: number) => boolean) {
  const clock = () => now ?? 0;
  const call = { clock, random: () => draw };
  const context = JSON.parse(JSON.stringify(given));
  const holder = createFacts(
    { now: () => 0, random: () => 0, after: () => () => {}, askFacts: () => () => {} },
    { state: world.browser, evaluate: (flag) => evaluate(world.browser, flag, {}), changed: () => {}, looked: () => {}, refused: () => {} },
  );
  holder.identify(context);
  const answer = answerOf(world, context, clock);
  const [holds, fails] = [answer.true.filter(known), answer.false.filter(known)];
  holder.take({ ...answer, true: holds, false: fails });
  return world.visible.map((flag) => ({
    flag,
    truth: evaluate(world.server, flag, context, call),
    told: evaluate(world.browser, flag, holder.context, { ...call, facts: holder }),
    off: world.browser.slots.flags.get(flag)?.entry as FlagEntry,
  }));
}

const variantOf = (answer: { served: boolean; variant?: string }) => (answer.served ? answer.variant : undefined);

describe("a browser", () => {
  test("answers as a server program does, once all facts are answered", () => {
    const count = { asked: 0, withFacts: 0, on: 0 };
    fc.assert(
      fc.property(world, fc.array(subject, { minLength: 2, maxLength: 4 }), (world, subjects) => {
        if (world.facts.size > 0) count.withFacts++;
        for (const one of subjects) {
          for (const { truth, told, off } of bothAnswers(world, one, () => true)) {
            count.asked++;
            if (variantOf(told) !== off.off) count.on++;
            expect(told).toEqual(truth);
          }
        }
      }),
      { numRuns: ENVIRONMENTS },
    );
    expect(count.withFacts).toBeGreaterThan(ENVIRONMENTS / 4);
    expect(count.on).toBeGreaterThan(count.asked / 20);
  });

  test("is never on where the truth is off, whichever facts are missing", () => {
    let differing = 0;
    fc.assert(
      fc.property(
        world,
        fc.array(subject, { minLength: 2, maxLength: 4 }),
        fc.oneof(fc.constant(0), fc.nat()),
        (world, subjects, known) => {
          for (const one of subjects) {
            for (const { truth, told, off } of bothAnswers(world, one, (fact) => (known >> (fact % 20)) % 2 === 1)) {
              if (variantOf(told) !== variantOf(truth)) differing++;
              if (variantOf(truth) === off.off) expect(variantOf(told)).toBe(off.off);
            }
          }
        },
      ),
      { numRuns: ENVIRONMENTS },
    );
    expect(differing).toBeGreaterThan(0);
  });

  test("holds no flag that is not marked, no unit, no group, no name and no private attribute", () => {
    fc.assert(
      fc.property(world, ({ browser, visible, isPrivate, server }) => {
        const text = JSON.stringify([...browser.entries.values()]);
        for (const unit of worlds.units) expect(text).not.toContain(`"${unit}"`);
        expect(text).not.toMatch(/name of|"group"|"matches"|"cidr"|hashKey/);
        for (const name of isPrivate) expect(text).not.toMatch(new RegExp(`"attribute":"${name}[".]`));
        const hidden = [...server.slots.flags.keys()].filter((key) => !visible.includes(key) && key !== "gone");
        for (const key of hidden) expect(browser.entries.has(`flag:${key}`)).toBe(false);
      }),
      { numRuns: ENVIRONMENTS },
    );
  });
});
