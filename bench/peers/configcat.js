import { createConsoleLogger, getClient, LogLevel, PollingMode } from "@configcat/sdk";

const TEXT_IS_ONE_OF = 0;

export default {
  wire(flags) {
    const settings = flags.map(({ key, rules }) => {
      const setting = { t: 0, v: { b: false }, i: "off", r: [] };
      for (const rule of rules) {
        if (rule.when.length > 0) setting.r.push({ c: rule.when.map(condition), ...served(rule.percent) });
        else if (rule.percent === 100) setting.v = { b: true };
        else setting.p = served(rule.percent).p;
      }
      return [key, setting];
    });
    return JSON.stringify({ p: { u: "https://cdn.invalid", r: 0, s: "salt" }, f: Object.fromEntries(settings) });
  },

  async open(text) {
    // As in its cache: when it was fetched, its ETag, the configuration.
    const cached = `${Date.now()}\netag\n${text}`;
    const client = getClient("configcat-sdk-1/0000000000000000000000/0000000000000000000000", PollingMode.ManualPoll, {
      offline: true,
      cache: { get: () => cached, set() {} },
      logger: createConsoleLogger(LogLevel.Error),
    });
    await client.waitForReady();
    const snapshot = client.snapshot();
    return {
      context: ({ key, ...custom }) => ({ identifier: key, custom }),
      ask: (key, user) => snapshot.getValue(key, false, user),
      close: () => client.dispose(),
    };
  },
};

const condition = ({ attribute, values }) => ({ u: { a: attribute === "key" ? "Identifier" : attribute, c: TEXT_IS_ONE_OF, l: values } });

function served(percent) {
  if (percent === 100) return { s: { v: { b: true }, i: "on" } };
  return {
    p: [
      { p: percent, v: { b: true }, i: "on" },
      { p: 100 - percent, v: { b: false }, i: "off" },
    ],
  };
}
