import type { EffectAnswer } from "../api-types.ts";

type Told = Pick<EffectAnswer, "total" | "asked" | "madeUp" | "sampled" | "killed" | "setAside" | "counts">;

/** `Of 10,000 made-up users without attributes, about 1,500 gain it, none lose it.` `units` is what made-up ones have besides their key. */
export function effectSentence(
  { total, asked, madeUp, sampled, killed, setAside, counts }: Told,
  units: readonly string[] = [],
  now = Date.now(),
): string {
  const { gains, loses, changes } = counts;
  const say = (many: number) => quantity(many, total, madeUp);
  const parts = [`${say(gains)} ${verb(gains, "gain")} it`, `${say(loses)} ${verb(loses, "lose")} it`];
  if (changes > 0) parts.push(`${say(changes)} ${verb(changes, "get")} another variant`);
  const lead = killed ? "Once it is restored, of" : "Of";
  return `${lead} ${whom(total, madeUp, units)}${sampled ? sent(sampled, now) : ""}${total < asked ? ` (of ${number(asked)}; time ran out)` : ""}${unconcerned(setAside)}, ${parts.join(", ")}.`;
}

function whom(total: number, madeUp: boolean, units: readonly string[]): string {
  if (!madeUp) return total === 1 ? "1 context" : `${number(total)} contexts`;
  if (units.length === 0) return `${number(total)} made-up users without attributes`;
  return `${number(total)} made-up users, each with ${units.join(" and ")} of their own and nothing else`;
}

/** How old the contexts are, so that nobody takes last week's for today's. */
function sent({ oldestAt, newestAt }: NonNullable<Told["sampled"]>, now: number): string {
  const [oldest, newest] = [age(now - oldestAt), age(now - newestAt)];
  return ` that programs sent ${oldest === newest ? `${newest} ago` : `${oldest} to ${newest} ago`}`;
}

function age(ms: number): string {
  const minutes = Math.floor(Math.max(0, ms) / 60_000);
  if (minutes < 1) return "less than a minute";
  if (minutes < 120) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1_440)} days`;
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
