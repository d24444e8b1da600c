/** The server takes at most this many at once. */
export const UNITS_MAX = 10_000;
const UNIT_LENGTH_MAX = 200;

export interface Pasted {
  readonly units: readonly string[];
  readonly problem: string | undefined;
}

/** Units from pasted text: one per line, or separated by commas, semicolons or tabs; quotes of CSV are taken off, doubles left out. */
export function unitsOf(text: string): Pasted {
  const units = new Set<string>();
  for (const part of text.split(/[\n\r,;\t]+/)) {
    const unit = part
      .trim()
      .replace(/^"(.*)"$/, "$1")
      .trim();
    if (unit !== "") units.add(unit);
  }
  const long = [...units].find((unit) => unit.length > UNIT_LENGTH_MAX);
  if (long !== undefined)
    return { units: [], problem: `"${long.slice(0, 30)}…" has ${long.length} characters; a key has at most ${UNIT_LENGTH_MAX}.` };
  if (units.size > UNITS_MAX) return { units: [], problem: `These are ${units.size} keys; at most ${UNITS_MAX} can be added at once.` };
  return { units: [...units], problem: undefined };
}

/**
 * A cursor just before the units that start with `prefix`. The list is ordered by unit and `after` is exclusive, so this makes the
 * page that begins with them.
 */
export function cursorBefore(prefix: string): string | undefined {
  const last = prefix.charCodeAt(prefix.length - 1);
  if (Number.isNaN(last) || last === 0) return undefined;
  return `${prefix.slice(0, -1)}${String.fromCharCode(last - 1)}\uffff`;
}
