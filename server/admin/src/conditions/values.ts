/** A value in a list of "is one of". 5 never equals "5", so a person says which of the two is meant. */
export type Value = string | number | boolean;

export const VALUE_KINDS = { text: "text", number: "numbers", boolean: "yes / no" } as const;
export type ValueKind = keyof typeof VALUE_KINDS;

export function kindOf(value: Value): ValueKind {
  return typeof value === "string" ? "text" : typeof value === "number" ? "number" : "boolean";
}

/** The kind that all values have; undefined when they differ or there is none. */
export function kindOfAll(values: readonly Value[]): ValueKind | undefined {
  const [first, ...rest] = values.map(kindOf);
  return rest.every((kind) => kind === first) ? first : undefined;
}

/** Values as tags. Among values of several kinds each that is not text says what it is, so that no two look the same. */
export function tagsOf(values: readonly Value[]): string[] {
  const isMixed = new Set(values.map(kindOf)).size > 1;
  return values.map((value) =>
    isMixed && typeof value !== "string" ? `${plain(value)} (${typeof value === "number" ? "number" : "yes/no"})` : plain(value),
  );
}

/** Tags back to values: what was a value before stays it, what is typed is read as `kind`. `refused` are those that are not of that kind. */
export function valuesOf(tags: readonly string[], before: readonly Value[], kind: ValueKind): { values: Value[]; refused: string[] } {
  const known = new Map(tagsOf(before).map((tag, index) => [tag, before[index]]));
  const values: Value[] = [];
  const refused: string[] = [];
  for (const tag of tags) {
    const value = known.get(tag) ?? readAs(tag, kind);
    if (value === undefined) refused.push(tag);
    else values.push(value);
  }
  return { values, refused };
}

/** The values as another kind; those that cannot be one stay what they are. */
export function asKind(values: readonly Value[], kind: ValueKind): Value[] {
  return [...new Set(values.map((value) => readAs(plain(value), kind) ?? value))];
}

/** Whether some text looks like a number, which it is not equal to. */
export function looksLikeNumbers(values: readonly Value[]): boolean {
  return values.some((value) => typeof value === "string" && readAs(value, "number") !== undefined);
}

const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

function readAs(text: string, kind: ValueKind): Value | undefined {
  const trimmed = text.trim();
  switch (kind) {
    case "text":
      return text;
    case "number":
      return NUMBER.test(trimmed) && Number.isFinite(Number(trimmed)) ? Number(trimmed) : undefined;
    case "boolean":
      return /^(yes|true)$/i.test(trimmed) ? true : /^(no|false)$/i.test(trimmed) ? false : undefined;
  }
}

function plain(value: Value): string {
  return value === true ? "yes" : value === false ? "no" : String(value);
}
