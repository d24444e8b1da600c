import type { FlagSummary } from "../../../src/api-types.ts";

/**
 * Flags that fit every word of the search: in key, name, description, tags or owner, or as `state:some`, `tag:checkout`, `owner:ana`.
 * Those whose key starts with the search come first, then those whose key contains it; else the order of the list stands.
 */
export function searchFlags(flags: readonly FlagSummary[], search: string, archived: boolean): FlagSummary[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = flags.filter((flag) => flag.archived === archived && words.every((word) => fits(flag, word)));
  if (words.length === 0) return found;
  const phrase = words.join(" ");
  return found
    .map((flag, index) => ({ flag, index, rank: rankOf(flag.key.toLowerCase(), phrase) }))
    .sort((a, b) => a.rank - b.rank || a.index - b.index)
    .map(({ flag }) => flag);
}

function rankOf(key: string, phrase: string): number {
  if (key === phrase) return 0;
  if (key.startsWith(phrase)) return 1;
  return key.includes(phrase) ? 2 : 3;
}

function fits(flag: FlagSummary, word: string): boolean {
  const [field, value] = word.split(":", 2);
  if (value) {
    if (field === "state") return flag.state.word.toLowerCase().startsWith(value);
    if (field === "tag") return flag.tags.some((tag) => tag.toLowerCase() === value);
    if (field === "owner") return (flag.owner ?? "").toLowerCase() === value;
  }
  return [flag.key, flag.name, flag.description, flag.owner ?? "", ...flag.tags].some((text) => text.toLowerCase().includes(word));
}
