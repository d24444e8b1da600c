import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";
import { deliveryGoals, verdict } from "./delivery-goals.ts";
import { progress } from "./processes.ts";
import type { RawAnswers } from "./raw-http.ts";
import { median, onCore, startRemote } from "./remote.ts";
import { type BenchServer, startBenchServer } from "./server.ts";
import { figure, table, times } from "./table.ts";
import { leftOut, type UnleashServer, unleashIfPossible } from "./unleash.ts";

const CONNECTIONS = 64;
const STATE_BYTES = 20_000;

const KINDS = ["state-200", "state-304"] as const;
type Rates = Record<(typeof KINDS)[number], number>;

export interface HttpResult {
  readonly figures: Rates;
  readonly floors: Rates;
  readonly ratios: Rates;
  readonly peers: Readonly<Record<string, number>>;
}

/** Who is asked, with what. */
interface Side {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly etag: string;
  readonly measured: Record<(typeof KINDS)[number], number[]>;
}

/**
 * The state by GET against bare node:http that gives the same answers (status, header fields and body; bench/raw-http.ts), and Unleash with
 * as many: server on one core, load on the other, in turns.
 */
export async function httpState({ quick }: { quick: boolean }): Promise<HttpResult> {
  const [rounds, seconds] = quick ? [3, 2] : [5, 4];
  const server = await startBenchServer();
  const authorization = `Bearer ${await server.sdkKey("production", "server")}`;
  const body = await fill(server, authorization);
  const ask = (more: Record<string, string>) =>
    fetch(`${server.url}/sdk/v1/state`, { headers: { authorization, "accept-encoding": "identity", ...more } });
  const state = await ask({});
  const etag = state.headers.get("etag") ?? "";
  const unchanged = await ask({ "if-none-match": etag });
  if (unchanged.status !== 304) throw new Error(`the ETag of the state was answered ${unchanged.status}`);
  const answers: RawAnswers = { body, etag, ok: fieldsOf(state), unchanged: fieldsOf(unchanged) };
  const bare = startRemote("./raw-http.ts", 0);
  const port = await bare.call<number>("start", answers);
  const ours = side("Signalbox", { url: `${server.url}/sdk/v1/state`, headers: { authorization }, etag });
  const floor = side("node:http, one Buffer", { ...ours, url: `http://127.0.0.1:${port}/sdk/v1/state` });
  const unleash = quick ? undefined : await unleashIfPossible();
  const peer = unleash && (await unleashSide(unleash).catch(leftOut));
  const load = hasWrk() ? wrk : ownLoad;

  const sides = [ours, floor, ...(peer ? [peer] : [])];
  for (let round = -1; round < rounds; round++) {
    for (const kind of KINDS) {
      // Who comes first changes with the round.
      for (const { name, url, headers, etag, measured } of round % 2 === 0 ? sides : sides.toReversed()) {
        progress(`${kind}, round ${round + 1} of ${rounds}, ${name}`);
        const asked = kind === "state-304" ? { ...headers, "if-none-match": etag } : headers;
        const rate = await load(url, asked, round < 0 ? 1 : seconds);
        if (round >= 0) measured[kind].push(rate);
      }
    }
  }
  bare.stop();
  server.stop();
  await unleash?.stop();
  progress("");
  const figures = medians(ours);
  const floors = medians(floor);
  const peers = peer && medians(peer);
  const ratios = ratio(figures, floors);
  console.log(
    `GET of a state of ${figure(body.length / 1_000)} kB over ${CONNECTIONS} connections by ${load.name}: requests a second, median of ${rounds} runs of ${seconds} s in turns.\n`,
  );
  const row = (name: string, rates: Rates) => [name, figure(rates["state-200"]), figure(rates["state-304"])];
  const timesRow = (name: string, rates: Rates) => [name, times(rates["state-200"]), times(rates["state-304"])];
  console.log(
    table(
      ["", "200", "304"],
      [
        row(floor.name, floors),
        row(ours.name, figures),
        timesRow("times the floor", ratios),
        ...(peer && peers ? [row(peer.name, peers), timesRow("Signalbox, times Unleash", ratio(figures, peers))] : []),
      ],
    ),
  );
  console.log("");
  for (const kind of KINDS) console.log(verdict(kind, ratios[kind], deliveryGoals[kind]));
  return {
    figures,
    floors,
    ratios,
    peers: peers ? { "unleash-state-200": peers["state-200"], "unleash-state-304": peers["state-304"] } : {},
  };
}

function side(name: string, { url, headers, etag }: Pick<Side, "url" | "headers" | "etag">): Side {
  return { name, url, headers, etag, measured: { "state-200": [], "state-304": [] } };
}

const medians = ({ measured }: Side): Rates => ({ "state-200": median(measured["state-200"]), "state-304": median(measured["state-304"]) });

const ratio = (some: Rates, others: Rates): Rates => ({
  "state-200": some["state-200"] / others["state-200"],
  "state-304": some["state-304"] / others["state-304"],
});

/** With flags until its state has as many bytes as ours. */
async function unleashSide(server: UnleashServer): Promise<Side> {
  const few = 10;
  progress("flags in Unleash");
  await server.flags(few);
  const { text } = await server.state();
  const [first] = (JSON.parse(text) as { features: object[] }).features;
  const missing = Math.ceil((STATE_BYTES - text.length) / JSON.stringify(first).length);
  await server.flags(few + missing);
  const { text: filled, etag } = await server.state();
  const headers = { authorization: server.token };
  return side(`Unleash, ${figure(filled.length / 1_000)} kB`, { url: `${server.url}/api/client/features`, headers, etag });
}

/** The header fields of an answer but for those that every node:http writes itself. */
function fieldsOf(answer: Response): Record<string, string> {
  return Object.fromEntries([...answer.headers].filter(([name]) => !["date", "connection", "keep-alive"].includes(name)));
}

/** Flags until the state has 20 kB. */
async function fill(server: BenchServer, authorization: string): Promise<string> {
  await server.flags(50);
  for (let flags = 50; ; flags++) {
    const text = await (await fetch(`${server.url}/sdk/v1/state`, { headers: { authorization } })).text();
    if (text.length >= STATE_BYTES) return text;
    const { value } = await server.api<{ key: string }>("POST", "projects/default/flags", { key: `more-${flags}` });
    if (!value) throw new Error("a flag was not made");
  }
}

function hasWrk(): boolean {
  try {
    execFileSync("wrk", ["-v"], { stdio: "ignore" });
    return true;
  } catch (error) {
    // wrk -v ends with 1 where it exists.
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}

async function wrk(url: string, headers: Readonly<Record<string, string>>, seconds: number): Promise<number> {
  const given = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const [command, args] = onCore(1, "wrk", ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, ...given, url]);
  const { stdout } = await promisify(execFile)(command, args);
  if (/Non-2xx or 3xx responses: (\d+)/.test(stdout)) throw new Error(`requests were refused:\n${stdout}`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
}

/** Where there is no wrk. The load costs more there, so both figures are lower. */
async function ownLoad(url: string, headers: Readonly<Record<string, string>>, seconds: number): Promise<number> {
  const remote = startRemote("./http-load.ts", 1);
  const rate = await remote.call<number>("run", { url, headers, seconds, connections: CONNECTIONS });
  remote.stop();
  return rate;
}
