import { CsvError, parse } from "csv-parse";
import { problem } from "../errors.ts";
import { createTurn } from "../turns.ts";
import { MEMBERS_MAX } from "./decide.ts";

/** Members as a CSV file (RFC 4180): one unit a line, or one column of several. */

/** A file of 100,000 lines with the longest units and a few more columns. */
export const CSV_BYTES_MAX = 32 * 1024 * 1024;
/** The first line is the header of the column of units if this is its first cell; exports write it. */
const UNIT_COLUMN = "unit";
const UNIT_LENGTH_MAX = 200;
/** Of one line, all columns together. */
const LINE_BYTES_MAX = 64 * 1024;
/** Bad lines that are told one by one. */
export const BAD_LINES_TOLD_MAX = 100;
/** So much is parsed at once, in a few milliseconds. */
const PIECE_BYTES = 16 * 1024;

export interface BadLine {
  readonly line: number;
  readonly message: string;
}

export interface UnitsRead {
  /** Of units, without the header and empty lines. */
  readonly lines: number;
  /** Each once, in the order of the file. */
  readonly units: readonly string[];
  /** The first of them. */
  readonly bad: readonly BadLine[];
  readonly badLines: number;
}

/**
 * Reads a file as it comes in, without holding the event loop for longer than some 10 ms. `column` is the name of the column of units in the
 * first line. Throws a problem when the file cannot be read as a whole: too many lines, no such column.
 */
export async function readUnits(body: AsyncIterable<Uint8Array>, column: string | undefined): Promise<UnitsRead> {
  const turn = createTurn();
  const units = new Set<string>();
  const bad: BadLine[] = [];
  let badLines = 0;
  let lines = 0;
  let at: number | undefined;
  let isEmpty = true;

  function refuse(line: number, message: string): void {
    badLines += 1;
    if (bad.length < BAD_LINES_TOLD_MAX) bad.push({ line, message });
  }
  function take(record: readonly string[], line: number): void {
    if (at === undefined) {
      at = column === undefined ? 0 : columnIn(record, column);
      if (column !== undefined || record[0]?.trim().toLowerCase() === UNIT_COLUMN) return;
    }
    lines += 1;
    if (lines > MEMBERS_MAX) return;
    const cell = record[at];
    const unit = cell === undefined ? undefined : fromCell(cell);
    const message = unit === undefined ? `has ${record.length} columns, the units are in column ${at + 1}` : unitProblem(unit);
    if (unit === undefined || message !== undefined) refuse(line, message ?? "");
    else units.add(unit);
  }

  let stopped: unknown;
  const parser = parse({
    bom: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: LINE_BYTES_MAX,
    on_record: (record: string[], context) => {
      isEmpty = false;
      take(record, context.lines);
      return null;
    },
  });
  // Nothing is pushed, but only a stream that flows ends.
  parser.resume();
  const ended = new Promise<void>((resolve) => {
    parser.once("end", resolve);
    parser.once("error", (error) => {
      stopped = error;
      resolve();
    });
  });
  for await (const chunk of body) {
    for (let i = 0; i < chunk.length && !parser.destroyed; i += PIECE_BYTES) {
      parser.write(chunk.subarray(i, i + PIECE_BYTES));
      await turn();
    }
    if (parser.destroyed) break;
    if (lines > MEMBERS_MAX) throw tooLong();
  }
  if (!parser.destroyed) parser.end();
  await ended;
  if (stopped !== undefined) {
    if (!(stopped instanceof CsvError)) throw stopped;
    isEmpty = false;
    refuse(lineOf(stopped), `${sentenceOf(stopped)}; the lines after it cannot be read`);
  }
  if (lines > MEMBERS_MAX) throw tooLong();
  if (isEmpty && column !== undefined) columnIn([], column);
  return { lines, units: [...units], bad, badLines };
}

function tooLong() {
  return problem(
    "BODY_TOO_LARGE",
    `The file has more than ${MEMBERS_MAX} lines, as many as a group may have members; use a condition on an attribute for so many.`,
  );
}

function columnIn(header: readonly string[], column: string): number {
  const wanted = column.trim().toLowerCase();
  const at = header.findIndex((name) => name.trim().toLowerCase() === wanted);
  if (at >= 0) return at;
  const names = header
    .slice(0, 20)
    .map((name) => JSON.stringify(name))
    .join(", ");
  const message = `the first line has no column ${JSON.stringify(column)}; it has ${names || "nothing"}`;
  throw problem("VALIDATION_FAILED", `query field column: ${message}`, { issues: [{ path: "column", message }] });
}

function unitProblem(unit: string): string | undefined {
  if (unit === "") return "holds no unit; leave the line out";
  if (unit.length > UNIT_LENGTH_MAX) return `holds a unit with ${unit.length} characters, the most is ${UNIT_LENGTH_MAX}`;
  if (unit.includes("\u0000")) return "holds a NUL character, which no unit may have";
  if (unit.includes("\ufffd")) return "holds characters that are not UTF-8; save the file as UTF-8";
  return undefined;
}

const SENTENCES: Readonly<Record<string, string>> = {
  INVALID_OPENING_QUOTE: 'has a quote inside of a cell; put the whole cell in quotes and double those inside: "a ""b"" c"',
  CSV_INVALID_CLOSING_QUOTE: 'goes on after a closing quote; double quotes inside of a cell: "a ""b"" c"',
  CSV_QUOTE_NOT_CLOSED: "is inside of a quote that is never closed",
  CSV_MAX_RECORD_SIZE: `has more than ${LINE_BYTES_MAX} bytes`,
};

function sentenceOf(error: CsvError): string {
  return SENTENCES[error.code] ?? "cannot be read as CSV";
}

function lineOf(error: CsvError): number {
  const { lines } = error;
  return typeof lines === "number" ? lines : 1;
}

/** What a spreadsheet would run as a formula, or strips; also behind the apostrophes that we or others have put before it. */
const FORMULA = /^'*[=+\-@\t\r\n]/;

/**
 * A cell of an export. One that a spreadsheet would take for a formula begins with an apostrophe, which reading takes off again: what is
 * exported and imported is the same, whatever units look like.
 */
export function toCell(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function fromCell(cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell;
}

/** The lines of an export, as bytes. `page` gives the rows after a unit, in their order, and none at the end. */
export async function* unitsFile<Row extends { readonly unit: string }>(
  columns: readonly [typeof UNIT_COLUMN, ...(string & keyof Row)[]],
  page: (after: string | undefined) => Promise<readonly Row[]> | readonly Row[],
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  const lineFor = (cells: readonly string[]) => `${cells.map(toCell).join(",")}\r\n`;
  yield encoder.encode(lineFor(columns));
  for (let rows = await page(undefined); rows.length > 0; rows = await page(rows.at(-1)?.unit)) {
    yield encoder.encode(rows.map((row) => lineFor(columns.map((column) => String(row[column as keyof Row])))).join(""));
  }
}
