import type { Ports } from "./client.ts";
import { createContextSample } from "./context-sample.ts";
import type { Position } from "./model.ts";
import type { UsageReport } from "./protocol.ts";
import { countUp, createUsageCounts, type UsagePlace } from "./usage-counts.ts";

const USAGE_SOON_MS = 200;
const USAGE_SPACING_MS = 1_000;
const USAGE_EVERY_MS = 10_000;
const MINUTE_MS = 60_000;
const UNKNOWN_KEYS_SAID_MAX = 100;

/** What an SDK reports of its use: counted as it reads, sent now and then. Nothing here throws. */
export interface UsageReporter {
  /** A context is wanted: the next one that is evaluated for goes to `sample`. Looked at with each read, hence a field. */
  readonly wantsContext: boolean;
  /** Takes a context for the next report. */
  sample(context: unknown): void;
  /** Counts what was served. `place` is that of the flag, if it has one. */
  served(flag: string, variant: string, place?: UsagePlace): void;
  /** Counts a key that no flag has. */
  missing(flag: string): void;
  /** Called after each step, before anybody hears of it: where the state stands, and whether the server asks for contexts. */
  look(position: Position | undefined, sampleContexts: boolean): void;
  /** A report goes out with the next ones that are due, even if nothing is counted by then. */
  plan(): void;
  /** Sends what is counted. `hold`: the program waits for it. Resolves when it arrived or failed. */
  flush(hold: boolean): Promise<void>;
  /** Nothing is planned from now on; `flush` still sends. */
  close(): void;
  /** What was counted and not sent, as bodies of reports, for a page that goes away. */
  drain(): readonly string[];
}

export interface UsageReporterOptions {
  readonly ports: Pick<Ports, "now" | "random" | "after" | "send">;
  /** Milliseconds since 1970, as the server takes them to be. */
  readonly time: () => number;
  readonly named: Pick<UsageReport, "instance" | "app" | "sdk">;
  /** Called before a report leaves: the moment to say what was asked for in vain, `unknown` being the keys not said before. */
  readonly before: (unknown: readonly string[]) => void;
  /** So many evaluations are in no report. */
  readonly lost: (evaluations: number, why: string) => void;
}

/**
 * Each evaluation is in one report, and a report is counted once: it has a number, and one whose answer did not come is sent again as it
 * was. The next is made only when it is answered for, so at most one waits; meanwhile counting goes on. What a revision served is kept
 * apart from what the next one serves, and minutes from each other.
 */
