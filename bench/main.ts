import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { evaluation } from "./eval.ts";
import { httpState } from "./http.ts";
import { killing } from "./kill.ts";
import { loading } from "./load.ts";
import { availablePeers } from "./peers.ts";
import { storm } from "./storm.ts";
import { streaming } from "./stream.ts";
import { peers } from "./subjects.ts";
import { workloads } from "./workloads.ts";
import { writing } from "./write.ts";

const USAGE = `npm run bench -- eval          what an answer costs, against floors and peers (about five minutes)
npm run bench -- load          what 10,000 flags cost to load and to hold (about two minutes)
npm run bench -- stream        a change to 10,000 streams, memory, slow readers, against a bare loop of writes (two minutes)
npm run bench -- kill          from the answer to a kill to the programs: one, 100, 10,000; and Unleash (five minutes)
npm run bench -- http          the state by GET, against bare node:http and Unleash (two minutes)
npm run bench -- storm         the server of 10,000 streams is killed and started again (two minutes)
npm run bench -- write         a durable toggle, against append and fdatasync; 5,000 flags: list, start, memory (one minute)
npm run bench -- eval load     several
  --quick                      without peers, shorter, 1,000 streams: for a look while working
  --json FILE                  the figures for programs
`;

const words = ["eval", "load", "stream", "kill", "http", "storm", "write"];

interface DeliveryFigures {
  readonly figures: Readonly<Record<string, number>>;
  /** The same of the floor, in this run. */
  readonly floors: Readonly<Record<string, number>>;
  readonly ratios: Readonly<Record<string, number>>;
  /** Other products', in this run; named after them. */
  readonly peers?: Readonly<Record<string, number>>;
}

const DELIVERY: Readonly<Record<string, (options: { quick: boolean }) => Promise<DeliveryFigures>>> = {
  stream: streaming,
  kill: killing,
  http: httpState,
  storm,
  write: writing,
};

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: "boolean" }, json: { type: "string" }, help: { type: "boolean" } },
  });
  const unknown = positionals.find((word) => !words.includes(word));
  if (unknown !== undefined) throw new Error(`there is no benchmark "${unknown}"; there are ${words.join(", ")}`);
  const asked = positionals.length > 0;
  if (!asked) {
    console.log(USAGE);
    for (const { name, title } of workloads) console.log(`${name}  ${title}`);
    console.log(`\nPeers: ${Object.keys(peers).join(", ")}.`);
    if (values.help) return;
    console.log("Nothing was asked for, so here is a quick look at eval without peers.\n");
  }
  const quick = values.quick === true || !asked;
  const evaluates = !asked || positionals.includes("eval") || positionals.includes("load");
  const options = { quick, peers: quick || !evaluates ? [] : availablePeers() };
  const answers = !asked || positionals.includes("eval") ? await evaluation(options) : undefined;
  if (answers && positionals.includes("load")) console.log("");
  const loaded = positionals.includes("load") ? await loading(options) : undefined;
  const delivered: DeliveryFigures[] = [];
  for (const [word, run] of Object.entries(DELIVERY)) {
    if (!positionals.includes(word)) continue;
    if (delivered.length > 0) console.log("");
    delivered.push(await run({ quick }));
  }
  if (values.json === undefined) return;
  const figures = {
    ...answers?.ns,
    ...(loaded && { load: loaded.load, heap: loaded.heap }),
    ...Object.assign({}, ...delivered.map(({ figures }) => figures)),
    ratios: Object.assign({}, answers?.ratios, loaded?.ratios, ...delivered.map(({ ratios }) => ratios)),
    ...(answers && { floors: answers.floors, peers: answers.peers, bytes: answers.bytes }),
    ...(delivered.length > 0 && { delivery: Object.assign({}, ...delivered.map(({ floors }) => floors)) }),
    ...(delivered.length > 0 && { deliveryPeers: Object.assign({}, ...delivered.map(({ peers }) => peers)) }),
    ...(loaded && { json: loaded.json, sdkLoad: loaded.sdkLoad }),
  };
  writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
}

// Ended from outside, it takes along what it started.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1); // what was started would keep this process waiting
});
