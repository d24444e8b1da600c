import type { EffectAnswer } from "../api-types.ts";

type Told = Pick<EffectAnswer, "total" | "asked" | "madeUp" | "killed" | "setAside" | "counts">;

/** `Of 10,000 made-up users without attributes, about 1,500 gain it, none lose it.` `units` is what made-up ones have besides their key. */
export function effectSentence({ total, asked, madeUp, killed, setAside, counts }: Told, units: readonly string[] = []): string {
  const { gains, loses, changes } = counts;
  const say = (many: number) => quantity(many, total, madeUp);
  const parts = [`${say(gains)} ${verb(gains, "gain")} it`, `${say(loses)} ${verb(loses, "lose")} it`];
  if (changes > 0) parts.push(`${say(changes)} ${verb(changes, "get")} another variant`);
  const lead = killed ? "Once it is restored, of" : "Of";
  return `${lead} ${whom(total, madeUp, units)}${total < asked ? ` (of ${number(asked)}; time ran out)` : ""}${unconcerned(setAside)}, ${parts.join(", ")}.`;
}

function whom(total: number, madeUp: boolean, units: readonly string[]): string {
  if (!madeUp) return total === 1 ? "1 context" : `${number(total)} contexts`;
  if (units.length === 0) return `${number(total)} made-up users without attributes`;
  return `${number(total)} made-up users, each with ${units.join(" and ")} of their own and nothing else`;
}

function unconcerned(denials: readonly string[]): string {
  if (denials.length === 0) return "";
  if (denials.length === 1) return `, whom "${denials[0]}" does not concern`;
  return `, whom ${denials.length} denials do not concern`;
}

/** A made-up share is an estimate: two digits of it are what it can tell. */
function quantity(many: number, total: number, isEstimate: boolean): string {
  if (many === 0) return "none";
  if (many === total) return total === 1 ? "1" : "all";
  if (!isEstimate) return number(many);
  const rounded = many < 100 ? many : Number(many.toPrecision(2));
  return `about ${number(rounded === total ? many : rounded)}`;
}

function verb(many: number, plural: string): string {
  return many === 1 ? `${plural}s` : plural;
}

function number(many: number): string {
  return many.toLocaleString("en-US");
}
