import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { evaluation } from "./eval.ts";
import { loading } from "./load.ts";
import { availablePeers } from "./peers.ts";
import { peers } from "./subjects.ts";
import { workloads } from "./workloads.ts";

const USAGE = `npm run bench -- eval          what an answer costs, against floors and peers (about five minutes)
npm run bench -- load          what 10,000 flags cost to load and to hold (about two minutes)
npm run bench -- eval load     both
  --quick                      without peers, and shorter: for a look while working
  --json FILE                  the figures for programs
`;

const words = ["eval", "load"];

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: "boolean" }, json: { type: "string" }, help: { type: "boolean" } },
  });
  const unknown = positionals.find((word) => !words.includes(word));
  if (unknown !== undefined) throw new Error(`there is no benchmark "${unknown}"; there are ${words.join(" and ")}`);
  const asked = positionals.length > 0;
  if (!asked) {
    console.log(USAGE);
    for (const { name, title } of workloads) console.log(`${name}  ${title}`);
    console.log(`\nPeers: ${Object.keys(peers).join(", ")}.`);
    if (values.help) return;
    console.log("Nothing was asked for, so here is a quick look at eval without peers.\n");
  }
  const quick = values.quick === true || !asked;
  const options = { quick, peers: quick ? [] : availablePeers() };
  const answers = !asked || positionals.includes("eval") ? await evaluation(options) : undefined;
  if (answers && positionals.includes("load")) console.log("");
  const loaded = positionals.includes("load") ? await loading(options) : undefined;
  if (values.json === undefined) return;
  const figures = {
    ...answers?.ns,
    ...(loaded && { load: loaded.load, heap: loaded.heap }),
    ratios: { ...answers?.ratios, ...loaded?.ratios },
    ...(answers && { floors: answers.floors, peers: answers.peers, bytes: answers.bytes }),
    ...(loaded && { json: loaded.json, sdkLoad: loaded.sdkLoad }),
  };
  writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
