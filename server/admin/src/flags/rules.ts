import type { Condition, Configuration, Rule } from "../../../src/api-types.ts";

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
 * The "everyone else" row: a last rule without conditions that serves the on variant to a plain percentage.
 * `index` is -1 when there is none, which is the same as 0 %.
 */
export function everyoneElse(configuration: Configuration): { index: number; percentage: number } {
  const index = configuration.rules.length - 1;
  const last = configuration.rules[index];
  if (!last || !isEveryoneElse(last, configuration)) return { index: -1, percentage: 0 };
  return { index, percentage: last.rollout?.percentage ?? 100 };
}

function isEveryoneElse(rule: Rule, configuration: Configuration): boolean {
  if (rule.when !== undefined || rule.serve.kind !== "variant" || rule.serve.variant !== configuration.on) return false;
  return rule.rollout === undefined || (rule.rollout.from === undefined && rule.rollout.random !== true);
}

/** The rules with another percentage of everyone else. The row keeps its id, unit and salt, so that the same people stay inside. */
export function withEveryoneElse(configuration: Configuration, percentage: number): Rules {
  const { index } = everyoneElse(configuration);
  const rounded = Math.round(Math.min(100, Math.max(0, percentage)) * 1000) / 1000;
  const old = configuration.rules[index];
  if (!old) {
    if (rounded === 0) return configuration.rules;
    const row: Rule = { id: newRuleId(), rollout: { percentage: rounded }, serve: { kind: "variant", variant: configuration.on } };
    return [...configuration.rules, row];
  }
  return [...configuration.rules.slice(0, -1), { ...old, rollout: { ...old.rollout, percentage: rounded } }];
}

/** Inserts before the "everyone else" row, which always stays the last. */
export function withRule(configuration: Configuration, rule: Rule): Rules {
  const { index } = everyoneElse(configuration);
  return index < 0 ? [...configuration.rules, rule] : [...configuration.rules.slice(0, index), rule, ...configuration.rules.slice(index)];
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
