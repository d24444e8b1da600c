import type { FlagList, FlagState, FlagSummary } from "../api-types.ts";
import { problem } from "../errors.ts";
import type { EnvironmentModel, FlagRecord } from "../store/model.ts";
import { isScheduled, isStale, type SeenFlags, stateWord, summaryOf, updatedOf } from "./present.ts";

/** Which flags of an environment, in which order, and how many at once. What is absent asks for nothing. */
export interface ListQuery {
  /** Words, each of which is in the key, an old key, the name, the description, the owner or a tag. */
  readonly search?: string | undefined;
  readonly tag?: string | undefined;
  readonly owner?: string | undefined;
  readonly kind?: FlagRecord["identity"]["kind"] | undefined;
  readonly state?: FlagState["word"] | undefined;
  readonly mode?: FlagRecord["body"]["mode"] | undefined;
  readonly killed?: boolean | undefined;
  readonly stale?: boolean | undefined;
  readonly unused?: boolean | undefined;
  /** Leaves them out when absent. */
  readonly archived?: "with" | "only" | undefined;
  /** By key when absent; `updated` begins with the newest. */
  readonly sort?: "key" | "updated" | undefined;
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly after?: string | undefined;
}

const LIMIT = 100;
/** A flag that no program has reported an evaluation of for so long is unused. */
const UNUSED_MS = 30 * 86_400_000;

/** One page of the flags that are asked for, and how many there are. */
export function listFlags(environment: EnvironmentModel, query: ListQuery, usage: SeenFlags, now: number): FlagList {
  const { sort = "key", limit = LIMIT, after } = query;
  const start = after === undefined ? undefined : readCursor(after, sort);
  const fits = filterOf(environment, query, usage, now);
  const all = sorted(environment.flags, sort);
  const totals = { live: 0, archived: 0, killed: 0, stale: 0 };
  const page: FlagRecord[] = [];
  let matching = 0;
  let more = false;
  for (const flag of all) {
    count(totals, flag, now);
    if (!fits(flag)) continue;
    matching += 1;
    if (start && !isAfter(flag, start, sort)) continue;
    if (page.length < limit) page.push(flag);
    else more = true;
  }
  const last = page.at(-1);
  return {
    environment: environment.info.key,
    revision: environment.revision,
    flags: page.map((flag) => summary(environment, flag, usage, now)),
    next: more && last ? cursorAt(last, sort) : null,
    matching,
    totals,
  };
}

function count(totals: { live: number; archived: number; killed: number; stale: number }, flag: FlagRecord, now: number): void {
  if (flag.body.archived) {
    totals.archived += 1;
    return;
  }
  totals.live += 1;
  if (flag.killed) totals.killed += 1;
  if (isStale(flag, now)) totals.stale += 1;
}

type Test = (flag: FlagRecord) => boolean;

/** Only what is asked for is looked at. */
function filterOf(environment: EnvironmentModel, query: ListQuery, usage: SeenFlags, now: number): Test {
  const { tag, owner, kind, state, mode, killed, stale, unused, archived } = query;
  const words = (query.search ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const tests: Test[] = [];
  if (archived !== "with") tests.push(({ body }) => body.archived === (archived === "only"));
  if (killed !== undefined) tests.push((flag) => (flag.killed !== null) === killed);
  if (kind !== undefined) tests.push(({ identity }) => identity.kind === kind);
  if (mode !== undefined) tests.push(({ body }) => body.mode === mode);
  if (owner !== undefined) tests.push(({ identity }) => (identity.owner ?? "") === owner);
  if (tag !== undefined) tests.push(({ identity }) => identity.tags.includes(tag));
  if (stale !== undefined) tests.push((flag) => isStale(flag, now) === stale);
  if (unused !== undefined) tests.push((flag) => isUnused(environment, flag, usage, now) === unused);
  if (words.length > 0) tests.push((flag) => words.every((word) => textOf(flag).includes(word)));
  if (state !== undefined) tests.push((flag) => stateAt(flag, now).word === state);
  return (flag) => tests.every((test) => test(flag));
}

function isUnused(environment: EnvironmentModel, { identity }: FlagRecord, usage: SeenFlags, now: number): boolean {
  const seen = usage.seen(environment.info.id, identity.key);
  return seen === null || seen.at < now - UNUSED_MS;
}

// A record is immutable, and a write makes new ones only of what it changes: what is made of one is made once.
const TEXTS = new WeakMap<FlagRecord, string>();
const STATES = new WeakMap<FlagRecord, FlagState>();
const ORDERS = { key: new WeakMap<object, readonly FlagRecord[]>(), updated: new WeakMap<object, readonly FlagRecord[]>() };

function textOf(flag: FlagRecord): string {
  const known = TEXTS.get(flag);
  if (known !== undefined) return known;
  const { key, name, description, tags, owner, aliases } = flag.identity;
  const text = [key, name, description, owner ?? "", ...tags, ...aliases].join("\n").toLowerCase();
  TEXTS.set(flag, text);
  return text;
}

function stateAt(flag: FlagRecord, now: number): FlagState {
  if (isScheduled(flag)) return stateWord(flag, now);
  const known = STATES.get(flag);
  if (known) return known;
  const state = stateWord(flag, now);
  STATES.set(flag, state);
  return state;
}

function summary(environment: EnvironmentModel, flag: FlagRecord, usage: SeenFlags, now: number): FlagSummary {
  return summaryOf(environment, flag, usage, now, stateAt(flag, now));
}

function sorted(flags: EnvironmentModel["flags"], sort: "key" | "updated"): readonly FlagRecord[] {
  const known = ORDERS[sort].get(flags);
  if (known) return known;
  const order = [...flags.values()].sort(sort === "key" ? byKey : byUpdate);
  ORDERS[sort].set(flags, order);
  return order;
}

const byKey = (a: FlagRecord, b: FlagRecord) => (a.identity.key < b.identity.key ? -1 : 1);
const byUpdate = (a: FlagRecord, b: FlagRecord) => updatedOf(b).updatedAt - updatedOf(a).updatedAt || byKey(a, b);

interface Cursor {
  readonly key: string;
  /** Of the order by change. */
  readonly at: number;
}

/** After the last flag of the page before, also if that has gone meanwhile. */
function isAfter(flag: FlagRecord, cursor: Cursor, sort: "key" | "updated"): boolean {
  const { key } = flag.identity;
  if (sort === "key") return key > cursor.key;
  const { updatedAt } = updatedOf(flag);
  return updatedAt < cursor.at || (updatedAt === cursor.at && key > cursor.key);
}

function cursorAt(flag: FlagRecord, sort: "key" | "updated"): string {
  const { key } = flag.identity;
  return Buffer.from(sort === "key" ? key : `${updatedOf(flag).updatedAt} ${key}`).toString("base64url");
}

function readCursor(text: string, sort: "key" | "updated"): Cursor {
  const read = Buffer.from(text, "base64url").toString();
  if (sort === "key") return { key: read, at: 0 };
  const [, at, key] = /^(\d{1,16}) (.+)$/.exec(read) ?? [];
  if (at === undefined || key === undefined) {
    throw problem(
      "VALIDATION_FAILED",
      `The query field after is "${text.slice(0, 50)}", expected "next" of the page before, in the same order.`,
    );
  }
  return { key, at: Number(at) };
}
