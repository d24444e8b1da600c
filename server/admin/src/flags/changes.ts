import type { Configuration, Rule } from "../../../src/api-types.ts";
import { inWords } from "../conditions/edit.ts";
import { type Edits, type Fields, same } from "./draft.ts";
import { ruleProblem } from "./read-rule.ts";
import { everyoneElse, isDenial, singleGroup } from "./rules.ts";
import { momentWords, type Rollout, type Schedule } from "./schedule.ts";
import { variantWord } from "./variants.ts";

export const MODE_WORDS = { off: "Nobody", targeted: "Some", on: "Everybody", inherit: "As parent" } as const;

/** One line of a review: what is, and what it becomes. `null` where there is nothing. */
export interface ChangeLine {
  readonly what: string;
  readonly from: string | null;
  readonly to: string | null;
}

export type GroupName = (key: string) => string;

/** "10 %", with at most three decimals. */
export function percent(value: number): string {
  return `${Math.round(value * 1000) / 1000} %`;
}

/** The edits in words, in the order of the page. */
export function describeChanges(base: Fields, edits: Edits, groupName: GroupName): ChangeLine[] {
  const next = { ...base, ...edits } as Fields;
  const lines: ChangeLine[] = [];
  if ("mode" in edits) lines.push({ what: "Who gets it", from: MODE_WORDS[base.mode], to: MODE_WORDS[next.mode] });
  if ("rules" in edits) lines.push(...ruleChanges(base, next, groupName));
  if ("requires" in edits) lines.push({ what: "Requires", from: requirements(base), to: requirements(next) });
  if ("parent" in edits) lines.push({ what: "Parent", from: base.parent, to: next.parent });
  if ("detached" in edits) lines.push({ what: "Follows its parent", from: yesNo(!base.detached), to: yesNo(!next.detached) });
  if ("browser" in edits) lines.push({ what: "Visible in browsers", from: yesNo(base.browser), to: yesNo(next.browser) });
  if ("archived" in edits) lines.push({ what: "Archived", from: yesNo(base.archived), to: yesNo(next.archived) });
  if ("values" in edits) lines.push(...valueChanges(base, next));
  if ("on" in edits) lines.push({ what: "On variant", from: base.on, to: next.on });
  if ("off" in edits) lines.push({ what: "Off variant", from: base.off, to: next.off });
  if ("key" in edits) lines.push({ what: "Key", from: base.key, to: next.key });
  if ("name" in edits) lines.push({ what: "Name", from: base.name || null, to: next.name || null });
  if ("description" in edits) lines.push({ what: "Description", from: base.description || null, to: next.description || null });
  if ("tags" in edits) lines.push({ what: "Tags", from: base.tags.join(", ") || null, to: next.tags.join(", ") || null });
  if ("owner" in edits) lines.push({ what: "Owner", from: base.owner, to: next.owner });
  if ("links" in edits) lines.push({ what: "Links", from: linkWords(base.links), to: linkWords(next.links) });
  if ("kind" in edits) lines.push({ what: "Kind", from: base.kind, to: next.kind });
  if ("expectedDays" in edits) lines.push({ what: "Expected life", from: lifeWords(base.expectedDays), to: lifeWords(next.expectedDays) });
  return lines;
}

function linkWords(links: Fields["links"]): string | null {
  return links.map(({ title, url }) => `${title} (${url})`).join(", ") || null;
}

function lifeWords(days: number | null): string {
  return days === null ? "it stays" : days === 1 ? "1 day" : `${days} days`;
}

function valueChanges({ values: before }: Configuration, { values: after }: Configuration): ChangeLine[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const words = (values: Configuration["values"], name: string) => (name in values ? JSON.stringify(values[name]) : null);
  return names
    .filter((name) => !same(before[name], after[name]) || name in before !== name in after)
    .map((name) => ({ what: `Variant “${name}”`, from: words(before, name), to: words(after, name) }));
}

function ruleChanges(base: Configuration, next: Configuration, groupName: GroupName): ChangeLine[] {
  const lines: ChangeLine[] = [];
  const before = everyoneElse(base);
  const after = everyoneElse(next);
  const old = new Map(named(base, before.index));
  const current = named(next, after.index);
  for (const [id, rule] of old) {
    if (!current.some(([other]) => other === id)) lines.push({ what: "Rule removed", from: ruleSentence(rule, base, groupName), to: null });
  }
  current.forEach(([id, rule], index) => {
    const was = old.get(id);
    const sentence = ruleSentence(rule, next, groupName);
    if (!was) lines.push({ what: `Rule ${index + 1} added`, from: null, to: sentence });
    else if (!same(was, rule)) lines.push({ what: `Rule ${index + 1}`, from: ruleSentence(was, base, groupName), to: sentence });
  });
  const kept = current.map(([id]) => id).filter((id) => old.has(id));
  const order = [...old.keys()].filter((id) => kept.includes(id));
  if (!same(kept, order)) lines.push({ what: "Order of the rules", from: "as it was", to: "changed" });
  lines.push(...everyoneElseChange(before, after, base, next));
  return lines;
}

