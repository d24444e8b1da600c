import type { Reader, Subject } from "./subject.ts";
import type { FlagSpec } from "./workloads.ts";

/**
 * The least code that answers the workloads rightly. Floors validate nothing, record nothing and know three operators; they trust every
 * context to be what it should be. What an evaluator costs above them is the price of what it does besides.
 */

type Facts = Readonly<Record<string, string>>;

interface FloorFlag {
  readonly enabled: boolean;
  readonly seed: number;
  readonly rules: readonly FloorRule[];
}

interface FloorRule {
  readonly conditions: readonly FloorCondition[];
  /** In hundred-thousandths. */
  readonly to: number;
}

interface FloorCondition {
  readonly op: "in" | "is" | "startsWith";
  readonly attribute: string;
  readonly values: ReadonlySet<string>;
  readonly value: string;
}

const EVERYONE = 100_000;

/** What both floors take off the wire. */
interface WireFlag {
  readonly key: string;
  readonly seed: number;
  readonly rules: readonly { readonly when: readonly { readonly attribute: string; readonly values: readonly string[] }[]; to: number }[];
}

const wire = (flags: readonly FlagSpec[]): string =>
  JSON.stringify(
    flags.map(({ key, rules }, i): WireFlag => {
      return { key, seed: i + 1, rules: rules.map(({ when, percent }) => ({ when, to: percent * 1_000 })) };
    }),
  );

/** Interprets its rules. */
export const floor: Subject = {
  wire,
  async open(text) {
    const flags = new Map<string, FloorFlag>();
    for (const { key, seed, rules } of JSON.parse(text) as WireFlag[]) flags.set(key, { enabled: true, seed, rules: rules.map(floorRule) });
    const ask = (key: string, context: Facts) => floorIsOn(flags, key, context);
    return reader([...flags.keys()], ask);
  },
};

function floorRule({ when, to }: WireFlag["rules"][number]): FloorRule {
  return { to, conditions: when.map(({ attribute, values }) => ({ op: "in", attribute, values: new Set(values), value: "" })) };
}

function floorIsOn(flags: ReadonlyMap<string, FloorFlag>, key: string, context: Facts): boolean {
  const flag = flags.get(key);
  if (!flag?.enabled) return false;
  for (const rule of flag.rules) {
    if (holds(rule.conditions, context)) return rule.to === EVERYONE || bucket(flag.seed, context.key ?? "") < rule.to;
  }
  return false;
}

function holds(conditions: readonly FloorCondition[], context: Facts): boolean {
  for (const condition of conditions) {
    const given = context[condition.attribute] ?? "";
    switch (condition.op) {
      case "in":
        if (!condition.values.has(given)) return false;
        break;
      case "is":
        if (condition.value !== given) return false;
        break;
      case "startsWith":
        if (!given.startsWith(condition.value)) return false;
    }
  }
  return true;
}

interface IndexedFlag {
  readonly seed: number;
  readonly attributes: readonly IndexedAttribute[];
  /** A bit for each rule. */
  readonly all: number;
  readonly to: readonly number[];
}

interface IndexedAttribute {
  readonly name: string;
  /** The rules whose conditions on this attribute hold for a value. */
  readonly rules: ReadonlyMap<string, number>;
  /** Those that do not ask for it. */
  readonly others: number;
}

/** For many rules: one look into a Map for each attribute gives the rules that it allows, as bits; at most 31 of them. */
export const floorIndex: Subject = {
  wire,
  async open(text) {
    const flags = new Map<string, IndexedFlag>();
    for (const flag of JSON.parse(text) as WireFlag[]) flags.set(flag.key, indexed(flag));
    const ask = (key: string, context: Facts) => indexIsOn(flags, key, context);
    return reader([...flags.keys()], ask);
  },
};

function indexed({ seed, rules }: WireFlag): IndexedFlag {
  const all = 2 ** rules.length - 1;
  const names = new Set(rules.flatMap(({ when }) => when.map(({ attribute }) => attribute)));
  const attributes = [...names].map((name): IndexedAttribute => {
    const byValue = new Map<string, number>();
    let others = 0;
    for (const [i, { when }] of rules.entries()) {
      const condition = when.find(({ attribute }) => attribute === name);
      if (!condition) others |= 1 << i;
      for (const value of condition?.values ?? []) byValue.set(value, (byValue.get(value) ?? 0) | (1 << i));
    }
    for (const [value, bits] of byValue) byValue.set(value, bits | others);
    return { name, rules: byValue, others };
  });
  return { seed, attributes, all, to: rules.map(({ to }) => to) };
}

function indexIsOn(flags: ReadonlyMap<string, IndexedFlag>, key: string, context: Facts): boolean {
  const flag = flags.get(key);
  if (!flag) return false;
  let left = flag.all;
  for (const { name, rules, others } of flag.attributes) left &= rules.get(context[name] ?? "") ?? others;
  if (left === 0) return false;
  const to = flag.to[31 - Math.clz32(left & -left)] ?? 0;
  return to === EVERYONE || bucket(flag.seed, context.key ?? "") < to;
}

function reader(keys: readonly string[], ask: (key: string, context: Facts) => boolean): Reader {
  return {
    context: (person) => ({ ...person }),
    ask: ask as Reader["ask"],
    all(context) {
      const answers: Record<string, boolean> = {};
      for (const key of keys) answers[key] = ask(key, context as Facts);
      return answers;
    },
    isOnIn: (all, key) => (all as Record<string, boolean>)[key] === true,
  };
}

/** murmur3 over char codes from a number that stands for the salt: right for ASCII only. */
function bucket(seed: number, unit: string): number {
  const length = unit.length;
  let hash = seed;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    let k = unit.charCodeAt(i) | (unit.charCodeAt(i + 1) << 8) | (unit.charCodeAt(i + 2) << 16) | (unit.charCodeAt(i + 3) << 24);
    k = Math.imul(k, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    hash ^= k;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let k = 0;
  for (let shift = 0; i < length; i++, shift += 8) k |= unit.charCodeAt(i) << shift;
  k = Math.imul(k, 0xcc9e2d51);
  hash ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % 100_000;
}
