/**
 * Whether a JSON text holds half a character: an escape such as \ud800 without its other half. UTF-8 and so SQLite cannot hold one,
 * they keep U+FFFD in its place: what is in memory would differ from what is stored, and two names could become one.
 */
export function hasHalfCharacter(json: string): boolean {
  // Decoded bytes hold none, so only an escape can bring one in.
  if (!/\\u[dD][89a-fA-F]/.test(json)) return false;
  let found = false;
  try {
    JSON.parse(json, (key, value: unknown) => {
      found ||= HALF.test(key) || (typeof value === "string" && HALF.test(value));
      return value;
    });
  } catch {
    return false; // No JSON at all: whoever parses it next says so.
  }
  return found;
}

const HALF = /\p{Surrogate}/u;
