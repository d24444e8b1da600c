import { FlagdCore } from "@openfeature/flagd-core";

const quiet = { error() {}, warn() {}, info() {}, debug() {} };

export default {
  wire(flags) {
    const entries = flags.map(({ key, rules }) => {
      const [first] = rules;
      const everyone = rules.length === 1 && first.when.length === 0 && first.percent === 100;
      const flag = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: everyone ? "on" : "off" };
      return [key, everyone ? flag : { ...flag, targeting: targeting(rules) }];
    });
    return JSON.stringify({ flags: Object.fromEntries(entries) });
  },

  async open(text) {
    const core = new FlagdCore(undefined, quiet);
    core.setConfigurations(text);
    return {
      context: ({ key, ...attributes }) => ({ targetingKey: key, ...attributes }),
      ask: (key, context) => core.resolveBooleanEvaluation(key, false, context).value,
      all: (context) => core.resolveAll(context),
      isOnIn: (all, key) => all.find(({ flagKey }) => flagKey === key)?.value === true,
    };
  },
};

function targeting(rules) {
  const parts = rules.flatMap(({ when, percent }) => {
    const serve =
      percent === 100
        ? "on"
        : {
            fractional: [
              ["on", percent],
              ["off", 100 - percent],
            ],
          };
    const conditions = when.map(({ attribute, values }) => ({ in: [{ var: attribute === "key" ? "targetingKey" : attribute }, values] }));
    if (conditions.length === 0) return [serve];
    return [conditions.length === 1 ? conditions[0] : { and: conditions }, serve];
  });
  // An else at the end, unless the last rule is for everyone.
  if (parts.length % 2 === 0) parts.push("off");
  return parts.length === 1 ? parts[0] : { if: parts };
}
