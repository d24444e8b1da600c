import { deliveryGoals, verdict } from "./delivery-goals.ts";
import { progress } from "./processes.ts";
import { median, percentile, type Remote, startRemote } from "./remote.ts";
import { type BenchServer, FLAG, PRODUCTION, startBenchServer } from "./server.ts";
import type { OpenStreams, Receipts } from "./stream-clients.ts";
import { figure, table } from "./table.ts";
import { leftOut, type UnleashServer, unleashIfPossible } from "./unleash.ts";

const FLAGS = 1_000;
const KILL = `${PRODUCTION}/flags/${FLAG}/kill`;
const RESTORE = `${PRODUCTION}/flags/${FLAG}/restore`;

export interface KillResult {
  readonly figures: Readonly<Record<"kill-1-p50" | "kill-1-p99" | "kill-10000-last" | "kill-100-sdks", number>>;
  readonly floors: Readonly<Record<string, number>>;
  readonly ratios: Readonly<Record<string, number>>;
  readonly peers: Readonly<Record<string, number>>;
}

/** The SDK of Unleash asks again every 15 s by default; a second is what its server itself may hold a change back. */
const UNLEASH = [
  { name: "15s", refreshMs: 15_000, instances: 15, kills: 2 },
  { name: "1s", refreshMs: 1_000, instances: 10, kills: 5 },
] as const;

/** From the API's answer to a kill to what programs say: the built server on a core, everything else on the other; then the same of Unleash. */
export async function killing({ quick }: { quick: boolean }): Promise<KillResult> {
  const streams = quick ? 1_000 : 10_000;
  const [kills, broadcasts] = quick ? [50, 5] : [300, 15];
  const one = await single(kills);
  const raw = await rawStreams(streams, broadcasts);
  const hundred = await manySdks(streams, quick ? 20 : 100, broadcasts);
  progress("");
  const figures = {
    "kill-1-p50": one.p50,
    "kill-1-p99": one.p99,
    "kill-10000-last": raw.last,
    "kill-100-sdks": hundred.acknowledged,
  };
  console.log(`A kill among ${FLAGS.toLocaleString("en")} flags: ms from the API's answer (0: before it).\n`);
  console.log(
    table(
      ["", "ms", "of"],
      [
        ["one Node SDK, isOn() is false: p50", figure(one.p50), `${kills} kills`],
        ["one Node SDK, isOn() is false: p99", figure(one.p99), `${kills} kills`],
        ["from the request of the kill to isOn() is false: p50", figure(one.fromRequest), `${kills} kills`],
        [`the last of ${streams.toLocaleString("en")} raw streams`, figure(raw.last), `median of ${broadcasts} kills`],
        ["the same, the worst kill", figure(raw.worst), `${broadcasts} kills`],
        [
          `the last of ${hundred.count} Node SDKs beside ${streams.toLocaleString("en")} streams`,
          figure(hundred.last),
          `${broadcasts} kills`,
        ],
        ["all of them acknowledged, as the receipt says", figure(hundred.acknowledged), `worst of ${broadcasts} kills`],
      ],
    ),
  );
  console.log("");
  for (const name of ["kill-1-p50", "kill-1-p99", "kill-10000-last", "kill-100-sdks"] as const) {
    console.log(verdict(name, figures[name], deliveryGoals[name]));
  }
  return { figures, floors: {}, ratios: {}, peers: quick ? {} : await unleashKills() };
}

async function unleashKills(): Promise<Readonly<Record<string, number>>> {
  console.log("");
  const server = await unleashIfPossible();
  if (!server) return {};
  const peers: Record<string, number> = {};
  const rows: string[][] = [];
  try {
    progress(`${FLAGS} flags in Unleash`);
    await server.flags(FLAGS);
    for (const { name, refreshMs, instances, kills } of UNLEASH) {
      const after = await unleashKill(server, { refreshMs, instances, kills });
      const [p50, p90, max] = [percentile(after, 0.5), percentile(after, 0.9), percentile(after, 1)];
      Object.assign(peers, { [`unleash-kill-${name}-p50`]: p50, [`unleash-kill-${name}-p90`]: p90, [`unleash-kill-${name}-max`]: max });
      rows.push([`its SDK asks every ${refreshMs / 1_000} s`, figure(p50), figure(p90), figure(max), `${instances} SDKs, ${kills} kills`]);
    }
    const status = await server.streamStatus();
    progress("");
    console.log("The same of Unleash: ms from its API's answer to isEnabled() is false, in each SDK.\n");
    console.log(table(["", "p50", "p90", "max", "of"], rows));
    console.log(`\nA stream instead: GET /api/client/streaming is answered ${status}.`);
    return peers;
  } catch (error) {
    leftOut(error);
    return {};
  } finally {
    await server.stop();
  }
}

/** Programs ask at moments of their own, so that few kills meet every part of the interval. */
async function unleashKill(
  { url, token, switchFlag }: UnleashServer,
  { refreshMs, instances, kills }: { refreshMs: number; instances: number; kills: number },
): Promise<number[]> {
  const sdks = startRemote("./sdk-instances.ts", 1);
  const switched = async (on: boolean) => {
    await sdks.call("arm", { on });
    const at = await switchFlag(on);
    const times = await sdks.call<number[]>("times");
    if (times.length < instances) throw new Error(`${times.length} of ${instances} SDKs of Unleash saw the flag ${on ? "on" : "off"}`);
    return times.map((time) => Math.max(0, time - at));
  };
  const after: number[] = [];
  try {
    progress(`starting ${instances} SDKs of Unleash that ask every ${refreshMs / 1_000} s`);
    await sdks.call("startUnleash", { url, token, count: instances, refreshMs, key: FLAG });
    for (let i = 0; i < kills; i++) {
      progress(`kill ${i + 1} of ${kills}, Unleash, every ${refreshMs / 1_000} s`);
      after.push(...(await switched(false)));
      await switched(true);
    }
  } finally {
    sdks.stop();
  }
  return after.sort((a, b) => a - b);
}

