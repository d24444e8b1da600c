import { join } from "node:path";
import { type Context, type Entry, evaluate, loadEntries, ZERO64 } from "@signalbox/core";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import * as worlds from "../core/test/arbitraries.ts";
import { regex, snapshotOf } from "../core/vectors/run.ts";
import { preview } from "../server/src/flags/preview.ts";
import { type SnapshotServer, serveSnapshots } from "./snapshot-server.ts";
import { openBrowser, root } from "./world.ts";

/**
 * The same random flags, contexts and times give the same answers in core, in the server's preview, in the built Node SDK and in the
 * built browser SDK in Chromium. 2,000 pairs of a flag and a context; 100,000 with LONG=1 (`npm run test:long`). SEED repeats a run.
 */

const LONG = process.env.LONG === "1";
const SEED = Number(process.env.SEED ?? (LONG ? Date.now() % 2 ** 31 : 42));
const ROUNDS = LONG ? 20 : 2;
const WORLDS = LONG ? 20 : 10;
const CONTEXTS = LONG ? 50 : 20;
const NOW = Date.parse("2026-11-24T12:00:00Z");

vi.setConfig({ testTimeout: LONG ? 600_000 : 60_000 });

interface Round {
  readonly entries: readonly Entry[];
  readonly asks: readonly { readonly flag: string; readonly context: Context; readonly now: number }[];
}

const choice = { exists: true, groups: [...worlds.groupKeysOfWorld, "gone"] };
/** Sound entries, and some with a field that is any JSON: what a program cannot read it must not read in two ways. */
const entry = fc.oneof(
  { weight: 4, arbitrary: worlds.entry(choice) },
  { weight: 1, arbitrary: worlds.spoiled(worlds.entry(choice), ["kind", "key", "fp"]) },
);
const world = fc.tuple(worlds.world(choice), fc.array(entry, { maxLength: 4 })).map(([sound, other]) => {
  // The later of two with one key counts.
  const byId = new Map([...sound, ...other].map((one) => [`${one.kind}:${one.key}`, one]));
  return [...byId.values()];
});

const rounds = Array.from({ length: ROUNDS }, (_, round): Round => {
  const seed = SEED + round;
  const entries = fc.sample(world, { numRuns: WORLDS, seed }).flatMap((world, index) => world.map((one) => moved(one, `w${index}.`)));
  const contexts = fc.sample(fc.tuple(worlds.context, worlds.now), { numRuns: CONTEXTS, seed });
  const asks = contexts.flatMap(([context, now]) =>
    Array.from({ length: WORLDS }, (_, index) =>
      worlds.flagKeysOfWorld.map((key) => ({ flag: `w${index}.${key}`, context, now: now ?? NOW })),
    ).flat(),
  );
  return { entries: entries as Entry[], asks };
});

/** The same entry in a room of its own: every key that it has or names gets the prefix. */
function moved<T>(value: T, prefix: string): T {
  if (Array.isArray(value)) return value.map((one) => moved(one, prefix)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const isKey = typeof inner === "string" && ["flag", "group", "parent"].includes(name);
      return [name, isKey || (name === "key" && "kind" in value) ? `${prefix}${inner}` : moved(inner, prefix)];
    }),
  ) as T;
}

/** Served variant and value with the reason, as text: cheap to compare, and short where it differs. */
function told({ variant, value, reason }: { readonly variant?: unknown; readonly value?: unknown; readonly reason: unknown }): string {
  return JSON.stringify(sorted([variant, value, reason]));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  );
}

function coreAnswers({ entries, asks }: Round, engine: typeof regex | undefined): string[] {
  const state = loadEntries(entries, { regex: engine });
  return asks.map(({ flag, context, now }) => told(evaluate(state, flag, context, { clock: () => now })));
}

function differences(round: Round, expected: readonly string[], actual: readonly string[]): unknown[] {
  return round.asks
    .flatMap((ask, index) => (expected[index] === actual[index] ? [] : [{ seed: SEED, ask, core: expected[index], other: actual[index] }]))
    .slice(0, 3);
}

describe(`${ROUNDS * WORLDS * worlds.flagKeysOfWorld.length * CONTEXTS} pairs of a flag and a context, seed ${SEED}`, () => {
  let peer: SnapshotServer;
  beforeAll(async () => {
    peer = await serveSnapshots(NOW, (sdkKey) => {
      const round = rounds[Number(sdkKey.split("_")[2])];
      return (
        round && snapshotOf({ specVersion: 1, snapshot: { entries: round.entries.map((one) => ({ ...one, fp: ZERO64 })) }, cases: [] })
      );
    });
  });
  afterAll(() => peer.close());

  it("are of every kind of answer", () => {
    const kinds = new Set(rounds.flatMap((round) => coreAnswers(round, regex)).map((text) => /"kind":"(\w+)"/.exec(text)?.[1]));
    expect([...kinds].sort()).toEqual(["DEFAULT", "DISABLED", "ERROR", "PREREQUISITE_FAILED", "SPLIT", "STATIC", "TARGETING_MATCH"]);
  });

  it("the server's preview answers as core", () => {
    for (const round of rounds) {
      const entries = new Map(round.entries.map((one) => [`${one.kind}:${one.key}`, one]));
      const actual = round.asks.map(({ flag, context, now }) => told(preview(entries as never, flag, context, now)));
      expect(differences(round, coreAnswers(round, regex), actual)).toEqual([]);
    }
  });

  it("the built Node SDK answers as core", async () => {
    const { createFlags } = (await import(join(root, "sdk-node/dist/index.js"))) as typeof import("../sdk-node/src/index.ts");
    let clock = NOW;
    // The SDK takes the program's clock when it starts.
    vi.spyOn(Date, "now").mockImplementation(() => clock);
    try {
      for (const [index, round] of rounds.entries()) {
        clock = NOW;
        const flags = createFlags({ url: peer.url, sdkKey: `sb_server_${index}_x`, logger: false });
        expect((await flags.ready()).state).toBe("live");
        const actual = round.asks.map(({ flag, context, now }) => {
          clock = now;
          return told(flags.explain(flag, context));
        });
        clock = NOW;
        await flags.close();
        expect(differences(round, coreAnswers(round, regex), actual)).toEqual([]);
      }
    } finally {
      vi.restoreAllMocks();
    }
  });

  it.skipIf(inject("chromium") === "")("the built browser SDK answers as core without regular expressions, in Chromium", async () => {
    const browser = await openBrowser(inject("chromium"));
    try {
      const page = await browser.newPage();
      await page.goto(peer.url);
      await page.waitForFunction(() => "sdk" in globalThis);
      for (const [index, round] of rounds.entries()) {
        const actual = await page.evaluate(
          async ({ url, sdkKey, asks, start }) => {
            const { createFlags } = (globalThis as unknown as { sdk: typeof import("../sdk-browser/src/index.ts") }).sdk;
            let clock = start;
            Date.now = () => clock;
            const flags = createFlags({ url, sdkKey, logger: false });
            await flags.ready();
            const answers = asks.map(({ flag, context, now }) => {
              clock = now;
              const { variant, value, reason } = flags.explain(flag, context);
              return { variant, value, reason };
            });
            clock = start;
            await flags.close();
            return answers;
          },
          {
            url: peer.url,
            sdkKey: `sb_browser_${index}_x`,
            asks: round.asks as { flag: string; context: Context; now: number }[],
            start: NOW,
          },
        );
        expect(differences(round, coreAnswers(round, undefined), actual.map(told))).toEqual([]);
      }
    } finally {
      await browser.close();
    }
  });
});
