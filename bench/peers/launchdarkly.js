import { init } from "@launchdarkly/node-server-sdk";
import { TestData } from "@launchdarkly/node-server-sdk/integrations";

const quiet = { error() {}, warn() {}, info() {}, debug() {} };
const [ON, OFF] = [0, 1];

export default {
  wire: (flags) => JSON.stringify(flags.map(flag)),

  async open(text) {
    const data = new TestData();
    for (const flag of JSON.parse(text)) data.usePreconfiguredFlag(flag);
    const client = init("sdk-key", { updateProcessor: data.getFactory(), sendEvents: false, diagnosticOptOut: true, logger: quiet });
    await client.waitForInitialization({ timeout: 20 });
    return {
      async: true,
      context: (person) => ({ kind: "user", ...person }),
      ask: (key, context) => client.boolVariation(key, context, false),
      all: (context) => client.allFlagsState(context),
      isOnIn: (all, key) => all.getFlagValue(key) === true,
      close: () => client.close(),
    };
  },
};

function flag({ key, rules }) {
  const flag = {
    key,
    version: 1,
    on: true,
    variations: [true, false],
    offVariation: OFF,
    fallthrough: { variation: OFF },
    salt: key,
    rules: [],
  };
  for (const [i, { when, percent }] of rules.entries()) {
    const serve =
      percent === 100
        ? { variation: ON }
        : {
            rollout: {
              contextKind: "user",
              variations: [
                { variation: ON, weight: percent * 1_000 },
                { variation: OFF, weight: 100_000 - percent * 1_000 },
              ],
            },
          };
    // Its own place for a list of keys.
    if (when.length === 1 && when[0].attribute === "key" && percent === 100) flag.targets = [{ values: when[0].values, variation: ON }];
    else if (when.length === 0) flag.fallthrough = serve;
    else flag.rules.push({ id: `r${i}`, clauses: when.map(clause), ...serve });
  }
  return flag;
}

const clause = ({ attribute, values }) => ({ contextKind: "user", attribute, op: "in", values, negate: false });
