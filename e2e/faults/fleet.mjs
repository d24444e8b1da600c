// Many SDKs in one process, for schedules and soaks. Arguments: addresses (comma), key, flags (comma), how many, name.
// One line for each thing seen: "s <sdk> <generation> <revision> <on bits> <status>"; "t <sdk> <error>" when a read threw.
import { getHeapCodeStatistics } from "node:v8";
import { createFlags } from "@signalbox/node";

const [urls, sdkKey, names, count, name] = process.argv.slice(2);
const addresses = urls.split(",");
const keys = names.split(",");
const fleet = [];

function look(one) {
  try {
    const bits = keys.map((key) => (one.flags.isOn(key) ? "1" : "0")).join("");
    const { generation, revision, state } = one.flags.status;
    const line = `s ${one.sdk} ${generation ?? 0} ${revision ?? 0} ${bits} ${state}`;
    if (line === one.last) return;
    one.last = line;
    console.log(line);
  } catch (error) {
    console.log(`t ${one.sdk} ${error}`);
  }
}

function join(i) {
  const sdk = `${name}-${i}`;
  const flags = createFlags({ url: addresses[i % addresses.length], sdkKey, app: "fleet", instance: sdk, logger: false });
  const one = { sdk, flags, last: "" };
  flags.on("change", () => look(one));
  flags.on("status", () => look(one));
  fleet[i] = one;
}

for (let i = 0; i < Number(count); i += 1) join(i);
setInterval(() => {
  for (const one of fleet) look(one);
}, 50);
process.on("uncaughtException", (error) => console.log(`t ${name} uncaught ${error}`));
process.on("unhandledRejection", (error) => console.log(`t ${name} unhandled ${error}`));
// A line on the input: "leave <n>" closes that SDK, "join <n>" makes a new one in its place, "heap" tells of the memory after a collection.
let text = "";
process.stdin.setEncoding("utf8").on("data", async (piece) => {
  text += piece;
  const lines = text.split("\n");
  text = lines.pop() ?? "";
  for (const line of lines) {
    const [verb, n] = line.split(" ");
    if (verb === "join") {
      await fleet[Number(n)].flags.close();
      join(Number(n));
    } else if (verb === "heap") {
      globalThis.gc?.();
      // Without what the engine keeps of compiled code: it compiles anew now and then, and no program holds any of it.
      const { code_and_metadata_size: compiled, bytecode_and_metadata_size: bytecode } = getHeapCodeStatistics();
      console.log(`h ${process.memoryUsage().heapUsed - compiled - bytecode}`);
    }
  }
});
