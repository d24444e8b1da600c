import type { Configuration, Flag, Rule } from "../../../src/api-types.ts";

/** A boolean flag's configuration with nothing in it but what a test says. */
export function configuration(given: Partial<Configuration> = {}): Configuration {
  return {
    mode: "targeted",
    off: "off",
    on: "on",
    values: { on: true, off: false },
    rules: [],
    requires: [],
    parent: null,
    detached: false,
    browser: false,
    archived: false,
    ...given,
  };
}

export function allow(id: string, given: Partial<Rule> = {}): Rule {
  return { id, when: { op: "group", group: id }, serve: { kind: "variant", variant: "on" }, ...given };
}

export function deny(id: string, given: Partial<Rule> = {}): Rule {
  return allow(id, { serve: { kind: "variant", variant: "off" }, ...given });
}

export function everyone(percentage: number, id = "everyone"): Rule {
  return { id, rollout: { percentage }, serve: { kind: "variant", variant: "on" } };
}

export function flag(given: Partial<Flag> = {}): Flag {
  return {
    key: "new-checkout",
    name: "",
    description: "",
    type: "boolean",
    tags: [],
    owner: null,
    kind: "release",
    expectedDays: null,
    stale: false,
    archived: false,
    browser: false,
    state: { word: "SOME", percentage: 10, text: "SOME 10 %" },
    killed: null,
    seen: null,
    perMinute: 0,
    updatedAt: 1,
    updatedBy: "ana",
    aliases: [],
    links: [],
    createdAt: 1,
    createdBy: "ana",
    environment: "development",
    revision: 1,
    configuration: configuration(),
    identityEtag: '"i1-1"',
    configurationEtag: '"c1-1"',
    sentence: "",
    warnings: [],
    browserObstacles: [],
    hiddenAsked: null,
    environments: [],
    ...given,
  };
}
