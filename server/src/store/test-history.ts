import { type Projection, sipHash } from "@signalbox/core";
import fc from "fast-check";
import { expect } from "vitest";
import type { ProjectedChange } from "../delivery/feed.ts";
import { patchSettings } from "../environments/settings.ts";
import { configure, createFlag, patchIdentity } from "../flags/decide.ts";
import { setKilled } from "../flags/kills.ts";
import { changeMembers, createGroup, deleteGroup, patchGroup } from "../groups/decide.ts";
import type { Edit } from "./edit.ts";
import type { Member, ProjectModel } from "./model.ts";
import type { Current, Outcome } from "./outcome.ts";
import { type ChangeRecord, recordOf } from "./record.ts";
import { currentOf, development, emptyProject } from "./test-project.ts";

/** Random histories of every kind of edit, refused ones included, over a few flags and groups so that they meet. */

const FLAGS = ["a", "b", "a:x", "c", "a:x:y"];
const NEW_KEYS = ["n1", "n2", "n3", "n4"];
export const SECRET_UNITS = ["unit-ann", "unit-bob", "unit-cy"];
const GROUPS = ["group-pro", "group-staff", "group-beta"];
const flagKey = fc.constantFrom(...FLAGS);
/** Renames find free keys, so that later edits meet aliases. */
const anyKey = fc.constantFrom(...FLAGS, ...NEW_KEYS);
const groupKey = fc.constantFrom(...GROUPS);

const leaf = fc.oneof(
  fc.record({ op: fc.constant("in" as const), attribute: fc.constantFrom("plan", "key", "country"), values: fc.constant(["x"]) }),
  fc.constantFrom(
    { op: "matches" as const, attribute: "email", values: ["secret-pattern"], textLengthMax: 100 },
    { op: "cidr" as const, attribute: "ip", values: ["10.9.8.0/24"] },
    { op: "in" as const, attribute: "salary", values: ["secret-salary"] },
  ),
  fc.record({ op: fc.constant("exists" as const), attribute: fc.constantFrom("plan", "team") }),
  fc.record({ op: fc.constant("group" as const), group: groupKey }),
);
const condition = fc.oneof(
  leaf,
  fc.record({ op: fc.constantFrom("all" as const, "any" as const), of: fc.array(leaf, { maxLength: 3 }) }),
  fc.record({ op: fc.constant("not" as const), of: leaf }),
);
const rules = fc.array(fc.record({ when: condition, to: fc.integer({ min: 0, max: 100_000 }) }), { maxLength: 3 }).map((list) =>
  list.map(({ when, to }, i) => ({
    id: `r${i}`,
    name: `rule-name-${i}`,
    when,
    rollout: { to },
    serve: { kind: "variant" as const, variant: "on" },
  })),
);

export const HASH_KEY = "000102030405060708090a0b0c0d0e0f";
const PRO = { op: "in", attribute: "plan", values: ["x"] } as const;

export type Decide = (current: Current) => Outcome;

/** The rows of the units that are in a group, as the database would have them. */
function membersOf({ project }: Current, key: string): Map<string, Member> {
  const list = development(project).groups.get(key)?.list ?? [];
  const listed = SECRET_UNITS.filter((unit) => list.includes(sipHash(HASH_KEY, unit)));
  return new Map(listed.map((unit) => [unit, { unit, state: "member", at: 1, by: "ann" }]));
}

