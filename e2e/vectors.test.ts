import { join } from "node:path";
import type { Context, Evaluation, FlagType, Json } from "@signalbox/core";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { needsOnly, readVectors, runVectors, snapshotOf, type VectorCase, type VectorFile } from "../core/vectors/run.ts";
import { preview } from "../server/src/flags/preview.ts";
import { type SnapshotServer, serveSnapshots } from "./snapshot-server.ts";
import { openBrowser, root } from "./world.ts";

/** The published builds answer the vectors as core does: the same loop, the same cases, through a real stream. */

const files = readVectors();
const all = [...files.values()].flatMap((file) => file.cases);
const timed = needsOnly("now");
const drawn = needsOnly("now", "random");
/** Where a case names no time. Programs start with this clock, the peer's says the same, so the SDKs correct nothing. */
const NOW = Date.parse("2026-11-24T12:00:00Z");

/** What both SDKs have in common, as far as the vectors need it. */
interface Reader {
  isOn(key: string, context?: Context): boolean;
  value(key: string, fallback: Json, context?: Context): Json;
  explain(key: string, context?: Context): { variant?: string; value?: Json; reason: Evaluation["reason"] };
}

let peer: SnapshotServer;
let url: string;

/** The SDK key names the topic. */
beforeAll(async () => {
  peer = await serveSnapshots(NOW, (sdkKey) => {
    const file = files.get(sdkKey.split("_")[2] ?? "");
    return file && snapshotOf(file);
  });
  url = peer.url;
});

afterAll(() => peer.close());

/** Text that says what differs, case by case; empty when nothing does. */
function differences(outcomes: Awaited<ReturnType<typeof runVectors>>): string[] {
  return outcomes
    .filter(({ expected, actual }) => JSON.stringify(sorted(expected)) !== JSON.stringify(sorted(actual)))
    .map(({ topic, name, expected, actual }) => `${topic}: ${name}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inside]) => [key, sorted(inside)]),
  );
}

const FALLBACKS: Record<FlagType, Json> = { boolean: false, string: "the caller's", number: -1, json: null };

/** The SDK's answer in the form of core's, through `explain`, and through `value` where a type is asked for. */
function answerOf(flags: Reader, one: VectorCase): Evaluation {
  const context = one.context as Context | undefined;
  const { variant, value, reason } = flags.explain(one.flag, context);
  if (variant === undefined) return { served: false, reason };
  const fallback = one.ask === undefined ? undefined : FALLBACKS[one.ask];
  if (fallback !== undefined && fallback !== null && typeof value !== typeof fallback) {
    const got = flags.value(one.flag, fallback, context);
    if (got === fallback) return { served: false, reason: { kind: "ERROR", code: "TYPE_MISMATCH" } };
  }
  return { served: true, variant, value: value as Json, reason };
}

describe("vectors", () => {
  it("the server's preview answers as the vectors say", async () => {
    const wanted = (one: VectorCase) => timed(one) && one.ask === undefined;
    const outcomes = await runVectors(
      files,
      (one, file) =>
        preview(
          new Map(file.snapshot.entries.map((entry) => [`${entry.kind}:${entry.key}`, entry])) as never,
          one.flag,
          one.context as Context,
          one.options?.now ?? NOW,
        ),
      { wanted },
    );
    expect(differences(outcomes)).toEqual([]);
    expect(outcomes.length).toBeGreaterThan(3_500);
  });

  it("the built Node SDK answers as the vectors say", async () => {
    const { createFlags } = (await import(join(root, "sdk-node/dist/index.js"))) as typeof import("../sdk-node/src/index.ts");
    // The SDK takes the clock and the source of random numbers of the program when it starts.
    let now = NOW;
    let draw = 0.5;
    vi.spyOn(Date, "now").mockImplementation(() => now);
    vi.spyOn(Math, "random").mockImplementation(() => draw);
    const opened = new Map<VectorFile, ReturnType<typeof createFlags>>();
    try {
      for (const [topic, file] of files) {
        const flags = createFlags({ url, sdkKey: `sb_server_${topic}_x`, logger: false });
        expect((await flags.ready()).state).toBe("live");
        opened.set(file, flags);
      }
      const outcomes = await runVectors(
        files,
        (one, file) => {
          now = one.options?.now ?? NOW;
          draw = one.options?.random ?? 0.5;
          return answerOf(opened.get(file) as unknown as Reader, one);
        },
        { wanted: drawn },
      );
      expect(differences(outcomes)).toEqual([]);
      expect(outcomes).toHaveLength(all.filter(drawn).length);
    } finally {
      vi.restoreAllMocks();
      await Promise.all([...opened.values()].map((flags) => flags.close()));
    }
  });

  it.skipIf(inject("chromium") === "")("the built browser SDK answers as the vectors say, in Chromium", async () => {
    const browser = await openBrowser(inject("chromium"));
    try {
      const page = await browser.newPage();
      await page.goto(url);
      await page.waitForFunction(() => "sdk" in globalThis);
      const topics = [...files].map(([topic, file]) => ({ topic, cases: file.cases.filter(timed) }));
      const answers = await page.evaluate(
        async ({ topics, url, start }) => {
          const { createFlags } = (globalThis as unknown as { sdk: typeof import("../sdk-browser/src/index.ts") }).sdk;
          let now = start;
          Date.now = () => now;
          const answers: Record<string, unknown[]> = {};
          for (const { topic, cases } of topics) {
            now = start;
            const flags = createFlags({ url, sdkKey: `sb_browser_${topic}_x`, logger: false });
            await flags.ready();
            answers[topic] = cases.map((one) => {
              now = one.options?.now ?? start;
              const { variant, value, reason } = flags.explain(one.flag, one.context as Context);
              const typed = { boolean: false, string: "the caller's", number: -1, json: undefined }[one.ask ?? "json"];
              return {
                variant,
                value,
                reason,
                typed: typed === undefined ? undefined : flags.value(one.flag, typed as string, one.context as Context),
              };
            });
            await flags.close();
          }
          return answers;
        },
        { topics, url, start: NOW },
      );
      const topicOf = new Map([...files].map(([topic, file]) => [file, topic]));
      const outcomes = await runVectors(
        files,
        (one, file) => {
          const got = answers[topicOf.get(file) ?? ""]?.shift() as {
            variant?: string;
            value?: Json;
            reason: Evaluation["reason"];
            typed?: Json;
          };
          return answerOf({ isOn: () => false, value: () => got.typed ?? null, explain: () => got } as Reader, one);
        },
        { wanted: timed, regex: false },
      );
      expect(differences(outcomes)).toEqual([]);
      expect(outcomes).toHaveLength(all.filter(timed).length);
    } finally {
      await browser.close();
    }
  });
});
