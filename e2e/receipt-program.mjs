// A program with the Node SDK, as an app is: follows flags until it is stopped.
import { createFlags } from "@signalbox/node";

const [app, transport = "stream"] = process.argv.slice(2);
const flags = createFlags({
  url: process.env.SIGNALBOX_URL,
  sdkKey: process.env.SIGNALBOX_SERVER_KEY,
  app,
  appVersion: "1.2.3",
  instance: `${app}-1`,
  host: `rack-${app}`,
  transport,
  pollMs: 1_000,
});
await flags.ready();
console.log("ready");
setInterval(() => {}, 1_000);
