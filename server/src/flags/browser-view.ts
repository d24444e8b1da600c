import { type Condition, conditionSentence, type FlagEntry, type Rule } from "@signalbox/core";
import type { BrowserView } from "../api-types.ts";
import { flagIn } from "../environments/located.ts";
import type { EnvironmentModel } from "../store/model.ts";
import { obstaclesOf } from "./refusals.ts";

/**
 * What whoever holds the browser key can read of a flag: the entry of the projection itself, not a description that could differ from it.
 * Throws FLAG_NOT_FOUND.
 */
export function browserViewOf(environment: EnvironmentModel, flagKey: string): BrowserView {
  const { key } = flagIn(environment, flagKey).identity;
  const entry = environment.states.browser.entries.get(`flag:${key}`);
  const seen = entry?.kind === "flag" ? entry : undefined;
  const names = { group: (group: string) => environment.groups.get(group)?.name ?? group };
  const facts = [...(environment.flagFacts.get(key) ?? [])].map(([number, condition]) => {
    return { number, sentence: conditionSentence(condition, names) };
  });
  return {
    flag: key,
    environment: environment.info.key,
    revision: environment.revision,
    visible: seen !== undefined,
    entry: seen ? (JSON.parse(JSON.stringify(seen)) as BrowserView["entry"]) : null,
    bytes: seen ? Buffer.byteLength(JSON.stringify(seen)) : 0,
    told: seen ? toldBy(seen, names) : [],
    facts: seen ? facts.sort((a, b) => a.number - b.number) : [],
    secureMode: environment.settings.secureMode,
    obstacles: obstaclesOf(environment, key),
  };
}

/** The conditions that the entry holds as they are, in words, each once. */
function toldBy(entry: FlagEntry, names: Parameters<typeof conditionSentence>[1]): string[] {
  const rules = Array.isArray(entry.rules) ? (entry.rules as readonly Rule[]) : [];
  const leaves = rules.flatMap(({ when }) => (when ? leavesOf(when) : []));
  return [...new Set(leaves.map((leaf) => conditionSentence(leaf, names)))];
}

function leavesOf(condition: Condition): Condition[] {
  switch (condition.op) {
    case "all":
    case "any":
      return condition.of.flatMap(leavesOf);
    case "not":
      return leavesOf(condition.of);
    case "fact":
      return [];
    default:
      return [condition];
  }
}
