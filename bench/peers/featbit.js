import featbit from "@featbit/node-server-sdk";

const { FbClientBuilder, JsonBootstrapProvider, UserBuilder } = featbit;
const WHOLE = [{ id: "on", rollout: [0, 1], exptRollout: 1 }];

export default {
  wire: (flags) => JSON.stringify({ messageType: "data-sync", data: { eventType: "full", featureFlags: flags.map(flag), segments: [] } }),

  async open(text) {
    const client = new FbClientBuilder({ offline: true, logLevel: "none", bootstrapProvider: new JsonBootstrapProvider(text) }).build();
    await client.waitForInitialization();
    return {
      async: true,
      context({ key, ...attributes }) {
        const user = new UserBuilder(key).name(key);
        for (const [name, value] of Object.entries(attributes)) user.custom(name, value);
        return user.build();
      },
      ask: (key, user) => client.boolVariation(key, user, false),
      all: (user) => client.getAllVariations(user),
      isOnIn: (all, key) => all.find(({ flagKey }) => flagKey === key)?.value === "true",
      close: () => client.close(),
    };
  },
};

function flag({ key, rules }) {
  const made = {
    id: key,
    key,
    variationType: "boolean",
    version: 1,
    isEnabled: true,
    updatedAt: "2026-01-01T00:00:00Z",
    exptIncludeAllTargets: false,
    disabledVariationId: "off",
    variations: [
      { id: "on", value: "true" },
      { id: "off", value: "false" },
    ],
    targetUsers: [],
    rules: [],
    fallthrough: { dispatchKey: "", includedInExpt: false, variations: [{ id: "off", rollout: [0, 1], exptRollout: 1 }] },
  };
  for (const [i, { when, percent }] of rules.entries()) {
    const variations = percent === 100 ? WHOLE : split(percent / 100);
    // Its own place for a list of keys.
    if (when.length === 1 && when[0].attribute === "key" && percent === 100)
      made.targetUsers.push({ keyIds: when[0].values, variationId: "on" });
    else if (when.length === 0) made.fallthrough = { ...made.fallthrough, variations };
    else
      made.rules.push({ id: `r${i}`, name: `r${i}`, dispatchKey: "", includedInExpt: false, conditions: when.map(condition), variations });
  }
  return made;
}

const split = (share) => [
  { id: "on", rollout: [0, share], exptRollout: 1 },
  { id: "off", rollout: [share, 1], exptRollout: 1 },
];

const condition = ({ attribute, values }, i) => ({
  id: `c${i}`,
  property: attribute === "key" ? "keyId" : attribute,
  op: "IsOneOf",
  value: JSON.stringify(values),
});
