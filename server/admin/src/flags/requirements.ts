import type { Requirement } from "../../../src/api-types.ts";

/** The requirements with other variants for one flag; without variants the requirement goes. */
export function replaceRequirement(requires: readonly Requirement[], flag: string, variants: string[]): Requirement[] {
  if (variants.length === 0) return requires.filter((requirement) => requirement.flag !== flag);
  return requires.map((requirement) => (requirement.flag === flag ? { flag, variants } : requirement));
}
