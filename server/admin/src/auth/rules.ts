/** The rules of the server (`server/src/auth/schema.ts`), checked here only to say them earlier. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/;
export const PASSWORD_LENGTH_MIN = 12;
export const PASSWORD_LENGTH_MAX = 128;

export function nameProblem(name: string): string | undefined {
  if (NAME.test(name)) return undefined;
  return name === ""
    ? "Enter a name."
    : "A name is 1 to 100 letters, digits, dots, dashes, underscores, plus or at signs, and starts with a letter or digit.";
}

export function passwordProblem(password: string): string | undefined {
  if (password.length < PASSWORD_LENGTH_MIN)
    return `A password has at least ${PASSWORD_LENGTH_MIN} characters; this one has ${password.length}.`;
  if (password.length > PASSWORD_LENGTH_MAX)
    return `A password has at most ${PASSWORD_LENGTH_MAX} characters; this one has ${password.length}.`;
  return undefined;
}

/** `#token=...` or `#link=...`: what comes after the hash is never sent to a server or written to its log. */
export function fromHash(hash: string, name: string): string | undefined {
  return new URLSearchParams(hash.replace(/^#/, "")).get(name) ?? undefined;
}
