import { type Names, ruleTitle } from "@signalbox/core";
import type { Flag, FlagList, FlagsWritten, FlagWritten, GroupList, Receipt, Rule } from "../api-types.ts";
import { worded } from "../flags/convert.ts";
import { type Client, createClient, OutcomeUnknown, Refused } from "./client.ts";
import { type Options, UsageProblem } from "./options.ts";

export interface Output {
  /** What was asked for. */
  out(line: string): void;
  /** What went wrong. */
  err(line: string): void;
  /** A line that the next one replaces; absent where nobody watches a terminal. An empty one takes it away. */
  live?(line: string): void;
}

/** `kill` and `restore` wait this long for programs. */
const RECEIPT_WAIT_MS = 10_000;
/** How often a terminal is told how far it is. */
const LIVE_MS = 200;
/** Of fewer programs the slowest says it all. */
const PERCENTILES_FROM = 20;
/** Of several flags so many are named. */
const NAMED_MAX = 20;
export const EXIT = { done: 0, partly: 1, lagging: 3, unknown: 4 } as const;

export async function list(options: Options, { out }: Output): Promise<number> {
  const { client, at } = createClient(options);
  const found = await allFlags(client, `${at}/flags`, filterOf(options));
  if (options.json) out(JSON.stringify(found, null, 2));
  else if (found.flags.length === 0) {
    out(found.totals.live === 0 ? `There is no flag in ${found.environment} yet.` : `No flag of ${found.environment} fits.`);
  } else {
    const rows = found.flags.map(({ key, state, seen }) => [key, state.text, seen ? `${ago(seen.at)}, ${seen.app}` : "never"]);
    for (const line of table([["KEY", "STATE", "SEEN"], ...rows])) out(line);
  }
  return EXIT.done;
}

/** `--search`, `--tag` and the like, as the query has them. */
function filterOf({ search, tag, owner, state }: Options): URLSearchParams {
  const query = new URLSearchParams({ limit: "1000" });
  for (const [name, value] of Object.entries({ search, tag, owner, state: state?.toUpperCase() })) {
    if (value !== undefined) query.set(name, value);
  }
  return query;
}

/** All pages as one list. */
async function allFlags(client: Client, path: string, query: URLSearchParams): Promise<FlagList> {
  const first = await client.get<FlagList>(`${path}?${query}`);
  const flags = [...first.flags];
  for (let { next } = first; next !== null; ) {
    query.set("after", next);
    const page = await client.get<FlagList>(`${path}?${query}`);
    flags.push(...page.flags);
    next = page.next;
  }
  return { ...first, flags, next: null };
}

export async function show(options: Options, { out }: Output): Promise<number> {
  const { client, at } = createClient(options);
  const flag = await client.get<Flag>(`${at}/flags/${encodeURIComponent(flagOf(options))}`);
  if (options.json) {
    out(JSON.stringify(flag, null, 2));
    return EXIT.done;
  }
  out(`${flag.key} in ${options.environment}: ${flag.state.text}`);
  if (flag.name && flag.name !== flag.key) out(flag.name);
  out(flag.sentence);
  if (flag.killed) out(`Killed ${ago(flag.killed.at)} by ${flag.killed.by}${flag.killed.reason ? `: ${flag.killed.reason}` : ""}`);
  const { rules } = flag.configuration;
  const names = rules.length > 0 ? await groupNames(client, at) : {};
  for (const [index, rule] of rules.entries()) out(`  ${index + 1}. ${ruleSentence(rule, rules, names)}`);
  out(`Last changed ${ago(flag.updatedAt)} by ${flag.updatedBy}`);
  for (const warning of flag.warnings) out(`Warning: ${warning}`);
  return EXIT.done;
}

/** Stores first, then waits for the receipt: that the receipt cannot be had never hides that the kill is stored. */
export async function killOrRestore(verb: "kill" | "restore", options: Options, output: Output): Promise<number> {
  try {
    return await storeAndWait(verb, options, output);
  } catch (error) {
    if (!(error instanceof OutcomeUnknown)) throw error;
    output.err(error.message);
    return EXIT.unknown;
  }
}

