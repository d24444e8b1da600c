import type { Ports } from "./client.ts";
import type { UsageReport } from "./protocol.ts";
import { type CountedUsage, countUp, createUsageCounts, type UsagePlace } from "./usage-counts.ts";

const USAGE_SOON_MS = 200;
const USAGE_SPACING_MS = 1_000;
const USAGE_EVERY_MS = 10_000;
const UNKNOWN_KEYS_SAID_MAX = 100;

/** What an SDK reports of its use: counted as it reads, sent now and then. Nothing here throws. */
export interface UsageReporter {
  /** Counts what was served. `place` is that of the flag, if it has one. */
  served(flag: string, variant: string, place?: UsagePlace): void;
  /** Counts a key that no flag has. */
  missing(flag: string): void;
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
  readonly ports: Pick<Ports, "now" | "after" | "send">;
  readonly named: Pick<UsageReport, "instance" | "app" | "sdk">;
  /** Called before a report leaves: the moment to say what was asked for in vain, `unknown` being the keys not said before. */
  readonly before: (unknown: readonly string[]) => void;
}

export function createUsageReporter({ ports, named, before }: UsageReporterOptions): UsageReporter {
  const counts = createUsageCounts();
  /** Keys asked for in vain, and whether that was said. */
  const unknownKeys = new Map<string, boolean>();
  let closed = false;
  let sentAt = Number.NEGATIVE_INFINITY;
  let dueAt = Number.POSITIVE_INFINITY;
  let cancel = () => {};
  let reporting: Promise<void> | undefined;

  function counted(worth: "fresh" | "first" | "more"): void {
    if (worth !== "more") plan(worth === "fresh");
  }

  function plan(soon: boolean): void {
    const now = ports.now();
    const due = Math.max(now + USAGE_SOON_MS, sentAt + (soon ? USAGE_SPACING_MS : USAGE_EVERY_MS));
    if (due >= dueAt || closed) return;
    cancel();
    dueAt = due;
    cancel = ports.after(due - now, () => void flush(false), false);
  }

  function body(usage: CountedUsage): string {
    const whole: UsageReport = { ...named, ...usage };
    return JSON.stringify(whole);
  }

  /** One at a time; what does not arrive is counted again. */
  async function flush(hold: boolean): Promise<void> {
    if (reporting) await reporting;
    reporting = send(hold);
    await reporting;
    reporting = undefined;
  }

  async function send(hold: boolean): Promise<void> {
    cancel();
    dueAt = Number.POSITIVE_INFINITY;
    sentAt = ports.now();
    before(newUnknownKeys());
    let failed = false;
    for (let usage = counts.take(); usage !== undefined && !failed; usage = failed ? undefined : counts.take()) {
      failed = (await ports.send("usage", body(usage), hold)) === "failed";
      if (failed) counts.giveBack(usage);
    }
    if (failed) plan(false);
  }

  function newUnknownKeys(): string[] {
    const fresh = [...unknownKeys].filter(([, said]) => !said).map(([key]) => key);
    for (const key of fresh) unknownKeys.set(key, true);
    return fresh;
  }

  return {
    served(flag, variant, place) {
      if (place === undefined || !countUp(place, variant)) counted(counts.add(flag, variant, place));
    },
    missing(flag) {
      const worth = counts.add(flag, undefined);
      if (worth === "fresh" && unknownKeys.size < UNKNOWN_KEYS_SAID_MAX) unknownKeys.set(flag, unknownKeys.get(flag) ?? false);
      counted(worth);
    },
    plan: () => plan(false),
    flush,
    close() {
      closed = true;
      cancel();
    },
    drain() {
      const bodies: string[] = [];
      for (let usage = counts.take(); usage !== undefined; usage = counts.take()) bodies.push(body(usage));
      return bodies;
    },
  };
}
