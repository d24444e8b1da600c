/** What is asked. Every subject gets the same flags and the same people, in its own shapes. */

export interface Person {
  readonly key: string;
  readonly group: string;
  readonly country: string;
  readonly plan: string;
  readonly role: string;
}

export type Attribute = keyof Person;

export interface ConditionSpec {
  readonly attribute: Attribute;
  /** The attribute is one of these. */
  readonly values: readonly string[];
}

/** The first rule of which all conditions hold decides: on for `percent` of its people, by key; off for the others of them. */
export interface RuleSpec {
  readonly when: readonly ConditionSpec[];
  readonly percent: number;
}

export interface FlagSpec {
  readonly key: string;
  readonly rules: readonly RuleSpec[];
}

export interface Workload {
  readonly name: string;
  readonly title: string;
  readonly flags: readonly FlagSpec[];
}

export const PEOPLE = 10_000;

export const people: readonly Person[] = Array.from({ length: PEOPLE }, (_, i) => ({
  key: `user-${i}`,
  group: `group-${i % 10}`,
  country: countryOf(i % 12),
  plan: planOf(i % 5),
  role: `role-${i % 4}`,
}));

/** Not timed: they show that a subject can also say no where all people get a yes. */
export const strangers: readonly Person[] = Array.from({ length: 100 }, (_, i) => ({
  key: `stranger-${i}`,
  group: "none",
  country: "none",
  plan: "none",
  role: "none",
}));

function countryOf(i: number): string {
  return ["de", "fr", "at", "ch", "nl", "it", "es", "pt", "se", "dk", "pl", "cz"][i] ?? "";
}

function planOf(i: number): string {
  return ["free", "starter", "team", "business", "enterprise"][i] ?? "";
}

const key = "checkout";
const everyone: RuleSpec = { when: [], percent: 100 };
const groups = (first: number, count: number): ConditionSpec => ({ attribute: "group", values: range(first, count, "group") });

/** For the first two of three conditions: they hold for all people, in an order of their own for each rule. */
const anyCountry = (turn: number): ConditionSpec => ({ attribute: "country", values: range(0, 12).map((i) => countryOf((i + turn) % 12)) });
const anyPlan = (turn: number): ConditionSpec => ({ attribute: "plan", values: range(0, 5).map((i) => planOf((i + turn) % 5)) });

const RULES = 20;
const manyRules = range(0, RULES).map((i): RuleSpec => {
  const roles = i < RULES - 1 ? range(0, 4, `role-of-rule-${i}`) : range(0, 4, "role");
  return { when: [anyCountry(i), anyPlan(i), { attribute: "role", values: roles }], percent: 100 };
});

/** A flag of each of four kinds, in turn. */
function mixedFlag(i: number): FlagSpec {
  const rules: readonly RuleSpec[][] = [
    [everyone],
    [{ when: [], percent: 25 }],
    [{ when: [groups(i % 6, 5)], percent: 50 }],
    [
      { when: [{ attribute: "plan", values: [planOf(i % 5)] }], percent: 100 },
      { when: [{ attribute: "country", values: range(i % 8, 3).map((at) => countryOf(at)) }], percent: 100 },
    ],
  ];
  return { key: `flag-${i}`, rules: rules[i % 4] ?? [] };
}

export const workloads: readonly Workload[] = [
  { name: "W1", title: "on for everyone", flags: [{ key, rules: [everyone] }] },
  { name: "W2", title: "25 % by key", flags: [{ key, rules: [{ when: [], percent: 25 }] }] },
  { name: "W3", title: "group one of 5, of these 50 %", flags: [{ key, rules: [{ when: [groups(0, 5)], percent: 50 }] }] },
  { name: "W4", title: "20 rules of 3 conditions, the last matches", flags: [{ key, rules: manyRules }] },
  {
    name: "W5",
    title: "a list of 10,000 keys, half of the people are on it",
    flags: [{ key, rules: [{ when: [{ attribute: "key", values: range(0, 10_000).map((i) => `user-${i * 2}`) }], percent: 100 }] }],
  },
  { name: "W6", title: "200 flags for one person", flags: range(0, 200).map(mixedFlag) },
];

/** For `load`: 10,000 flags of 2 rules. */
export const loadFlags = (): readonly FlagSpec[] =>
  range(0, 10_000).map((i) => ({
    key: `flag-${i}`,
    rules: [
      { when: [groups(i % 8, 3)], percent: 100 },
      { when: [], percent: i % 100 },
    ],
  }));

/** The first that is asked for once they are loaded, and somebody for whom it is on. */
export const askedFlag = "flag-5000";
export const askedPerson: Person = { key: "user-0", group: "group-0", country: "de", plan: "free", role: "role-0" };

/** 1: on, 0: off, between: on for that share of the people of whom this is expected. */
export function expected(flag: FlagSpec, person: Person): number {
  const rule = flag.rules.find(({ when }) => when.every(({ attribute, values }) => values.includes(person[attribute])));
  return rule ? rule.percent / 100 : 0;
}

function range(first: number, count: number): number[];
function range(first: number, count: number, name: string): string[];
function range(first: number, count: number, name?: string): (number | string)[] {
  return Array.from({ length: count }, (_, i) => (name === undefined ? first + i : `${name}-${first + i}`));
}