async function storeAndWait(verb: "kill" | "restore", options: Options, output: Output): Promise<number> {
  const { out, err } = output;
  const { client, at } = createClient(options);
  const past = verb === "kill" ? "killed" : "restored";
  const { written, keys, missing } = await store(verb, options, client, at);
  const where = `${keys} in ${options.environment}`;
  const { revision, changed } = written;
  const done = changed
    ? `${past} ${where} (revision ${revision})`
    : `${where} was ${past} already, nothing was changed (revision ${revision})`;
  // That it was stored before proves nothing about programs. The revision is then the newest one, and whoever has that has this too.
  const receipt = await receiptOf(client, `${at}/revisions/${revision}/receipt`, options.json ? undefined : output.live);
  if (options.json) out(JSON.stringify({ ...written, receipt: receipt instanceof Refused ? null : receipt }, null, 2));
  if (receipt instanceof Refused) {
    if (!options.json) out(done);
    err(`It is stored, but who has applied it is not known: ${receipt.message}`);
    err(`"signalbox fleet -e ${options.environment}" tells which revision each program holds.`);
    return EXIT.unknown;
  }
  if (!options.json) {
    out(changed ? `${done}, stored in ${receipt.storedMs} ms` : done);
    out(receipt.sentence);
    if (receipt.acknowledged >= PERCENTILES_FROM)
      out(`half within ${receipt.p50Ms} ms, 95 % within ${receipt.p95Ms} ms, 99 % within ${receipt.p99Ms} ms`);
  }
  for (const key of missing) err(`"${key}" was not ${past}: no flag has this key.`);
  if (receipt.complete) return missing.length > 0 ? EXIT.partly : EXIT.done;
  for (const { app, instance, host, counted, why } of receipt.missing) {
    if (counted) err(`${app} (${host === null ? instance : `${instance} on ${host}`}): ${why}`);
  }
  const named = receipt.missing.filter(({ counted }) => counted).length;
  const more = receipt.connected - receipt.acknowledged - named;
  if (more > 0) err(`and ${more} more`);
  return EXIT.lagging;
}

interface Stored {
  readonly written: FlagWritten | FlagsWritten;
  readonly keys: string;
  readonly missing: readonly string[];
}

async function store(verb: "kill" | "restore", options: Options, client: Client, at: string): Promise<Stored> {
  const { key, rest, tag } = options;
  const reason = options.reason ? { reason: options.reason } : {};
  if (tag === undefined && rest.length === 0) {
    const written = await client.post<FlagWritten>(`${at}/flags/${encodeURIComponent(flagOf(options))}/${verb}`, reason);
    return { written, keys: written.flag.key, missing: [] };
  }
  if (tag !== undefined && key !== undefined) throw new UsageProblem(`Either keys or --tag says which flags are meant, not both.`);
  const chosen = tag === undefined ? { flags: [flagOf(options), ...rest] } : { tag };
  const written = await client.post<FlagsWritten>(`${at}/${verb}`, { ...chosen, ...reason });
  const { flags, missing } = written;
  const keys = flags.slice(0, NAMED_MAX).map((flag) => flag.key);
  const more = flags.length > keys.length ? ` and ${flags.length - keys.length} more` : "";
  return { written, keys: keys.join(", ") + more, missing };
}

/** The receipt when it is complete, or as it is after 10 s. */
async function receiptOf(client: Client, path: string, live: Output["live"]): Promise<Receipt | Refused> {
  const until = performance.now() + RECEIPT_WAIT_MS;
  const left = () => Math.max(0, Math.round(until - performance.now()));
  try {
    if (!live) return await client.get<Receipt>(`${path}?waitMs=${RECEIPT_WAIT_MS}`);
    let receipt = await client.get<Receipt>(path);
    while (!receipt.complete && receipt.open && left() > 0) {
      live(`${receipt.sentence} (${Math.ceil(left() / 1000)} s)`);
      receipt = await client.get<Receipt>(`${path}?waitMs=${Math.min(LIVE_MS, left())}`);
    }
    return receipt;
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  } finally {
    live?.("");
  }
}

/** The key that was typed. Throws UsageProblem when none was. */
export function flagOf({ command, key }: Options): string {
  if (key === undefined) throw new UsageProblem(`Which flag? Write "signalbox ${command} KEY -e ENVIRONMENT".`);
  return key;
}

async function groupNames(client: Client, at: string): Promise<Names> {
  const { groups } = await client.get<GroupList>(`${at}/groups`);
  const names = new Map(groups.map(({ key, name }) => [key, name]));
  return { group: (key) => names.get(key) ?? key };
}

/** `Beta: 10 % of those where plan is pro -> on`, in the words of the page and of explain. */
function ruleSentence({ name, ...rule }: Rule, rules: readonly Rule[], names: Names): string {
  const whom = ruleTitle(worded(rule), { rules: rules.slice(0, 1).map(worded) }, names);
  const { serve } = rule;
  const what = serve.kind === "variant" ? serve.variant : serve.weights.map((part) => `${part.percentage} % ${part.variant}`).join(", ");
  return `${name ? `${name}: ` : ""}${whom} -> ${what}`;
}

/** Columns as wide as their widest cell, two spaces between. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

export function ago(at: number, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}
