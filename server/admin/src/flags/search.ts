import type { FlagSummary } from "../../../src/api-types.ts";

/** A flag that no program has reported an evaluation of for so long is unused. */
const UNUSED_MS = 30 * 86_400_000;

/** What a search can say besides words, for the menu that writes it. */
export function filtersOf(
  flags: readonly FlagSummary[],
): readonly { readonly label: string; readonly words: readonly [string, string][] }[] {
  const all = (field: "tags" | "owner") =>
    [...new Set(flags.flatMap((flag) => flag[field] ?? []))].filter(isWord).sort().slice(0, FILTERS_MAX);
  return [
    { label: "State", words: ["killed", "on", "some", "off", "inherits"].map((word) => [`state:${word}`, word.toUpperCase()]) },
    {
      label: "Life",
      words: [
        ["is:stale", "past its expected life"],
        ["is:unused", "not used for 30 days"],
      ],
    },
    { label: "Kind", words: ["release", "experiment", "ops", "permission"].map((kind) => [`kind:${kind}`, kind]) },
    { label: "Tag", words: all("tags").map((tag) => [`tag:${tag}`, `#${tag}`]) },
    { label: "Owner", words: all("owner").map((owner) => [`owner:${owner}`, owner]) },
  ];
}

const FILTERS_MAX = 12;
/** A search is split at spaces. */
const isWord = (text: string) => !/\s/.test(text);

/** The search with this word, or without it if it is there already. */
export function toggleWord(search: string, word: string): string {
  const words = search.split(/\s+/).filter(Boolean);
  return (words.includes(word) ? words.filter((one) => one !== word) : [...words, word]).join(" ");
}

/**
 * Flags that fit every word of the search: in key, name, description, tags or owner, or as `state:some`, `tag:checkout`, `owner:ana`,
 * `kind:ops`, `is:stale`, `is:unused`, `is:killed`.
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
    if (field === "kind") return flag.kind.startsWith(value);
    if (field === "is") {
      if (value === "stale") return flag.stale;
      if (value === "killed") return flag.killed !== null;
      if (value === "unused") return flag.seen === null || flag.seen.at < Date.now() - UNUSED_MS;
    }
    if (field === "owner") return (flag.owner ?? "").toLowerCase() === value;
  }
  return [flag.key, flag.name, flag.description, flag.owner ?? "", ...flag.tags].some((text) => text.toLowerCase().includes(word));
}
