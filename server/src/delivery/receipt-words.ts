import type { Missing, Receipt } from "./receipts.ts";

/** Programs named in the sentence. */
const NAMED_MAX = 3;

/** "2 of 3 connected programs have applied it, slowest 4 ms; waiting for worker (gone)". */
export function sentenceOf(receipt: Omit<Receipt, "sentence">, blind: number): string {
  const { connected, acknowledged, slowestMs, aside } = receipt;
  const beside = besideOf(aside);
  if (connected === 0) {
    const nobody = blind > 0 ? "No connected program can see this change" : "No program is connected";
    if (beside === "") return `${nobody}; each ${blind > 0 ? "that can " : ""}will apply it when it connects`;
    return `No program that acknowledges it is connected${beside}`;
  }
  const applied = `${acknowledged} of ${connected} connected ${connected === 1 ? "program has" : "programs have"} applied it`;
  const slowest = slowestMs === null ? "" : `, slowest ${slowestMs} ms`;
  const waitedFor = receipt.missing.filter(({ counted }) => counted);
  if (acknowledged === connected) return `${applied}${slowest}${beside}`;
  const named = waitedFor.slice(0, NAMED_MAX).map(({ app, reason }) => (REMARK[reason] ? `${app} (${REMARK[reason]})` : app));
  const rest = connected - acknowledged - named.length;
  return `${applied}${slowest}; waiting for ${named.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}${beside}`;
}

const REMARK: Readonly<Record<Missing["reason"], string>> = {
  waiting: "",
  gone: "gone",
  silent: "silent",
  polling: "polls",
  "old-sdk": "",
};

function besideOf({ polling, silent, oldSdk, notSampled }: Receipt["aside"]): string {
  const parts = [
    polling > 0 ? `${polling} ${polling === 1 ? "polls and applies" : "poll and apply"} it then` : "",
    silent > 0 ? `${silent} silent` : "",
    oldSdk > 0 ? `${oldSdk} whose SDK does not acknowledge it` : "",
    notSampled > 0 ? `${notSampled} ${notSampled === 1 ? "page" : "pages"} not asked` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "" : `; not counted: ${parts.join(", ")}`;
}

/** Why a program has not said that it applied a revision, as the end of a sentence about it. */
export function why({ reason, heardAt, sdk }: Pick<Missing, "reason" | "heardAt" | "sdk">, now: number): string {
  const heard = ago(now - heardAt);
  switch (reason) {
    case "waiting":
      return `connected, has not answered; last heard from ${heard} ago`;
    case "gone":
      return "has disconnected, it will apply it when it is back";
    case "silent":
      return `connected, but silent for ${heard}; it may be stuck`;
    case "polling":
      return `polls, will apply it at its next poll; last seen ${heard} ago`;
    case "old-sdk":
      return `its SDK (${sdk}) may be too old to acknowledge this`;
  }
}

function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
