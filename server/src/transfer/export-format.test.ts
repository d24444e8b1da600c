import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { z } from "zod";
import { wholeDocument } from "./document.ts";

const docs = (name: string) => fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url));

test("docs/export-format.schema.json is the schema that validates", () => {
  const title = { $id: "signalbox-project", title: "A Signalbox project as a file" };
  const schema = { ...title, ...z.toJSONSchema(wholeDocument, { io: "input" }) };
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  // To write it anew after a change: UPDATE_SCHEMA=1 npx vitest run server/src/transfer/export-format.test.ts
  if (process.env.UPDATE_SCHEMA) writeFileSync(docs("export-format.schema.json"), text);
  expect(JSON.parse(readFileSync(docs("export-format.schema.json"), "utf8"))).toEqual(JSON.parse(text));
});

test("the example of docs/export-format.md is a file of this form, with its keys sorted", () => {
  const [, example = ""] = /```json\n([\s\S]*?)```/.exec(readFileSync(docs("export-format.md"), "utf8")) ?? [];
  const document: unknown = JSON.parse(example);
  expect(wholeDocument.safeParse(document).error?.issues).toBeUndefined();
  expect(JSON.stringify(document, (_key, field: unknown) => sorted(field))).toBe(JSON.stringify(document));
});

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
