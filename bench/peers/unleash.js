import { InMemStorageProvider, Unleash } from "unleash-client";

export default {
  wire: (flags) => JSON.stringify({ version: 2, features: flags.map(feature) }),

  async open(text) {
    const unleash = new Unleash({
      appName: "bench",
      url: "http://127.0.0.1:9/api", // nobody is there; the state comes from the bootstrap
      bootstrap: { data: JSON.parse(text).features },
      storageProvider: new InMemStorageProvider(),
      refreshInterval: 0,
      disableMetrics: true,
      skipInstanceCountWarning: true,
    });
    unleash.on("error", () => {}); // that nobody is there
    unleash.on("warn", () => {});
    await new Promise((resolve) => unleash.once("ready", resolve));
    return {
      context: ({ key, ...properties }) => ({ userId: key, properties }),
      ask: (key, context) => unleash.isEnabled(key, context),
      close: () => unleash.destroy(),
    };
  },
};

function feature({ key, rules }) {
  return {
    name: key,
    type: "release",
    enabled: true,
    impressionData: false,
    variants: [],
    strategies: rules.map((rule) => strategy(key, rule)),
  };
}

function strategy(key, { when, percent }) {
  const constraints = when.map(({ attribute, values }) => ({
    contextName: attribute === "key" ? "userId" : attribute,
    operator: "IN",
    values,
    inverted: false,
    caseInsensitive: false,
  }));
  if (percent === 100) return { name: "default", parameters: {}, constraints };
  return { name: "flexibleRollout", parameters: { rollout: String(percent), stickiness: "userId", groupId: key }, constraints };
}
