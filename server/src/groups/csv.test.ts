import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readUnits, toCell, unitsFile } from "./csv.ts";
import { MEMBERS_MAX } from "./decide.ts";

async function* bytes(...parts: (string | Uint8Array)[]) {
  for (const part of parts) yield typeof part === "string" ? new TextEncoder().encode(part) : part;
}
const read = (text: string | Uint8Array, column?: string) => readUnits(bytes(text), column);

describe("readUnits", () => {
  test("takes one unit a line, with CRLF and a byte order mark, each once", async () => {
    expect(await read("\ufeffann\r\nbob\r\n\r\nann\r\n")).toEqual({ lines: 3, units: ["ann", "bob"], bad: [], badLines: 0 });
    expect(await read("")).toEqual({ lines: 0, units: [], bad: [], badLines: 0 });
  });

  test("takes a column by its name, or the first; a header of our own exports is one", async () => {
    const file = 'plan,Customer Id\npro,"4,711"\nteam,"say ""hi"""\n';
    expect((await read(file, "customer id")).units).toEqual(["4,711", 'say "hi"']);
    expect((await read("unit,added,by\nann,2026,x\n")).units).toEqual(["ann"]);
    expect((await read("plan,key\npro,ann")).units).toEqual(["plan", "pro"]);
    await expect(read(file, "key")).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringContaining('no column "key"; it has "plan", "Customer Id"'),
    });
    await expect(read("", "key")).rejects.toMatchObject({ message: expect.stringContaining("it has nothing") });
  });

  test("tells each bad line with its number and the rule, the first hundred of them", async () => {
    const file = `ann\n""\n"x\ny"\n${"u".repeat(201)}\nbo\u0000b\n`;
    const { bad, units } = await read(file);
    expect(units).toEqual(["ann", "x\ny"]);
    expect(bad).toEqual([
      { line: 2, message: "holds no unit; leave the line out" },
      { line: 5, message: "holds a unit with 201 characters, the most is 200" },
      { line: 6, message: "holds a NUL character, which no unit may have" },
    ]);
    expect((await read(new Uint8Array([0x61, 0xff, 0x62]))).bad).toEqual([
      { line: 1, message: "holds characters that are not UTF-8; save the file as UTF-8" },
    ]);
    expect((await read("a,b\n1,2\n3\n", "b")).bad).toEqual([{ line: 3, message: "has 1 columns, the units are in column 2" }]);
    const many = await read('""\n'.repeat(250));
    expect([many.bad.length, many.badLines]).toEqual([100, 250]);
  });

  test.each([
    ['ann\nb"ob\ncy\n', 2, "quote inside of a cell"],
    ['ann\n"b"ob\ncy\n', 2, "after a closing quote"],
    ['ann\n"bob\ncy\n', 3, "never closed"],
    [`ann\n${"x".repeat(70_000)}\ncy\n`, 2, "more than 65536 bytes"],
  ])("stops where the file is no CSV: %j", async (file, line, message) => {
    const { bad, badLines } = await read(file);
    expect(badLines).toBe(1);
    expect(bad[0]).toMatchObject({ line, message: expect.stringContaining(message) });
    expect(bad[0]?.message).toContain("the lines after it cannot be read");
  });

  test("takes as many lines as a group may have members, and not one more", async () => {
    const full = Array.from({ length: MEMBERS_MAX }, (_, i) => `customer-${i}`).join("\n");
    expect((await read(full)).units).toHaveLength(MEMBERS_MAX);
    await expect(read(`${full}\none-more`)).rejects.toMatchObject({
      code: "BODY_TOO_LARGE",
      message: expect.stringContaining("100000 lines"),
    });
  }, 60_000);
});

describe("what is exported", () => {
  test("runs in no spreadsheet", () => {
    expect(["=1+1", "+49", "-2", "@x", "\tx", "'=1", "a=1", "'a"].map(toCell)).toEqual([
      "'=1+1",
      "'+49",
      "'-2",
      "'@x",
      "'\tx",
      "''=1",
      "a=1",
      "'a",
    ]);
  });

  test("comes back as it was, whatever units look like and wherever the bytes are cut", async () => {
    const unit = fc
      .array(fc.constantFrom("a", "=", "+", "-", "@", "'", '"', ",", ";", " ", "\n", "\r", "\t", "é", "unit", "😀"), {
        minLength: 1,
        maxLength: 8,
      })
      .map((parts) => parts.join(""));
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(unit, { maxLength: 20 }), fc.integer({ min: 1, max: 50 }), async (units, size) => {
        const rows = units.sort().map((each) => ({ unit: each, by: "=ana" }));
        const file: Uint8Array[] = [];
        const page = (after: string | undefined) => rows.filter((row) => after === undefined || row.unit > after).slice(0, 3);
        for await (const chunk of unitsFile(["unit", "by"], page)) file.push(chunk);
        const whole = Buffer.concat(file);
        const parts = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) => whole.subarray(i * size, (i + 1) * size));
        expect(await readUnits(bytes(...parts), undefined)).toEqual({
          lines: rows.length,
          units: rows.map((row) => row.unit),
          bad: [],
          badLines: 0,
        });
      }),
    );
  });
});
