import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root, until } from "../world.ts";
import { type Fleet, type Seen, startFleet } from "./fleet.ts";
import { freeze, LONG, startWorld, thaw, type World } from "./processes.ts";
import { type FaultProxy, startFaultProxy } from "./proxy.ts";
import { randomOf } from "./random.ts";

/**
 * Random faults on real processes: one server on SQLite, fifty Node SDKs in two processes behind ten fault proxies, three writers that
 * note outside what was acknowledged. What everybody saw is recorded and judged afterwards, against the log of the server:
 *
 * - W1 every acknowledged write is in the log
 * - S1 the log has no hole and no double
 * - S2 S4 whatever an SDK held was the fold of the log up to its revision
 * - S3 no SDK ever went back
 * - C1 all converge when the faults are over
 * - K1 an SDK at or past a kill never had the flag on (follows from S4 with the kills in the fold; judged by itself too)
 * - A1 no read threw
 *
 * `LONG=1` runs 300 longer schedules; `SEED=17` one of them, `SEED=101-150` fifty: so several processes share them.
 */

const FLAGS = ["f0", "f1", "f2", "f3", "f4", "f5"];
const SDKS = 50;
const PROXIES = 10;
const [FIRST = 1, LAST = FIRST] = process.env.SEED?.split("-").map(Number) ?? [1, LONG ? 300 : 10];
const SEEDS = Array.from({ length: LAST - FIRST + 1 }, (_, i) => FIRST + i);
const STEPS = LONG ? 20 : 6;
/** After doubts an SDK polls with pauses of a minute, so it may take that long to be sure of being there. */
const CONVERGED_MS_MAX = 180_000;
const DEVELOPMENT = "projects/default/environments/development";

interface Acknowledged {
  readonly flag: string;
  readonly action: "on" | "off" | "kill" | "restore";
  readonly revision: number;
  /** False when it was so already. */
  readonly changed: boolean;
}

interface Row {
  readonly revision: number;
  readonly action: string;
  readonly target: string;
  readonly server: string;
}

