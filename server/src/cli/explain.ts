import type {
  ConditionTrace,
  Configuration,
  ConfigurationPatch,
  EffectAnswer,
  EffectBody,
  ExplainBody,
  Explanation,
  Flag,
} from "../api-types.ts";
import { createClient } from "./client.ts";
import { flagOf, type Output } from "./commands.ts";
import { type Input, readContext, readContexts, readJson } from "./input.ts";
import { type Options, UsageProblem } from "./options.ts";

type RuleTrace = Explanation["rules"][number];

/** Why a flag answers as it does for one context. */
export async function explain(options: Options, { out }: Output, input: Input): Promise<number> {
  const { client, at } = createClient(options);
  const flag = flagOf(options);
  if (options.context === undefined) {
    throw new UsageProblem(`For whom? Add --context '{"key":"u1"}', --context @FILE, or --context - to read it from the standard input.`);
  }
  const body: ExplainBody = {
    flag,
    context: await readContext(options.context, input),
    ...(options.set !== undefined && { configuration: await readPatch(options.set, input) }),
  };
  const told = await client.post<Explanation>(`${at}/explain`, body);
  if (options.json) out(JSON.stringify(told, null, 2));
  else for (const line of explanationLines(told)) out(line);
  return 0;
}

/** Who would gain and who would lose a flag by edits that are not saved. */
export async function effect(options: Options, { out }: Output, input: Input): Promise<number> {
  const { client, at } = createClient(options);
  const flag = flagOf(options);
  if ((options.set === undefined) === (options.percent === undefined)) {
    throw new UsageProblem(
      options.set === undefined
        ? `Which edits? Add --percent 25, or --set '{"mode":"on"}' with fields of the configuration.`
        : "--set and --percent say the same thing twice: write one of them.",
    );
  }
  const contexts = options.contexts === undefined ? undefined : await readContexts(options.contexts, input);
  const configuration =
    options.percent === undefined
      ? await readPatch(options.set ?? "", input)
      : withPercentage(await client.get<Flag>(`${at}/flags/${encodeURIComponent(flag)}`), options.percent);
  const body: EffectBody = { flag, configuration, ...(contexts && { contexts: [...contexts] }) };
  const answer = await client.post<EffectAnswer>(`${at}/effect`, body);
  if (options.json) out(JSON.stringify(answer, null, 2));
  else for (const line of effectLines(answer)) out(line);
  return 0;
}

async function readPatch(text: string, input: Input): Promise<ConfigurationPatch> {
  const patch = await readJson(text, "--set", input);
  if (typeof patch === "object" && patch !== null && !Array.isArray(patch)) return patch as ConfigurationPatch;
  throw new UsageProblem(
    `--set is ${JSON.stringify(patch).slice(0, 60)}, expected one object with fields of the configuration, such as '{"mode":"on"}'.`,
  );
}

/** The rules with another percentage in the last one without conditions, which is what the state word shows. */
export function withPercentage({ key, configuration }: Pick<Flag, "key" | "configuration">, text: string): Pick<Configuration, "rules"> {
  const percentage = Number(text);
  if (text.trim() === "" || !(percentage >= 0 && percentage <= 100)) {
    throw new UsageProblem(`--percent is "${text}", expected a number from 0 to 100, such as 25 or 0.5.`);
  }
  const { rules, mode } = configuration;
  if (mode !== "targeted") {
    throw new UsageProblem(
      `The mode of "${key}" is ${mode}, so no rule is asked and a percentage changes nothing: write --set '{"mode":"targeted","rules":[…]}'.`,
    );
  }
  const index = rules.findLastIndex((rule) => rule.when === undefined);
  const rule = rules[index];
  if (!rule) {
    throw new UsageProblem(
      `"${key}" has no rule without conditions, so there is no percentage of everyone else to set: write --set '{"rules":[…]}' with all rules.`,
    );
  }
  if (rule.rollout?.over) {
    throw new UsageProblem(
      `The percentage of the last rule of "${key}" follows a schedule, which goes on whatever it starts at: write --set '{"rules":[…]}' with all rules.`,
    );
  }
  return { rules: rules.map((each, at) => (at === index ? { ...rule, rollout: { ...rule.rollout, percentage } } : each)) };
}

