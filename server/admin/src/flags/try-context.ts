/** The form of a context: the key and rows of attributes, as a person types them. */
export interface AttributeRow {
  readonly id: number;
  readonly name: string;
  readonly text: string;
}

export type Context = Readonly<Record<string, unknown>>;
export type Read<T> = { readonly value: T } | { readonly problem: string };

/** A value as typed: JSON where it is JSON (`5`, `true`, `["a"]`, `"5"`), else the text itself. */
export function typedValue(text: string): unknown {
  const trimmed = text.trim();
  try {
    return JSON.parse(trimmed);
  } catch {
    return trimmed;
  }
}

/** What kind of value that is, in words: conditions tell a number from a text. */
export function kindOf(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "list";
  return { string: "text", number: "number", boolean: "yes or no" }[typeof value as string] ?? "object";
}

/** A row without a name is left out; `account.key` stays as it is, conditions find it so. */
export function contextOfRows(key: string, rows: readonly AttributeRow[]): Read<Context> {
  const context: Record<string, unknown> = {};
  for (const { name, text } of rows) {
    const attribute = name.trim();
    if (attribute === "" && text.trim() === "") continue;
    if (attribute === "") return { problem: `Which attribute is “${text.trim()}”? Write its name.` };
    if (attribute in context || attribute === "key") return { problem: `“${attribute}” is there twice; keep one.` };
    if (text.trim() === "") continue;
    context[attribute] = typedValue(text);
  }
  return { value: key.trim() === "" ? context : { key: key.trim(), ...context } };
}

export function contextOfJson(text: string): Read<Context> {
  if (text.trim() === "") return { value: {} };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'This is not JSON. Write one object, such as { "key": "4711", "plan": "pro" }.' };
  }
  return isContext(value) ? { value } : { problem: "A context is one JSON object in braces." };
}

/** The JSON as rows, for whoever goes back to the form; the other way round is `contextOfRows`. */
export function rowsOf(context: Context): { readonly key: string; readonly rows: readonly Omit<AttributeRow, "id">[] } {
  const { key = "", ...attributes } = context;
  const rows = Object.entries(attributes).map(([name, value]) => ({ name, text: textOf(value) }));
  // A key that is a number hashes as its digits, but conditions tell it from a text: the form cannot hold that difference.
  return { key: String(key), rows };
}

function textOf(value: unknown): string {
  return typeof value === "string" && typedValue(value) === value ? value : JSON.stringify(value);
}

/** Contexts of one comparison. */
const CONTEXTS_MAX = 10_000;
/** What the server takes in one body, less room for the edits. */
const CONTEXTS_LENGTH_MAX = 7_500_000;

/** Pasted contexts: a JSON list, one JSON object, or one object on each line. */
export function contextsOf(text: string): Read<readonly Context[]> {
  if (text.trim() === "") return { problem: "Paste at least one context." };
  if (text.length > CONTEXTS_LENGTH_MAX) return { problem: "This is more than the server takes at once; paste fewer contexts." };
  const whole = parsed(text);
  if (Array.isArray(whole)) return checked(whole, (index) => `Context ${index + 1}`);
  if (isContext(whole)) return { value: [whole] };
  const lines = text.split("\n").flatMap((line, index) => (line.trim() === "" ? [] : [{ line: index + 1, value: parsed(line) }]));
  return checked(
    lines.map(({ value }) => value),
    (index) => `Line ${lines[index]?.line}`,
  );
}

function checked(values: readonly unknown[], name: (index: number) => string): Read<readonly Context[]> {
  if (values.length === 0) return { problem: "The list is empty; paste at least one context." };
  if (values.length > CONTEXTS_MAX) {
    return {
      problem: `There are ${values.length.toLocaleString("en-US")} contexts, the most is ${CONTEXTS_MAX.toLocaleString("en-US")}; paste fewer.`,
    };
  }
  const wrong = values.findIndex((value) => !isContext(value));
  if (wrong >= 0) return { problem: `${name(wrong)} is not a JSON object such as { "key": "4711" }.` };
  return { value: values as readonly Context[] };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isContext(value: unknown): value is Context {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