type EveryoneElse = ReturnType<typeof everyoneElse>;

function everyoneElseChange(before: EveryoneElse, after: EveryoneElse, base: Configuration, next: Configuration): ChangeLine[] {
  const what = "Everyone else";
  const words = ({ rule, percentage }: EveryoneElse, configuration: Configuration) =>
    rule ? `${rule.rollout ? rolloutWords(rule.rollout) : percent(percentage)}: ${servedWord(rule, configuration)}` : percent(0);
  const isPlain = [before, after].every(({ rule }) => !rule || (rule.serve.kind === "variant" && rule.serve.variant === next.on));
  if (isPlain && same(rest(before.rule?.rollout), rest(after.rule?.rollout))) {
    return before.percentage === after.percentage ? [] : [{ what, from: percent(before.percentage), to: percent(after.percentage) }];
  }
  return same(before.rule, after.rule) ? [] : [{ what, from: words(before, base), to: words(after, next) }];
}

function rest(rollout: Rollout | undefined): object {
  return { ...rollout, percentage: 0 };
}

/** Rules without the "everyone else" row, by id. */
function named(configuration: Configuration, everyoneElseIndex: number): [string, Rule][] {
  return configuration.rules.flatMap((rule, index) => (index === everyoneElseIndex ? [] : [[rule.id ?? `rule-${index + 1}`, rule]]));
}

/** "10 % of beta: On"; of a percentage that changes with time "beta: On for 1 %, from 1 Dec 10 %". */
export function ruleSentence(rule: Rule, configuration: Configuration, groupName: GroupName, everyone = "Everyone"): string {
  if (ruleProblem(rule) !== undefined) return "a rule that is edited as JSON";
  const group = singleGroup(rule);
  const who = rule.name || (group !== undefined ? groupName(group) : rule.when ? inWords(rule.when, groupName) : everyone);
  const inside = who === everyone ? everyone.toLowerCase() : who;
  const served = servedWord(rule, configuration);
  const { rollout } = rule;
  if (!rollout) return `${who}: ${served}`;
  return rollout.over ? `${who}: ${served} for ${rolloutWords(rollout)}` : `${rolloutWords(rollout)} of ${inside}: ${served}`;
}

/** "10 %"; with what makes it another 10 % than that of other rules, and with what becomes of it. */
export function rolloutWords({ percentage, from = 0, by, salt, random, over }: Rollout): string {
  const size = over ? scheduleWords(percentage, over) : percent(percentage);
  if (random) return over ? `${size}, of the checks at random` : `a random ${size} of the checks`;
  const details = [
    ...(from > 0 ? [over ? `slices from ${percent(from)}` : `the slice from ${percent(from)} to ${percent(from + percentage)}`] : []),
    ...(by === undefined ? [] : [`by ${by}`]),
    ...(salt === undefined ? [] : [`salt “${salt}”`]),
  ];
  return details.length > 0 ? `${size} (${details.join(", ")})` : size;
}

const POINTS_NAMED_MAX = 3;

function scheduleWords(before: number, { kind, points }: Schedule): string {
  const isCut = points.length > POINTS_NAMED_MAX;
  const named = isCut ? [...points.slice(0, POINTS_NAMED_MAX - 1), ...points.slice(-1)] : points;
  const told = named.map(({ at, percentage }, index) => {
    const skipped = isCut && index === POINTS_NAMED_MAX - 1 ? "… " : "";
    if (kind === "line" && index > 0) return `${skipped}in a straight line to ${percent(percentage)} at ${momentWords(at)}`;
    return `${skipped}from ${momentWords(at)} ${percent(percentage)}`;
  });
  return [percent(before), ...told].join("; ");
}

export function servedWord(rule: Pick<Rule, "serve">, configuration: Pick<Configuration, "values" | "off">): string {
  if (rule.serve.kind === "variant") return variantWord(rule.serve.variant, configuration);
  const { weights, by, salt } = rule.serve;
  const details = [...(by === undefined ? [] : [`by ${by}`]), ...(salt === undefined ? [] : [`salt “${salt}”`])];
  const shares = weights
    .filter(({ percentage }) => percentage > 0)
    .map(({ variant, percentage }) => `${percent(percentage)} ${variantWord(variant, configuration)}`);
  return shares.join(", ") + (details.length > 0 ? ` (${details.join(", ")})` : "");
}

/** Denials that work now and stop working when everybody gets the flag: mode "on" ignores the rules. */
export function denialsLost(base: Configuration, next: Configuration, groupName: GroupName): string[] {
  if (next.mode !== "on" || base.mode === "on") return [];
  return next.rules.filter((rule) => isDenial(rule, next)).map((rule) => ruleSentence(rule, next, groupName));
}

function requirements(fields: Fields): string | null {
  return fields.requires.map(({ flag, variants }) => `${flag} is ${variants.join(" or ")}`).join(", ") || null;
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}