const rename = fc.tuple(anyKey, anyKey).map(
  ([key, to]): Decide =>
    (current) =>
      patchIdentity(current, key, { key: to }, "*"),
);
const setMode = fc.tuple(anyKey, fc.constantFrom("off", "targeted", "on", "inherit")).map(([key, mode]): Decide => {
  return (current) => configure(current, "development", key, { mode }, undefined);
});
const edit: fc.Arbitrary<Decide> = fc.oneof(
  fc.subarray(["country", "team"]).map(
    (more): Decide =>
      (current) =>
        patchSettings(current, "development", { privateAttributes: ["salary", ...more] }, undefined),
  ),
  { weight: 4, arbitrary: rename },
  { weight: 4, arbitrary: setMode },
  fc.tuple(flagKey, fc.boolean()).map(
    ([key, browser]): Decide =>
      (current) =>
        createFlag(current, { key, browser }),
  ),
  fc.tuple(flagKey, rules, fc.constantFrom("off", "targeted", "on", "inherit")).map(([key, list, mode]): Decide => {
    return (current) => configure(current, "development", key, { rules: list, mode }, undefined);
  }),
  fc.tuple(flagKey, fc.boolean()).map(
    ([key, browser]): Decide =>
      (current) =>
        configure(current, "development", key, { browser }, undefined),
  ),
  fc.tuple(flagKey, flagKey).map(([key, flag]): Decide => {
    return (current) => configure(current, "development", key, { requires: [{ flag, variants: ["on"] }] }, undefined);
  }),
  fc.tuple(flagKey, fc.option(flagKey), fc.boolean()).map(([key, parent, detached]): Decide => {
    return (current) => configure(current, "development", key, { parent, detached }, undefined);
  }),
  flagKey.map(
    (key): Decide =>
      (current) =>
        setKilled(current, "development", key, { at: 1, by: "ann", reason: null }),
  ),
  flagKey.map(
    (key): Decide =>
      (current) =>
        setKilled(current, "development", key, null),
  ),
  fc
    .tuple(groupKey, fc.constantFrom("conditions" as const, "list" as const, "early-access" as const), condition)
    .map(([key, kind, when]): Decide => {
      return (current) => createGroup(current, "development", { key, kind, ...(kind === "conditions" && { when }) }, HASH_KEY);
    }),
  fc.tuple(groupKey, condition).map(
    ([key, when]): Decide =>
      (current) =>
        patchGroup(current, "development", key, { when }, undefined),
  ),
  groupKey.map(
    (key): Decide =>
      (current) =>
        deleteGroup(current, "development", key, undefined),
  ),
  {
    weight: 3,
    arbitrary: fc.tuple(groupKey, fc.subarray(SECRET_UNITS), fc.subarray(SECRET_UNITS)).map(([key, add, out]): Decide => {
      const remove = out.filter((unit) => !add.includes(unit));
      return (current) => changeMembers(current, "development", key, { add, remove }, membersOf(current, key), "group.members");
    }),
  },
);

export interface Step {
  readonly action: string;
  readonly project: ProjectModel;
  readonly changes: { readonly [P in Projection]: ProjectedChange } | undefined;
  readonly edits: readonly Edit[];
  /** As the database gives it back; absent where the step does not concern the environment. */
  readonly record: ChangeRecord | undefined;
}

export function historyOf(edits: readonly Decide[]): Step[] {
  const steps: Step[] = [];
  let project = emptyProject();
  for (const decide of edits) {
    const outcome = decide(currentOf(project));
    if (outcome.kind !== "changed") continue;
    const before = project.environments;
    project = outcome.applied.project;
    for (const [i, { revision }] of project.environments.entries()) {
      const touched = outcome.applied.changes.has(i + 1);
      expect(revision - (before[i]?.revision ?? 0)).toBe(touched ? 1 : 0);
    }
    const changes = outcome.applied.changes.get(1);
    const [was] = before;
    const record = changes && was && stored(recordOf(was, development(project), outcome.edits));
    steps.push({ project, action: outcome.action, changes, record, edits: outcome.edits });
  }
  return steps;
}

/** Most edits need something to work on: histories begin with flags and groups, in any order. */
const SALARY_IS_PRIVATE: Decide = (current) => patchSettings(current, "development", { privateAttributes: ["salary"] }, undefined);
const beginning = fc.shuffledSubarray<Decide>([
  ...FLAGS.map(
    (key): Decide =>
      (current) =>
        createFlag(current, { key, browser: key !== "c" }),
  ),
  (current) => createGroup(current, "development", { key: "group-pro", kind: "conditions", when: PRO }, HASH_KEY),
  (current) => createGroup(current, "development", { key: "group-staff", kind: "list" }, HASH_KEY),
  (current) => createGroup(current, "development", { key: "group-beta", kind: "early-access" }, HASH_KEY),
]);
export const history = fc
  .tuple(beginning, fc.array(edit, { maxLength: 40, size: "max" }))
  .map(([first, rest]) => [SALARY_IS_PRIVATE, ...first, ...rest]);

export function stored<T>(value: T): T {
  return JSON.parse(JSON.stringify(value));
}
