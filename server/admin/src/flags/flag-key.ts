/** The rule of the server (`server/src/flags/schema.ts`), checked here only to say it earlier. */
const FLAG_KEY = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/;

export function flagKeyProblem(key: string): string | undefined {
  if (FLAG_KEY.test(key)) return undefined;
  return key === ""
    ? "Enter a key."
    : "A flag key is 1 to 100 letters, digits, dots, dashes, underscores or colons, and starts with a letter or digit.";
}
