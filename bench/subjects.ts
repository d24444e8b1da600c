import { existsSync } from "node:fs";
import { join } from "node:path";
import { floor, floorIndex } from "./floors.ts";
import { coreSubject, groupListSubject, sdkSubject } from "./signalbox.ts";
import type { Subject } from "./subject.ts";

export const OURS = "Signalbox";
/** Its evaluator alone, without the client around it. */
export const CORE = "Signalbox core";
export const GROUP_LIST = "Signalbox, group by list";

/** For `load`: the text is parsed and nothing else, which is what everybody who takes JSON pays. No subject: it answers nothing. */
export const JSON_ALONE = "JSON.parse alone";

const own: Readonly<Record<string, () => Subject | Promise<Subject>>> = {
  [OURS]: sdkSubject,
  [CORE]: () => coreSubject,
  [GROUP_LIST]: groupListSubject,
  floor: () => floor,
  "floor-index": () => floorIndex,
};

/** By the name of the module in `peers/`. Those are JavaScript, since the types of what they import are not there until they are installed. */
export const peers: Readonly<Record<string, string>> = {
  "flagd-core": "flagd",
  GrowthBook: "growthbook",
  ConfigCat: "configcat",
  LaunchDarkly: "launchdarkly",
  Unleash: "unleash",
  Statsig: "statsig",
  FeatBit: "featbit",
};

export async function subject(name: string): Promise<Subject> {
  const mine = own[name];
  if (mine) return mine();
  const file = join(import.meta.dirname, "peers", `${peers[name]}.js`);
  if (!existsSync(file)) throw new Error(`no subject "${name}"`);
  return ((await import(file)) as { default: Subject }).default;
}
