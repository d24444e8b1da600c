// A program with the built SDK, for tests that need a process of their own: one line of JSON at each change of what it knows.
// Arguments: the address, the key, then names of flags to ask for.
import { createFlags } from "@signalbox/node";

const [url, sdkKey, ...keys] = process.argv.slice(2);
const say = (line) => console.log(JSON.stringify(line));
const logger = { info: (text) => say({ said: text }), warn: (text) => say({ said: text }) };
const flags = createFlags({ url, sdkKey, app: "follow", logger });
const tell = () => say({ state: flags.status.state, revision: flags.status.revision, on: keys.filter((key) => flags.isOn(key)) });
flags.on("status", tell);
flags.on("change", tell);
process.on("uncaughtException", (error) => say({ uncaught: String(error) }));
// The SDK keeps no process alive.
setInterval(() => {}, 60_000);
