import type { Configuration, Flag } from "../../../src/api-types.ts";
import { same } from "./draft.ts";

export type FlagType = Flag["type"];
type Value = Configuration["values"][string];

export const TYPE_WORDS: Readonly<Record<FlagType, string>> = { boolean: "on / off", string: "text", number: "number", json: "JSON" };

/** A boolean flag's variants are fixed, so nobody is asked about them. */
export function isOnOff({ values }: Pick<Configuration, "values">): boolean {
  return same(values, { on: true, off: false });
}

/** What a variant is called on screen: On and Off of a boolean flag; of others their name, and that it is the safe value. */
export function variantWord(variant: string, configuration: Pick<Configuration, "values" | "off">): string {
  if (isOnOff(configuration)) return variant === "on" ? "On" : variant === "off" ? "Off" : variant;
  return variant === configuration.off && variant !== "off" ? `“${variant}” (off)` : `“${variant}”`;
}

/** The off variant last, the on variant first. */
export function variantsInOrder({ values, on, off }: Pick<Configuration, "values" | "on" | "off">): string[] {
  const rank = (variant: string) => (variant === on ? 0 : variant === off ? 2 : 1);
  return Object.keys(values).sort((a, b) => rank(a) - rank(b));
}

export function emptyValue(type: FlagType): Value {
  return type === "number" ? 0 : type === "json" ? {} : type === "boolean" ? false : "";
}

export function isOfType(value: unknown, type: FlagType): boolean {
  return type === "json" || typeof value === type;
}

/** Why a variant cannot be removed; undefined when nothing needs it. */
export function variantNeededBy(variant: string, { on, off, rules }: Configuration): string | undefined {
  if (variant === off) return "It is the off variant.";
  if (variant === on) return "It is the on variant.";
  const index = rules.findIndex(({ serve }) =>
    serve.kind === "variant" ? serve.variant === variant : serve.weights.some((weight) => weight.variant === variant),
  );
  return index < 0 ? undefined : `Rule ${index + 1} serves it.`;
}

/** The rule of the server (`server/src/flags/schema.ts`), checked here only to say it earlier. */
const VARIANT_KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/;

export function variantKeyProblem(name: string, others: readonly string[]): string | undefined {
  if (name === "") return "Enter a name.";
  if (!VARIANT_KEY.test(name)) return "A name is 1 to 50 letters, digits, dots, dashes or underscores, and starts with a letter or digit.";
  return others.includes(name) ? `There is a variant “${name}” already.` : undefined;
}

/** A value on one line, for a list. */
export function valueWords(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
