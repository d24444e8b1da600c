import { InMemStorageProvider, Unleash } from "unleash-client";

/** The SDK as a program would use it, once it has the state of its server. */
export async function connect({ url, token, refreshMs }) {
  const unleash = new Unleash({
    appName: "bench",
    url: `${url}/api`,
    customHeaders: { Authorization: token },
    refreshInterval: refreshMs,
    storageProvider: new InMemStorageProvider(), // else it would begin with a file of the last run
    skipInstanceCountWarning: true,
  });
  await new Promise((resolve, reject) => {
    unleash.once("synchronized", resolve);
    unleash.once("error", reject);
  });
  unleash.on("error", (error) => console.error("The SDK of Unleash:", error));
  return unleash;
}
