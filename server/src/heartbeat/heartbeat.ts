import { randomBytes } from "node:crypto";
import { type Client, createClient, isNewer, type Position, SILENT } from "@signalbox/core";
import type { Delivery } from "../delivery/delivery.ts";
import { createFlag } from "../flags/decide.ts";
import { setKilled } from "../flags/kills.ts";
import type { Log } from "../log.ts";
import { HEARTBEAT_PROJECT } from "../store/seed.ts";
import type { Store, Written } from "../store/store.ts";
import { loopback } from "./loopback.ts";

const EVERY_MS = 30_000;
const FIRST_MS = 500;
/** A beat that has not arrived by then has failed. */
const ARRIVAL_MS_MAX = 10_000;
/** Percentiles are over the last hour. */
const BEATS_KEPT = 120;
const FLAG = "heartbeat";

export interface HeartbeatStatus {
  /** ok: the last beat arrived; failing: it did not; starting: none yet. */
  readonly state: "off" | "starting" | "ok" | "failing";
  readonly everyMs: number;
  /** When the last beat that arrived did, ms since 1970; null before the first. */
  readonly at: number | null;
  /** From the request to the commit, to the flag's new answer in a connected program, and to its acknowledgement. */
  readonly storedMs: number | null;
  readonly latencyMs: number | null;
  readonly acknowledgedMs: number | null;
  /** Of the latencies of the last hour. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Since the start of the server. */
  readonly beats: number;
  readonly failures: number;
  /** What is wrong, as a sentence; null while all is well. */
  readonly problem: string | null;
}

/**
 * The heartbeat switch: would a kill work now? Every 30 s a flag that nobody sees is killed or restored by the path of every write, and a
 * program of the server's own, connected to its own address, waits for it like any other. What it measures is the whole way.
 */
export interface Heartbeat {
  read(): HeartbeatStatus;
  close(): Promise<void>;
}

const OFF: HeartbeatStatus = {
  state: "off",
  everyMs: EVERY_MS,
  at: null,
  storedMs: null,
  latencyMs: null,
  acknowledgedMs: null,
  p50Ms: null,
  p99Ms: null,
  beats: 0,
  failures: 0,
  problem: null,
};

export const noHeartbeat: Heartbeat = { read: () => OFF, close: async () => {} };

interface Deps {
  readonly store: Store;
  readonly delivery: Pick<Delivery, "instances" | "clock">;
  readonly log: Log;
  /** Where this server listens, as it reaches itself. */
  readonly address: { readonly host: string; readonly port: number };
}

