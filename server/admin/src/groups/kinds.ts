import type { GroupKind } from "../../../src/api-types.ts";

export const KIND_WORDS: Readonly<Record<GroupKind, string>> = {
  conditions: "By conditions",
  list: "By list",
  "early-access": "Early access",
};

export const KIND_MEANS: Readonly<Record<GroupKind, string>> = {
  conditions: "Everybody who fits: email ends with @acme.com, country is one of …",
  list: "The keys that you list, one by one or pasted.",
  "early-access": "People join and leave by themselves, in your app. Its pages can read the name and the description.",
};

const GROUP_KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** The rule of the server (`server/src/groups/schema.ts`), checked here only to say it earlier. */
export function groupKeyProblem(key: string): string | undefined {
  if (GROUP_KEY.test(key)) return undefined;
  return key === ""
    ? "Enter a key."
    : "A group key is 1 to 100 letters, digits, dots, dashes or underscores, and starts with a letter or digit.";
}