describe("real processes under random faults", { timeout: CONVERGED_MS_MAX + 120_000 }, () => {
  let world: World;
  const proxies: FaultProxy[] = [];
  const fleets: Fleet[] = [];
  const acknowledged: Acknowledged[] = [];
  const threw: string[] = [];
  const wentBack: string[] = [];
  const last = new Map<string, Seen>();
  /** Each state that an SDK showed, once: revision and digits. */
  const shown = new Map<string, Seen>();
  const counted = { restarts: 0, freezes: 0, lines: 0 };

  beforeAll(async () => {
    world = await startWorld();
    for (const key of FLAGS) await world.flag(key);
    for (let i = 0; i < PROXIES; i += 1) proxies.push(await startFaultProxy(world.server.port));
    for (const name of ["a", "b"]) {
      fleets.push(
        startFleet({
          name,
          urls: proxies.map(({ url }) => url),
          sdkKey: world.keys.server,
          flags: FLAGS,
          count: SDKS / 2,
          threw: (what) => threw.push(what),
          seen,
        }),
      );
    }
    await until("all are live", () => last.size === SDKS && [...last.values()].every(({ status }) => status === "live"), 60_000);
  }, 120_000);

  afterAll(async () => {
    for (const fleet of fleets) {
      fleet.thaw();
      await fleet.stop();
    }
    for (const proxy of proxies) await proxy.close();
    await world?.stop();
    const { restarts, freezes, lines } = counted;
    console.log(
      `${SEEDS.length} schedules: ${acknowledged.length} acknowledged writes, ${shown.size} states seen, ${restarts} times kill -9, ${freezes} times frozen, ${lines} faults of lines`,
    );
  });

  function seen(now: Seen): void {
    const before = last.get(now.sdk);
    last.set(now.sdk, now);
    shown.set(`${now.generation}.${now.revision} ${now.on}`, now);
    if (!before) return;
    const isBack = now.generation < before.generation || (now.generation === before.generation && now.revision < before.revision);
    if (isBack) wentBack.push(`${now.sdk}: from ${before.revision} to ${now.revision}`);
  }

  /** Writes what comes into its head until told to stop, and notes what was acknowledged. */
  async function write(random: () => number, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const flag = FLAGS[Math.floor(random() * FLAGS.length)] ?? "f0";
      const action = (["on", "off", "on", "kill", "restore"] as const)[Math.floor(random() * 5)] ?? "on";
      const [method, path, body] =
        action === "on" || action === "off"
          ? (["PATCH", "configuration", { mode: action === "on" ? "on" : "off" }] as const)
          : (["POST", action, { reason: "schedule" }] as const);
      const answer = await world.api
        .answer(method, `${DEVELOPMENT}/flags/${flag}/${path}`, body)
        .then(async (response) => (response.ok ? ((await response.json()) as { revision: number; changed?: boolean }) : undefined))
        .catch(() => undefined); // cut off: not acknowledged
      if (answer) acknowledged.push({ flag, action, revision: answer.revision, changed: answer.changed !== false });
      await pause(answer ? 20 + random() * 80 : 100);
    }
  }

  /** One fault; resolves when it is over, if it is one that ends. */
  async function strike(random: () => number): Promise<void> {
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const kind = Math.floor(random() * 12);
    const proxy = pick(proxies);
    switch (kind) {
      case 0:
        counted.restarts += 1;
        return world.restart("SIGKILL");
      case 1: {
        counted.freezes += 1;
        const { pid } = world.server;
        freeze(pid);
        await pause(100 + random() * 400);
        thaw(pid);
        return;
      }
      case 2: {
        counted.freezes += 1;
        const fleet = pick(fleets);
        fleet.freeze();
        await pause(100 + random() * 400);
        fleet.thaw();
        return;
      }
    }
    counted.lines += 1;
    switch (kind) {
      case 3:
        return proxy.set({ delayMs: 5 + random() * 100 });
      case 4:
        return proxy.set({ hold: true });
      case 5:
        return proxy.set({ bytesPerSecond: 500 + random() * 5_000 });
      case 6:
        proxy.cut();
        return;
      case 7:
        proxy.reset();
        return;
      case 8:
        proxy.corruptNext();
        return;
      case 9:
        await proxy.set({ refuse: true });
        proxy.cut();
        return;
      case 10:
        return proxy.set({ resetAfter: Math.floor(random() * 2_000) });
      default:
        return proxy.set({});
    }
  }

  /** The log of development, read from the file. */
  function readLog(): Row[] {
    const Driver = createRequire(join(root, "server/package.json"))("better-sqlite3") as typeof Database;
    const file = new Driver(join(world.data, "signalbox.db"), { readonly: true });
    try {
      return file
        .prepare<[], Row>(
          "select revision, action, target, server from change_set where environment_id = (select id from environment where key = 'development') order by revision",
        )
        .all();
    } finally {
      file.close();
    }
  }

  function judge(): void {
    expect(threw, "A1: no read throws").toEqual([]);
    expect(wentBack, "S3: nobody goes back").toEqual([]);
    const log = readLog();
    expect(
      log.map(({ revision }) => revision),
      "S1: contiguous",
    ).toEqual(log.map((_, i) => i + 1));
    // What each revision means for everybody, and which flags a kill holds down.
    const on = new Map<number, string>();
    const killed = new Map<number, string>();
    const entries = new Map<string, { mode: string; killed?: boolean }>();
    const digits = (of: (entry: { mode: string; killed?: boolean } | undefined) => boolean) =>
      FLAGS.map((key) => (of(entries.get(key)) ? "1" : "0")).join("");
    on.set(
      0,
      digits(() => false),
    );
    for (const { revision, server } of log) {
      const change = JSON.parse(server) as { put: { kind: string; key: string; mode: string; killed?: boolean }[] };
      for (const entry of change.put) if (entry.kind === "flag") entries.set(entry.key, entry);
      on.set(
        revision,
        digits((entry) => entry?.mode === "on" && entry.killed !== true),
      );
      killed.set(
        revision,
        digits((entry) => entry?.killed === true),
      );
    }
    const at = (map: Map<number, string>, revision: number, flag: string) => map.get(revision)?.[FLAGS.indexOf(flag)] === "1";
    const lost = acknowledged.filter(({ flag, action, revision, changed }) => {
      const row = log[revision - 1];
      if (row === undefined) return true;
      const isKill = action === "kill" || action === "restore";
      if (changed && isKill && (row.target !== flag || row.action !== `flag.${action}`)) return true;
      if (isKill) return at(killed, revision, flag) !== (action === "kill");
      return at(on, revision, flag) !== (action === "on" && !at(killed, revision, flag));
    });
    expect(lost, "W1: every acknowledged write is in the log").toEqual([]);
    const untrue = [...shown.values()].filter((state) => on.get(state.revision) !== state.on);
    expect(untrue, "S2 S4: what an SDK held is the fold of the log").toEqual([]);
    const undead = [...shown.values()].filter((state) =>
      [...(killed.get(state.revision) ?? "")].some((digit, i) => digit === "1" && state.on[i] === "1"),
    );
    expect(undead, "K1: a kill wins").toEqual([]);
  }

  test.each(SEEDS)("schedule %i: no acknowledged write and no kill is lost, and all converge", async (seed) => {
    const random = randomOf(seed);
    let over = false;
    const writers = [1, 2, 3].map((n) => write(randomOf(seed * 10 + n), () => over));
    try {
      for (let step = 0; step < STEPS; step += 1) {
        await strike(random);
        await pause(50 + random() * 300);
      }
      over = true;
      await Promise.all(writers);
      for (const proxy of proxies) await proxy.set({});
      // A last change, so that everybody has something to arrive at.
      const head = Math.max(await world.turn("f0", false), await world.turn("f0", true));
      await until(
        "C1: all are at the head",
        () => [...last.values()].every((state) => state.revision === head && ["live", "polling"].includes(state.status)),
        CONVERGED_MS_MAX,
      );
      judge();
    } catch (error) {
      over = true;
      keep(seed);
      throw error;
    }
  });

  /** What is needed to look into it: journal, what was seen, the database. */
  function keep(seed: number): void {
    const kept = join(root, `e2e/artifacts/schedule-${seed}`);
    mkdirSync(kept, { recursive: true });
    cpSync(world.data, join(kept, "data"), { recursive: true });
    const record = { seed, acknowledged, last: [...last.values()], shown: [...shown.values()], threw, wentBack };
    writeFileSync(join(kept, "record.json"), JSON.stringify(record, null, 1));
    console.log(
      `schedule ${seed} failed: SEED=${seed} repeats it; journal and database are in ${kept}\n${world.server.output().slice(-2_000)}`,
    );
  }
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