/** One kill and its restore, each seen by everybody who counts. */
async function killOnce(server: BenchServer, watchers: readonly Remote[], more?: (revision: number, at: number) => Promise<void>) {
  await Promise.all(watchers.map((remote) => remote.call("arm", { on: false })));
  const sent = performance.now();
  const { value, at } = await server.api<{ revision?: number; revisions?: Record<string, number> }>("POST", KILL, { reason: "bench" });
  const answeredMs = performance.now() - sent;
  await more?.(revisionOf(value), at);
  const receipts = await Promise.all(watchers.map((remote) => remote.call<Receipts>("receipts")));
  await Promise.all(watchers.map((remote) => remote.call("arm", { on: true })));
  await server.api("POST", RESTORE, { reason: "bench" });
  await Promise.all(watchers.map((remote) => remote.call<Receipts>("receipts")));
  const last = Math.max(...receipts.map((receipt) => receipt.last));
  return { afterMs: Math.max(0, last - at), fromRequestMs: answeredMs + last - at, receipts };
}

function revisionOf(written: object): number {
  const found = /"revision":(\d+)/.exec(JSON.stringify(written))?.[1];
  if (found === undefined) throw new Error(`no revision in ${JSON.stringify(written).slice(0, 200)}`);
  return Number(found);
}

async function single(kills: number): Promise<{ p50: number; p99: number; fromRequest: number }> {
  const server = await startBenchServer();
  await server.flags(FLAGS);
  const sdk = startRemote("./sdk-instances.ts", 1);
  await sdk.call("start", { url: server.url, sdkKey: await server.sdkKey("production", "server"), count: 1, key: FLAG });
  const after: number[] = [];
  const whole: number[] = [];
  for (let i = -10; i < kills; i++) {
    progress(`kill ${i + 1} of ${kills}, one SDK`);
    const { afterMs, fromRequestMs } = await killOnce(server, [sdk]);
    if (i < 0) continue;
    after.push(afterMs);
    whole.push(fromRequestMs);
  }
  sdk.stop();
  server.stop();
  const sorted = after.sort((a, b) => a - b);
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), fromRequest: median(whole) };
}

async function rawStreams(count: number, kills: number): Promise<{ last: number; worst: number }> {
  const server = await startBenchServer(MANY);
  await server.flags(FLAGS);
  const clients = startRemote("./stream-clients.ts", 1);
  progress(`opening ${count} streams`);
  await clients.call("open", streamsWith(await server.sdkKey("production", "server"), server, count));
  const after: number[] = [];
  for (let i = -2; i < kills; i++) {
    progress(`kill ${i + 1} of ${kills}, ${count} streams`);
    const { afterMs, receipts } = await killOnce(server, [clients]);
    if (receipts[0]?.count !== count) throw new Error(`a kill reached ${receipts[0]?.count} of ${count} streams`);
    if (i >= 0) after.push(afterMs);
  }
  clients.stop();
  server.stop();
  return { last: median(after), worst: Math.max(...after) };
}

/** Admission is measured by the storm, not here. */
const MANY = { SIGNALBOX_STREAMS_MAX: "100000", SIGNALBOX_STREAMS_PER_SECOND: "100000" };

function streamsWith(key: string, { port }: BenchServer, count: number): OpenStreams {
  const isBrowser = key.startsWith("sb_browser");
  const query = `instance=raw-%i&app=bench${isBrowser ? `&key=${key}` : ""}`;
  const authorization = isBrowser ? "" : `authorization: Bearer ${key}\r\n`;
  return { port, count, request: `GET /sdk/v1/stream?${query} HTTP/1.1\r\nhost: bench\r\n${authorization}\r\n`, counted: !isBrowser };
}

/** SDKs that acknowledge, beside pages that see nothing of the flag. */
async function manySdks(streams: number, count: number, kills: number): Promise<{ count: number; last: number; acknowledged: number }> {
  const server = await startBenchServer(MANY);
  await server.flags(FLAGS);
  const clients = startRemote("./stream-clients.ts", 1);
  progress(`opening ${streams} streams of pages`);
  await clients.call("open", streamsWith(await server.sdkKey("production", "browser"), server, streams));
  const sdkKey = await server.sdkKey("production", "server");
  const processes = Array.from({ length: 5 }, () => startRemote("./sdk-instances.ts", 1));
  for (const each of processes) await each.call("start", { url: server.url, sdkKey, count: count / processes.length, key: FLAG });
  const last: number[] = [];
  const acknowledged: number[] = [];
  for (let i = -2; i < kills; i++) {
    progress(`kill ${i + 1} of ${kills}, ${count} SDKs beside ${streams} streams`);
    let settledMs = Number.NaN;
    const { afterMs } = await killOnce(server, processes, async (revision, at) => {
      const path = `${PRODUCTION}/revisions/${revision}/receipt?waitMs=10000`;
      const receipt = await server.api<{ acknowledged: number; connected: number; complete: boolean; sentence: string }>("GET", path);
      if (!receipt.value.complete || receipt.value.acknowledged < count) throw new Error(`the receipt: ${receipt.value.sentence}`);
      settledMs = receipt.at - at;
    });
    if (i < 0) continue;
    last.push(afterMs);
    acknowledged.push(settledMs);
  }
  for (const each of [...processes, clients]) each.stop();
  server.stop();
  return { count, last: median(last), acknowledged: Math.max(...acknowledged) };
}
