import statsig from "statsig-node";

const { StatsigServer } = statsig;
const UNLOGGED = { disableExposureLogging: true };

export default {
  wire: (flags) =>
    JSON.stringify({
      has_updates: true,
      time: 1_700_000_000_000,
      feature_gates: flags.map(gate),
      dynamic_configs: [],
      layer_configs: [],
      layers: {},
    }),

  async open(text) {
    const server = new StatsigServer("secret-bench", {
      bootstrapValues: text,
      localMode: true,
      disableAllLogging: true,
      disableDiagnostics: true,
      disableRulesetsSync: true,
      disableIdListsSync: true,
      initStrategyForIP3Country: "none",
      initStrategyForIDLists: "none",
    });
    await server.initializeAsync();
    return {
      context: ({ key, ...custom }) => ({ userID: key, custom }),
      ask: (key, user) => server.checkGate(user, key, UNLOGGED),
      close: () => server.shutdown(),
    };
  },
};

function gate({ key, rules }) {
  return {
    name: key,
    type: "feature_gate",
    entity: "feature_gate",
    salt: key,
    enabled: true,
    defaultValue: false,
    idType: "userID",
    isDeviceBased: false,
    rules: rules.map(rule),
  };
}

function rule({ when, percent }, i) {
  const id = `r${i}`;
  const conditions =
    when.length === 0 ? [{ type: "public", targetValue: null, operator: null, field: null, additionalValues: {} }] : when.map(condition);
  return { name: id, id, salt: id, idType: "userID", passPercentage: percent, returnValue: true, groupName: id, conditions };
}

function condition({ attribute, values }) {
  const asked = attribute === "key" ? { type: "unit_id", field: "userID" } : { type: "user_field", field: attribute };
  return { ...asked, idType: "userID", operator: "any_case_sensitive", targetValue: values, additionalValues: {} };
}
