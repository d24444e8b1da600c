import { GrowthBookClient } from "@growthbook/growthbook";

export default {
  wire(flags) {
    const features = flags.map(({ key, rules }) => {
      const [first] = rules;
      const everyone = rules.length === 1 && first.when.length === 0 && first.percent === 100;
      return [key, everyone ? { defaultValue: true } : { defaultValue: false, rules: rules.map(rule) }];
    });
    return JSON.stringify({ features: Object.fromEntries(features) });
  },

  async open(text) {
    const client = new GrowthBookClient();
    client.initSync({ payload: JSON.parse(text) });
    return {
      context: ({ key, ...attributes }) => ({ attributes: { id: key, ...attributes } }),
      ask: (key, context) => client.isOn(key, context),
    };
  },
};

function rule({ when, percent }) {
  const conditions = when.map(({ attribute, values }) => [attribute === "key" ? "id" : attribute, { $in: values }]);
  return {
    ...(conditions.length > 0 && { condition: Object.fromEntries(conditions) }),
    ...(percent < 100 && { coverage: percent / 100, hashAttribute: "id", hashVersion: 2 }),
    force: true,
  };
}
