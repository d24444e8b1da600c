import type { Condition, Configuration, Rule } from "../../../src/api-types.ts";
import { incomplete } from "../conditions/edit.ts";
import { same } from "./draft.ts";
import { isRuleDrawn, ruleProblem } from "./read-rule.ts";
import { type Rollout, rolloutProblem } from "./schedule.ts";
import { splitProblem } from "./split.ts";

type Rules = Configuration["rules"];

/** An id for a rule made here, so that it can be followed through moves before the server has seen it. */
export function newRuleId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(5));
  return `r-${Array.from(bytes, (byte) => byte.toString(36).padStart(2, "0")).join("")}`;
}

export function newRule(configuration: Configuration, when: Condition): Rule {
  return { id: newRuleId(), when, serve: { kind: "variant", variant: configuration.on } };
}

/** A rule that serves the off variant: whoever it applies to does not get the flag. */
export function isDenial(rule: Rule, configuration: Pick<Configuration, "off">): boolean {
  return rule.serve.kind === "variant" && rule.serve.variant === configuration.off;
}

/**
 * The "everyone else" row: a last rule without conditions that is no denial, for a percentage that begins at 0. There need not be one,
 * which is the same as 0 %; `index` is then -1.
 */
export function everyoneElse(configuration: Configuration): { index: number; percentage: number; rule: Rule | undefined } {
  const index = configuration.rules.length - 1;
  const last = configuration.rules[index];
  if (!last || !isEveryoneElse(last, configuration)) return { index: -1, percentage: 0, rule: undefined };
  return { index, percentage: last.rollout?.percentage ?? 100, rule: last };
}

function isEveryoneElse(rule: Rule, configuration: Configuration): boolean {
  if (rule.when !== undefined || isDenial(rule, configuration) || !isRuleDrawn(rule)) return false;
  return rule.rollout === undefined || (rule.rollout.from === undefined && rule.rollout.random !== true);
}

/** The rules with another percentage of everyone else. The row keeps its id, unit and salt, so that the same people stay inside. */
export function withEveryoneElse(configuration: Configuration, percentage: number): Rules {
  const { rule } = everyoneElse(configuration);
  const rounded = Math.round(Math.min(100, Math.max(0, percentage)) * 1000) / 1000;
  if (!rule && rounded === 0) return configuration.rules;
  return withEveryoneElseRule(configuration, { ...rule, rollout: { ...rule?.rollout, percentage: rounded } });
}

/** The rules with another "everyone else" row; what is not given is as it was. */
export function withEveryoneElseRule(configuration: Configuration, change: Partial<Rule>): Rules {
  const { rule } = everyoneElse(configuration);
  if (rule) return [...configuration.rules.slice(0, -1), { ...rule, ...change }];
  return [...configuration.rules, { id: newRuleId(), serve: { kind: "variant", variant: configuration.on }, ...change }];
}

/** Inserts before the last rule if that is for everyone: behind it hardly anybody would be asked. */
export function withRule({ rules }: Configuration, rule: Rule): Rules {
  const last = rules.at(-1);
  return last && last.when === undefined ? [...rules.slice(0, -1), rule, last] : [...rules, rule];
}

/** 100 % of all is said by no rollout. */
export function withRollout(rule: Rule, rollout: Rollout): Rule {
  const { rollout: _, ...rest } = rule;
  return rollout.percentage === 100 && Object.keys(rollout).length === 1 ? rest : { ...rest, rollout };
}

export function replaceRule(rules: Rules, index: number, rule: Rule): Rules {
  return rules.map((old, at) => (at === index ? rule : old));
}

export function removeRule(rules: Rules, index: number): Rules {
  return rules.filter((_, at) => at !== index);
}

/** Moves one rule up (-1) or down (1); out of range leaves the list as it is. */
export function moveRule(rules: Rules, index: number, by: -1 | 1): Rules {
  const rule = rules[index];
  const other = rules[index + by];
  if (!rule || !other) return rules;
  return rules.map((old, at) => (at === index ? other : at === index + by ? rule : old));
}

/** What keeps a rule from being saved, as a sentence; undefined when nothing that this page knows of does. */
export function ruleIncomplete(rule: Rule): string | undefined {
  const unreadable = ruleProblem(rule);
  if (unreadable !== undefined) return unreadable;
  const [missing] = rule.when ? incomplete(rule.when) : [];
  return missing ?? (rule.rollout && rolloutProblem(rule.rollout)) ?? (rule.serve.kind === "split" ? splitProblem(rule.serve) : undefined);
}

/** Of the rules that were edited: what was saved before, by whatever means, does not keep other edits from being saved. */
export function firstIncomplete(next: Rules, saved: Rules): string | undefined {
  for (const [index, rule] of next.entries()) {
    if (saved.some((old) => same(old, rule))) continue;
    const problem = ruleIncomplete(rule);
    if (problem !== undefined) return `Rule ${index + 1}: ${problem}`;
  }
  return undefined;
}

/** Sentences of the server name a rule by its id; on this page it has a number. */
export function withRuleNumbers(sentence: string, rules: Rules): string {
  return rules.reduce(
    (text, rule, index) => (rule.id === undefined ? text : text.replaceAll(`rule "${rule.id}"`, `rule ${index + 1}`)),
    sentence,
  );
}

/** The group of a rule that asks for nothing but one group; such rows are shown by the group's name. */
export function singleGroup(rule: Rule): string | undefined {
  return rule.when?.op === "group" ? rule.when.group : undefined;
}
