import type { Configuration, Rule } from "../../../src/api-types.ts";
import { same } from "./draft.ts";
import { isDenial } from "./rules.ts";

/** Whether an edit takes the flag from people, gives it to people, or both (or cannot be told without asking each of them). */
export type Direction = "none" | "fewer" | "more" | "both";

/**
 * The direction of an edit, told only where it holds for every context. Sound because the first rule that applies decides:
 * what a rule no longer takes can only fall to the rules after it, so shrinking a rule that serves On never adds anybody,
 * and shrinking a denial never takes anybody away.
 */
export function directionOf(base: Configuration, next: Configuration): Direction {
  if (base.off !== next.off || base.on !== next.on || !same(base.values, next.values)) return "both";
  return [
    modeDirection(base, next),
    base.mode === "targeted" && next.mode === "targeted" ? rulesDirection(base, next) : "none",
    around(base, next),
  ].reduce(combine, "none");
}

function modeDirection(base: Configuration, next: Configuration): Direction {
  if (base.mode === next.mode) return "none";
  // Between the rules and "everybody" people may also get another variant than they had.
  if (![...base.rules, ...next.rules].every((rule) => servesAlike(rule, base, next.on)) && next.mode !== "off" && base.mode !== "off")
    return "both";
  if (next.mode === "off" || base.mode === "on") return "fewer";
  if (next.mode === "on" || base.mode === "off") return "more";
  return "both";
}

function around(base: Configuration, next: Configuration): Direction {
  let direction: Direction = "none";
  if (!same(base.parent, next.parent) || base.detached !== next.detached) direction = combine(direction, "both");
  if (!same(base.requires, next.requires)) {
    const kept = base.requires.every((requirement) => next.requires.some((other) => same(other, requirement)));
    const dropped = next.requires.every((requirement) => base.requires.some((other) => same(other, requirement)));
    direction = combine(direction, kept ? "fewer" : dropped ? "more" : "both");
  }
  if (base.archived !== next.archived) direction = combine(direction, next.archived ? "fewer" : "more");
  // Marking for browsers changes what browsers are told, not who gets the flag on servers.
  if (base.browser !== next.browser) direction = combine(direction, next.browser ? "more" : "fewer");
  return direction;
}

function rulesDirection(base: Configuration, next: Configuration): Direction {
  const before = base.rules.map((rule) => rule.id);
  const after = next.rules.map((rule) => rule.id);
  const stayed = before.filter((id) => after.includes(id));
  if (commonVariant([...base.rules, ...next.rules], base) === undefined) return same(base.rules, next.rules) ? "none" : "both";
  if (
    !same(
      stayed,
      after.filter((id) => before.includes(id)),
    )
  )
    return "both";

  let direction: Direction = "none";
  for (const rule of base.rules) {
    const now = next.rules.find((other) => other.id === rule.id);
    direction = combine(direction, now ? ruleDirection(rule, now, base) : isDenial(rule, base) ? "more" : "fewer");
  }
  for (const rule of next.rules) {
    if (!before.includes(rule.id)) direction = combine(direction, isDenial(rule, next) ? "fewer" : "more");
  }
  return direction;
}

/** Only between one variant and off is there a more and a fewer: of several, people can get another one. */
function servesAlike(rule: Rule, { off }: Configuration, variant: string): boolean {
  return rule.serve.kind === "variant" && (rule.serve.variant === variant || rule.serve.variant === off);
}

/** The variant that all rules but denials serve, if there is such a one. */
function commonVariant(rules: readonly Rule[], configuration: Configuration): string | undefined {
  const first = rules.find((rule) => !isDenial(rule, configuration));
  const variant = first?.serve.kind === "variant" ? first.serve.variant : configuration.on;
  return rules.every((rule) => servesAlike(rule, configuration, variant)) ? variant : undefined;
}

function ruleDirection(before: Rule, after: Rule, base: Configuration): Direction {
  if (same({ ...before, name: "" }, { ...after, name: "" })) return "none";
  const { rollout: old, name: _old, ...rest } = before;
  const { rollout: current, name: _new, ...others } = after;
  if (!same(rest, others) || !same({ ...old, percentage: 0 }, { ...current, percentage: 0 }) || current?.random) return "both";
  const was = old?.percentage ?? 100;
  const is = current?.percentage ?? 100;
  if (was === is) return "none";
  return is > was === isDenial(before, base) ? "fewer" : "more";
}

function combine(a: Direction, b: Direction): Direction {
  if (a === "none" || a === b) return b;
  return b === "none" ? a : "both";
}
