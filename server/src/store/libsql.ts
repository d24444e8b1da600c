import type Database from "better-sqlite3";

/**
 * Makes a handle of libsql 0.5.29 behave as one of better-sqlite3 does. Seen with that version, and corrected here:
 * - a statement that was read by `all` keeps its old parameters for the next `get`, which then answers for the wrong row;
 * - a single `null` parameter is taken for a record of named ones, and fails;
 * - a boolean parameter ends the process instead of throwing;
 * - `get` adds `_metadata` to the row, and ignores `pluck`.
 * So each execution gets a statement of its own, and its parameters as one list.
 */
export function adaptLibsql(handle: Database.Database): Database.Database {
  const prepare = handle.prepare.bind(handle);
  handle.prepare = ((source: string) => statement(source, prepare)) as unknown as Database.Database["prepare"];
  return handle;
}

/** The methods that drizzle and the store use; `bind`, `expand` and safe integers are deliberately absent, so using one fails at once. */
function statement(source: string, prepare: Database.Database["prepare"]) {
  const first = prepare(source); // A mistake in the text must throw now, as it does with better-sqlite3.
  let mode: "row" | "raw" | "pluck" = "row";
  const fresh = () => {
    const prepared = prepare(source);
    return mode === "row" ? prepared : prepared.raw(true);
  };
  const shaped = (row: unknown): unknown => {
    if (mode === "pluck") return Array.isArray(row) ? row[0] : row;
    if (mode === "row" && typeof row === "object" && row !== null && "_metadata" in row) {
      const { _metadata, ...columns } = row;
      return columns;
    }
    return row;
  };
  const self = {
    source,
    reader: first.reader,
    database: undefined,
    raw(on = true) {
      mode = on ? "raw" : "row";
      return self;
    },
    pluck(on = true) {
      mode = on ? "pluck" : "row";
      return self;
    },
    columns: () => first.columns(),
    run(...parameters: unknown[]): Database.RunResult {
      const { changes, lastInsertRowid } = prepare(source).run(bindable(parameters));
      return { changes, lastInsertRowid };
    },
    get: (...parameters: unknown[]) => shaped(fresh().get(bindable(parameters))),
    all: (...parameters: unknown[]) => fresh().all(bindable(parameters)).map(shaped),
    *iterate(...parameters: unknown[]) {
      for (const row of fresh().iterate(bindable(parameters))) yield shaped(row);
    },
  };
  return self;
}

/** One list of positional parameters, or one record of named ones. Throws TypeError for what SQLite cannot hold. */
function bindable(parameters: readonly unknown[]): unknown[] | Record<string, unknown> {
  const [only] = parameters;
  if (parameters.length === 1 && isRecord(only)) {
    for (const value of Object.values(only)) check(value);
    return only;
  }
  const list = parameters.flat();
  for (const value of list) check(value);
  return list;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

function check(value: unknown): void {
  const fits = value === null || value === undefined || ["number", "string", "bigint"].includes(typeof value) || ArrayBuffer.isView(value);
  if (!fits) throw new TypeError(`SQLite can only bind numbers, strings, bigints, buffers and null, not ${typeof value}`);
}
