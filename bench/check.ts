import type { Reader } from "./subject.ts";
import { expected, type FlagSpec, type Person, people, strangers } from "./workloads.ts";

/**
 * Throws unless the subject answers as the reference does: exactly where no percentage is asked for, and where one is, for the right
 * share of the people (within five standard deviations; each product hashes in its own way). `all` must agree with `ask`.
 */
export async function check(reader: Reader, flags: readonly FlagSpec[]): Promise<void> {
  // Many flags: some of the people will do.
  const asked = [...(flags.length > 1 ? people.filter((_, i) => i % 20 === 0) : people), ...strangers];
  const contexts = asked.map((person) => reader.context(person));
  const alls = reader.all ? await Promise.all(contexts.map((context) => reader.all?.(context))) : undefined;
  for (const flag of flags) {
    const shares = new Map<number, { on: number; of: number }>();
    for (const [i, person] of asked.entries()) {
      const on = await reader.ask(flag.key, contexts[i]);
      if (typeof on !== "boolean") throw new Error(`${flag.key}: answered ${String(on)}`);
      if (alls && reader.isOnIn?.(alls[i], flag.key) !== on)
        throw new Error(`${flag.key}: all flags at once say something else for ${person.key}`);
      count(flag, person, on, shares);
    }
    for (const [share, { on, of }] of shares) {
      const allowed = 5 * Math.sqrt((share * (1 - share)) / of);
      if (Math.abs(on / of - share) > allowed)
        throw new Error(`${flag.key}: on for ${on} of ${of}, expected about ${Math.round(share * of)}`);
    }
  }
}

function count(flag: FlagSpec, person: Person, on: boolean, shares: Map<number, { on: number; of: number }>): void {
  const share = expected(flag, person);
  if (share === 0 || share === 1) {
    if (on !== (share === 1)) throw new Error(`${flag.key}: ${on ? "on" : "off"} for ${person.key}, which is wrong`);
    return;
  }
  const so = shares.get(share) ?? { on: 0, of: 0 };
  shares.set(share, { on: so.on + (on ? 1 : 0), of: so.of + 1 });
}