export function createUsageReporter({ ports, time, named, before, lost }: UsageReporterOptions): UsageReporter {
  const counts = createUsageCounts();
  /** Keys asked for in vain, and whether that was said. */
  const unknownKeys = new Map<string, boolean>();
  /** Of this run: a program that is started again under the same name begins to number anew. */
  const run = Math.floor(ports.random() * 2 ** 32).toString(36);
  let batch = 0;
  /** The report that is sent, or waits to be sent again, and whether it is under way just now. */
  let pending: { readonly body: string; readonly evaluations: number } | undefined;
  let sending = false;
  /** Since when the counts in the table are counted. */
  let openedAt: number | undefined;
  /** Whether that is to be in the reports that are made now, as soon as earlier ones leave room for it. */
  let spanDue = false;
  let revision: number | undefined;
  let closed = false;
  let sentAt = Number.NEGATIVE_INFINITY;
  let dueAt = Number.POSITIVE_INFINITY;
  let cancel = () => {};
  let cancelMinute = () => {};
  let reporting: Promise<void> | undefined;
  let full = 0;

  function counted(worth: "fresh" | "first" | "more" | "dropped"): void {
    if (worth === "dropped") full++;
    else if (worth !== "more") plan(worth === "fresh");
  }

  function plan(soon: boolean): void {
    const now = ports.now();
    const due = Math.max(now + USAGE_SOON_MS, sentAt + (soon ? USAGE_SPACING_MS : USAGE_EVERY_MS));
    if (due >= dueAt || closed) return;
    cancel();
    dueAt = due;
    cancel = ports.after(due - now, () => void flush(false), false);
  }

  /** `always`: what comes next must not be counted with it. False when there is no room for it yet. */
  function endSpan(always: boolean): boolean {
    if (openedAt === undefined) return true;
    const { ended, lost: many } = counts.endSpan({ at: openedAt, revision }, always);
    full += many;
    if (!ended) return false;
    openedAt = undefined;
    cancelMinute();
    return true;
  }

  function open(): void {
    openedAt = time();
    cancelMinute();
    if (!closed) cancelMinute = ports.after(MINUTE_MS - (openedAt % MINUTE_MS), () => endSpan(false), false);
  }

  /** The next report, without a number while nobody may have to send it twice. */
  function next(numbered: boolean): typeof pending {
    if (spanDue) spanDue = !endSpan(false);
    const usage = counts.take();
    const contexts = contextSample.take();
    if (usage === undefined && contexts === undefined) return undefined;
    const { evaluated = [], unknown = [] } = usage ?? {};
    const whole: UsageReport = {
      ...named,
      ...(numbered ? { run, batch: ++batch } : {}),
      evaluated,
      unknown,
      ...(contexts ? { contexts } : {}),
    };
    const evaluations = [...evaluated, ...unknown].reduce((sum, { count }) => sum + count, 0);
    return { body: JSON.stringify(whole), evaluations };
  }

  async function flush(hold: boolean): Promise<void> {
    // Several may wait for the same one; the first of them goes on, the others wait for it in turn.
    while (reporting) await reporting;
    const own = send(hold);
    reporting = own;
    try {
      await own;
    } finally {
      if (reporting === own) reporting = undefined;
    }
  }

  async function send(hold: boolean): Promise<void> {
    cancel();
    dueAt = Number.POSITIVE_INFINITY;
    sentAt = ports.now();
    before(newUnknownKeys());
    spanDue = !endSpan(false);
    for (pending ??= next(true); pending !== undefined; pending = next(true)) {
      sending = true;
      const result = await ports.send("usage", pending.body, hold);
      sending = false;
      if (result === "failed") {
        plan(false);
        break;
      }
      if (result === "refused") lost(pending.evaluations, "the server refused the report");
    }
    if (full > 0) lost(full, "more was counted than is kept until a report arrives");
    full = 0;
  }

  function newUnknownKeys(): string[] {
    const fresh = [...unknownKeys].filter(([, said]) => !said).map(([key]) => key);
    for (const key of fresh) unknownKeys.set(key, true);
    return fresh;
  }

  const reporter = {
    wantsContext: false,
    sample: (context: unknown) => contextSample.add(context),
    served(flag: string, variant: string, place?: UsagePlace) {
      if (openedAt === undefined) open();
      if (place === undefined || !countUp(place, variant)) counted(counts.add(flag, variant, place));
    },
    missing(flag: string) {
      const worth = counts.add(flag, undefined);
      if (worth === "fresh" && unknownKeys.size < UNKNOWN_KEYS_SAID_MAX) unknownKeys.set(flag, unknownKeys.get(flag) ?? false);
      counted(worth);
    },
    look(position: Position | undefined, sampleContexts: boolean) {
      if (position?.revision !== revision) {
        endSpan(true);
        revision = position?.revision;
      }
      contextSample.ask(sampleContexts);
    },
    plan: () => plan(false),
    flush,
    close() {
      closed = true;
      contextSample.ask(false);
      cancel();
      cancelMinute();
    },
    drain() {
      spanDue = !endSpan(false);
      // One that is under way leaves by itself. One that failed may have arrived, so it keeps its number; the others are sent by nobody else.
      const bodies = pending !== undefined && !sending ? [pending.body] : [];
      for (let report = next(false); report !== undefined; report = next(false)) bodies.push(report.body);
      return bodies;
    },
  };
  const contextSample = createContextSample(ports.after, (wanted) => {
    reporter.wantsContext = wanted;
  });
  return reporter;
}
