import { allowSteps, type Call, compileCondition, FALSE, TRUE, Unreadable } from "./conditions.ts";
import type { VerdictWord } from "./explain.ts";
import type { Condition } from "./model.ts";
import type { State } from "./state.ts";

/** What a condition comes to for a context. Each call may take as long as one evaluation of a flag. */
export type Judge = (context: unknown, call: Call) => VerdictWord;

/**
 * Compiles one condition by itself, as rules are compiled, with the groups of a state. Never throws, and neither does the judge: a condition
 * that this version cannot read is unknown. It belongs to `state.slots` as they are: a snapshot makes new ones.
 */
export function compileVerdict(condition: Condition, { slots }: Pick<State, "slots">): Judge {
  try {
    const holds = compileCondition(condition, TRUE, slots);
    const fails = compileCondition(condition, FALSE, slots);
    return (context, call) => {
      allowSteps();
      if (holds(context, 0, call)) return "true";
      allowSteps();
      return fails(context, 0, call) ? "false" : "unknown";
    };
  } catch (error) {
    if (error instanceof Unreadable) return () => "unknown";
    throw error;
  }
}