/** Starts beating. The store must have been opened with `heartbeat`. */
export function startHeartbeat({ store, delivery: { instances, clock }, log, address }: Deps): Heartbeat {
  const environment = store.hiddenProject(HEARTBEAT_PROJECT)?.environments[0]?.info;
  const sdkKey = environment && store.sdkKeys.show(environment.id, "server");
  if (!environment || sdkKey === undefined) {
    const problem = "The heartbeat switch has no key: the secret in the data folder is not the one that it was made with.";
    log.warn({}, problem);
    return { ...noHeartbeat, read: () => ({ ...OFF, state: "failing", problem }) };
  }
  const instance = `heartbeat-${randomBytes(4).toString("hex")}`;
  const client: Client = createClient(
    {
      now: clock.monotonic,
      time: clock.now,
      random: Math.random,
      draw: Math.random,
      after: (ms, run) => clock.after(ms, run),
      ...loopback(address, sdkKey),
      context: () => undefined,
    },
    {
      server: "itself",
      sdkKey,
      app: "heartbeat",
      instance,
      sdk: "heartbeat",
      transport: "stream",
      pollMs: EVERY_MS,
      logger: SILENT,
      unknownHint: "",
    },
  );
  let status: HeartbeatStatus = { ...OFF, state: "starting" };
  let latencies: number[] = [];
  let closed = false;
  let beating: Promise<void> = Promise.resolve();
  let stopTimer = clock.after(FIRST_MS, begin);

  function begin(): void {
    beating = beat().catch(failed);
    void beating.then(() => {
      if (!closed) stopTimer = clock.after(EVERY_MS, begin);
    });
  }

  async function beat(): Promise<void> {
    // A stream that is still being taken up is not what is measured.
    await client.ready({ timeoutMs: ARRIVAL_MS_MAX });
    const startedMs = clock.monotonic();
    const position = positionOf(await flip());
    const storedMs = clock.monotonic() - startedMs;
    const acknowledged = acknowledgement(position, startedMs);
    const arrived = await client.reached(position, ARRIVAL_MS_MAX);
    const latencyMs = clock.monotonic() - startedMs;
    if (closed) return acknowledged.stop();
    if (!arrived) {
      acknowledged.stop();
      throw new Error(
        `a change was stored and has not arrived within ${ARRIVAL_MS_MAX / 1000} s (${client.status.problem ?? client.status.state})`,
      );
    }
    latencies = [...latencies.slice(-(BEATS_KEPT - 1)), latencyMs];
    const sorted = latencies.toSorted((a, b) => a - b);
    const percentile = (part: number) => round(sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? latencyMs);
    if (status.state === "failing") log.info({}, "the heartbeat switch beats again");
    status = {
      ...status,
      state: "ok",
      at: clock.now(),
      storedMs: round(storedMs),
      latencyMs: round(latencyMs),
      p50Ms: percentile(0.5),
      p99Ms: percentile(0.99),
      beats: status.beats + 1,
      problem: null,
    };
    const acknowledgedMs = await acknowledged.ms;
    status = { ...status, acknowledgedMs: acknowledgedMs === null ? null : round(acknowledgedMs) };
  }

  function failed(error: unknown): void {
    if (closed) return;
    const problem = `The last heartbeat failed: ${error instanceof Error ? error.message : String(error)}`;
    if (status.state !== "failing") log.warn({ err: error }, "the heartbeat switch failed: a kill may not arrive either");
    status = { ...status, state: "failing", beats: status.beats + 1, failures: status.failures + 1, problem };
  }

  async function flip(): Promise<Written> {
    const request = { project: HEARTBEAT_PROJECT, by: "signalbox", hidden: true };
    if (!store.hiddenProject(HEARTBEAT_PROJECT)?.environments[0]?.flags.has(FLAG)) {
      await store.write(request, (current) => createFlag(current, { key: FLAG }));
    }
    return store.write(request, (current) => {
      const killed = current.project.environments[0]?.flags.get(FLAG)?.killed ?? null;
      return setKilled(current, environment?.key ?? "", FLAG, killed ? null : { at: current.now, by: current.by, reason: null });
    });
  }

  /** How long it took until the server had the acknowledgement; null when none comes in time. */
  function acknowledgement(position: Position, startedMs: number): { readonly ms: Promise<number | null>; stop(): void } {
    let stop = () => {};
    const ms = new Promise<number | null>((resolve) => {
      const done = (value: number | null) => {
        stopWaiting();
        stopListening();
        resolve(value);
      };
      const stopWaiting = clock.after(ARRIVAL_MS_MAX, () => done(null));
      const stopListening = instances.listen((event) => {
        if (event.kind !== "acknowledged" || event.instance.instance !== instance || isNewer(position, event.position)) return;
        done(clock.monotonic() - startedMs);
      });
      stop = () => done(null);
    });
    return { ms, stop: () => stop() };
  }

  return {
    read: () => status,
    async close() {
      closed = true;
      stopTimer();
      await client.close();
      await beating;
    },
  };
}

function positionOf({ outcome, project }: Written): Position {
  const head = project.environments[0];
  if (outcome.kind !== "changed" || !head) throw new Error(`the write came to ${outcome.kind}`);
  return { generation: head.generation, revision: head.revision };
}

const round = (ms: number) => (ms < 10 ? Math.round(ms * 100) / 100 : Math.round(ms));
