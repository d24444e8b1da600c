import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";
import { deliveryGoals, verdict } from "./delivery-goals.ts";
import { progress } from "./processes.ts";
import { median, onCore, startRemote } from "./remote.ts";
import { type BenchServer, startBenchServer } from "./server.ts";
import { figure, table, times } from "./table.ts";

const CONNECTIONS = 64;
const STATE_BYTES = 20_000;

export interface HttpResult {
  readonly figures: Readonly<Record<"state-200" | "state-304", number>>;
  readonly floors: Readonly<Record<"state-200" | "state-304", number>>;
  readonly ratios: Readonly<Record<"state-200" | "state-304", number>>;
}

/** The state by GET against bare node:http with the same bytes: server on one core, load on the other, in turns. */
export async function httpState({ quick }: { quick: boolean }): Promise<HttpResult> {
  const [rounds, seconds] = quick ? [3, 2] : [5, 4];
  const server = await startBenchServer();
  const authorization = `Bearer ${await server.sdkKey("production", "server")}`;
  const body = await fill(server, authorization);
  const state = await fetch(`${server.url}/sdk/v1/state`, { headers: { authorization, "accept-encoding": "identity" } });
  const etag = state.headers.get("etag") ?? "";
  const floor = startRemote("./raw-http.ts", 0);
  const port = await floor.call<number>("start", { body, etag });
  const urls = { ours: `${server.url}/sdk/v1/state`, floor: `http://127.0.0.1:${port}/sdk/v1/state` };
  const kinds = { "state-200": { authorization }, "state-304": { authorization, "if-none-match": etag } } as const;
  const load = hasWrk() ? wrk : ownLoad;

  const measured = { ours: { "state-200": [0], "state-304": [0] }, floor: { "state-200": [0], "state-304": [0] } };
  for (const side of [measured.ours, measured.floor]) for (const kind of ["state-200", "state-304"] as const) side[kind] = [];
  for (let round = -1; round < rounds; round++) {
    for (const kind of ["state-200", "state-304"] as const) {
      // Who comes first changes with the round.
      for (const side of round % 2 === 0 ? (["ours", "floor"] as const) : (["floor", "ours"] as const)) {
        progress(`${kind}, round ${round + 1} of ${rounds}, ${side}`);
        const rate = await load(urls[side], kinds[kind], round < 0 ? 1 : seconds);
        if (round >= 0) measured[side][kind].push(rate);
      }
    }
  }
  floor.stop();
  server.stop();
  progress("");
  const figures = { "state-200": median(measured.ours["state-200"]), "state-304": median(measured.ours["state-304"]) };
  const floors = { "state-200": median(measured.floor["state-200"]), "state-304": median(measured.floor["state-304"]) };
  const ratios = { "state-200": figures["state-200"] / floors["state-200"], "state-304": figures["state-304"] / floors["state-304"] };
  console.log(
    `GET /sdk/v1/state of ${figure(body.length / 1_000)} kB over ${CONNECTIONS} connections by ${load.name}: requests a second, median of ${rounds} runs of ${seconds} s in turns.\n`,
  );
  console.log(
    table(
      ["", "200", "304"],
      [
        ["node:http, one Buffer", figure(floors["state-200"]), figure(floors["state-304"])],
        ["Signalbox", figure(figures["state-200"]), figure(figures["state-304"])],
        ["", times(ratios["state-200"]), times(ratios["state-304"])],
      ],
    ),
  );
  console.log("");
  for (const kind of ["state-200", "state-304"] as const) console.log(verdict(kind, ratios[kind], deliveryGoals[kind]));
  return { figures, floors, ratios };
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