export function explanationLines({ flag, environment, revision, evaluation, sentence, needs, rules }: Explanation): string[] {
  const lines = [
    `${flag} in ${environment}, revision ${revision}`,
    `value    ${evaluation.served ? shown(evaluation.value) : "the caller's default"}`,
    `variant  ${evaluation.variant ?? "none"}`,
    sentence,
  ];
  if (needs.length > 0) lines.push("", "Needs");
  for (const { kind, flag: needed, variants, serves, met } of needs) {
    const wanted = kind === "parent" ? "must not be off" : `must serve ${(variants ?? []).join(" or ")}`;
    lines.push(`  ${met ? "met    " : "not met"}  ${kind} ${needed} ${wanted}; it serves ${serves ?? "nothing"}`);
  }
  if (rules.length > 0) lines.push("", "Rules");
  for (const [index, rule] of rules.entries()) lines.push(...ruleLines(rule, index + 1));
  return lines;
}

function ruleLines(rule: RuleTrace, place: number): string[] {
  const standing = !rule.reached ? "not reached" : rule.applies ? "applies" : "does not apply";
  const lines = [`  ${place}. ${rule.title}${rule.denial ? " (denial)" : ""}: ${standing}`];
  if (rule.when) lines.push(...conditionLines(rule.when, "     "));
  if (rule.rollout) lines.push(`     ${rule.rollout.verdict.padEnd(7)}  ${rolloutWords(rule.rollout)}`);
  if (rule.split) lines.push(`              ${splitWords(rule.split)}`);
  return lines;
}

function conditionLines({ words, verdict, attribute, value, of }: ConditionTrace, indent: string): string[] {
  const held =
    attribute === undefined ? "" : value === undefined ? ` (no ${attribute} in the context)` : ` (${attribute}: ${shown(value)})`;
  const lines = [`${indent}${verdict.padEnd(7)}  ${words}${held}`];
  for (const part of of ?? []) lines.push(...conditionLines(part, `${indent}  `));
  return lines;
}

function rolloutWords({ by, unit, bucket, from, to, random }: NonNullable<RuleTrace["rollout"]>): string {
  const slice = to === undefined ? "a percentage that depends on the time" : `from ${percent(from)} up to ${percent(to)}`;
  if (random) return `a draw for each check, inside ${slice}`;
  if (unit === undefined || bucket === undefined) return `no ${by} in the context to decide by; inside is ${slice}`;
  return `${by} ${shown(unit)} falls on ${percent(bucket)}; inside is ${slice}`;
}

function splitWords({ by, unit, bucket }: NonNullable<RuleTrace["split"]>): string {
  if (unit === undefined || bucket === undefined) return `no ${by} in the context to split by`;
  return `${by} ${shown(unit)} falls on ${percent(bucket)} of the split`;
}

const EXAMPLES_SHOWN = 5;
const KINDS = [
  ["gains", "gain it"],
  ["loses", "lose it"],
  ["changes", "get another variant"],
  ["keeps", "keep it"],
  ["staysOut", "stay out"],
] as const;

export function effectLines(answer: EffectAnswer): string[] {
  const lines = [`${answer.flag} in ${answer.environment}, revision ${answer.revision}`, answer.sentence, ""];
  const width = answer.total.toLocaleString("en-US").length;
  for (const [kind, words] of KINDS) lines.push(`  ${answer.counts[kind].toLocaleString("en-US").padStart(width)} ${words}`);
  for (const [kind, words] of KINDS.slice(0, 3)) {
    const examples = answer.examples[kind].slice(0, EXAMPLES_SHOWN);
    if (examples.length === 0) continue;
    lines.push("", `Of those who ${words}`);
    for (const { index, key, before, after, sentence } of examples) {
      const who = key === undefined ? `context ${index + 1}` : shown(key);
      lines.push(`  ${who}: ${before ?? "the caller's default"} -> ${after ?? "the caller's default"}${sentence ? `; ${sentence}` : ""}`);
    }
  }
  return lines;
}

function percent(buckets: number): string {
  return `${buckets / 1_000} %`;
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? "nothing";
}
