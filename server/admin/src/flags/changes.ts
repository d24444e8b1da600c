import type { Configuration, Rule } from "../../../src/api-types.ts";
import { inWords } from "../conditions/edit.ts";
import { type Edits, type Fields, same } from "./draft.ts";
import { everyoneElse, isDenial, singleGroup } from "./rules.ts";

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
  if ("values" in edits) lines.push({ what: "Values", from: JSON.stringify(base.values), to: JSON.stringify(next.values) });
  if ("key" in edits) lines.push({ what: "Key", from: base.key, to: next.key });
  if ("name" in edits) lines.push({ what: "Name", from: base.name || null, to: next.name || null });
  if ("description" in edits) lines.push({ what: "Description", from: base.description || null, to: next.description || null });
  if ("tags" in edits) lines.push({ what: "Tags", from: base.tags.join(", ") || null, to: next.tags.join(", ") || null });
  if ("owner" in edits) lines.push({ what: "Owner", from: base.owner, to: next.owner });
  return lines;
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
  if (before.percentage !== after.percentage) {
    lines.push({ what: "Everyone else", from: percent(before.percentage), to: percent(after.percentage) });
  }
  return lines;
}

/** Rules without the "everyone else" row, by id. */
function named(configuration: Configuration, everyoneElseIndex: number): [string, Rule][] {
  return configuration.rules.flatMap((rule, index) => (index === everyoneElseIndex ? [] : [[rule.id ?? `rule-${index + 1}`, rule]]));
}

/** "10 % of beta: On" */
export function ruleSentence(rule: Rule, configuration: Configuration, groupName: GroupName): string {
  const group = singleGroup(rule);
  const who = rule.name || (group !== undefined ? groupName(group) : rule.when ? whenSentence(rule, groupName) : "everyone");
  const part = rule.rollout ? `${percent(rule.rollout.percentage)}${rule.rollout.random ? " (random)" : ""} of ` : "";
  return `${part}${who}: ${servedWord(rule, configuration)}`;
}

function whenSentence(rule: Rule, groupName: GroupName): string {
  return rule.when ? inWords(rule.when, groupName) : "everyone";
}

export function servedWord(rule: Rule, configuration: Configuration): string {
  if (rule.serve.kind === "split") return rule.serve.weights.map((weight) => `${weight.variant} ${percent(weight.percentage)}`).join(", ");
  if (isDenial(rule, configuration)) return "Off";
  return rule.serve.variant === "on" ? "On" : rule.serve.variant;
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
