/** As many as a group may hold. */
export const UNITS_MAX = 100_000;
/** The server takes at most so many at once, in a body of at most 1 MiB. */
const PAGE_UNITS_MAX = 10_000;
const PAGE_BYTES_MAX = 900_000;
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
  if (units.size > UNITS_MAX) return { units: [], problem: `These are ${units.size} keys; a group has at most ${UNITS_MAX}.` };
  return { units: [...units], problem: undefined };
}

/** The units in parts that the server takes, in their order. */
export function pagesOf(units: readonly string[]): string[][] {
  const pages: string[][] = [];
  let page: string[] = [];
  let bytes = 0;
  for (const unit of units) {
    const size = new TextEncoder().encode(JSON.stringify(unit)).length + 1;
    if (page.length === PAGE_UNITS_MAX || bytes + size > PAGE_BYTES_MAX) {
      pages.push(page);
      page = [];
      bytes = 0;
    }
    page.push(unit);
    bytes += size;
  }
  return page.length > 0 ? [...pages, page] : pages;
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
