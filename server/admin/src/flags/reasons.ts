import type { EvaluationAnswer } from "../../../src/api-types.ts";
import { type GroupName, ruleSentence } from "./changes.ts";
import type { Fields } from "./draft.ts";

/** Why the evaluation came out so, for people. Reasons that this page does not know are shown by their name. */
export function reasonWords(answer: EvaluationAnswer, fields: Fields, groupName: GroupName): string {
  const { kind, ...details } = answer.reason;
  const index = fields.rules.findIndex((rule) => rule.id !== undefined && rule.id === details.ruleId);
  const rule = fields.rules[index];
  const ruleWords = rule ? `rule ${index + 1} (${ruleSentence(rule, fields, groupName)})` : "a rule";
  switch (kind) {
    case "DISABLED":
      return details.killed === true ? "The flag is killed." : fields.archived ? "The flag is archived." : "Nobody gets it.";
    case "STALE":
      return "The state is older than this flag allows.";
    case "STATIC":
      return fields.mode === "inherit" ? "It follows its parent." : "Everybody gets it.";
    case "PREREQUISITE_FAILED":
      return `The flag ${String(details.flag)}, which this one needs, is not on for this person.`;
    case "TARGETING_MATCH":
      return `Decided by ${ruleWords}.`;
    case "SPLIT":
      return `Decided by ${ruleWords}, bucket ${(Number(details.bucket) / 1000).toFixed(3)} of 100.`;
    case "DEFAULT":
      return "No rule applied to this person.";
    case "ERROR":
      return `It could not be evaluated (${String(details.code)}); programs use their own default.`;
    default:
      return kind;
  }
}
