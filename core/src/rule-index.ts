import { ownKey, ownValue } from "./attribute.ts";
import type { CompiledRule, RulePlan } from "./rule.ts";

/** Rules of one index: as many as there are bits in a machine word that the engine does not box. */
const BLOCK_RULES_MAX = 30;
/** With fewer rules that an index could pass over, asking them one by one is as quick. */
const INDEXED_RULES_MIN = 3;

/** The answer of the first rule that applies, asking as few rules as need be. */
export function inOrder(rules: readonly CompiledRule[]): RulePlan {
  const [first, ...others] = rules;
  if (!first) return () => undefined;
  if (others.length === 0) return first.answer;
  const blocks: RulePlan[] = [];
  for (let start = 0; start < rules.length; start += BLOCK_RULES_MAX) blocks.push(block(rules.slice(start, start + BLOCK_RULES_MAX)));
  return firstOf(blocks);
}

function firstOf(plans: readonly RulePlan[]): RulePlan {
  const [only] = plans;
  if (plans.length === 1 && only) return only;
  return (context, call) => {
    for (const plan of plans) {
      const answer = plan(context, call);
      if (answer) return answer;
    }
    return undefined;
  };
}

/** For one attribute: which rules may apply, as bits, for each value that some rule lists. */
interface Column {
  readonly attribute: string;
  readonly rules: Map<unknown, number>;
  /** The rules that do not ask for this attribute. */
  readonly others: number;
}

/**
 * One look-up for each attribute that rules list values of gives the rules that may apply; only those are asked. A rule whose listed values
 * the context does not have cannot be true, and nothing but a denial applies unless it is true, so denials are always asked.
 */
function block(rules: readonly CompiledRule[]): RulePlan {
  if (rules.filter(({ lists }) => lists.length > 0).length < INDEXED_RULES_MIN) return firstOf(rules.map(({ answer }) => answer));
  const columns = [...new Set(rules.flatMap(({ lists }) => lists.map(({ attribute }) => attribute)))].map((attribute) =>
    column(attribute, rules),
  );
  const answers = rules.map(({ answer }) => answer);
  const rests = rules.map(({ answer, rest }) => rest ?? answer);
  const everyRule = 2 ** rules.length - 1;
  return (context, call) => {
    let candidates = everyRule;
    let plans = rests;
    try {
      for (let i = 0; i < columns.length; i++) {
        const { attribute, rules, others } = columns[i] as Column;
        const value = attribute === "key" ? ownKey(context) : ownValue(context, attribute);
        // A list as attribute holds if any element does, and its elements are for the rules themselves to look at.
        if (typeof value === "object" && value !== null) plans = answers;
        else candidates &= rules.get(value) ?? others;
        if (candidates === 0) return undefined;
      }
    } catch {
      candidates = everyRule; // A getter or a proxy of the caller threw: each rule finds out for itself what it does not know.
      plans = answers;
    }
    for (; candidates !== 0; candidates &= candidates - 1) {
      const answer = (plans[31 - Math.clz32(candidates & -candidates)] as RulePlan)(context, call);
      if (answer) return answer;
    }
    return undefined;
  };
}

function column(attribute: string, rules: readonly CompiledRule[]): Column {
  let others = 0;
  const listed = new Map<unknown, number>();
  for (const [index, { lists }] of rules.entries()) {
    const list = lists.find((each) => each.attribute === attribute);
    if (!list) others |= 1 << index;
    else for (const value of list.values) listed.set(value, (listed.get(value) ?? 0) | (1 << index));
  }
  for (const [value, bits] of listed) listed.set(value, bits | others);
  return { attribute, rules: listed, others };
}
